//! The invariants of FAILURES.md 8.3 and of the heartbeat (31 to 33), each a
//! checker with its name.
//!
//! Not checked here: 21 (no wall clock reaches the core; unit tests `t13_`) and
//! 28 (the alarm for refused senders is the slow lane's). Of 24 the part that
//! XDP has is for fixtures. 8 is asserted by the core, and a panic is a
//! violation.

use agent_common::{KernelTime, Priority};
use failoverd::core::{Cause, Effect, Input, State};

use crate::{
    node::{self, Step},
    schedule::{INSTANCES, VIPS},
    world::{MARGIN, World},
};

pub use self::{
    rule::{Broken, Rule},
    vacancy::Vacancy,
};
use timers::{down_interval, skew};

mod heart;
mod hosts;
mod rule;
mod timers;
mod vacancy;

/// Adverts in one interval besides the regular one: those of S-46, one for a
/// new configuration, one for a new source, the first after a promotion.
const MOST_IN_AN_INTERVAL: usize = 1 + 10 + 3;

impl World {
    /// 4, 5, 7, 14, 15, 17, 20, 23, 24, 25, 29: what one input did.
    pub fn check_steps(
        &mut self,
        router: usize,
        steps: &[Step],
        effects: &[Effect],
        now: KernelTime,
    ) {
        for (index, step) in steps.iter().enumerate() {
            let mine = |effect: &&Effect| owner_of(effect).map(node::index) == Some(index);
            let mine: Vec<Effect> = effects.iter().filter(mine).copied().collect();
            let touched = self.nodes[router].is_grouped() || concerns(&step.input, index);
            if !touched && (!mine.is_empty() || step.before != step.after) {
                self.fail(Rule::Isolation, Some(router), format!("{:?}", step.input));
            }
            self.check_reload(router, step, &mine);
            self.check_order(router, step, &mine);
            self.check_advert(router, index, step, now);
            self.put_down(router, index, step);
            self.check_priority(router, index, step, now);
            self.check_cadence(router, index, step, &mine, now);
            let received = step.after.counters.adverts_received;
            if received > self.books[router][index].accepted {
                let what = format!("{received} counted");
                self.fail(Rule::Once, Some(router), what);
            }
            let counters = step.after.counters;
            if counters.left_active > counters.became_active {
                self.fail(Rule::Counters, Some(router), format!("{counters:?}"));
            }
        }
    }

    /// 23: the same configuration again does nothing.
    fn check_reload(&mut self, router: usize, step: &Step, effects: &[Effect]) {
        if let Input::Configure { config } = step.input
            && config.id == step.before.id
            && config.priority == step.before.priority
            && config.base_priority == step.before.base_priority
            && config.interval == step.before.interval
            && !effects.is_empty()
        {
            self.fail(
                Rule::ReloadIdempotence,
                Some(router),
                format!("{effects:?}"),
            );
        }
    }

    /// An Active that stays one has put down who sent the advert, which is no
    /// sign of life of somebody that it may not take over from later on.
    fn put_down(&mut self, router: usize, index: usize, step: &Step) {
        let Input::Advert { id, advert } = step.input else {
            return;
        };
        let own = (step.before.priority, self.nodes[router].address(index));
        let stays = step.before.state == State::Active && step.after.state == State::Active;
        let book = &mut self.books[router][index];
        if node::index(id) == index
            && stays
            && (advert.priority, advert.source) < own
            && book
                .life_sign
                .is_some_and(|sign| sign.stamp == advert.stamp)
        {
            book.life_sign = None;
        }
    }

