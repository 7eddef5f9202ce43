//! Active (RFC 9568 6.4.3): adverts, elections won and lost, announcements, and the VIPs.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::KernelTime;

use super::{
    effect::{Cause, Effect, Notice, State},
    input::Advert,
    instance::{Answer, Instance, bump},
    queue::Effects,
    timers::Timer,
};

/// Shortest time between two re-announcements, where the interval is shorter:
/// hosts do not learn faster, and with many VIPs each is thousands of frames.
const REANNOUNCE_FLOOR: Duration = Duration::from_millis(100);

impl Instance {
    /// S-01 and S-16. The advert goes first, so that an old Active can leave
    /// while we add addresses (D-23).
    pub(super) fn promote(&mut self, cause: Cause, now: KernelTime, out: &mut Effects) {
        let from = self.promote_first(now, out);
        self.promote_addresses(out);
        self.promote_last(from, cause, now, out);
    }

    /// The state and the advert. In a sync group the adverts of all members go
    /// out before the first address is touched.
    pub(super) fn promote_first(&mut self, now: KernelTime, out: &mut Effects) -> State {
        let from = self.state;
        self.enter(State::Active, now);
        bump(&mut self.counters.became_active);
        // The Active's interval is ours from here on (T-09).
        self.learned = self.config.interval;
        self.reannounced = None;
        self.last_sent = now;
        self.timers.arm(Timer::Advert, now.after(self.interval()));
        self.push_advert(out);
        from
    }

    pub(super) fn promote_addresses(&mut self, out: &mut Effects) {
        out.push(Effect::AddAddresses { id: self.id() });
        self.announce(self.config.announce.repeat, out);
    }

    pub(super) fn promote_last(
        &mut self,
        from: State,
        cause: Cause,
        now: KernelTime,
        out: &mut Effects,
    ) {
        let policy = self.config.announce;
        self.watch(None, out);
        self.transition(from, cause, now, out);
        if policy.repeat > 0 && !policy.delay.is_zero() {
            self.again_repeat = policy.repeat;
            self.timers
                .arm(Timer::AnnounceAgain, now.after(policy.delay));
        }
        if let Some(period) = self.refresh_period() {
            self.timers.arm(Timer::AnnounceRefresh, now.after(period));
        }
        if let Some(period) = self.elsewhere_period() {
            self.timers.arm(Timer::AnnounceElsewhere, now.after(period));
        }
    }

    pub(super) fn active_advert(
        &mut self,
        advert: &Advert,
        own: IpAddr,
        now: KernelTime,
        out: &mut Effects,
    ) {
        if advert.priority.is_release() {
            self.answer(Answer::Release, now);
        } else if self.loses_to(advert, own) {
            self.demote(advert, now, out);
        } else {
            self.assert_over(advert, now, out);
        }
    }

    /// S-40. `IpAddr` of one family compares as unsigned in network byte order.
    /// Preempt_Mode has no say (S-43).
    fn loses_to(&self, advert: &Advert, own: IpAddr) -> bool {
        let local = self.config.priority;
        advert.priority > local || (advert.priority == local && advert.source > own)
    }

    fn demote(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        let (id, by) = (self.id(), advert.source);
        if self.config.higher_prio_send_advert {
            self.push_advert(out);
        }
        bump(&mut self.counters.left_active);
        out.push(Effect::RemoveAddresses { id });
        self.learn(advert);
        self.enter_backup(advert.stamp, now);
        self.watch(Some(by), out);
        let cause = Cause::Outranked {
            by,
            priority: advert.priority,
        };
        self.transition(State::Active, cause, now, out);
    }

    /// S-42; S-41 where the configuration asks for RFC 5798.
    fn assert_over(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        let asserts = self.config.assert_on_lower;
        self.answer(
            if asserts {
                Answer::Assert
            } else {
                Answer::Announce
            },
            now,
        );
        let (from, priority) = (advert.source, advert.priority);
        let notice = match asserts {
            true => Notice::LowerPriorityAsserted { from, priority },
            false => Notice::LowerPriorityHeard { from, priority },
        };
        self.notice(notice, now, out);
    }

