//! Announcements that wait for their turn: one at a time for each limit.
//!
//! What waits is noted in the plans of the instances, one byte for each VIP,
//! so that nothing can grow; here is only when each limit lets the next one
//! pass, and which was the last. Limits go around all VIPs, as bursts do.

use std::time::Duration;

use agent_common::KernelTime;

use super::Hands;
use crate::{
    core::InstanceId,
    io::{
        announce::{FramePace, PaceKey},
        clock,
    },
};

/// Limits at one time: links that VIPs are announced on, twice for GARP and
/// NA. Announcements for which there is no room go without a limit.
const LIMITS: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Limit {
    key: PaceKey,
    /// When the last frame went, and how long the next one waits from then: a
    /// reload may change that meanwhile.
    sent: KernelTime,
    interval: Duration,
    /// Some frame may wait for it.
    busy: bool,
    /// Where the search for the next frame begins.
    instance: usize,
    vip: usize,
}

impl Limit {
    /// When the next frame may go.
    fn next(&self) -> KernelTime {
        self.sent.after(self.interval)
    }
}

#[derive(Debug)]
pub(super) struct Pacer(Vec<Limit>);

impl Pacer {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(LIMITS))
    }

    /// Notes that frames wait for a limit; false where there is no room for it.
    pub(super) fn admit(&mut self, pace: FramePace) -> bool {
        let FramePace { key, interval } = pace;
        if let Some(limit) = self.0.iter_mut().find(|limit| limit.key == key) {
            limit.interval = interval;
            limit.busy = true;
            return true;
        }
        let fresh = Limit {
            key,
            sent: KernelTime(0),
            interval: Duration::ZERO,
            busy: true,
            instance: 1,
            vip: 0,
        };
        if self.0.len() < LIMITS {
            self.0.push(fresh);
            return true;
        }
        let idle = self.0.iter_mut().filter(|limit| !limit.busy);
        match idle.min_by_key(|limit| limit.next()) {
            Some(oldest) => {
                *oldest = fresh;
                true
            }
            None => false,
        }
    }

    /// When something is to be sent; `None` while nothing waits.
    pub(super) fn next(&self) -> Option<KernelTime> {
        let busy = self.0.iter().filter(|limit| limit.busy);
        busy.map(Limit::next).min()
    }
}

impl Hands {
    /// At most one frame for each limit: what else is wanted comes first again
    /// before the next.
    pub(super) fn pace_announcements(&mut self) {
        if self.held || self.pacer.next().is_none() {
            return;
        }
        let now = clock::now();
        if self.desk.is_late(now) {
            return;
        }
        for index in 0..self.pacer.0.len() {
            let Some(mut limit) = self.pacer.0.get(index).copied() else {
                break;
            };
            if limit.busy && limit.next() <= now {
                match self.announce_next(&mut limit) {
                    Some(interval) => (limit.sent, limit.interval) = (now, interval),
                    None => limit.busy = false,
                }
                if let Some(slot) = self.pacer.0.get_mut(index) {
                    *slot = limit;
                }
            }
        }
    }

    /// Sends the next frame that waits for `limit`, and says how long the one
    /// after it has to wait; `None` where none was waiting.
    fn announce_next(&mut self, limit: &mut Limit) -> Option<Duration> {
        let seats = self.seats.len();
        // The instance it begins with comes twice: from the VIP on, and before.
        for _ in 0..=seats {
            let id = InstanceId(u16::try_from(limit.instance).unwrap_or(u16::MAX));
            let active = self.desk.is_active(id);
            let Self {
                seats: all,
                announcer,
                ..
            } = self;
            let works = all.get_mut(limit.instance);
            if let Some(works) = works.and_then(|seat| seat.works.as_mut())
                && let Some((at, interval)) = works.announce.waiting(limit.key, limit.vip)
            {
                if active {
                    limit.vip = at.saturating_add(1);
                    let result = works.announce.send_one(announcer, at);
                    self.announced(id, result);
                    return Some(interval);
                }
                works.announce.cancel();
            }
            limit.instance = limit.instance.saturating_add(1) % seats.max(1);
            limit.vip = 0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(id: u32, interval: Duration) -> FramePace {
        let key = PaceKey {
            id,
            is_group: false,
            is_na: false,
        };
        FramePace { key, interval }
    }

    fn key(id: u32) -> FramePace {
        pace(id, Duration::from_secs(1))
    }

    /// A reload: the hour that was asked for must not hold back what comes now.
    #[test]
    fn another_interval_counts_from_the_last_frame() {
        let hour = Duration::from_secs(3600);
        let mut pacer = Pacer::new();
        assert!(pacer.admit(pace(1, hour)));
        (pacer.0[0].sent, pacer.0[0].interval) = (KernelTime(5_000), hour);
        assert_eq!(pacer.next(), Some(KernelTime(5_000).after(hour)));
        assert!(pacer.admit(pace(1, Duration::from_micros(2))));
        assert_eq!(pacer.next(), Some(KernelTime(7_000)));
    }

    #[test]
    fn limits_are_bounded_and_idle_ones_give_way() {
        let mut pacer = Pacer::new();
        assert_eq!(pacer.next(), None);
        for id in 0..LIMITS as u32 {
            assert!(pacer.admit(key(id)));
        }
        assert!(pacer.admit(key(7)), "it is known");
        assert!(!pacer.admit(key(LIMITS as u32)), "all are busy");
        pacer.0[9].busy = false;
        assert!(pacer.admit(key(LIMITS as u32)));
        assert_eq!(pacer.0.len(), LIMITS);
        assert_eq!(pacer.0.capacity(), LIMITS);
        assert_eq!(pacer.next(), Some(KernelTime(0)));
    }
}
