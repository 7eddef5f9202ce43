//! Probes from this machine to another one on one link: whom each asks for,
//! when the next is due, and from when on their silence counts.

use core::time::Duration;

use agent_common::{KernelTime, wire::probe::Question};

use super::{
    Heart, MAX_VOIDS, News, Outcome, Place, Plan, Probe, id,
    member::{EAGER, Member},
    pace,
    types::patience,
    window::Window,
};

const NEVER: KernelTime = KernelTime(u64::MAX);

/// What the tick that is due has brought forth so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Begun,
    /// A member that is armed was asked for.
    Asked,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// Its position, which its phase comes from.
    number: u16,
    pub place: Place,
    /// The member that was asked for last; the ring begins there.
    pub cursor: u16,
    pub members: u16,
    /// How many of them are armed, and of those, how many were refused lately.
    armed: u16,
    refused: u16,
    /// The smallest of the members'.
    interval: Duration,
    /// The reflector wants to be asked no more often (RFC 5880 6.8.3).
    required: Duration,
    /// No stream asks more often, because there are many of them.
    floor: Duration,
    next: KernelTime,
    /// When the probes that are waited for are missed.
    judged: KernelTime,
    pub window: Window,
    voids: u8,
    stage: Stage,
    asked_refused: bool,
    paused_until: KernelTime,
}

impl Stream {
    fn new(number: u16, place: Place, member: u16, interval: Duration, now: KernelTime) -> Self {
        Self {
            number,
            place,
            cursor: member,
            members: 1,
            armed: 0,
            refused: 0,
            interval,
            required: Duration::ZERO,
            floor: Duration::ZERO,
            next: now,
            judged: NEVER,
            window: Window::new(),
            voids: 0,
            stage: Stage::Begun,
            asked_refused: false,
            paused_until: KernelTime(0),
        }
    }

    /// Between two probes.
    fn pace(&self) -> Duration {
        self.in_force(self.interval)
    }

    /// What becomes of the interval of a member.
    pub(super) fn in_force(&self, interval: Duration) -> Duration {
        interval.max(self.required).max(self.floor)
    }

    /// No more than a second, so that nobody can have it switched off.
    pub(super) fn requires(&mut self, micros: u32) {
        let required = Duration::from_micros(u64::from(micros));
        self.required = required.min(super::member::SELDOM);
    }

    pub(super) fn due(&self) -> KernelTime {
        self.next.min(self.judged)
    }

    pub(super) fn is_paused(&self, now: KernelTime) -> bool {
        now < self.paused_until
    }

    /// What was sent is not judged by.
    pub(super) fn begin_anew(&mut self, now: KernelTime) {
        self.window.void();
        self.judged = NEVER;
        self.next = self.next.max(now);
    }

    pub(super) fn alive_at(&mut self, stamp: KernelTime) {
        self.window.alive_at(stamp);
        self.proved();
    }

    pub(super) fn asked(&self, number: u16) -> Option<u16> {
        self.window.asked(number)
    }

    pub(super) fn answered(&mut self, number: u16) -> Option<KernelTime> {
        let sent = self.window.answered(number)?;
        self.proved();
        Some(sent)
    }

    fn proved(&mut self) {
        self.voids = 0;
        if self.window.waited().next().is_none() {
            self.judged = NEVER;
        }
    }

    pub(super) fn sent(&mut self, member: u16, at: KernelTime, counts: bool) -> Option<u16> {
        self.window.sent(member, at, counts)
    }

    /// We were kept from running when something was due, for more than an
    /// interval: then nothing is judged by what was sent before.
    pub(super) fn was_held_up(&mut self, now: KernelTime) -> bool {
        let due = self.due();
        let late = due < now && now.since(due) > self.pace();
        if !late || self.voids >= MAX_VOIDS || self.window.waited().next().is_none() {
            return false;
        }
        self.voids += 1;
        self.window.void();
        self.judged = NEVER;
        true
    }

    pub(super) fn is_judged(&self, now: KernelTime) -> bool {
        self.judged <= now
    }

    /// When a member with this plan finds its Active silent, as it is now. The
    /// last of its probes has a quarter interval to be answered, those before
    /// have had whole ones more.
    pub(super) fn missed_at(&self, plan: &Plan) -> Option<KernelTime> {
        let needed = usize::from(plan.multiplier.max(1));
        let first = self.window.since()?;
        let last = self.window.waited().nth(needed - 1)?;
        let by_time = first.after(self.patience(plan));
        Some(by_time.max(last.after(self.pace() / 4)))
    }

    fn patience(&self, plan: &Plan) -> Duration {
        patience(self.in_force(plan.interval), plan.multiplier)
    }

    /// What `multiplier` probes for each member, and one more, take at this
    /// pace.
    pub(super) fn freshness(&self, plan: &Plan) -> Duration {
        let share = u32::from(self.armed.max(1));
        // Every other probe is for those that were refused.
        let turns = if self.refused > 0 { 2 * share } else { share };
        self.pace()
            .saturating_mul(turns)
            .saturating_mul(u32::from(plan.multiplier) + 1)
    }

