//! Rejected adverts by reason and source, told at a bounded rate.

use core::time::Duration;
use std::{collections::BTreeMap, net::IpAddr};

use agent_common::KernelTime;

use super::{
    budget::Budget,
    event::Rejected,
    reason::meaning,
    sight::{Rejection, RouterKey},
};

/// Reasons and sources told apart; the one that is longest quiet makes room.
pub const MAX_REJECTS: usize = 256;
/// One reason of one source is told this often at most.
pub const REPEAT: Duration = Duration::from_secs(10);
/// All of them together, a second.
const EVENTS: u32 = 20;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    /// [`agent_common::Outcome::index`].
    reason: u32,
    router: Option<RouterKey>,
    source: Option<IpAddr>,
}

/// Rejected adverts of one reason and source.
#[derive(Clone, Copy, Debug)]
pub struct Reject {
    pub rejection: Rejection,
    pub count: u64,
    pub last: KernelTime,
    told: Option<KernelTime>,
}

/// All that was rejected.
#[derive(Clone, Debug)]
pub struct Rejects {
    kinds: BTreeMap<Key, Reject>,
    budget: Budget,
    total: u64,
}

impl Default for Rejects {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            budget: Budget::new(EVENTS),
            total: 0,
        }
    }
}

impl Rejects {
    /// Counts one; what to tell of it, if it is time to.
    pub fn record(&mut self, rejection: Rejection, stamp: KernelTime) -> Option<Rejected> {
        self.total = self.total.saturating_add(1);
        let key = Key {
            reason: rejection.reason.index(),
            router: rejection.router,
            source: rejection.source,
        };
        if !self.kinds.contains_key(&key) {
            self.make_room();
        }
        let kind = self.kinds.entry(key).or_insert(Reject {
            rejection,
            count: 0,
            last: stamp,
            told: None,
        });
        kind.rejection = rejection;
        kind.count = kind.count.saturating_add(1);
        kind.last = kind.last.max(stamp);
        let due = kind.told.is_none_or(|told| stamp.since(told) >= REPEAT);
        if !due || !self.budget.take(stamp) {
            return None;
        }
        kind.told = Some(stamp);
        Some(kind.told())
    }

    fn make_room(&mut self) {
        if self.kinds.len() < MAX_REJECTS {
            return;
        }
        let oldest = self.kinds.iter().min_by_key(|(_, kind)| kind.last);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.kinds.remove(&key);
        }
    }

    /// What was rejected, the most recent first.
    pub fn recent(&self) -> Vec<Reject> {
        let mut kinds: Vec<_> = self.kinds.values().copied().collect();
        // By the second, or a screen that shows it would never come to rest.
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.last.nanos() / 1_000_000_000));
        kinds
    }

    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Reject {
    /// The same as an event.
    pub fn told(&self) -> Rejected {
        let Rejection {
            reason,
            router,
            source,
            local,
            ttl,
        } = self.rejection;
        Rejected {
            reason: reason.label(),
            detail: meaning(reason),
            router: router.map(Into::into),
            source,
            local,
            ttl,
            count: self.count,
        }
    }
}
