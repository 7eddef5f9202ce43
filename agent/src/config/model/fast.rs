//! `fast_detect`: the kernel heartbeat of an instance.

use core::time::Duration;
use std::ops::RangeInclusive;

/// How an instance takes part in the kernel heartbeat (S-BFD, RFC 7880).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FastDetect {
    /// How long after its last sign of life an Active is still said to serve.
    /// In force is at least the time after which its adverts would be missed.
    pub lease: Duration,
    /// Between two probes of a Backup.
    pub interval: Duration,
    /// Probes in a row that an Active may leave unanswered, and is down.
    pub multiplier: u8,
    /// It asks as Backup. Not where a reload has taken it off an Active, on
    /// whose answers others count: that one goes on answering.
    pub asks: bool,
}

impl FastDetect {
    /// Four holes of the kernel's throttle of real-time threads: one of them
    /// must not look like a hung agent.
    pub const LEASE: Duration = Duration::from_millis(200);
    pub const INTERVAL: Duration = Duration::from_millis(1);
    pub const MULTIPLIER: u8 = 3;

    /// A lease that is shorter says nothing, a longer one helps nobody.
    pub const LEASES: RangeInclusive<Duration> =
        Duration::from_millis(10)..=Duration::from_secs(60);
    /// Faster would cost more than it gains, slower is what adverts are for.
    pub const INTERVALS: RangeInclusive<Duration> =
        Duration::from_micros(100)..=Duration::from_secs(1);
    /// One lost packet must not be a dead machine.
    pub const MULTIPLIERS: RangeInclusive<u8> = 2..=20;
}

impl Default for FastDetect {
    fn default() -> Self {
        Self {
            lease: Self::LEASE,
            interval: Self::INTERVAL,
            multiplier: Self::MULTIPLIER,
            asks: true,
        }
    }
}
