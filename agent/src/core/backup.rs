//! Backup (RFC 9568 6.4.2): who is accepted as Active, and when it counts as gone.
//!
//! # A Backup that overslept
//!
//! An advert counts from its stamp, so a Backup that was stopped while the
//! kernel went on finds the newest advert when it wakes, and nothing happens.
//! A Backup that was frozen together with its network finds nothing, and its
//! deadline may be over: taking that for the silence of the Active is how a
//! snapshot or a migration makes two of them. Only having been awake proves
//! silence. So the time-out has two stages, a checkpoint and the deadline
//! (see [`checkpoint_margin`]); when either is handled late by more than a
//! quarter interval, the Active gets one more Active_Down_Interval from then.
//!
//! A Backup that is starved wakes late every time. After [`MAX_GRANTS`] such
//! extensions without a sign of life it takes over all the same: it has been
//! awake in each of them, and a machine that nobody serves is an outage too.

use core::time::Duration;

use agent_common::{KernelTime, Version};

use super::{
    effect::{Cause, Notice, State},
    input::Advert,
    instance::{Instance, bump},
    queue::Effects,
    timers::{Timer, checkpoint_margin, oversleep_tolerance},
};

/// See [`Instance::stand_back`].
pub(super) const STAND_BACK: Duration = Duration::from_secs(10);

/// Extensions after oversleeping that an Active gets without being heard.
pub(super) const MAX_GRANTS: u8 = 3;

impl Instance {
    /// Becomes Backup; the Active_Down_Timer counts from `from`.
    pub(super) fn enter_backup(&mut self, from: KernelTime, now: KernelTime) {
        self.enter(State::Backup, now);
        self.counted = from;
        self.floor = KernelTime(0);
        self.grants = 0;
        self.arm_down(from);
    }

    pub(super) fn arm_down(&mut self, from: KernelTime) {
        let down = self.down_interval();
        let deadline = from.max(self.floor).after(down);
        let margin = checkpoint_margin(self.interval_in_force(), down);
        self.timers.arm(Timer::ActiveDown, deadline);
        self.timers.arm(Timer::Checkpoint, deadline.before(margin));
        self.released_by = None;
        self.lost = None;
        self.wants = None;
    }

    /// After a fight over the VIPs that we have lost: whoever is Active next
    /// is left alone for a while, or the two of us would take turns.
    pub(super) fn stand_back(&mut self, now: KernelTime) {
        let down = self.down_interval();
        let deadline = now.after(down.max(STAND_BACK));
        let margin = checkpoint_margin(self.interval_in_force(), down);
        self.timers.arm(Timer::ActiveDown, deadline);
        self.timers.arm(Timer::Checkpoint, deadline.before(margin));
    }

    /// A Backup that could not hear its Active grants it the whole time.
    pub(super) fn forgive(&mut self, now: KernelTime) {
        match self.state {
            State::Initialize | State::Active => {}
            State::Backup if self.released_by.is_some() => {}
            State::Backup => {
                self.floor = now;
                self.arm_down(self.counted);
            }
        }
    }

    pub(super) fn backup_advert(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        if advert.stamp < self.counted {
            // Overtaken by what another router sent later.
            bump(&mut self.counters.adverts_stale);
        } else if advert.priority.is_release() {
            self.backup_release(advert);
        } else if self.accepts(advert) {
            self.accept(advert, out);
        } else {
            self.discard(advert, now, out);
        }
    }

    /// S-18 and S-19; no address is compared in Backup (S-20).
    fn accepts(&mut self, advert: &Advert) -> bool {
        if advert.priority >= self.config.priority {
            // A better Active: the next worse one is put up with anew.
            self.timers.disarm(Timer::PreemptDelay);
            self.preempt_ready = false;
            return true;
        }
        !self.preempts() || self.preempt_delay_runs(advert.stamp)
    }

    /// The owner preempts whatever Preempt_Mode says (S-44).
    fn preempts(&self) -> bool {
        self.config.preempt || self.config.priority.is_owner()
    }

    /// The delay starts with the first lower advert and is judged by stamps,
    /// so that it does not matter when an advert is read.
    fn preempt_delay_runs(&mut self, stamp: KernelTime) -> bool {
        let delay = self.config.preempt_delay;
        if delay.is_zero() || self.config.priority.is_owner() || self.preempt_ready {
            return false;
        }
        match self.timers.get(Timer::PreemptDelay) {
            Some(end) => stamp < end,
            None => {
                self.timers.arm(Timer::PreemptDelay, stamp.after(delay));
                true
            }
        }
    }

