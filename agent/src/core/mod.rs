//! The pure part: election and timers of every virtual router.
//!
//! `handle(input, now)`, `poll_timeout()`, `poll_effect()` and nothing else.
//! No clock, socket, task, random source, file or global in here; time comes
//! in as [`agent_common::KernelTime`] and everything that should happen comes
//! out as an [`Effect`] in the order it must be carried out. Nothing is
//! allocated after [`Machine::new`], not even for an instance that is added.

mod active;
mod backup;
mod change;
pub mod config;
pub mod effect;
mod group;
mod heard;
mod heartbeat;
pub mod input;
mod instance;
mod lifecycle;
mod limit;
mod machine;
mod queue;
mod remark;
pub mod saved;
pub mod snapshot;
pub mod timers;

#[cfg(test)]
mod tests;

pub use config::{AnnouncePolicy, InstanceConfig};
pub use effect::{Cause, Effect, Notice, State};
pub use input::{Advert, Fault, GroupId, Input, InstanceId, Lost, Pulse};
pub use machine::Machine;
pub use saved::Saved;
pub use snapshot::{Counters, Snapshot};
