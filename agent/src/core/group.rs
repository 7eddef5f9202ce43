//! Sync groups: instances that move together, in one step of the core.
//!
//! Members are those whose configuration names the group, so that a reload
//! lets them come and go one by one.
//!
//! - A fault of one is a fault of all. A member that has left (shutdown,
//!   retired) is no member any more.
//! - A Backup whose deadline has passed only *wants* to be Active. When all
//!   want, all become Active: first every advert, then the addresses.
//! - When one leaves Active, all do: first every farewell, then the addresses.
//!   What came in for the others since the advert that it left for counts when
//!   it is read, however late that is.
//! - A member that joins while the others are Active waits out its own
//!   Active_Down_Interval. If it accepts another router as Active meanwhile,
//!   the whole group yields to that router.
//!
//! # Elections that both sides lose
//!
//! Two routers of which each is the better one for some members cannot both
//! have their way. While one is Active alone this is stable: the other one
//! never wants all members. But when both are Active, as after a partition,
//! and hear each other in the same moment, both yield, and by the same
//! deadlines both would be back together, for ever. So who has just yielded
//! and has heard of such a split waits for more Active_Down_Intervals: the
//! loser of the member that both sides take for the first (by its addresses)
//! for one more, and both for more from round to round, should that not
//! settle it, as with a router that knows nothing of this.

use agent_common::KernelTime;

use super::{
    effect::{Cause, Effect, State},
    input::{Fault, GroupId, InstanceId},
    instance::{Instance, bump},
    machine::Machine,
    queue::Effects,
    timers::Timer,
};

/// Rounds after which the wait grows no more.
const MAX_ROUNDS: u8 = 6;

/// What a group remembers beside its members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// What all members were last.
    state: State,
    active_since: KernelTime,
    /// When it last left Active for another router.
    yielded: Option<KernelTime>,
    /// Splits in a row.
    rounds: u8,
    /// Something happened to a member in this step.
    pub(super) touched: bool,
}

impl Group {
    pub(super) const NEW: Self = Self {
        state: State::Initialize,
        active_since: KernelTime(0),
        yielded: None,
        rounds: 0,
        touched: false,
    };
}

/// What of an instance matters to its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    pub(super) group: Option<GroupId>,
    state: State,
    fault: Option<Fault>,
    left: bool,
    wants: bool,
    holds: bool,
    last_advert: Option<KernelTime>,
}

impl Machine {
    /// A group goes on where a predecessor has left its members. What it knew of
    /// splits begins anew.
    pub(super) fn restore_group(&mut self, id: GroupId, state: State, since: KernelTime) {
        if let Some(group) = self.group_mut(id) {
            group.state = state;
            group.active_since = since;
        }
    }
}

impl Instance {
    pub(super) fn standing(&self) -> Standing {
        Standing {
            group: self.config.group,
            state: self.state,
            fault: self.fault,
            left: self.left,
            wants: self.wants.is_some(),
            holds: self.timers.get(Timer::GroupHold).is_some(),
            last_advert: self.last_advert,
        }
    }

    fn is_member(&self, group: GroupId) -> bool {
        self.config.group == Some(group) && !self.left
    }

    /// Another member left Active for another router, by what came at `from`.
    /// An advert of our own Active may be next in the ring, stamped before `now`.
    fn yield_with(
        &mut self,
        with: InstanceId,
        from: KernelTime,
        now: KernelTime,
        out: &mut Effects,
    ) {
        self.active = None;
        self.last_advert = None;
        self.enter_backup(now, now);
        self.counted = from.min(now);
        self.floor = now;
        self.watch(None, out);
        self.transition(State::Active, Cause::Group { with }, now, out);
    }

    /// The fault that kept the group down is over.
    fn rejoin(&mut self, now: KernelTime, out: &mut Effects) {
        self.held = false;
        let able = self.state == State::Initialize && self.fault.is_none() && !self.left;
        if able && self.source.is_some() {
            self.startup(now, out);
        }
    }

    /// Alone from now on.
    fn leave_group(&mut self, now: KernelTime, out: &mut Effects) {
        self.timers.disarm(Timer::GroupHold);
        if self.held {
            self.rejoin(now, out);
        }
        if self.wants.is_some() {
            self.arm_down(now);
        }
    }
}

/// When a group is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// Something happened to a member. Nobody is promoted: more may have come
    /// in that is not read yet, and of members that leave one by one those that
    /// are left must not take over for the moment between.
    Event,
    /// All that came in is read.
    Deadline,
}

enum Common {
    Nobody,
    Mixed,
    All(State),
}