    /// 14, 15, 29: the order in which a promotion and a release are made.
    fn check_order(&mut self, router: usize, step: &Step, effects: &[Effect]) {
        let place = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted);
        let sent = place(|e| matches!(e, Effect::SendAdvert { .. }));
        let added = place(|e| matches!(e, Effect::AddAddresses { .. }));
        let announced = place(|e| matches!(e, Effect::Announce { .. }));
        let removed = place(|e| matches!(e, Effect::RemoveAddresses { .. }));
        let released =
            place(|e| matches!(e, Effect::SendAdvert { priority, .. } if priority.is_release()));
        let promoted = step.before.state != State::Active && step.after.state == State::Active;
        if promoted && !(sent < added && added < announced) {
            self.fail(Rule::AnnounceOrder, Some(router), format!("{effects:?}"));
        }
        if promoted && announced.is_none() {
            self.fail(
                Rule::AnnounceCompleteness,
                Some(router),
                format!("{effects:?}"),
            );
        }
        if announced.is_some() && step.after.state != State::Active {
            self.fail(Rule::AnnounceOrder, Some(router), format!("{effects:?}"));
        }
        let left = step.before.state == State::Active && step.after.state != State::Active;
        if left && removed.is_none() {
            self.fail(Rule::Coupling, Some(router), format!("{effects:?}"));
        }
        let stopped = matches!(step.input, Input::Shutdown { .. } | Input::Down { .. });
        if left && stopped && !(released.is_some() && released < removed) {
            self.fail(Rule::ReleaseOrder, Some(router), format!("{effects:?}"));
        }
        let serves = step.before.state == State::Active || step.after.state == State::Active;
        if released.is_some() && !left || sent.is_some() && !serves {
            self.fail(Rule::AdvertLegality, Some(router), format!("{effects:?}"));
        }
    }

    /// 9, 10, 11.
    pub fn check_send(&mut self, router: usize, index: usize, priority: Priority) {
        let beat = u64::from(self.nodes[router].spec.interval_cs) * 10 * crate::time::MS;
        let now = self.now;
        let well = self.nodes[router].plight.is_well();
        if priority.is_release() {
            self.books[router][index].last_send = None;
            return;
        }
        let book = &mut self.books[router][index];
        // What went out at an earlier pace counts by that.
        book.sends
            .retain(|(sent, pace)| now - sent < beat.min(*pace));
        book.sends.push_back((now, beat));
        let many = book.sends.len();
        let last = book.last_send.replace(now);
        let gap = last.map(|last| now - last.max(book.runnable_since));
        if many > MOST_IN_AN_INTERVAL {
            let what = format!("{many} adverts within an interval");
            self.fail(Rule::Storm, Some(router), what);
        }
        // A little for the drift of its clock.
        if let Some(gap) = gap.filter(|gap| well && *gap > beat + MARGIN + beat / 1000) {
            let what = format!("{} us between two adverts", gap / 1000);
            self.fail(Rule::AdvertLiveness, Some(router), what);
        }
    }

    /// 4, 5, 17: why a state was left.
    pub fn check_transition(
        &mut self,
        router: usize,
        index: usize,
        to: State,
        cause: &Cause,
        steps: &[Step],
    ) {
        let Some(step) = steps.get(index) else { return };
        match (step.before.state, to) {
            (State::Backup, State::Active) => {
                self.check_vouched(router, index, cause, step);
                // Silence of adverts is not what it goes by.
                if !matches!(cause, Cause::HeartStopped { .. }) {
                    self.check_promotion(router, index, cause);
                }
                // Who serves has forgotten whom it took over from (T-09).
                let book = &mut self.books[router][index];
                (book.life_sign, book.release) = (None, None);
            }
            (State::Active, State::Backup) => {
                self.books[router][index].last_send = None;
                self.check_demotion(router, index, cause, step);
            }
            (State::Initialize, State::Backup) => {
                // What was heard before it took part is old news (S-03).
                let book = &mut self.books[router][index];
                (book.life_sign, book.release) = (None, None);
                if step.before.priority.is_owner() && !self.nodes[router].is_grouped() {
                    self.fail(Rule::Owner, Some(router), "began as Backup".to_owned());
                }
            }
            _ => {}
        }
    }

    fn check_demotion(&mut self, router: usize, index: usize, cause: &Cause, step: &Step) {
        let own = self.nodes[router].address(index);
        let fair = match cause {
            Cause::Outranked { by, priority } => (*priority, *by) > (step.before.priority, own),
            Cause::AddressesTaken => true,
            Cause::Group { with } => self.nodes[router].is_grouped() && node::index(*with) != index,
            Cause::Started
            | Cause::Owner
            | Cause::ActiveSilent { .. }
            | Cause::HeartStopped { .. }
            | Cause::ActiveReleased { .. }
            | Cause::Fault(_)
            | Cause::Shutdown => false,
        };
        if !fair {
            self.fail(Rule::SpuriousDemotion, Some(router), format!("{cause:?}"));
        }
    }

    /// Judged by what reached the hook, whoever has read it.
    fn check_promotion(&mut self, router: usize, index: usize, cause: &Cause) {
        let node = &self.nodes[router];
        let book = &self.books[router][index];
        let delayed = node.spec.preempt_delay_ms > 0;
        let (Some(life_sign), false) = (book.life_sign, delayed) else {
            return;
        };
        // What found no room in the ring cannot have been read, unless it is
        // the Active's, which LATEST has.
        let lost = book.dropped > 0 && node.kernel.watch[index].active != Some(life_sign.source);
        if lost || life_sign.stamp < book.configured {
            return;
        }
        let now = node.local(self.now);
        let own = Priority(node.priority[index]);
        if life_sign.priority < own && (node.spec.preempt || own.is_owner()) {
            return;
        }
        let silence = now.since(life_sign.stamp).as_nanos();
        let released = book.release.is_some_and(|at| at >= life_sign.stamp);
        let version = self.schedule.setting.version;
        let centis = self.in_force(life_sign.interval.centis(), node.spec.interval_cs);
        let allowed = match released {
            true => skew(version, centis, own),
            false => down_interval(version, centis, own),
        };
        let since = if released {
            book.release.map_or(silence, |at| now.since(at).as_nanos())
        } else {
            silence
        };
        if since < u128::from(allowed) {
            let what = format!("after {} us of silence, {cause:?}", since / 1000);
            self.fail(Rule::SpuriousPromotion, Some(router), what);
        }
    }

    /// 20: after a round, all members of a sync group are in one state.
    fn check_group(&mut self, router: usize) {
        let node = &self.nodes[router];
        let states: Vec<_> = (0..INSTANCES)
            .filter_map(|index| Some(node.snapshot(index)?.state))
            .collect();
        if node.is_grouped() && states.windows(2).any(|two| two[0] != two[1]) {
            self.fail(Rule::Group, Some(router), format!("{states:?}"));
        }
    }

    /// 12: after a round, VIPs are where the state says.
    pub fn check_coupling(&mut self, router: usize) {
        self.check_group(router);
        for index in 0..INSTANCES {
            let node = &self.nodes[router];
            let active = node.is_active(index);
            let vips = node.kernel.vips[index];
            let unsure = self.books[router][index].unsure_until >= self.now || node.kernel.refuses;
            let wrong = match active {
                true => vips != [true; VIPS] && !unsure,
                false => vips != [false; VIPS],
            };
            if wrong {
                let what = format!("Active: {active}, VIPs: {vips:?}");
                self.fail(Rule::Coupling, Some(router), what);
            }
        }
    }

    /// 1, 2, 3, 13, 16, 18, 19: the world as it stands.
    pub fn look(&mut self) {
        self.check_vacancies();
        for index in 0..INSTANCES {
            let active = self.actives(index);
            self.check_overlap(index, &active);
            self.check_answerers(index);
            if !self.is_calm() || self.nobody_is_eligible(index) {
                continue;
            }
            let &[only] = active.as_slice() else {
                self.fail(
                    Rule::UniqueActive,
                    None,
                    format!("instance {index}: {active:?} are Active"),
                );
                continue;
            };
            self.check_right(index, only);
            self.check_switch(index, only);
            let answer = |router: &usize| self.nodes[*router].kernel.has_vip(index);
            let answer: Vec<usize> = (0..self.nodes.len()).filter(answer).collect();
            if answer != [only] {
                self.fail(
                    Rule::SingleAnswerer,
                    None,
                    format!("{answer:?} answer, {only} is Active"),
                );
            }
            if let Some(incumbent) = self.incumbent[index]
                && incumbent != only
            {
                let what = format!("{incumbent} gave way to {only}");
                self.fail(Rule::NonPreemptStability, Some(only), what);
            }
        }
    }

    pub(super) fn actives(&self, index: usize) -> Vec<usize> {
        let active = |router: &usize| self.nodes[*router].is_active(index);
        (0..self.nodes.len()).filter(active).collect()
    }

    fn nobody_is_eligible(&self, index: usize) -> bool {
        !self.nodes.iter().any(|node| node.is_eligible(index))
    }

    /// 3: two that hear each other are soon one.
    fn check_overlap(&mut self, index: usize, active: &[usize]) {
        if active.len() < 2 || self.faults > 0 || !self.is_clear() {
            self.two_since[index] = None;
            return;
        }
        let since = *self.two_since[index].get_or_insert(self.now);
        let beats = self.nodes.iter().map(|node| node.spec.interval_cs).max();
        let beat = u64::from(beats.unwrap_or(1)) * 10 * crate::time::MS;
        let allowed = beat + beat / 2 + 2 * MARGIN + self.network.longest();
        if self.now - since > allowed {
            let what = format!("{active:?} are Active for {} us", (self.now - since) / 1000);
            self.fail(Rule::DualOverlap, None, what);
        }
    }

    /// 16: frames for a virtual MAC address go to the Active.
    fn check_switch(&mut self, index: usize, only: usize) {
        let learned = self.learned[index];
        if self.schedule.setting.virtual_mac && learned != Some(only) {
            let what = format!("{only} is Active, the switch has {learned:?}");
            self.fail(Rule::HostConvergence, Some(only), what);
        }
    }

    /// A group is better than another router only where all of it is.
    fn is_better(&self, node: &node::Node) -> bool {
        let wins = |index: usize| {
            let preempts = node.spec.preempt || node.priority[index] == 255;
            let mut active = self.actives(index).into_iter();
            preempts
                && active.all(|router| self.nodes[router].priority[index] < node.priority[index])
        };
        !node.is_grouped() || (0..INSTANCES).all(wins)
    }

    /// 2: with preemption everywhere the best one serves.
    fn check_right(&mut self, index: usize, only: usize) {
        let eligible = || self.nodes.iter().filter(|node| node.is_eligible(index));
        let preempt = |node: &node::Node| node.spec.preempt || node.priority[index] == 255;
        let best = eligible()
            .filter(|node| preempt(node) && self.is_better(node))
            .map(|node| node.priority[index])
            .max();
        let found = self.nodes[only].priority[index];
        if best.is_some_and(|best| best > found) {
            let what =
                format!("instance {index}: {only} with {found} is Active, {best:?} is there");
            self.fail(Rule::RightActive, Some(only), what);
        }
    }

    /// 16, 25, 26, 30: at the end, when all has been well for a while.
    pub fn look_at_the_end(&mut self) {
        self.look();
        for router in 0..self.nodes.len() {
            if !self.nodes[router].kernel.adds_up() {
                let what = "adverts went nowhere".to_owned();
                self.fail(Rule::Counters, Some(router), what);
            }
        }
        for index in 0..INSTANCES {
            let active = self.actives(index);
            let &[only] = active.as_slice() else {
                self.fail(
                    Rule::Liveness,
                    None,
                    format!("instance {index}: {active:?} are Active"),
                );
                continue;
            };
            for router in 0..self.nodes.len() {
                let wanted = [router == only; VIPS];
                if self.nodes[router].kernel.vips[index] != wanted {
                    let what = format!("VIPs are {:?}", self.nodes[router].kernel.vips[index]);
                    self.fail(Rule::NetlinkConvergence, Some(router), what);
                }
            }
            let sure = self.hosts_can_know(index, only) && !self.schedule.setting.virtual_mac;
            let wrong = |host: &crate::hosts::Host| {
                (0..VIPS).any(|vip| {
                    host.believes(index, vip)
                        .is_some_and(|router| router != only)
                })
            };
            if sure && self.hosts.iter().any(wrong) {
                self.fail(
                    Rule::HostConvergence,
                    Some(only),
                    format!("{:?}", self.hosts),
                );
            }
        }
    }
}

