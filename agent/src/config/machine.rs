//! What a configuration says of the machine and of our process, not of an instance.

use core::time::Duration;
use std::collections::BTreeMap;

use super::model::IfName;

/// How the agent is to run. What is not given stays as failoverd does it by
/// itself: SCHED_FIFO 60 for the fast lane, everything else as it was started.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// SCHED_FIFO priority of the fast lane, 1..=99.
    pub realtime: Option<u8>,
    /// Nice value of all threads, -20..=19; a thread that is SCHED_FIFO has no
    /// use for it.
    pub nice: Option<i8>,
    /// Processors that the fast lane may run on, ascending; empty for all.
    pub cpus: Vec<u16>,
    /// Microseconds of CPU time that a real-time thread may use without once
    /// waiting, before the kernel ends the process (RLIMIT_RTTIME).
    pub rttime: Option<u64>,
    /// Permission bits that files are made without, 0..=0o777.
    pub umask: Option<u16>,
}

/// How long an interface has to be down or up before that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delays {
    pub down: Duration,
    pub up: Duration,
}

/// What the file says of interfaces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interfaces {
    /// Names that no interface has yet are no mistake.
    pub dynamic: bool,
    /// Only interfaces with a delay that is not zero.
    pub delays: BTreeMap<IfName, Delays>,
}

impl Interfaces {
    /// Zero where none was given.
    pub fn delays(&self, name: &IfName) -> Delays {
        self.delays.get(name).copied().unwrap_or_default()
    }
}