impl Machine {
    /// What `before` becoming `after` means for the groups of one instance.
    pub(super) fn regroup(
        &mut self,
        at: usize,
        before: Standing,
        after: Standing,
        now: KernelTime,
    ) {
        if before.group != after.group {
            if let Some(old) = before.group {
                self.settle(old, None, Moment::Event, now);
            }
            if after.group.is_none() {
                self.member(at, |instance, out| instance.leave_group(now, out));
            }
        }
        let Some(group) = after.group else { return };
        let others_are_active = self
            .members(group)
            .any(|(index, member)| index != at && member.state == State::Active);
        let heard = Standing {
            last_advert: before.last_advert,
            ..after
        };
        let accepted = before.last_advert != after.last_advert && after.state == State::Backup;
        if before == heard && !(accepted && others_are_active) {
            return;
        }
        let left_active = before.state == State::Active && after.state == State::Backup;
        let yields = left_active || (accepted && others_are_active);
        self.settle(group, yields.then_some(at), Moment::Event, now);
    }

    /// Groups of which members had a timer that was due.
    pub(super) fn settle_touched(&mut self, now: KernelTime) {
        for index in 0..self.groups.len() {
            let touched = self
                .groups
                .get_mut(index)
                .is_some_and(|group| std::mem::take(&mut group.touched));
            if touched && let Ok(number) = u16::try_from(index + 1) {
                self.settle(GroupId(number), None, Moment::Deadline, now);
            }
        }
    }

    /// Whether a member other than `at` has a fault of its own.
    pub(super) fn is_held(&self, group: GroupId, at: usize) -> bool {
        self.members(group)
            .any(|(index, member)| index != at && member.fault.is_some())
    }

    /// Brings all members into the state that they have to have in common.
    /// `yields` is the member that left Active for another router.
    fn settle(&mut self, group: GroupId, yields: Option<usize>, moment: Moment, now: KernelTime) {
        if self
            .members(group)
            .any(|(_, member)| member.fault.is_some())
        {
            self.fault_all(group, now);
        } else {
            self.rejoin_all(group, now);
            if let Some(first) = yields {
                self.yield_all(group, first, now);
            }
            self.promote_all(group, moment, now);
        }
        self.tell_group(group, now);
    }

    fn fault_all(&mut self, group: GroupId, now: KernelTime) {
        // Farewells first: the peers of all members can begin at once.
        self.each(group, |member, out| {
            if member.fault.is_none() && member.state == State::Active {
                member.farewell(out);
            }
        });
        self.each(group, |member, out| {
            if member.fault.is_some() || member.held {
                return;
            }
            member.held = true;
            let from = member.state;
            if from == State::Active {
                out.push(Effect::RemoveAddresses { id: member.id() });
            }
            if from != State::Initialize {
                member.enter(State::Initialize, now);
                member.active = None;
                member.transition(from, Cause::Fault(Fault::Group), now, out);
            }
        });
    }

    fn rejoin_all(&mut self, group: GroupId, now: KernelTime) {
        self.each(group, |member, out| {
            if member.held {
                member.rejoin(now, out);
            }
        });
    }

    fn yield_all(&mut self, group: GroupId, first: usize, now: KernelTime) {
        let first = self.instance(first);
        let Some((with, from)) = first.map(|first| (first.id(), first.counted)) else {
            return;
        };
        self.each(group, |member, out| {
            if member.state == State::Active {
                member.farewell(out);
            }
        });
        self.each(group, |member, out| {
            if member.state == State::Active {
                out.push(Effect::RemoveAddresses { id: member.id() });
                member.yield_with(with, from, now, out);
            }
        });
        if let Some(group) = self.group_mut(group) {
            group.yielded = Some(now);
        }
    }

    fn promote_all(&mut self, group: GroupId, moment: Moment, now: KernelTime) {
        let ready = |member: &Instance| member.state == State::Active || member.wants.is_some();
        let mut any = false;
        for (_, member) in self.members(group) {
            if !ready(member) || member.timers.get(Timer::GroupHold).is_some() {
                return;
            }
            any |= member.wants.is_some();
        }
        if any && moment == Moment::Event {
            return self.each(group, |member, _| {
                if member.wants.is_some() {
                    member.timers.arm(Timer::GroupHold, now);
                }
            });
        }
        if !any || self.hold_back(group, now) {
            return;
        }
        // Who became ready keeps why in `wants` until the last phase.
        self.each(group, |member, out| {
            if let Some(cause) = member.wants {
                member.promote_first(now, out);
                member.wants = Some(cause);
            }
        });
        self.each(group, |member, out| {
            if member.wants.is_some() {
                member.promote_addresses(out);
            }
        });
        self.each(group, |member, out| {
            member.outranks = None;
            if let Some(cause) = member.wants.take() {
                member.promote_last(State::Backup, cause, now, out);
            }
        });
    }

