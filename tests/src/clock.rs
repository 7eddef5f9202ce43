//! The lab's reader of the clock: CLOCK_MONOTONIC, the clock of the agent and
//! of `bpf_ktime_get_ns`.

use std::time::Duration;

use crate::sys;

/// Nanoseconds since boot, without time spent suspended.
pub fn monotonic() -> u64 {
    sys::clock_ns(libc::CLOCK_MONOTONIC)
}

/// What to add to a CLOCK_REALTIME stamp of the kernel to get CLOCK_MONOTONIC.
/// Good for as long as nobody steps the wall clock.
pub(crate) fn realtime_to_monotonic() -> i128 {
    i128::from(monotonic()) - i128::from(sys::clock_ns(libc::CLOCK_REALTIME))
}

/// A point in time after which waiting ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(u64);

impl Deadline {
    pub fn after(span: Duration) -> Self {
        Self(monotonic().saturating_add(nanos(span)))
    }

    pub fn expired(self) -> bool {
        monotonic() >= self.0
    }

    /// Zero once it has passed.
    pub fn remaining(self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(monotonic()))
    }
}

/// Saturates after some 584 years.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
