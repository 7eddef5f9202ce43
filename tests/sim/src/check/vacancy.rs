//! Invariant 18: how long nobody serves after the Active has gone.

use agent_common::{KernelTime, Priority};
use failoverd::core::State;

use super::{
    Rule,
    timers::{down_interval, skew},
};
use crate::{
    schedule::INSTANCES,
    time::At,
    world::{MARGIN, World},
};

/// An Active has gone from a world that was well otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Vacancy {
    gone: usize,
    /// Somebody has to serve then.
    until: At,
}

impl World {
    /// Another fault: what was promised for a world without one is void.
    pub fn void_vacancies(&mut self) {
        self.vacant = [None; INSTANCES];
    }

    /// `router` is Active and ends now; `released` when it says so.
    pub fn vacates(&mut self, router: usize, released: bool) {
        if self.faults > 1 || !self.is_clear() {
            return;
        }
        for index in 0..INSTANCES {
            let alone = self.actives(index) == [router];
            let until = self.best_patience(router, index, released);
            if let (true, Some(until)) = (alone, until) {
                let gone = router;
                self.vacant[index] = Some(Vacancy { gone, until });
            }
        }
    }

    /// When the first of those takes over that have just heard the Active, by
    /// what they heard.
    fn best_patience(&self, gone: usize, index: usize, released: bool) -> Option<At> {
        let version = self.schedule.setting.version;
        let source = self.nodes[gone].address(index);
        let others = (0..self.nodes.len()).filter(|other| *other != gone);
        let patience = others.filter_map(|other| {
            let node = &self.nodes[other];
            let snapshot = node.snapshot(index)?;
            let heard = self.books[other][index].life_sign?;
            let able = node.plight.is_well() && !node.is_grouped() && !snapshot.waits_for_group;
            let beat = heard.interval.duration() * 5 / 4;
            let now = node.local(self.now);
            let fresh = heard.source == source && now.since(heard.stamp) <= beat;
            if !able || !fresh || snapshot.state != State::Backup {
                return None;
            }
            let own = Priority(node.priority[index]);
            let theirs = heard.interval.centis();
            let centis = self.in_force(theirs, node.spec.interval_cs);
            // An advert of its last moment may be under way, and overtaken by
            // the priority 0: then it is a sign of life.
            let wait = match released && !self.is_under_way(other, source, index) {
                true => skew(version, centis, own),
                false => down_interval(version, centis, own),
            };
            Some(node.spec.clock.when(KernelTime(now.0 + wait)))
        });
        Some(patience.min()? + 2 * MARGIN + self.network.longest())
    }

    pub(super) fn check_vacancies(&mut self) {
        for index in 0..INSTANCES {
            let Some(Vacancy { gone, until }) = self.vacant[index] else {
                continue;
            };
            if !self.actives(index).is_empty() {
                self.vacant[index] = None;
            } else if self.now > until {
                let what = format!("instance {index}: nobody has taken over from {gone}");
                self.fail(Rule::FailOverTime, Some(gone), what);
            }
        }
    }
}
