//! Settings of adverts and announcements beyond who sends them to whom.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::AdvertInterval;

use super::{IfName, Network};

/// What few installations change about the adverts of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacketPolicy {
    /// Multicast: the group in place of 224.0.0.18 or ff02::12; of the
    /// instance's family.
    pub group: Option<IpAddr>,
    /// Unicast: TTL or hop limit of what is sent, 1..=255.
    pub unicast_ttl: u8,
    /// Unicast: what the adverts of some peers must come with; each peer once.
    pub peer_ttl: Vec<PeerTtl>,
    pub old_checksum: OldChecksum,
    /// Unicast without a peer is a fault, not a router of its own.
    pub fault_without_peers: bool,
    /// Other addresses than ours in an advert are no news.
    pub skip_address_check: bool,
    /// Where adverts may come from; empty for anywhere. Of the instance's
    /// family, and at most [`MAX_ALLOWED`] of them.
    ///
    /// [`MAX_ALLOWED`]: agent_common::record::MAX_ALLOWED
    pub allowed_sources: Vec<Network>,
    /// v3: a longer interval is not learned from anybody; at least the
    /// instance's own.
    pub max_learned: Option<AdvertInterval>,
}

impl Default for PacketPolicy {
    fn default() -> Self {
        Self {
            group: None,
            unicast_ttl: u8::MAX,
            peer_ttl: Vec::new(),
            old_checksum: OldChecksum::Detect,
            fault_without_peers: false,
            skip_address_check: false,
            allowed_sources: Vec::new(),
            max_learned: None,
        }
    }
}

/// Bounds of the TTL or hop limit of one peer's adverts, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerTtl {
    pub peer: IpAddr,
    pub min: u8,
    pub max: u8,
}

/// The v3/IPv4 checksum of unicast adverts until keepalived 1.3.6, which has
/// 224.0.0.18 for their destination (K-06).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OldChecksum {
    /// Accepted, and sent to a peer for as long as that peer sends it.
    Detect,
    /// Accepted, and sent to all peers.
    Always,
    Never,
}

/// Least time between two announcements; zero for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interval {
    pub garp: Duration,
    pub na: Duration,
}

/// Least times between announcements, for the whole configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pacing {
    /// Of each interface that is in no group.
    pub each: Interval,
    /// An interface is in one group at most.
    pub groups: Vec<PaceGroup>,
}

/// Interfaces that share one limit: `garp_group`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaceGroup {
    pub interval: Interval,
    pub interfaces: Vec<IfName>,
}

/// The limit of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pace {
    pub interface: IfName,
    /// Number of the group that shares it.
    pub group: Option<u16>,
    pub interval: Interval,
}

impl Pacing {
    /// The limit of an interface; `None` where there is none.
    pub fn of(&self, interface: &IfName) -> Option<Pace> {
        let mut groups = (0u16..).zip(&self.groups);
        let found = groups.find(|(_, group)| group.interfaces.contains(interface));
        let (group, interval) = match found {
            Some((number, group)) => (Some(number), group.interval),
            None => (None, self.each),
        };
        (interval != Interval::default()).then(|| Pace {
            interface: interface.clone(),
            group,
            interval,
        })
    }
}

/// How long the agent takes no part after its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StartDelay {
    /// Since the agent was started.
    pub after_start: Duration,
    /// Since the machine was, time in suspension included.
    pub after_boot: Duration,
}
