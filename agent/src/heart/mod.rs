//! The heartbeat: a Backup asks the kernel of its Active whether it still
//! serves, and this decides what follows from the answers (RFC 7880 7.3).
//!
//! Pure, as the core is: no clock, no socket, and nothing is allocated after
//! [`Heart::new`]. Whoever drives it, in each round and in this order:
//!
//! 1. hands in every advert and every answer that has come ([`Heart::heard`],
//!    [`Heart::answer`]), all with a `now` that was read before;
//! 2. has it judge ([`Heart::judge`]), and passes on what [`Heart::poll_outcome`]
//!    gives;
//! 3. sends what [`Heart::poll_probe`] gives, and says of each whether it was
//!    sent ([`Heart::sent`]): a probe that was not cannot be missed.
//!
//! There is one stream of probes for each pair of machines on a link, however
//! many instances follow that machine: its silence is that of all of them. The
//! probes ask for one instance after another, because AdminDown is of one.
//!
//! # Never for nothing
//!
//! - Silence is that of probes that were sent, and each had its patience before
//!   it was looked for the last time. Who does not run misses nothing.
//! - After having been kept from running for more than an interval nothing is
//!   judged by probes from before: they, or their answers, may have been lost
//!   with the machine's own pause. [`MAX_VOIDS`] times in a row, because a
//!   Backup that is always late would else never notice anything.
//! - Any advert of that machine proves it alive when it was stamped.
//! - Only an instance for which Up was heard before, in time for not being
//!   found down, can be.
//! - A Down that proves wrong silences the heartbeat towards that machine for a
//!   while, each time for longer: adverts alone decide then.

mod due;
mod heed;
mod member;
mod pace;
mod pauses;
mod stream;
mod tenure;
mod types;
mod window;

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::{collections::VecDeque, net::IpAddr};

use agent_common::{
    KernelTime,
    wire::{bfd::SessionState, probe::Said},
};

use self::{member::Member, pauses::Pauses, stream::Stream};
pub use self::{
    tenure::Tenure,
    types::{Answer, Counters, News, Outcome, Phase, Place, Plan, Probe, Snapshot},
};
use crate::core::{InstanceId, Lost};

/// How often in a row probes from before a pause of our own are not counted.
pub const MAX_VOIDS: u8 = 3;

/// The heartbeats of all instances.
#[derive(Debug)]
pub struct Heart {
    /// By [`InstanceId`] less one.
    members: Box<[Option<Member>]>,
    streams: Box<[Option<Stream>]>,
    /// Positions of `streams` that were ever in use.
    used: usize,
    /// The stream after the one that the last probe was of.
    turn: u16,
    pauses: Pauses,
    outcomes: VecDeque<Outcome>,
    held: bool,
    /// Answers to nothing that was asked.
    strays: u64,
}

impl Heart {
    /// Room for `instances` instances, each of which may need its own stream.
    pub fn new(instances: usize) -> Self {
        Self {
            members: (0..instances).map(|_| None).collect(),
            streams: (0..instances).map(|_| None).collect(),
            used: 0,
            turn: 0,
            pauses: Pauses::new(instances),
            outcomes: VecDeque::with_capacity(2 * instances),
            held: false,
            strays: 0,
        }
    }

    /// The instance asks like this from now on, or not at all. What does not
    /// concern how often leaves an Active that answers as it is; otherwise it
    /// is asked anew.
    pub fn configure(&mut self, id: InstanceId, plan: Option<Plan>, now: KernelTime) {
        let Some(at) = position(id).filter(|at| usize::from(*at) < self.members.len()) else {
            return;
        };
        let old = self.member(at).map(|member| (member.plan, member.active));
        let same = |old: &Plan, new: &Plan| {
            (old.ifindex, old.source, old.discriminator)
                == (new.ifindex, new.source, new.discriminator)
        };
        match (old, plan) {
            (None, None) => {}
            (Some((old, _)), Some(new)) if same(&old, &new) => {
                if let Some(member) = self.member_mut(at) {
                    member.plan = new;
                    if let Some(stream) = member.stream {
                        self.recompute(stream);
                    }
                }
            }
            (old, plan) => {
                let active = old.and_then(|(_, active)| active);
                let counters = self.member(at).map(|member| member.counters);
                self.leave_stream(at);
                let member = plan.map(|plan| Member::new(plan, counters.unwrap_or_default()));
                if let Some(seat) = self.members.get_mut(usize::from(at)) {
                    *seat = member;
                }
                self.follow(id, active, now);
            }
        }
    }