    /// The next tick; those that were slept through are left out.
    fn advance(&mut self, now: KernelTime, retry_at: KernelTime) {
        self.stage = Stage::Begun;
        let after = now.after(self.pace());
        self.next = match self.armed {
            0 => retry_at.max(after),
            _ => {
                let next = self.next.after(self.pace());
                if next > now {
                    next
                } else {
                    pace::in_phase(self.number, self.pace(), now)
                }
            }
        };
    }
}

impl Heart {
    pub(super) fn member(&self, at: u16) -> Option<&Member> {
        self.members.get(usize::from(at))?.as_ref()
    }

    pub(super) fn member_mut(&mut self, at: u16) -> Option<&mut Member> {
        self.members.get_mut(usize::from(at))?.as_mut()
    }

    pub(super) fn stream(&self, number: u16) -> Option<&Stream> {
        self.streams.get(usize::from(number))?.as_ref()
    }

    pub(super) fn stream_mut(&mut self, number: u16) -> Option<&mut Stream> {
        self.streams.get_mut(usize::from(number))?.as_mut()
    }

    pub(super) fn join_stream(&mut self, at: u16, place: Place, now: KernelTime) {
        let mut streams = self.streams.iter().take(self.used);
        let known =
            streams.position(|stream| stream.as_ref().is_some_and(|stream| stream.place == place));
        let free = || self.streams.iter().position(Option::is_none);
        let Some(number) = known.or_else(free) else {
            return;
        };
        let Some(interval) = self.member(at).map(|member| member.plan.interval) else {
            return;
        };
        let number16 = number as u16;
        let mut next = at;
        match self.stream_mut(number16) {
            Some(stream) => {
                stream.members += 1;
                stream.next = stream.next.min(now.max(stream.paused_until));
                let cursor = stream.cursor;
                if let Some(after) = self.member_mut(cursor) {
                    next = std::mem::replace(&mut after.next, at);
                }
            }
            None => {
                let mut stream = Stream::new(number16, place, at, interval, now);
                if let Some(until) = self.pauses.until(place) {
                    stream.paused_until = until;
                    stream.next = now.max(until);
                }
                self.streams[number] = Some(stream);
                self.used = self.used.max(number + 1);
                self.share_budget();
            }
        }
        if let Some(member) = self.member_mut(at) {
            member.stream = Some(number16);
            member.next = next;
        }
        self.recompute(number16);
    }