    /// Not here and now: an Active that was stopped for a while finds the
    /// adverts of a worse router before those of a better one, and must not
    /// speak up before it has read them all. What it reads together gets one
    /// answer.
    fn answer(&mut self, answer: Answer, now: KernelTime) {
        let pending = self.timers.get(Timer::Answer).map(|_| self.answer);
        self.answer = pending.map_or(answer, |pending| pending.max(answer));
        self.timers.arm(Timer::Answer, now);
    }

    /// Adver_Timer is restarted only when an advert really went out: otherwise
    /// a flood of priority 0 would silence us.
    fn answer_due(&mut self, now: KernelTime, out: &mut Effects) {
        let restarts = match self.answer {
            Answer::Announce => None,
            Answer::Assert => Some(false),
            Answer::Release => Some(true),
        };
        // The regular advert of this moment is an answer, too.
        if let Some(restarts) = restarts
            && self.last_sent != now
            && self.may_assert(now)
        {
            self.send(now, out);
            if restarts {
                self.timers.arm(Timer::Advert, now.after(self.interval()));
            }
        }
        self.reannounce(now, out);
    }

    /// S-46: what others send is never answered one to one.
    fn may_assert(&mut self, now: KernelTime) -> bool {
        let window = self.interval();
        let allowed = self.asserts.allow(now, window);
        if !allowed {
            bump(&mut self.counters.asserts_limited);
        }
        allowed
    }

    /// The router was given another address: peers should see it before a tie
    /// is decided with the old one.
    pub(super) fn advert_from_new_source(&mut self, now: KernelTime, out: &mut Effects) {
        self.send(now, out);
        self.timers.arm(Timer::Advert, now.after(self.interval()));
    }

    pub(super) fn active_timeout(&mut self, now: KernelTime, out: &mut Effects) {
        if let Some(due) = self.timers.due(Timer::Advert, now) {
            self.advert_due(due, now, out);
        }
        if self.timers.due(Timer::Answer, now).is_some() {
            self.timers.disarm(Timer::Answer);
            self.answer_due(now, out);
        }
        if self.timers.due(Timer::Reannounce, now).is_some() {
            self.timers.disarm(Timer::Reannounce);
            self.reannounce(now, out);
        }
        if self.timers.due(Timer::AnnounceAgain, now).is_some() {
            self.timers.disarm(Timer::AnnounceAgain);
            self.announce(self.again_repeat, out);
        }
        if let Some(due) = self.timers.due(Timer::AnnounceRefresh, now) {
            self.refresh_due(due, now, out);
        }
        if let Some(due) = self.timers.due(Timer::AnnounceElsewhere, now) {
            self.timers.disarm(Timer::AnnounceElsewhere);
            if let Some(period) = self.elsewhere_period() {
                self.timers
                    .arm(Timer::AnnounceElsewhere, following(due, period, now));
                out.push(Effect::AnnounceElsewhere { id: self.id() });
            }
        }
    }

    /// Of `garp_extra_if`.
    pub(super) fn elsewhere_period(&self) -> Option<Duration> {
        self.config
            .announce
            .extra
            .filter(|period| !period.is_zero())
    }

    /// S-38. A little late keeps the cadence, so that lateness does not add
    /// up; an interval or more late starts anew from now: one advert, no burst.
    fn advert_due(&mut self, due: KernelTime, now: KernelTime, out: &mut Effects) {
        let interval = self.interval();
        self.send(now, out);
        self.timers
            .arm(Timer::Advert, following(due, interval, now));
        let late_by = now.since(due);
        if late_by > interval {
            bump(&mut self.counters.adverts_late);
            self.notice(Notice::AdvertLate { late_by }, now, out);
        }
    }

