//! `fast_detect`: the kernel heartbeat of an instance.

use core::time::Duration;

/// How an instance takes part in the kernel heartbeat (S-BFD, RFC 7880).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastDetect {
    /// How long after its last sign of life an Active is still said to serve.
    /// In force is at least the time after which its adverts would be missed.
    pub lease: Duration,
}

impl FastDetect {
    /// Four holes of the kernel's throttle of real-time threads: one of them
    /// must not look like a hung agent.
    pub const LEASE: Duration = Duration::from_millis(200);
}

impl Default for FastDetect {
    fn default() -> Self {
        Self { lease: Self::LEASE }
    }
}
