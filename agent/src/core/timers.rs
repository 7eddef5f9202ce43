//! Timer arithmetic of VRRP in nanoseconds, and the timer table of one instance.
//!
//! Every division comes last (T-12), so that no priority and no interval
//! truncates Skew_Time to zero. The largest product, 255 * 655.35 s in
//! nanoseconds, is below 2^48.

use core::time::Duration;

use agent_common::{AdvertInterval, KernelTime, Priority, Version};

const NANOS_PER_CENTISECOND: u64 = 10_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Skew_Time: v2 has a base of 1 s whatever the interval (RFC 3768 6.1), v3
/// scales with the interval in force (RFC 9568 6.1).
pub fn skew_time(version: Version, priority: Priority, interval: AdvertInterval) -> Duration {
    let base = match version {
        Version::V2 => NANOS_PER_SECOND,
        Version::V3 => interval_nanos(interval),
    };
    Duration::from_nanos((256 - u64::from(priority.get())) * base / 256)
}

/// Skew_Time after a stopped heartbeat: that of v3, with the interval of the
/// probes in the place of the adverts'.
pub fn scaled_skew(priority: Priority, interval: Duration) -> Duration {
    interval.saturating_mul(256 - u32::from(priority.get())) / 256
}

/// Active_Down_Interval: `factor` intervals (3 in the RFCs, T-14) and one Skew_Time.
pub fn active_down_interval(
    version: Version,
    priority: Priority,
    interval: AdvertInterval,
    factor: u8,
) -> Duration {
    let silence = Duration::from_nanos(interval_nanos(interval) * u64::from(factor.max(1)));
    silence + skew_time(version, priority, interval)
}

/// How long before the Active_Down_Timer a Backup proves that it is awake.
///
/// 1.5 intervals, so that a Backup which slept up to the checkpoint and thawed
/// there still hears one whole interval before the deadline. Less where the
/// down factor is 1 or 2, so that a Backup with a living Active cannot be taken
/// for one that overslept:
/// - at most half of the Active_Down_Interval: then an advert newer than one
///   checkpoint puts the next one behind the deadline it replaces, and what
///   is read on time at either is never late at the other;
/// - one interval must lie between an advert and its checkpoint: the newest
///   advert can be that old whenever we wake.
pub fn checkpoint_margin(interval: AdvertInterval, down: Duration) -> Duration {
    let beat = interval.duration();
    (beat * 3 / 2).min(down / 2).min(down.saturating_sub(beat))
}

/// A wake-up later than this does not count as awake: a quarter interval.
pub fn oversleep_tolerance(interval: AdvertInterval) -> Duration {
    Duration::from_nanos(interval_nanos(interval) / 4)
}

fn interval_nanos(interval: AdvertInterval) -> u64 {
    u64::from(interval.centis()) * NANOS_PER_CENTISECOND
}

/// The timers of one instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Adver_Timer; only in Active (T-08).
    Advert,
    /// Active_Down_Timer; only in Backup (T-08).
    ActiveDown,
    /// Backup: shows that we are awake well before Active_Down_Timer.
    Checkpoint,
    /// Backup: until then a lower-priority Active is put up with.
    PreemptDelay,
    /// Backup, one member of a sync group: when the group may be Active again
    /// after an election that both sides lost.
    GroupHold,
    /// Active: the answer to another router's advert. Due at once, so that it
    /// is given when all that has come in is read, and to all of it.
    Answer,
    /// Active: the re-announcement that the rate limit held back (S-47).
    Reannounce,
    /// Active: the second burst of announcements.
    AnnounceAgain,
    /// Active: the periodic refresh.
    AnnounceRefresh,
    /// Active: the periodic announcement of VIPs on other links.
    AnnounceElsewhere,
}

impl Timer {
    pub const ALL: [Self; 10] = [
        Self::Advert,
        Self::ActiveDown,
        Self::Checkpoint,
        Self::PreemptDelay,
        Self::GroupHold,
        Self::Answer,
        Self::Reannounce,
        Self::AnnounceAgain,
        Self::AnnounceRefresh,
        Self::AnnounceElsewhere,
    ];
}

/// Deadlines by [`Timer`]; the end of the clock stands for "not armed".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    at: [KernelTime; Timer::ALL.len()],
}

impl Timers {
    /// The deadline of a timer that is not armed.
    pub const NEVER: KernelTime = KernelTime(u64::MAX);

    pub const fn unarmed() -> Self {
        Self {
            at: [Self::NEVER; Timer::ALL.len()],
        }
    }

    /// A deadline at the very end of the clock comes a nanosecond early, so
    /// that no stamp can disarm a timer by saturation.
    pub fn arm(&mut self, timer: Timer, at: KernelTime) {
        self.at[timer as usize] = at.min(KernelTime(u64::MAX - 1));
    }

    pub fn disarm(&mut self, timer: Timer) {
        self.at[timer as usize] = Self::NEVER;
    }

    pub fn get(&self, timer: Timer) -> Option<KernelTime> {
        let at = self.at[timer as usize];
        (at != Self::NEVER).then_some(at)
    }

    /// The deadline of `timer` if it is at or before `now`.
    pub fn due(&self, timer: Timer, now: KernelTime) -> Option<KernelTime> {
        self.get(timer).filter(|at| *at <= now)
    }

    /// The earliest deadline, [`Self::NEVER`] without one.
    pub fn next(&self) -> KernelTime {
        self.at.into_iter().min().unwrap_or(Self::NEVER)
    }
}