    fn refresh_due(&mut self, due: KernelTime, now: KernelTime, out: &mut Effects) {
        self.timers.disarm(Timer::AnnounceRefresh);
        if let Some(period) = self.refresh_period() {
            self.timers
                .arm(Timer::AnnounceRefresh, following(due, period, now));
            self.announce(self.config.announce.refresh_repeat, out);
        }
    }

    pub(super) fn refresh_period(&self) -> Option<Duration> {
        self.config
            .announce
            .refresh
            .filter(|period| !period.is_zero())
    }

    /// An advert with our priority. After a silence in which another router
    /// may have been Active, hosts are told again where the VIPs are (S-47).
    fn send(&mut self, now: KernelTime, out: &mut Effects) {
        self.send_within(self.down_interval(), now, out);
    }

    /// [`Self::send`], where others wait for `patience` before they take over.
    pub(super) fn send_within(&mut self, patience: Duration, now: KernelTime, out: &mut Effects) {
        let silence = now.since(self.last_sent);
        self.last_sent = now;
        self.push_advert(out);
        if silence > patience {
            self.reannounce(now, out);
        }
    }

    fn push_advert(&mut self, out: &mut Effects) {
        bump(&mut self.counters.adverts_sent);
        out.push(Effect::SendAdvert {
            id: self.id(),
            priority: self.config.priority,
        });
    }

    fn announce(&self, repeat: u8, out: &mut Effects) {
        if repeat > 0 {
            out.push(Effect::Announce {
                id: self.id(),
                repeat,
            });
        }
    }

    /// S-47: another router was, or may have been, Active. At once, then at
    /// most once per interval; what comes in between is made up for at the end
    /// of that time, so that no such router goes unanswered.
    fn reannounce(&mut self, now: KernelTime, out: &mut Effects) {
        let policy = self.config.announce;
        if policy.lower_prio_repeat == 0 {
            return;
        }
        let window = self.interval().max(REANNOUNCE_FLOOR);
        if let Some(last) = self.reannounced
            && now.since(last) < window
        {
            if last != now {
                self.timers.arm(Timer::Reannounce, last.after(window));
            }
            return;
        }
        self.reannounced = Some(now);
        self.timers.disarm(Timer::Reannounce);
        self.announce(policy.lower_prio_repeat, out);
        if !policy.lower_prio_delay.is_zero() {
            let pending = self
                .timers
                .get(Timer::AnnounceAgain)
                .map_or(0, |_| self.again_repeat);
            self.again_repeat = pending.max(policy.lower_prio_repeat);
            self.timers
                .arm(Timer::AnnounceAgain, now.after(policy.lower_prio_delay));
        }
    }

    /// A VIP vanished. Put back a few times; against somebody who insists, the
    /// peers get the virtual router, and we stand back for a whole
    /// Active_Down_Interval.
    pub(super) fn address_lost(&mut self, vip: u16, now: KernelTime, out: &mut Effects) {
        let id = self.id();
        if self.state != State::Active || vip >= self.config.vip_count {
            return;
        }
        if self.losses.allow(vip, now) {
            bump(&mut self.counters.addresses_restored);
            out.push(Effect::RestoreAddress { id, vip });
            self.notice(Notice::AddressRestored { vip }, now, out);
        } else {
            self.release(out);
            self.active = None;
            self.last_advert = None;
            self.enter_backup(now, now);
            self.stand_back(now);
            self.transition(State::Active, Cause::AddressesTaken, now, out);
        }
    }

    /// No advert: this is nothing between routers.
    pub(super) fn address_claimed(&mut self, now: KernelTime, out: &mut Effects) {
        if self.state == State::Active {
            self.reannounce(now, out);
        }
    }

    /// Advertisement_Interval.
    fn interval(&self) -> Duration {
        self.config.interval.duration()
    }
}

/// The next beat of a period: on the old cadence if that lies ahead of `now`.
fn following(due: KernelTime, period: Duration, now: KernelTime) -> KernelTime {
    let next = due.after(period);
    if next > now { next } else { now.after(period) }
}