    /// S-18, and S-40 when Active: what an accepted advert teaches.
    pub(super) fn learn(&mut self, advert: &Advert) {
        if self.config.version == Version::V3 {
            self.learned = self.believed(advert.interval);
        }
        self.active = Some(advert.source);
        self.active_priority = Some(advert.priority);
        self.last_advert = Some(advert.stamp);
    }

    fn accept(&mut self, advert: &Advert, out: &mut Effects) {
        let stays_lost = self.is_before_silence(advert.source, advert.stamp);
        self.learn(advert);
        self.counted = advert.stamp;
        if !stays_lost {
            self.grants = 0;
            self.arm_down(advert.stamp);
        }
        if self.watched() != Some(advert.source) {
            self.watch(Some(advert.source), out);
        }
    }

    /// S-19: the timer keeps running and nothing is learned (T-06).
    fn discard(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        bump(&mut self.counters.adverts_discarded);
        if self.watched() == Some(advert.source) {
            // Its adverts no longer keep the timer at bay.
            self.watch(None, out);
        }
        let (from, priority) = (advert.source, advert.priority);
        self.notice(Notice::LowerPriorityDiscarded { from, priority }, now, out);
    }

    /// S-17: Skew_Time from the stamp, with the interval learned so far (T-07, T-11).
    fn backup_release(&mut self, advert: &Advert) {
        self.counted = advert.stamp;
        self.grants = 0;
        self.released_by = Some(advert.source);
        self.lost = None;
        let deadline = advert.stamp.max(self.floor).after(self.skew());
        self.timers.arm(Timer::ActiveDown, deadline);
        self.timers.disarm(Timer::Checkpoint);
        self.wants = None;
    }

    pub(super) fn backup_timeout(&mut self, now: KernelTime, out: &mut Effects) {
        if self.timers.due(Timer::PreemptDelay, now).is_some() {
            self.timers.disarm(Timer::PreemptDelay);
            self.preempt_ready = true;
        }
        let tolerance = oversleep_tolerance(self.interval_in_force());
        let may_grant = self.grants < MAX_GRANTS;
        if let Some(due) = self.timers.due(Timer::GroupHold, now) {
            self.timers.disarm(Timer::GroupHold);
            if self.wants.is_some() && may_grant && now > due.after(tolerance) {
                self.wants = None;
                return self.overslept(due, now, out);
            }
        }
        if let Some(due) = self.timers.due(Timer::Checkpoint, now) {
            if may_grant && now > due.after(tolerance) {
                return self.overslept(due, now, out);
            }
            self.timers.disarm(Timer::Checkpoint);
        }
        if let Some(due) = self.timers.due(Timer::ActiveDown, now) {
            if may_grant && now > due.after(tolerance) {
                return self.overslept(due, now, out);
            }
            let lost = self.lost.map(|(why, _)| why).zip(self.active);
            let cause = match (self.released_by, lost) {
                (Some(by), _) => Cause::ActiveReleased { by },
                (None, Some((why, active))) => Cause::HeartStopped { active, why },
                (None, None) => Cause::ActiveSilent {
                    last_advert: self.last_advert,
                    deadline: due,
                },
            };
            self.promote_or_want(cause, now, out);
        }
    }

    /// A member of a sync group waits until all of them are ready, for which
    /// it has to hear of every advert.
    pub(super) fn promote_or_want(&mut self, cause: Cause, now: KernelTime, out: &mut Effects) {
        if self.config.group.is_none() {
            return self.promote(cause, now, out);
        }
        self.timers.disarm(Timer::ActiveDown);
        self.timers.disarm(Timer::Checkpoint);
        self.wants = Some(cause);
        if self.watched().is_some() {
            self.watch(None, out);
        }
    }

    /// Once per wake-up: the new deadlines lie ahead of `now`.
    ///
    /// After a priority 0 nobody serves unless another Backup took over while
    /// we slept, so a whole Active_Down_Interval would only prolong the outage.
    /// Skew_Time alone would be too short: it can end before a living new
    /// Active has its next advert due. One interval of the last Active is
    /// what such a router needs to be heard, and Skew_Time on top of it keeps
    /// several Backups that thaw together in the order of their priorities.
    fn overslept(&mut self, due: KernelTime, now: KernelTime, out: &mut Effects) {
        bump(&mut self.counters.overslept);
        self.grants = self.grants.saturating_add(1);
        self.floor = now;
        if self.released_by.is_some() {
            let wait = self.interval_in_force().duration() + self.skew();
            self.timers.arm(Timer::ActiveDown, now.after(wait));
            self.timers.disarm(Timer::Checkpoint);
        } else {
            self.arm_down(now);
        }
        self.notice(
            Notice::Overslept {
                late_by: now.since(due),
            },
            now,
            out,
        );
    }
}