    /// The instance is Backup and has accepted this router as its Active, or
    /// has none.
    pub fn follow(&mut self, id: InstanceId, active: Option<IpAddr>, now: KernelTime) {
        let Some(at) = position(id) else { return };
        let Some(member) = self.member(at) else {
            return;
        };
        if member.active == active {
            return;
        }
        self.leave_stream(at);
        let Some(member) = self.member_mut(at) else {
            return;
        };
        member.forget(active, now);
        let (Some(remote), ifindex) = (active, member.plan.ifindex) else {
            return;
        };
        self.join_stream(at, Place { ifindex, remote }, now);
    }

    /// Nothing is sent or judged meanwhile: a successor is about to.
    pub fn hold(&mut self, held: bool, now: KernelTime) {
        self.held = held;
        for stream in self.streams.iter_mut().take(self.used).flatten() {
            stream.begin_anew(now);
        }
    }

    /// What is to be told; nothing when all has been.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// A valid advert of `from` for this instance.
    pub fn heard(&mut self, id: InstanceId, from: IpAddr, stamp: KernelTime, now: KernelTime) {
        let Some(at) = position(id) else { return };
        let Some(member) = self.member_mut(at) else {
            return;
        };
        if member.active == Some(from) {
            let was_refused = std::mem::take(&mut member.refusals) > 0;
            member.vouching = false;
            let stream = member.stream;
            if was_refused {
                self.recompute_of(at);
            }
            if let Some(stream) = stream.and_then(|stream| self.stream_mut(stream)) {
                stream.alive_at(stamp);
            }
        }
        self.perhaps_disproved(at, from, stamp, now);
    }

    /// An answer; false when it is none to anything that was asked lately.
    pub fn answer(&mut self, answer: &Answer, now: KernelTime) -> bool {
        let taken = self.take_answer(answer, now).is_some();
        if !taken {
            self.strays = self.strays.saturating_add(1);
        }
        taken
    }

    fn take_answer(&mut self, answer: &Answer, now: KernelTime) -> Option<()> {
        let Said {
            theirs,
            ours,
            state,
            min_rx_us,
        } = answer.said;
        let number = u16::try_from(ours >> 16).ok()?.checked_sub(1)?;
        let stream = self.streams.get_mut(usize::from(number))?.as_mut()?;
        let place = Place {
            ifindex: answer.ifindex,
            remote: answer.from,
        };
        if stream.place != place || stream.is_paused(now) {
            return None;
        }
        let at = stream.asked(ours as u16)?;
        let member = self.members.get_mut(usize::from(at))?.as_mut()?;
        if member.stream != Some(number) || member.plan.discriminator != theirs {
            return None;
        }
        let followed = stream.window.followed(ours as u16, at);
        let sent = stream.answered(ours as u16)?;
        stream.requires(min_rx_us);
        member.counters.answered = member.counters.answered.saturating_add(1);
        match state {
            SessionState::Up => self.said_up(at, (sent, followed), now),
            SessionState::AdminDown => self.said_admin_down(at, sent, now),
        }
        Some(())
    }

    /// Who could not have been found down meanwhile counts from here on; whose
    /// answers are later than that would be found down by each of them.
    fn said_up(&mut self, at: u16, (sent, followed): (KernelTime, u8), now: KernelTime) {
        let within = self.patience_with(at);
        let Some(member) = self.member_mut(at) else {
            return;
        };
        let Some(active) = member.active else { return };
        let news = !member.armed;
        let in_time = !news || now.since(sent) <= within;
        let downed = member.downed.filter(|downed| downed.active == active);
        let id = id(at);
        let told = if !in_time {
            let told = member.too_late(now) && !member.told_late;
            member.told_late |= told;
            told.then_some(News::TooLate { within })
        } else {
            member.arm(sent, followed, now);
            let first = news && !std::mem::replace(&mut member.told_answers, true);
            (first && downed.is_none()).then_some(News::Answers)
        };
        if news && in_time {
            self.recompute_of(at);
        }
        if news && downed.is_some() {
            self.tell(Outcome::Up { id, active });
            self.perhaps_disproved(at, active, sent, now);
        }
        if let Some(news) = told {
            self.tell(Outcome::News { id, active, news });
        }
    }

