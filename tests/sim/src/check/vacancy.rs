//! Invariant 18: how long nobody serves after the Active has gone.

use agent_common::{KernelTime, Priority};
use failoverd::core::State;

use super::{
    Rule,
    timers::{down_interval, skew},
};
use crate::{
    schedule::{Fast, INSTANCES},
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
            // An advert of its last moment may be under way, and overtaken by
            // the priority 0: then it is a sign of life. It may be the first
            // one with another interval, too.
            let last = self.under_way(other, source, index).map(|a| a.interval);
            let last = last.max_by_key(|interval| interval.centis());
            let theirs = last.unwrap_or(heard.interval);
            let centis = self.in_force(theirs.centis(), node.spec.interval_cs);
            let wait = match released && last.is_none() {
                true => skew(version, centis, own),
                false => down_interval(version, centis, own),
            };
            // Of a slow heartbeat the last Up holds a take-over for longer.
            let asks = self.asks(other, index).filter(|_| !released);
            let wait = match (asks, node.fast) {
                (Some(fast), _) => node.found_within(fast, index, false),
                // Its first Up is here and has not been read.
                (None, Some(fast)) if !released && self.is_answer_unread(other, source, index) => {
                    wait.max(node.found_within(fast, index, false))
                }
                (None, _) => wait,
            };
            Some(node.spec.clock.when(KernelTime(now.0 + wait)))
        });
        Some(patience.min()? + 2 * MARGIN + self.network.longest())
    }

    /// The heartbeat of a Backup counts, and nothing has kept it from running
    /// lately.
    fn asks(&self, router: usize, index: usize) -> Option<Fast> {
        let (node, book) = (&self.nodes[router], &self.hearts[router]);
        let fast = node
            .fast
            .filter(|_| node.is_armed(index, node.local(self.now)))?;
        let settled = self.books[router][index]
            .runnable_since
            .max(book.linked_since)
            .max(self.clear_since);
        (settled + 2 * fast.interval < self.now).then_some(fast)
    }

    /// The agent of an Active hangs from now on: its lease runs out, and its
    /// kernel says so.
    pub fn hangs(&mut self, router: usize) {
        if self.faults > 1 || !self.is_clear() || !self.nodes[router].plight.is_well() {
            return;
        }
        for index in 0..INSTANCES {
            let node = &self.nodes[router];
            let lease = KernelTime(node.kernel.leases[index].until_ns);
            let ends = node.spec.clock.when(lease);
            let others = (0..self.nodes.len()).filter(|other| *other != router);
            let patience = others.filter_map(|other| {
                let node = &self.nodes[other];
                let snapshot = node.snapshot(index)?;
                let follows = snapshot.active == Some(self.nodes[router].address(index));
                let able = node.plight.is_well() && !node.is_grouped() && follows;
                let fast = self.asks(other, index).filter(|_| able)?;
                let wait = node.found_within(fast, index, true);
                (snapshot.state == State::Backup).then(|| ends.max(self.now) + wait)
            });
            let until = patience
                .min()
                .filter(|_| node.kernel.targets[index].is_some());
            if let (true, Some(until)) = (self.actives(index) == [router], until) {
                let (gone, until) = (router, until + 2 * MARGIN + self.network.longest());
                self.vacant[index] = Some(Vacancy { gone, until });
            }
        }
    }

    pub(super) fn check_vacancies(&mut self) {
        for index in 0..INSTANCES {
            let Some(Vacancy { gone, until }) = self.vacant[index] else {
                continue;
            };
            if self.actives(index).iter().any(|active| *active != gone) {
                self.vacant[index] = None;
            } else if self.now > until {
                let what = format!("instance {index}: nobody has taken over from {gone}");
                self.fail(Rule::FailOverTime, Some(gone), what);
            }
        }
    }
}