    pub(super) fn leave_stream(&mut self, at: u16) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        let next = member.next;
        let Some(number) = member.stream.take() else {
            return;
        };
        let Some(stream) = self.stream_mut(number) else {
            return;
        };
        stream.members = stream.members.saturating_sub(1);
        let count = stream.members;
        if count == 0 {
            self.streams[usize::from(number)] = None;
            self.share_budget();
            return;
        }
        let mut before = next;
        for _ in 0..count {
            match self.member_mut(before) {
                Some(member) if member.next == at => {
                    member.next = next;
                    break;
                }
                Some(member) => before = member.next,
                None => break,
            }
        }
        if let Some(stream) = self.stream_mut(number) {
            stream.cursor = before;
        }
        self.recompute(number);
    }

    /// What is due by another pace is judged anew when it is looked at.
    fn share_budget(&mut self) {
        let streams = || self.streams.iter().take(self.used).flatten();
        let floor = pace::floor(u32::try_from(streams().count()).unwrap_or(u32::MAX));
        for stream in self.streams.iter_mut().take(self.used).flatten() {
            stream.floor = floor;
        }
    }

    /// Calls `visit` with each member of a stream, from the one after the
    /// cursor on.
    fn visit(&self, number: u16, mut visit: impl FnMut(u16, &Member)) {
        let Some(stream) = self.stream(number) else {
            return;
        };
        let mut at = self
            .member(stream.cursor)
            .map_or(stream.cursor, |member| member.next);
        for _ in 0..stream.members {
            let Some(member) = self.member(at) else {
                return;
            };
            visit(at, member);
            at = member.next;
        }
    }

    /// What a stream has of its members.
    pub(super) fn recompute(&mut self, number: u16) {
        let (mut armed, mut refused, mut interval) = (0, 0, Duration::MAX);
        self.visit(number, |_, member| {
            armed += u16::from(member.armed);
            refused += u16::from(member.armed && member.refusals > 0);
            interval = interval.min(member.plan.interval);
        });
        if let Some(stream) = self.stream_mut(number) {
            let began = stream.armed == 0 && armed > 0;
            (stream.armed, stream.refused, stream.interval) = (armed, refused, interval);
            if began {
                // It was asked seldom until now.
                stream.window.void();
                stream.next = stream.paused_until;
            }
        }
        self.rejudge(number);
    }

    /// What this member's Active has from a probe to its answer.
    pub(super) fn patience_with(&self, at: u16) -> Duration {
        let member = self.member(at);
        let stream = member.and_then(|member| self.stream(member.stream?));
        let both = member.zip(stream);
        both.map_or(Duration::ZERO, |(member, stream)| {
            stream.patience(&member.plan)
        })
    }

    pub(super) fn recompute_of(&mut self, at: u16) {
        if let Some(number) = self.member(at).and_then(|member| member.stream) {
            self.recompute(number);
        }
    }

    /// From when on the silence of a stream is to be judged.
    pub(super) fn rejudge(&mut self, number: u16) {
        let Some(stream) = self.stream(number) else {
            return;
        };
        let mut judged = NEVER;
        // With one probe under way nobody is missed, and that is how it is
        // nearly always.
        if stream.armed > 0 && stream.window.waited().nth(1).is_some() {
            self.visit(number, |_, member| {
                let missed = stream.missed_at(&member.plan).filter(|_| member.armed);
                judged = judged.min(missed.unwrap_or(NEVER));
            });
        }
        if let Some(stream) = self.stream_mut(number) {
            stream.judged = judged;
        }
    }

    /// Nothing is asked or believed until then.
    pub(super) fn pause_stream(&mut self, place: Place, until: KernelTime) {
        let mut streams = self.streams.iter().take(self.used);
        let number =
            streams.position(|stream| stream.as_ref().is_some_and(|stream| stream.place == place));
        let Some(number) = number.map(|number| number as u16) else {
            return;
        };
        let Some(stream) = self.stream_mut(number) else {
            return;
        };
        stream.begin_anew(until);
        stream.paused_until = until;
        let (mut at, count) = (stream.cursor, stream.members);
        for _ in 0..count {
            let Some(member) = self.member_mut(at) else {
                break;
            };
            member.disarm(until);
            at = member.next;
        }
        self.recompute(number);
    }

    /// The probe that this stream is to send, if any.
    pub(super) fn probe_of(&mut self, number: u16, now: KernelTime) -> Option<Probe> {
        let stream = self.stream(number)?;
        if stream.next > now {
            return None;
        }
        if stream.stage == Stage::Begun
            && stream.armed > 0
            && let Some(at) = self.next_armed(number)
        {
            let stream = self.stream_mut(number)?;
            stream.stage = Stage::Asked;
            stream.cursor = at;
            let member = self.member_mut(at)?;
            member.since_up = member.since_up.saturating_add(1);
            return self.ask(number, at);
        }
        let (at, retry_at) = self.next_unarmed(number, now);
        self.stream_mut(number)?.advance(now, retry_at);
        self.try_again(at?, now);
        self.ask(number, at?)
    }

    /// Who is asked for next of those that are armed: each in turn, and every
    /// other time one that was refused, so that it is soon known for certain.
    fn next_armed(&mut self, number: u16) -> Option<u16> {
        let stream = self.stream_mut(number)?;
        let prefer = stream.refused > 0 && !stream.asked_refused;
        stream.asked_refused = prefer;
        let (mut any, mut refused) = (None, None);
        self.visit(number, |at, member| {
            if member.armed {
                any.get_or_insert(at);
                if member.refusals > 0 {
                    refused.get_or_insert(at);
                }
            }
        });
        refused.filter(|_| prefer).or(any)
    }

    /// Who is to be asked of those that have not said Up, and when the next one
    /// is.
    fn next_unarmed(&self, number: u16, now: KernelTime) -> (Option<u16>, KernelTime) {
        let (mut due, mut retry_at) = (None, NEVER);
        let all = self.stream(number).is_none_or(|s| s.armed == s.members);
        if all {
            return (due, retry_at);
        }
        self.visit(number, |at, member| {
            if member.armed {
            } else if member.retry_at <= now && due.is_none() {
                due = Some(at);
                if member.tries < EAGER - 1 {
                    retry_at = now;
                }
            } else {
                retry_at = retry_at.min(member.retry_at);
            }
        });
        let seldom = due.and_then(|at| self.member(at)).map_or(NEVER, |member| {
            now.after(super::member::SELDOM.max(member.plan.interval))
        });
        (due, retry_at.min(seldom))
    }

    fn try_again(&mut self, at: u16, now: KernelTime) {
        let Some(member) = self.member_mut(at) else {
            return;
        };
        // The tries before had their time, this one has not.
        let quiet = member.late == 0 && !member.told_silent && !member.told_answers;
        let silent = member.asked >= EAGER && member.tries >= EAGER && quiet;
        member.tried(now);
        member.told_silent |= silent;
        if let Some(active) = member.active.filter(|_| silent) {
            let (id, news) = (id(at), News::NoAnswer);
            self.tell(Outcome::News { id, active, news });
        }
    }

    fn ask(&self, number: u16, at: u16) -> Option<Probe> {
        let (stream, member) = (self.stream(number)?, self.member(at)?);
        let plan = &member.plan;
        let interval_us = u32::try_from(stream.pace().as_micros()).unwrap_or(u32::MAX);
        Some(Probe {
            stream: number,
            member: at,
            place: stream.place,
            source: plan.source,
            question: Question {
                mine: (u32::from(number) + 1) << 16 | u32::from(stream.window.next_number()),
                yours: plan.discriminator,
                multiplier: plan.multiplier,
                interval_us,
                is_up: member.armed,
            },
            is_confirmed: member.armed && stream.window.waited().next().is_none(),
        })
    }
}
