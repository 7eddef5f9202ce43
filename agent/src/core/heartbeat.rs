//! What a Backup does with what the heartbeat of its Active says.
//!
//! A stopped heartbeat shortens the wait for the Active, and nothing else: the
//! normal time-out follows, with all that keeps a Backup from judging what it
//! cannot know. An advert of the Active, or Up after all, undoes it.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{KernelTime, Priority};

use super::{
    effect::{Notice, State},
    input::{Lost, Pulse},
    instance::Instance,
    queue::Effects,
    timers::{Timer, scaled_skew},
};

impl Instance {
    pub(super) fn pulse(
        &mut self,
        active: IpAddr,
        pulse: Pulse,
        now: KernelTime,
        out: &mut Effects,
    ) {
        if !self.heeds(active) {
            return;
        }
        match pulse {
            Pulse::Down {
                why,
                since,
                interval,
            } => self.heart_stopped((why, since), interval, now),
            Pulse::Up => self.heart_goes_on(now),
            Pulse::Vouched { until } => self.vouched(active, until, now, out),
        }
    }

    /// Who released the addresses, or waits for a group, is on its way by other
    /// rules.
    fn heeds(&self, active: IpAddr) -> bool {
        self.state == State::Backup
            && self.active == Some(active)
            && self.released_by.is_none()
            && self.wants.is_none()
    }

    /// How soon after a verdict on this Active its adverts cannot come from a
    /// restart: who restarts is Backup first, and waits for the adverts of
    /// others. How long its Skew_Time is we do not know, and the owner of the
    /// addresses waits for nobody. `None` where a verdict is not heeded.
    pub(super) fn restart_takes(&self, active: IpAddr) -> Option<Duration> {
        let waits = !self.active_priority.is_some_and(Priority::is_owner);
        let adverts = u32::from(self.config.down_factor) * u32::from(waits);
        let interval = self.interval_in_force().duration();
        self.heeds(active).then(|| interval.saturating_mul(adverts))
    }

    fn heart_stopped(&mut self, lost: (Lost, KernelTime), interval: Duration, now: KernelTime) {
        let deadline = now.after(scaled_skew(self.config.priority, interval));
        let due = self.timers.get(Timer::ActiveDown);
        if due.is_some_and(|due| due <= deadline) {
            return;
        }
        self.timers.arm(Timer::ActiveDown, deadline);
        self.timers.disarm(Timer::Checkpoint);
        self.lost = Some(lost);
    }

    /// Its Active sent this before the first of the probes that it did not answer:
    /// not a sign that it lives, whenever it is read.
    pub(super) fn is_before_silence(&self, source: IpAddr, stamp: KernelTime) -> bool {
        let silent = self.lost.is_some_and(|(_, since)| stamp < since);
        silent && self.active == Some(source)
    }

    /// What was before: adverts decide, from the one that was heard last.
    fn heart_goes_on(&mut self, now: KernelTime) {
        if self.lost.take().is_some() {
            let rules = self.rules();
            self.recompute_down(&rules, false, now);
        }
    }

    /// For want of adverts, and for that only, this Backup would take over at
    /// `now` from the Active that it puts up with. One whose adverts arrive and
    /// are discarded is preempted: that it serves is no reason to wait.
    pub(super) fn is_unheard(&self, now: KernelTime) -> bool {
        self.state == State::Backup
            && self.timers.due(Timer::ActiveDown, now).is_some()
            && self.released_by.is_none()
            && self.lost.is_none()
            && self.active.is_some()
            && self.watched() == self.active
    }

    /// Skew_Time on top keeps several Backups in the order of their priorities.
    fn vouched(&mut self, from: IpAddr, until: KernelTime, now: KernelTime, out: &mut Effects) {
        if !self.is_unheard(now) {
            return;
        }
        let deadline = until.max(now).after(self.skew());
        self.timers.arm(Timer::ActiveDown, deadline);
        self.timers.disarm(Timer::Checkpoint);
        self.notice(Notice::AdvertsMissing { from }, now, out);
    }
}