/// Whether an input may change an instance.
fn concerns(input: &Input, index: usize) -> bool {
    match *input {
        Input::Timeout => true,
        Input::Configure { config } => node::index(config.id) == index,
        Input::Retire { id }
        | Input::Up { id, .. }
        | Input::Down { id, .. }
        | Input::Priority { id, .. }
        | Input::Advert { id, .. }
        | Input::AddressLost { id, .. }
        | Input::AddressClaimed { id }
        | Input::Heart { id, .. }
        | Input::Shutdown { id } => node::index(id) == index,
    }
}

/// `None` for what concerns a sync group.
fn owner_of(effect: &Effect) -> Option<failoverd::core::InstanceId> {
    match *effect {
        Effect::SendAdvert { id, .. }
        | Effect::AddAddresses { id }
        | Effect::RemoveAddresses { id }
        | Effect::ChangeAddresses { id, .. }
        | Effect::RestoreAddress { id, .. }
        | Effect::Announce { id, .. }
        | Effect::AnnounceElsewhere { id, .. }
        | Effect::Watch { id, .. }
        | Effect::Transition { id, .. }
        | Effect::PriorityChanged { id, .. }
        | Effect::Notice { id, .. } => Some(id),
        Effect::GroupTransition { .. } => None,
    }
}
