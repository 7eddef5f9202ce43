//! Invariant 7: what adverts do to the timers, to the nanosecond.

use agent_common::{KernelTime, Priority, Version};
use failoverd::core::{Effect, Input, Snapshot, State};

use super::Rule;
use crate::{
    books::Owes,
    node::{self, Step},
    schedule::Kind,
    world::World,
};

const CENTI: u64 = 10_000_000;

/// Skew_Time in nanoseconds: RFC 9568 6.1 and RFC 3768 6.1, written again.
pub fn skew(version: Version, centis: u16, priority: Priority) -> u64 {
    let base = match version {
        Version::V2 => 100,
        Version::V3 => u64::from(centis),
    };
    (256 - u64::from(priority.get())) * base * CENTI / 256
}

pub fn down_interval(version: Version, centis: u16, priority: Priority) -> u64 {
    3 * u64::from(centis) * CENTI + skew(version, centis, priority)
}

impl World {
    /// The interval that an advert makes a router wait by: its own in v3, ours
    /// in v2, whatever it says.
    pub(super) fn in_force(&self, theirs: u16, ours: u16) -> u16 {
        match self.schedule.setting.version {
            Version::V2 => ours,
            Version::V3 => theirs,
        }
    }

    /// What an advert does to a Backup's timer.
    pub(super) fn check_advert(
        &mut self,
        router: usize,
        index: usize,
        step: &Step,
        now: KernelTime,
    ) {
        let Input::Advert { id, advert } = step.input else {
            return;
        };
        let (before, after) = (step.before, step.after);
        if node::index(id) != index || before.state != State::Backup {
            return;
        }
        let preempt = self.nodes[router].spec.preempt || before.priority.is_owner();
        let delay = self.nodes[router].spec.preempt_delay_ms > 0;
        let moved = before.deadline != after.deadline;
        if advert.priority.is_release() || !moved {
            return;
        }
        if preempt && !delay && advert.priority < before.priority {
            let what = format!("a discarded advert moved the timer: {advert:?}");
            return self.fail(Rule::TimerExactness, Some(router), what);
        }
        let version = self.schedule.setting.version;
        let centis = self.in_force(advert.interval.centis(), after.interval.centis());
        let down = down_interval(version, centis, after.priority);
        let exact = Some(KernelTime(advert.stamp.0 + down));
        // What is older than that a group went: from then on.
        let went = self.nodes[router].is_grouped() && advert.stamp < before.since;
        let from_then = Some(KernelTime(before.since.0 + down)).filter(|_| went);
        let book = &self.books[router][index];
        let overslept = after.counters.overslept != book.overslept;
        if after.deadline != exact && after.deadline != from_then && !overslept {
            let what = format!("{:?} where {exact:?} is right, at {now:?}", after.deadline);
            self.fail(Rule::TimerExactness, Some(router), what);
        }
        if after.deadline == exact {
            self.books[router][index].overslept = after.counters.overslept;
        }
    }

    /// What another priority does to it: counted from the same advert.
    pub(super) fn check_priority(
        &mut self,
        router: usize,
        index: usize,
        step: &Step,
        now: KernelTime,
    ) {
        let (before, after) = (step.before, step.after);
        let Input::Priority { id, .. } = step.input else {
            return;
        };
        let (Some(heard), Some(due)) = (before.last_advert, before.deadline) else {
            return;
        };
        let stays = before.state == State::Backup && after.state == State::Backup;
        if node::index(id) != index || !stays {
            return;
        }
        let version = self.schedule.setting.version;
        let centis = after.learned_interval.centis();
        let counted = |priority| KernelTime(heard.0 + down_interval(version, centis, priority));
        // What is late, or runs after a priority 0 or a freeze, is another matter.
        let plain = due == counted(before.priority);
        let awake = now.after(after.learned_interval.duration() * 2) < due;
        let right = counted(after.priority).max(now);
        if plain && awake && after.deadline != Some(right) {
            let what = format!("{:?} where {right:?} is right", after.deadline);
            self.fail(Rule::TimerExactness, Some(router), what);
        }
    }

    /// S-38, S-39, S-42: when an Active sends next.
    pub(super) fn check_cadence(
        &mut self,
        router: usize,
        index: usize,
        step: &Step,
        effects: &[Effect],
        now: KernelTime,
    ) {
        let (before, after) = (step.before, step.after);
        let stays = before.state == State::Active && after.state == State::Active;
        if !stays {
            self.books[router][index].owes = None;
            return;
        }
        match step.input {
            Input::Advert { id, advert } if node::index(id) == index => {
                self.owe(router, index, &before, &after, advert.priority);
            }
            Input::Timeout => {
                let sends = |effect: &Effect| matches!(effect, Effect::SendAdvert { .. });
                // Where a limit keeps it back, there is no answer.
                let owes = self.books[router][index].owes.take();
                if effects.iter().any(sends) {
                    self.check_next(router, owes, step, now);
                }
            }
            Input::Configure { .. } | Input::Up { .. } => self.books[router][index].owes = None,
            Input::Advert { .. }
            | Input::Retire { .. }
            | Input::Down { .. }
            | Input::Priority { .. }
            | Input::AddressLost { .. }
            | Input::AddressClaimed { .. }
            | Input::Heart { .. }
            | Input::Shutdown { .. } => {}
        }
    }

    fn owe(
        &mut self,
        router: usize,
        index: usize,
        before: &Snapshot,
        after: &Snapshot,
        priority: Priority,
    ) {
        let counted = after.counters.adverts_received > before.counters.adverts_received;
        let own = after.counters.own_address_heard > before.counters.own_address_heard;
        if counted && !own {
            let owes = match priority.is_release() {
                true => Owes::Release,
                false => Owes::Assert,
            };
            let book = &mut self.books[router][index];
            book.owes = book.owes.max(Some(owes));
        }
    }

    fn check_next(&mut self, router: usize, owes: Option<Owes>, step: &Step, now: KernelTime) {
        let interval = step.after.interval.duration();
        let right = match (step.before.deadline, owes) {
            (Some(due), _) if due <= now => {
                let next = due.after(interval);
                Some(if next > now {
                    next
                } else {
                    now.after(interval)
                })
            }
            (_, Some(Owes::Release)) => Some(now.after(interval)),
            (due, Some(Owes::Assert)) => due,
            (due, None) => {
                let what = format!("an advert that nothing asks for, next at {due:?}");
                return self.fail(Rule::TimerExactness, Some(router), what);
            }
        };
        if step.after.deadline != right && self.kind(router) == Kind::Agent {
            let what = format!(
                "Adver_Timer at {:?} where {right:?} is right, for {owes:?}",
                step.after.deadline
            );
            self.fail(Rule::TimerExactness, Some(router), what);
        }
    }
}
