//! keepalived's counters of an instance, and the `.stats` file.

use std::fmt::Write as _;

use agent_common::{Outcome, outcome::OutcomeCounters};

use super::{Facts, sum};
use crate::core::snapshot::Counters;

/// keepalived's counters, from ours.
///
/// Two of keepalived's are always 0: an authentication type that no RFC has
/// is counted as one that is not ours, and keepalived never counts a wrong
/// interval, which here is a true count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Of the right version, type and length, whatever became of them.
    pub received: u64,
    pub sent: u64,
    pub became_master: u64,
    pub released_master: u64,
    pub length: u64,
    pub ttl: u64,
    pub invalid_type: u64,
    pub interval: u64,
    /// Adverts with another list that reached the agent; the steady ones of
    /// the Active stay in the kernel.
    pub address_list: u64,
    pub auth_type: u64,
    pub auth_mismatch: u64,
    pub auth_failure: u64,
    pub zero_received: u64,
    pub zero_sent: u64,
}

impl Stats {
    pub fn new(counters: &Counters, outcomes: &OutcomeCounters) -> Self {
        use Outcome::{
            Accepted, AuthFailed, AuthHeader, AuthType, Incomplete, IntervalMismatch, IntervalZero,
            IpLength, NoAddresses, NotLinkLocal, OverBudget, RingFull, Trailing, Truncated, Ttl,
            Type, UnknownPeer,
        };
        let sum = |wanted: &[Outcome]| sum(outcomes, wanted);
        Self {
            received: sum(&[
                Accepted,
                RingFull,
                OverBudget,
                IntervalMismatch,
                IntervalZero,
                NoAddresses,
                NotLinkLocal,
                AuthType,
                AuthFailed,
                UnknownPeer,
            ]),
            sent: counters.adverts_sent,
            became_master: counters.became_active,
            released_master: counters.left_active,
            length: sum(&[Truncated, IpLength, Incomplete, Trailing]),
            ttl: sum(&[Ttl]),
            invalid_type: sum(&[Type]),
            interval: sum(&[IntervalMismatch, IntervalZero]),
            address_list: counters.addresses_differed,
            auth_type: 0,
            auth_mismatch: sum(&[AuthType, AuthHeader]),
            auth_failure: sum(&[AuthFailed]),
            zero_received: counters.priority_zero_received,
            zero_sent: counters.priority_zero_sent,
        }
    }

    /// What was counted after `cleared`.
    #[must_use]
    pub fn since(&self, cleared: &Self) -> Self {
        let Self {
            received,
            sent,
            became_master,
            released_master,
            length,
            ttl,
            invalid_type,
            interval,
            address_list,
            auth_type,
            auth_mismatch,
            auth_failure,
            zero_received,
            zero_sent,
        } = cleared;
        Self {
            received: self.received.saturating_sub(*received),
            sent: self.sent.saturating_sub(*sent),
            became_master: self.became_master.saturating_sub(*became_master),
            released_master: self.released_master.saturating_sub(*released_master),
            length: self.length.saturating_sub(*length),
            ttl: self.ttl.saturating_sub(*ttl),
            invalid_type: self.invalid_type.saturating_sub(*invalid_type),
            interval: self.interval.saturating_sub(*interval),
            address_list: self.address_list.saturating_sub(*address_list),
            auth_type: self.auth_type.saturating_sub(*auth_type),
            auth_mismatch: self.auth_mismatch.saturating_sub(*auth_mismatch),
            auth_failure: self.auth_failure.saturating_sub(*auth_failure),
            zero_received: self.zero_received.saturating_sub(*zero_received),
            zero_sent: self.zero_sent.saturating_sub(*zero_sent),
        }
    }
}

pub fn text(facts: &Facts<'_>) -> String {
    let mut out = String::new();
    for instance in &facts.instances {
        // Writing to a String cannot fail.
        let _ = section(&mut out, &instance.config.name, &instance.stats);
    }
    out
}

fn section(out: &mut String, name: &str, stats: &Stats) -> std::fmt::Result {
    writeln!(out, "VRRP Instance: {name}")?;
    writeln!(out, "  Advertisements:")?;
    writeln!(out, "    Received: {}", stats.received)?;
    writeln!(out, "    Sent: {}", stats.sent)?;
    writeln!(out, "  Became master: {}", stats.became_master)?;
    writeln!(out, "  Released master: {}", stats.released_master)?;
    writeln!(out, "  Packet Errors:")?;
    writeln!(out, "    Length: {}", stats.length)?;
    writeln!(out, "    TTL: {}", stats.ttl)?;
    writeln!(out, "    Invalid Type: {}", stats.invalid_type)?;
    writeln!(out, "    Advertisement Interval: {}", stats.interval)?;
    writeln!(out, "    Address List: {}", stats.address_list)?;
    writeln!(out, "  Authentication Errors:")?;
    writeln!(out, "    Invalid Type: {}", stats.auth_type)?;
    writeln!(out, "    Type Mismatch: {}", stats.auth_mismatch)?;
    writeln!(out, "    Failure: {}", stats.auth_failure)?;
    writeln!(out, "  Priority Zero:")?;
    writeln!(out, "    Received: {}", stats.zero_received)?;
    writeln!(out, "    Sent: {}", stats.zero_sent)
}
