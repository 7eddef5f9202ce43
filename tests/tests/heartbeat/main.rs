//! The heartbeat: a Backup that asks the kernel of its Active.
//!
//! Order and counts are what is looked at: a machine that runs these tests is
//! rarely idle.

mod false_alarms;
mod lab;
mod many;
mod own_link;
mod peers;
mod takeover;
