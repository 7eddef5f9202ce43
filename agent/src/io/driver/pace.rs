//! Announcements that wait for their turn: one at a time for each limit.
//!
//! What waits is noted in the plans of the instances, one byte for each VIP,
//! so that nothing can grow; here is only when each limit lets the next one
//! pass, and which was the last. Limits go around all VIPs, as bursts do.

use std::time::Duration;

use agent_common::KernelTime;

use super::Driver;
use crate::{
    core::{InstanceId, State},
    io::{announce::PaceKey, clock},
};

/// Limits at one time: links that VIPs are announced on, twice for GARP and
/// NA. Announcements for which there is no room go without a limit.
const LIMITS: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Limit {
    key: PaceKey,
    /// When the next frame may go.
    next: KernelTime,
    /// Some frame may wait for it.
    busy: bool,
    /// Where the search for the next frame begins.
    instance: usize,
    vip: usize,
}

#[derive(Debug)]
pub(super) struct Pacer(Vec<Limit>);

impl Pacer {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(LIMITS))
    }

    /// Notes that frames wait for `key`; false where there is no room for it.
    pub(super) fn admit(&mut self, key: PaceKey) -> bool {
        if let Some(limit) = self.0.iter_mut().find(|limit| limit.key == key) {
            limit.busy = true;
            return true;
        }
        let fresh = Limit {
            key,
            next: KernelTime(0),
            busy: true,
            instance: 1,
            vip: 0,
        };
        if self.0.len() < LIMITS {
            self.0.push(fresh);
            return true;
        }
        let idle = self.0.iter_mut().filter(|limit| !limit.busy);
        match idle.min_by_key(|limit| limit.next) {
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
        busy.map(|limit| limit.next).min()
    }
}

impl Driver {
    /// At most one frame for each limit: our adverts come first again before
    /// the next.
    pub(super) fn pace_announcements(&mut self) {
        if self.pacer.next().is_none() {
            return;
        }
        let now = clock::now();
        for index in 0..self.pacer.0.len() {
            let Some(mut limit) = self.pacer.0.get(index).copied() else {
                break;
            };
            if limit.busy && limit.next <= now {
                match self.announce_next(&mut limit) {
                    Some(interval) => limit.next = now.after(interval),
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
        let seats = self.ports.0.len();
        // The instance it begins with comes twice: from the VIP on, and before.
        for _ in 0..=seats {
            let id = InstanceId(u16::try_from(limit.instance).unwrap_or(u16::MAX));
            let waiting = self
                .ports
                .port(id)
                .and_then(|port| port.announce.waiting(limit.key, limit.vip));
            let Some((at, interval)) = waiting else {
                limit.instance = limit.instance % seats + 1;
                limit.vip = 0;
                continue;
            };
            let state = self.machine.snapshot(id).map(|snapshot| snapshot.state);
            let port = self.ports.port(id)?;
            if state != Some(State::Active) {
                port.announce.cancel();
                continue;
            }
            limit.vip = at + 1;
            let result = port.announce.send_one(&self.sockets.announcer, at);
            self.announced(id, result);
            return Some(interval);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32) -> PaceKey {
        PaceKey {
            id,
            is_group: false,
            is_na: false,
        }
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
