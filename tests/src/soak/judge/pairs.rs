//! What is asked of several machines at once: one serves, and stays.

use std::time::Duration;

use crate::clock::nanos;

use super::{
    super::{INTERVAL, plan::Fault, scout::Held},
    DELTA, DUAL, Judge,
};

impl Judge<'_> {
    /// Since when a machine hears and is heard.
    fn together_since(&self, machine: usize) -> u64 {
        let apart = self.suffered(machine).filter(|suffered| suffered.apart);
        let mended = apart.map(|suffered| suffered.mended);
        mended.max().unwrap_or(self.episode.from)
    }

    /// Its VIPs are touched by somebody else: judged by itself.
    fn is_tampered(&self, machine: usize) -> bool {
        self.suffered(machine)
            .any(|suffered| matches!(suffered.fault, Fault::TakeVips | Fault::StrayVips))
    }

    /// 3: of two that hear each other one leaves.
    pub(super) fn duals(&mut self) {
        let to = self.episode.to;
        for first in self.machines() {
            for second in first + 1..self.machines().end {
                if self.is_tampered(first) || self.is_tampered(second) {
                    continue;
                }
                let since = self.together_since(first).max(self.together_since(second));
                let pairs: Vec<(Held, Held)> = self
                    .held(first)
                    .flat_map(|one| self.held(second).map(move |other| (one, other)))
                    .collect();
                for (one, other) in pairs {
                    let from = one.from.max(other.from).max(since);
                    let until = one.until(to).min(other.until(to));
                    if until <= from {
                        continue;
                    }
                    let took = Duration::from_nanos(until - from);
                    self.measured.duals.push(took);
                    self.bound(3, (from, until), took, DUAL, || {
                        format!("machines {first} and {second} serve both")
                    });
                }
            }
        }
    }

    /// Whether the right one can be heard by all, and nobody is made better.
    pub(super) fn incumbent_is_heard(&self, right: usize) -> bool {
        let better = |suffered: &super::Suffered| suffered.fault == Fault::ReloadOther;
        let gone = self.suffered(right).any(|suffered| suffered.apart);
        !gone && !self.episode.suffered.iter().any(better)
    }

    /// 4, 5 and 19: who hears a better one does not take over, and who is the
    /// best one stays.
    pub(super) fn incumbent(&mut self) {
        let right = self.episode.right[self.router];
        if !self.incumbent_is_heard(right) {
            return;
        }
        let from = self.episode.from;
        let tampered = self.is_tampered(right);
        if !tampered
            && !self
                .held(right)
                .any(|held| held.from <= from && held.to.is_none())
        {
            let text = format!("machine {right} lost the VIP, and it was the best one");
            self.note(5, from, text, false);
        }
        for machine in self.machines() {
            if machine == right || !self.is_untouched(machine) {
                continue;
            }
            for held in self.held(machine).collect::<Vec<_>>() {
                self.promotion(machine, held, right);
            }
        }
    }

    /// Wrong when an advert of the Active came within the Active_Down_Interval.
    fn promotion(&mut self, machine: usize, held: Held, right: usize) {
        let track = self.track(machine);
        // The first of those that led to this VIP.
        let begin = held.from.saturating_sub(nanos(self.coming() + INTERVAL));
        let claims: Vec<u64> = track.claims(begin, held.from).collect();
        let pauses = claims.windows(2).rev();
        let gap = nanos(3 * INTERVAL);
        let mut joined = pauses.take_while(|pair| pair[1] - pair[0] < gap);
        let last = claims.last().copied().unwrap_or(held.from);
        let first = joined.by_ref().last().map_or(last, |pair| pair[0]);
        let best = self.priority(right);
        let heard = track
            .heard
            .iter()
            .rev()
            .map(|(time, priority)| (*time, *priority));
        let heard = heard.filter(|(time, priority)| *time < first && *priority == best);
        let heard: Vec<u64> = heard.map(|(time, _)| time).chain([0]).collect();
        let last = heard.first().copied().unwrap_or(0);
        let age = Duration::from_nanos(first.saturating_sub(last));
        let down = self.down(machine);
        let slack = Duration::from_millis(1);
        // What came while that which had been decided was on its way out.
        let way = DELTA + self.stalled(first.saturating_sub(nanos(2 * DELTA)), first);
        let crossed = heard.windows(2).any(|pair| {
            let silence = Duration::from_nanos(pair[0].saturating_sub(pair[1]));
            let ago = Duration::from_nanos(first.saturating_sub(pair[0]));
            silence + slack >= down && ago <= way
        });
        let text = format!(
            "machine {machine} took over {age:?} after an advert of the Active, \
             Active_Down_Interval {down:?}"
        );
        // Why nothing came for so long is told by invariant 10.
        let silent = age + slack >= down;
        self.note(4, first, text, silent || crossed);
    }
}