    fn said_admin_down(&mut self, at: u16, sent: KernelTime, now: KernelTime) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        member.up_sent = None;
        if !member.armed {
            return;
        }
        if member.refusals == 0 {
            member.refused_since = sent;
        }
        member.refusals = member.refusals.saturating_add(1);
        if member.refusals >= member.plan.multiplier {
            let since = member.refused_since;
            self.down(at, Lost::AdminDown, since, now);
        }
        self.recompute_of(at);
    }

    /// Finds down what is, after everything that came until `now` was handed in.
    pub fn judge(&mut self, now: KernelTime) {
        if self.held {
            return;
        }
        for number in 0..self.used as u16 {
            let Some(stream) = self.stream_mut(number) else {
                continue;
            };
            if stream.was_held_up(now) || !stream.is_judged(now) {
                continue;
            }
            let (mut at, count) = (stream.cursor, stream.members);
            for _ in 0..count {
                let Some(next) = self.member(at).map(|member| member.next) else {
                    break;
                };
                if let Some(since) = self.missed_since(number, at, now) {
                    self.down(at, Lost::Silence, since, now);
                }
                at = next;
            }
            self.recompute(number);
        }
    }

    fn missed_since(&self, number: u16, at: u16, now: KernelTime) -> Option<KernelTime> {
        let stream = self.stream(number)?;
        let member = self.member(at).filter(|member| member.armed)?;
        let missed = stream.missed_at(&member.plan)? <= now;
        stream.window.since().filter(|_| missed)
    }

    fn down(&mut self, at: u16, why: Lost, since: KernelTime, now: KernelTime) {
        let interval = self
            .member(at)
            .map_or(Duration::ZERO, |member| self.interval_with(member));
        let Some(member) = self.member_mut(at) else {
            return;
        };
        let Some(active) = member.active else { return };
        member.disarm(now);
        member.counters.downs = member.counters.downs.saturating_add(1);
        member.downed = Some(member::Downed {
            active,
            why,
            at: now,
            until: now,
        });
        self.tell(Outcome::Down {
            id: id(at),
            active,
            why,
            since,
            interval,
        });
    }

    /// Until then an advert of the Active that was just found down shows that
    /// it had been alive: it cannot have restarted and become Active so fast.
    /// `None`: nobody heeded that verdict, so it cannot prove wrong either.
    pub fn disproved_until(&mut self, id: InstanceId, until: Option<KernelTime>) {
        let Some(member) = position(id).and_then(|at| self.member_mut(at)) else {
            return;
        };
        let downed = member.downed.zip(until);
        member.downed = downed.map(|(downed, until)| member::Downed { until, ..downed });
    }

    fn perhaps_disproved(&mut self, at: u16, from: IpAddr, stamp: KernelTime, now: KernelTime) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        let Some(downed) = member.downed.filter(|downed| downed.active == from) else {
            return;
        };
        if stamp <= downed.at {
            return;
        }
        member.downed = None;
        // What the machine said of its hung agent was true then.
        if downed.why == Lost::AdminDown || stamp > downed.until {
            return;
        }
        member.counters.false_alarms = member.counters.false_alarms.saturating_add(1);
        let place = Place {
            ifindex: member.plan.ifindex,
            remote: from,
        };
        let pause = self.pauses.pause(place, now);
        self.pause_stream(place, now.after(pause));
        self.tell(Outcome::News {
            id: id(at),
            active: from,
            news: News::Disproved {
                after: stamp.since(downed.at),
                pause,
            },
        });
    }

    /// Until when the Active of this instance is vouched for: its machine has
    /// said Up lately. A take-over for want of adverts has to wait.
    ///
    /// Up grows old by the probes that followed it, not by time: a Backup that is
    /// kept from running asks seldom, and gets the time to.
    pub fn vouches(&mut self, id: InstanceId, now: KernelTime) -> Option<(IpAddr, KernelTime)> {
        let at = position(id)?;
        let member = self.member(at)?;
        let active = member.active?;
        let stream = self.stream(member.stream?)?;
        let fresh = stream.freshness(&member.plan);
        let until = member.up_sent?.after(fresh);
        if !member.armed || !member.is_fresh() || self.held {
            return None;
        }
        let until = if until > now { until } else { now.after(fresh) };
        let member = self.member_mut(at)?;
        if !std::mem::replace(&mut member.vouching, true) {
            member.counters.vetoes = member.counters.vetoes.saturating_add(1);
        }
        Some((active, until))
    }

    /// The next probe that is to be sent; [`Self::sent`] or [`Self::unsent`]
    /// has to follow.
    pub fn poll_probe(&mut self, now: KernelTime) -> Option<Probe> {
        if self.held {
            return None;
        }
        // On from where it was last, so that none waits for others for ever,
        // and none is looked at for each probe of all.
        let used = self.used as u16;
        for number in (self.turn..used).chain(0..self.turn.min(used)) {
            if let Some(probe) = self.probe_of(number, now) {
                self.turn = number + 1;
                return Some(probe);
            }
        }
        None
    }

    /// It was sent, at the latest at this time.
    pub fn sent(&mut self, probe: &Probe, at: KernelTime) {
        let Some(member) = self.member_mut(probe.member) else {
            return;
        };
        let counts = member.armed;
        member.asked = member.asked.saturating_add(1);
        member.counters.sent = member.counters.sent.saturating_add(1);
        let lost = self
            .stream_mut(probe.stream)
            .and_then(|stream| stream.sent(probe.member, at, counts));
        if let Some(member) = lost.and_then(|lost| self.member_mut(lost)) {
            member.counters.unanswered = member.counters.unanswered.saturating_add(1);
        }
        self.rejudge(probe.stream);
    }

    /// It was not.
    pub fn unsent(&mut self, probe: &Probe) {
        if let Some(member) = self.member_mut(probe.member) {
            member.counters.unsent = member.counters.unsent.saturating_add(1);
        }
    }

    /// `None` for an instance without a heartbeat.
    pub fn snapshot(&self, id: InstanceId, now: KernelTime) -> Option<Snapshot> {
        let member = self.member(position(id)?)?;
        let pause = member
            .active
            .and_then(|remote| {
                let ifindex = member.plan.ifindex;
                self.pauses.until(Place { ifindex, remote })
            })
            .filter(|until| *until > now);
        let phase = match (member.active, pause) {
            (None, _) => Phase::Idle,
            (Some(_), Some(until)) => Phase::Paused { until },
            (Some(_), None) if member.armed => Phase::Armed,
            (Some(_), None) if member.late >= member::ATTEMPTS => Phase::Late,
            (Some(_), None) => Phase::Asking,
        };
        Some(Snapshot {
            id,
            active: member.active,
            phase,
            interval: self.interval_with(member),
            multiplier: member.plan.multiplier,
            last_up: member.last_up,
            counters: member.counters,
        })
    }

    /// In force for this member: its own, or longer.
    fn interval_with(&self, member: &Member) -> Duration {
        let stream = member.stream.and_then(|stream| self.stream(stream));
        stream.map_or(member.plan.interval, |stream| {
            stream.in_force(member.plan.interval)
        })
    }

    /// Datagrams that were no answer to anything asked lately.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// There is room for what one call can bring forth, and it is drained
    /// after each.
    fn tell(&mut self, outcome: Outcome) {
        if self.outcomes.len() < self.outcomes.capacity() {
            self.outcomes.push_back(outcome);
        }
    }
}

fn position(id: InstanceId) -> Option<u16> {
    id.0.checked_sub(1)
}

const fn id(at: u16) -> InstanceId {
    InstanceId(at + 1)
}
