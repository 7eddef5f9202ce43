//! The kernel half, on a real kernel: verdicts by BPF_PROG_TEST_RUN, which
//! attaches nothing, and attachments inside a namespace of their own.

mod arrival;
mod attach;
mod delivery;
mod fence;
mod flood;
mod lab;
mod leaves;
mod logs;
mod loops;
mod reflect;
mod scattered;
mod transmit;
mod verdicts;
