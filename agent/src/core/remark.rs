//! What an advert says of its sender that an operator should hear of, whatever
//! the state machine made of it (R-14, R-15, R-27, L-04).

use std::net::IpAddr;

use agent_common::{AdvertInterval, KernelTime, Priority, Version};

use super::{
    effect::{Notice, State},
    input::Advert,
    instance::{Instance, bump},
    queue::Effects,
};

/// An advert later than this many intervals after the one before says that the
/// Active may have been gone.
const MISSED: u32 = 2;

/// The instance as it was when an advert came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    state: State,
    active: Option<IpAddr>,
    /// An advert of the sender had been heard.
    known: bool,
    /// There was an Active, and no sign that it is not any more.
    alive: bool,
}

impl Instance {
    /// To be asked before the advert is noted anywhere.
    pub(super) fn before(&self, advert: &Advert) -> Before {
        let patience = self.interval_in_force().duration().saturating_mul(MISSED);
        let heard = self
            .last_advert
            .is_some_and(|last| self.released_by.is_none() && advert.stamp.since(last) < patience);
        Before {
            state: self.state,
            active: self.active,
            known: self.heard.knows(advert.source),
            alive: self.state == State::Active || heard,
        }
    }

    /// To be said when all else is done.
    pub(super) fn remark(
        &mut self,
        advert: &Advert,
        before: Before,
        own: IpAddr,
        now: KernelTime,
        out: &mut Effects,
    ) {
        let from = advert.source;
        let config = self.config;
        if advert.priority.is_release() {
            let expected = before.state == State::Backup && before.active.is_none_or(|a| a == from);
            self.notice(Notice::ReleaseHeard { from, expected }, now, out);
        }
        self.remark_on_winner(advert, before, now, out);
        self.remark_on_interval(advert, now, out);
        if config.check_addresses
            && (advert.address_count, advert.addresses_digest)
                != (config.address_count, config.addresses_digest)
        {
            bump(&mut self.counters.addresses_differed);
            let (theirs, ours) = (advert.address_count, config.address_count);
            self.notice(Notice::AddressesDiffer { from, theirs, ours }, now, out);
        }
        if config.priority.is_owner() && advert.priority.is_owner() && from != own {
            self.notice(Notice::TwoOwners { other: from }, now, out);
        }
    }

    /// The advert made its sender the Active that we go by.
    fn believes(&self, advert: &Advert) -> bool {
        self.state == State::Backup
            && self.active == Some(advert.source)
            && self.last_advert == Some(advert.stamp)
    }

    /// Nobody that was ever heard takes over while the Active lives: a router
    /// that is new, or an attack. After a silence or a priority 0 it is a Backup
    /// that does what it is for.
    fn remark_on_winner(
        &mut self,
        advert: &Advert,
        before: Before,
        now: KernelTime,
        out: &mut Effects,
    ) {
        let (from, priority) = (advert.source, advert.priority);
        let other = before.state == State::Active || before.active.is_some_and(|was| was != from);
        let strange = before.alive && other && !before.known && !self.config.senders_listed;
        if strange && self.believes(advert) {
            bump(&mut self.counters.unknown_winners);
            self.notice(Notice::UnknownWinner { from, priority }, now, out);
        }
    }

    /// One advert can teach a Backup to wait for minutes, which is said, also
    /// where `max_learned_interval` keeps it from doing so.
    fn remark_on_interval(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        let (from, theirs, ours) = (advert.source, advert.interval, self.config.interval);
        if self.config.version == Version::V2 || theirs == ours {
            return;
        }
        let (learns, believed) = (self.believes(advert), self.believed(theirs));
        if learns && believed < theirs {
            bump(&mut self.counters.intervals_limited);
            let notice = Notice::IntervalLimited {
                from,
                theirs,
                believed,
            };
            self.notice(notice, now, out);
        } else if learns && theirs.duration() > ours.duration().saturating_mul(2) {
            let notice = Notice::IntervalLong {
                from,
                theirs,
                ours,
                patience: self.down_interval(),
            };
            self.notice(notice, now, out);
        } else {
            self.notice(Notice::IntervalDiffers { from, theirs, ours }, now, out);
        }
    }

    /// What is learned of an interval that a router states (T-02): not more
    /// than `max_learned_interval`. The advert itself counts, so that its
    /// sender is no second Active; refusing it would make one.
    pub(super) fn believed(&self, stated: AdvertInterval) -> AdvertInterval {
        self.config
            .max_learned
            .map_or(stated, |most| stated.min(most))
    }

    pub(super) fn count_release(&mut self, advert: &Advert) {
        debug_assert!(advert.priority == Priority::RELEASE);
        bump(&mut self.counters.priority_zero_received);
        // The RFC takes a release from anybody; so do we, and count it.
        if self.state == State::Active || self.active != Some(advert.source) {
            bump(&mut self.counters.priority_zero_not_active);
        }
    }
}
