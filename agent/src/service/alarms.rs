//! A sender whose adverts are all refused: one alarm, and one line when it ends.
//!
//! Two routers that refuse each other are both Active, and neither notices. A
//! single refusal says little: an alarm needs that adverts go on being refused,
//! that the sender is not heard otherwise, and that this has lasted as long as
//! a Backup waits for its Active.

use std::{net::IpAddr, time::Duration};

use agent_common::{KernelTime, Outcome};

use crate::core::{InstanceId, Snapshot, State};

/// Senders kept in mind. Changing sources do not get beyond it; what the table
/// has no room for is in the counters.
const SENDERS: usize = 64;
/// Adverts refused since the first look that make an alarm.
const ENOUGH: u64 = 2;
/// Shortest time of refusals before an alarm, and of silence before its end.
const SHORTEST: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Sender {
    instance: InstanceId,
    source: IpAddr,
    reason: Outcome,
    since: KernelTime,
    /// The counter of `reason` at the first look, at the last, and when it
    /// last moved.
    first: Option<u64>,
    last: u64,
    moved: KernelTime,
    raised: bool,
}

/// Why an alarm is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Accepted,
    Silent,
}

/// What an operator is to be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    pub instance: InstanceId,
    pub source: IpAddr,
    pub reason: Outcome,
    /// Since the first advert that was refused.
    pub lasted: Duration,
    /// `None` for an alarm that begins.
    pub end: Option<End>,
}

#[derive(Debug, Default)]
pub struct Alarms(Vec<Sender>);

impl Alarms {
    /// Notes a refusal. True where it is news and should be logged.
    pub fn refused(
        &mut self,
        instance: InstanceId,
        source: IpAddr,
        reason: Outcome,
        now: KernelTime,
    ) -> bool {
        let known = self.0.iter_mut();
        let mut known = known.filter(|s| s.instance == instance && s.source == source);
        if let Some(known) = known.next() {
            if known.reason == reason {
                return !known.raised;
            }
            known.reason = reason;
            (known.first, known.last, known.moved) = (None, 0, now);
            return true;
        }
        if self.0.len() >= SENDERS {
            let candidates = self.0.iter().enumerate().filter(|(_, s)| !s.raised);
            let oldest = candidates.min_by_key(|(_, s)| s.since).map(|(at, _)| at);
            let Some(oldest) = oldest else { return true };
            self.0.swap_remove(oldest);
        }
        self.0.push(Sender {
            instance,
            source,
            reason,
            since: now,
            first: None,
            last: 0,
            moved: now,
            raised: false,
        });
        true
    }

    /// Nothing has to be looked at.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with what instances have accepted, and with how often `count`
    /// says that adverts of an instance were refused for a reason.
    pub fn look(
        &mut self,
        instances: &[Snapshot],
        now: KernelTime,
        mut count: impl FnMut(InstanceId, Outcome) -> u64,
    ) -> Vec<News> {
        let mut news = Vec::new();
        self.0.retain_mut(|sender| {
            let mut found = instances.iter();
            let Some(instance) = found.find(|found| found.id == sender.instance) else {
                return false;
            };
            let counted = count(sender.instance, sender.reason);
            let first = *sender.first.get_or_insert(counted);
            if counted != sender.last {
                (sender.last, sender.moved) = (counted, now);
            }
            let end = sender.end(instance, now);
            let patience = instance.active_down_interval.max(SHORTEST);
            let begins = end.is_none()
                && !sender.raised
                && instance.state != State::Initialize
                && counted.saturating_sub(first) >= ENOUGH
                && now.since(sender.since) >= patience;
            if begins || end.is_some() && sender.raised {
                news.push(News {
                    instance: sender.instance,
                    source: sender.source,
                    reason: sender.reason,
                    lasted: now.since(sender.since),
                    end,
                });
            }
            sender.raised |= begins;
            end.is_none()
        });
        news
    }

    /// Alarms of an instance that are up: sender, reason, and since when.
    pub fn of(&self, id: InstanceId) -> impl Iterator<Item = (IpAddr, Outcome, KernelTime)> {
        let raised = self.0.iter().filter(move |s| s.raised && s.instance == id);
        raised.map(|sender| (sender.source, sender.reason, sender.since))
    }
}

impl Sender {
    fn end(&self, instance: &Snapshot, now: KernelTime) -> Option<End> {
        let mut heard = instance.heard.iter().flatten();
        let accepted = heard.any(|(router, at)| *router == self.source && *at > self.since);
        let silence = SILENCE.max(instance.active_down_interval * 2);
        if accepted {
            Some(End::Accepted)
        } else if now.since(self.moved) >= silence {
            Some(End::Silent)
        } else {
            None
        }
    }
}

/// What an operator can do about it.
pub fn remedy(reason: Outcome) -> &'static str {
    match reason {
        Outcome::Ttl | Outcome::PeerTtl => {
            "send from the same network, or set unicast peers with min_ttl and unicast_ttl to fit"
        }
        Outcome::Destination => {
            "configure multicast with one group, or unicast peers, on both sides"
        }
        Outcome::Version => "set the same vrrp_version on all routers",
        Outcome::Checksum => "see whether the other side uses a VRRP of its own kind",
        Outcome::IntervalMismatch => "set the same advert_int on all routers",
        Outcome::AuthType | Outcome::AuthFailed => {
            "set the same authentication block on all routers"
        }
        Outcome::UnknownPeer => "list it in unicast_peer if it belongs there",
        Outcome::SourceNotAllowed => {
            "add it to allowed_sources if it is one of your routers, or find out who sends"
        }
        Outcome::NotLinkLocal | Outcome::NoAddresses => {
            "list the same VIPs on all routers, a link-local one first with IPv6"
        }
        Outcome::OwnSource => "give each router an address of its own",
        Outcome::Accepted
        | Outcome::Foreign
        | Outcome::UnknownVrid
        | Outcome::Fragment
        | Outcome::ExtensionChain
        | Outcome::Oversize
        | Outcome::Truncated
        | Outcome::IpHeader
        | Outcome::IpChecksum
        | Outcome::IpLength
        | Outcome::BadSource
        | Outcome::DestinationMac
        | Outcome::AuthHeader
        | Outcome::Type
        | Outcome::Incomplete
        | Outcome::Trailing
        | Outcome::IntervalZero
        | Outcome::OwnerIgnores
        | Outcome::RingFull
        | Outcome::OverBudget => "look at what that machine sends: `failoverd monitor` shows it",
    }
}

#[cfg(test)]
mod tests;
