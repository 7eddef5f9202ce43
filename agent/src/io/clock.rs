//! The one reader of the clocks (.clippy.toml bans every other).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_common::KernelTime;
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC: the clock of `bpf_ktime_get_ns` and of every deadline.
pub fn now() -> KernelTime {
    KernelTime(read(ClockId::Monotonic))
}

/// CLOCK_BOOTTIME: how long the machine has run, time in suspension included.
pub fn since_boot() -> Duration {
    Duration::from_nanos(read(ClockId::Boottime))
}

/// CLOCK_REALTIME in nanoseconds since 1970; log lines and the conversion of
/// socket time stamps only.
pub fn wall_nanos() -> u64 {
    read(ClockId::Realtime)
}

/// The wall clock, for log lines.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads it"
)]
pub fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Now, for tokio's timers of the slow lane.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads it"
)]
pub fn instant() -> Instant {
    Instant::now()
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Converts socket time stamps, which the kernel gives on the wall clock, to
/// the monotonic clock.
///
/// Both clocks are read once per drain. A step of the wall clock between the
/// arrival of a packet and the drain would shift its stamp, so the result is
/// held between the previous drain that left the queue empty, before which the
/// packet cannot have come, and now.
#[derive(Debug)]
pub struct StampConverter {
    emptied: KernelTime,
    now: KernelTime,
    wall_now: u64,
}

impl StampConverter {
    pub fn new() -> Self {
        let now = now();
        Self {
            emptied: now,
            now,
            wall_now: wall_nanos(),
        }
    }

    /// Call before the first receive of a drain.
    pub fn begin(&mut self) {
        self.now = now();
        self.wall_now = wall_nanos();
    }

    /// Call when a drain found the queue empty.
    pub fn emptied(&mut self) {
        self.emptied = self.now;
    }

    /// `wall` in nanoseconds since 1970, `None` when the kernel gave none.
    pub fn convert(&self, wall: Option<u64>) -> KernelTime {
        let Some(wall) = wall else { return self.now };
        let age = self.wall_now.saturating_sub(wall);
        let stamp = KernelTime(self.now.nanos().saturating_sub(age));
        stamp.clamp(self.emptied.min(self.now), self.now)
    }
}

impl Default for StampConverter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(emptied: u64, now: u64, wall_now: u64) -> StampConverter {
        StampConverter {
            emptied: KernelTime(emptied),
            now: KernelTime(now),
            wall_now,
        }
    }

    /// The clock of `bpf_ktime_get_ns`, which no step of the wall clock moves.
    // proves: T-13
    #[test]
    fn t13_now_is_the_monotonic_clock() {
        let before = KernelTime(read(ClockId::Monotonic));
        let found = now();
        let after = KernelTime(read(ClockId::Monotonic));
        assert!(before <= found && found <= after, "{found:?}");
    }

    #[test]
    fn a_stamp_keeps_its_age() {
        let c = converter(100, 1_000, 50_000);
        assert_eq!(c.convert(Some(49_700)), KernelTime(700));
        assert_eq!(c.convert(None), KernelTime(1_000));
    }

    // proves: T-13
    #[test]
    fn t13_a_wall_clock_step_cannot_leave_the_window() {
        let c = converter(900, 1_000, 50_000);
        assert_eq!(c.convert(Some(0)), KernelTime(900), "stepped forward");
        assert_eq!(c.convert(Some(u64::MAX)), KernelTime(1_000), "stepped back");
    }
}