    /// After an election that both sides lost: true when the group has to wait
    /// before it may be Active again.
    fn hold_back(&mut self, id: GroupId, now: KernelTime) -> bool {
        let Some(group) = self.group(id).copied() else {
            return false;
        };
        let Some(yielded) = group.yielded else {
            return false;
        };
        let downs = self.members(id).map(|(_, member)| member.down_interval());
        let down = downs.max().unwrap_or_default();
        let verdicts = || self.members(id).filter_map(|(_, member)| member.outranks);
        let split = verdicts().any(|won| won) && verdicts().any(|won| !won);
        // Later than this somebody was Active in between.
        let recent = now.since(yielded) <= down * 2;
        let mut rounds = 0;
        let mut wait = 0;
        if split && recent {
            let brief = yielded.since(group.active_since) < down * 2;
            rounds = if brief { group.rounds + 1 } else { 1 }.min(MAX_ROUNDS);
            wait = self.rounds_to_wait(id, rounds);
        }
        if let Some(group) = self.group_mut(id) {
            group.rounds = rounds;
            group.yielded = None;
        }
        let waiting = self.members(id).find(|(_, member)| member.wants.is_some());
        let first = waiting.map(|(index, _)| index);
        if wait > 0
            && let Some(first) = first
        {
            let until = now.after(down * wait);
            self.member(first, |member, _| {
                member.timers.arm(Timer::GroupHold, until)
            });
        }
        wait > 0
    }

    /// Different ones on the two sides, and never none after the first round.
    fn rounds_to_wait(&self, group: GroupId, rounds: u8) -> u32 {
        let known = self
            .members(group)
            .filter_map(|(_, member)| Some((member, member.outranks?)));
        let first = known.min_by_key(|(member, _)| {
            let config = &member.config;
            (config.addresses_digest, config.family as u8)
        });
        let lost = first.is_some_and(|(_, won)| !won);
        let hash = first.map_or(0, |(member, _)| mix(member.source, rounds));
        let rounds = u32::from(rounds.max(1));
        u32::from(lost) + (rounds - 1) + hash % rounds
    }

    fn tell_group(&mut self, id: GroupId, now: KernelTime) {
        let common = self.common_state(id);
        let Some(group) = self.group_mut(id) else {
            return;
        };
        match common {
            // The number is free for another group.
            Common::Nobody => *group = Group::NEW,
            Common::Mixed => {}
            Common::All(to) if group.state == to => {}
            Common::All(to) => {
                group.state = to;
                if to == State::Active {
                    group.active_since = now;
                }
                let (group, at) = (id, now);
                self.effects.push(Effect::GroupTransition { group, to, at });
            }
        }
    }

    fn common_state(&self, group: GroupId) -> Common {
        let mut states = self.members(group).map(|(_, member)| member.state);
        match states.next() {
            None => Common::Nobody,
            Some(first) if states.all(|state| state == first) => Common::All(first),
            Some(_) => Common::Mixed,
        }
    }

    fn members(&self, group: GroupId) -> impl Iterator<Item = (usize, &Instance)> {
        let used = self.instances.iter().take(self.used).enumerate();
        used.filter_map(|(index, instance)| Some((index, instance.as_ref()?)))
            .filter(move |(_, instance)| instance.is_member(group))
    }

    fn each(&mut self, group: GroupId, mut act: impl FnMut(&mut Instance, &mut Effects)) {
        let slots = self.instances.iter_mut().zip(&mut self.next);
        for (instance, next) in slots.take(self.used) {
            if let Some(instance) = instance
                && instance.is_member(group)
            {
                act(instance, &mut self.effects);
                instance.assert_sound();
                *next = instance.next_deadline();
            }
        }
    }

    fn member(&mut self, at: usize, act: impl FnOnce(&mut Instance, &mut Effects)) {
        if let (Some(Some(instance)), Some(next)) =
            (self.instances.get_mut(at), self.next.get_mut(at))
        {
            act(instance, &mut self.effects);
            *next = instance.next_deadline();
        }
    }

    fn instance(&self, at: usize) -> Option<&Instance> {
        self.instances.get(at)?.as_ref()
    }

    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::from(id.0).checked_sub(1)?)
    }

    pub(super) fn group_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(usize::from(id.0).checked_sub(1)?)
    }
}

impl Instance {
    /// Priority 0; the addresses follow when all members have sent theirs.
    fn farewell(&mut self, out: &mut Effects) {
        bump(&mut self.counters.left_active);
        self.push_release(out);
    }
}

/// Some number that another router has otherwise.
fn mix(source: Option<std::net::IpAddr>, rounds: u8) -> u32 {
    let octets = match source {
        Some(std::net::IpAddr::V4(v4)) => v4.to_bits(),
        Some(std::net::IpAddr::V6(v6)) => (v6.to_bits() ^ (v6.to_bits() >> 64)) as u32,
        None => 0,
    };
    let mixed = (octets ^ u32::from(rounds)).wrapping_mul(0x9E37_79B1);
    mixed >> 16
}
