//! Failure modes of docs/failure-modes.md that come from the network (N), from
//! time and the scheduler (T), and from BPF (B). The number of each test is
//! that of its row.

mod announcements;
mod deaf;
mod lab;
mod links;
mod loss;
mod machine;
mod processes;
mod programs;
mod strangers;
mod torture;
