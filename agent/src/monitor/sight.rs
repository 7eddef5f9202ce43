//! One frame, read without a configuration: an advert, or what is wrong with it.
//!
//! The verdict is that of the agent's own parser. What a configuration would
//! say of the instance (version, authentication, unicast or not, the interval
//! of v2) is taken from the packet, so that only what is wrong for everybody
//! is rejected.

use std::net::IpAddr;

use agent_common::{
    AdvertInterval, Family, KernelTime, Outcome, Priority, Version, Vrid,
    record::{AdvertRecord, InstanceFilter, advert_flags, filter_flags},
    wire::{
        self, Bytes as _, Located, ethernet,
        frame::{ip_address, wire_v4},
        vrrp,
    },
};
use bytemuck::Zeroable as _;
use serde::Serialize;

use crate::io::receive::raw::Arrival;

/// A virtual router: one VRID of one family on one VLAN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterKey {
    /// VLAN id of the innermost tag, 0 without one.
    pub vlan: u16,
    pub vrid: Vrid,
    v6: bool,
}

impl RouterKey {
    pub fn new(vlan: u16, vrid: Vrid, family: Family) -> Self {
        let v6 = match family {
            Family::V4 => false,
            Family::V6 => true,
        };
        Self { vlan, vrid, v6 }
    }

    pub fn family(self) -> Family {
        if self.v6 { Family::V6 } else { Family::V4 }
    }
}

/// What the checksum of an advert covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// The message alone: v2, and v3/IPv4 by RFC 9568 5.2.8.
    Message,
    /// The pseudo-header too: v3/IPv6, and v3/IPv4 by RFC 5798 as deployed.
    PseudoHeader,
}

impl Checksum {
    pub fn label(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::PseudoHeader => "pseudo_header",
        }
    }
}

/// v2 authentication. The password itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    None,
    Pass,
}

impl Auth {
    pub fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
        }
    }
}

/// How an advert travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Multicast,
    Unicast,
}

impl Transport {
    pub fn label(self) -> &'static str {
        match self {
            Self::Multicast => "multicast",
            Self::Unicast => "unicast",
        }
    }
}

/// A valid advert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    pub router: RouterKey,
    pub source: IpAddr,
    /// Source MAC address of the frame.
    pub mac: [u8; 6],
    /// Sent by this machine.
    pub local: bool,
    pub version: Version,
    pub priority: Priority,
    pub interval: AdvertInterval,
    /// In the order of the message; at most 255.
    pub vips: Vec<IpAddr>,
    pub checksum: Checksum,
    pub auth: Auth,
    pub transport: Transport,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// An advert that every agent would reject, as far as it could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejection {
    pub reason: Outcome,
    pub router: Option<RouterKey>,
    pub source: Option<IpAddr>,
    pub local: bool,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
}

/// What a frame turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sighting {
    Advert(Advert),
    Rejected(Rejection),
    /// Not known to be VRRP.
    Foreign,
}

/// Reads one frame.
pub fn read(arrival: &Arrival<'_>) -> Sighting {
    let frame = arrival.frame;
    let located = match wire::locate(frame, arrival.link) {
        Ok(located) => located,
        // A chain that was not walked to its end is not known to be VRRP.
        Err(Outcome::Foreign | Outcome::ExtensionChain) => return Sighting::Foreign,
        Err(reason) => {
            return Sighting::Rejected(Rejection {
                reason,
                router: None,
                source: source(frame, arrival.link.vlan),
                local: arrival.outgoing,
                ttl: None,
            });
        }
    };
    let verdict = judge(frame, &located, arrival.stamp);
    match verdict.and_then(|record| advert(arrival, &located, &record)) {
        Ok(advert) => Sighting::Advert(advert),
        Err(reason) => Sighting::Rejected(Rejection {
            reason,
            router: Vrid::new(located.key.vrid)
                .map(|vrid| RouterKey::new(located.key.vlan, vrid, located.family)),
            source: Some(ip_address(located.family, located.message.source)),
            local: arrival.outgoing,
            ttl: Some(located.message.ttl),
        }),
    }
}

fn judge(frame: &[u8], located: &Located, stamp: KernelTime) -> Result<AdvertRecord, Outcome> {
    wire::judge(frame, located, &permissive(frame, located), stamp.nanos())
}

/// The filter of an instance that is configured just as this packet says.
fn permissive(frame: &[u8], located: &Located) -> InstanceFilter {
    let message = &located.message;
    let mut filter = InstanceFilter::zeroed();
    filter.slot = 1;
    let [first, .., auth_type, seconds] = frame.bytes::<6>(message.at).unwrap_or([0; 6]);
    filter.version = first >> 4;
    filter.v2_seconds = seconds;
    if auth_type == vrrp::AUTH_PASS {
        filter.flags |= filter_flags::AUTH_PASS;
        let trailer = (message.at.saturating_add(message.length)).saturating_sub(vrrp::AUTH_LEN);
        filter.auth = frame.bytes(trailer).unwrap_or_default();
    }
    let (group, multicast) = match located.family {
        Family::V4 => {
            let multicast = matches!(message.destination, [224..=239, ..]);
            (wire_v4(vrrp::GROUP_V4), multicast)
        }
        Family::V6 => (vrrp::GROUP_V6, matches!(message.destination, [0xFF, ..])),
    };
    // A switch may turn multicast frames into unicast ones, so any unicast
    // destination MAC that came here is right; group addresses have bit 0 set.
    filter.mac = match located.destination_mac {
        Some(mac) if mac[0] & 1 == 0 => mac,
        Some(_) | None => [0; 6],
    };
    if multicast {
        filter.destination = group;
    } else {
        filter.destination = message.destination;
        filter.flags |= filter_flags::UNICAST | filter_flags::OLD_CHECKSUM;
    }
    filter
}

fn advert(
    arrival: &Arrival<'_>,
    located: &Located,
    record: &AdvertRecord,
) -> Result<Advert, Outcome> {
    let frame = arrival.frame;
    let message = &located.message;
    // VRID 0 can be configured nowhere.
    let vrid = Vrid::new(located.key.vrid).ok_or(Outcome::UnknownVrid)?;
    let version = Version::from_nibble(record.version).ok_or(Outcome::Version)?;
    let pseudo = record.flags & advert_flags::PSEUDO_HEADER != 0;
    let auth_type = frame.byte(message.at + 4).ok_or(Outcome::Incomplete)?;
    let unicast = match located.family {
        Family::V4 => message.destination != wire_v4(vrrp::GROUP_V4),
        Family::V6 => message.destination != vrrp::GROUP_V6,
    };
    Ok(Advert {
        router: RouterKey::new(located.key.vlan, vrid, located.family),
        source: ip_address(located.family, message.source),
        mac: frame.bytes(6).ok_or(Outcome::Truncated)?,
        local: arrival.outgoing,
        version,
        priority: Priority(record.priority),
        interval: AdvertInterval::from_centis(record.interval_cs).ok_or(Outcome::IntervalZero)?,
        vips: vips(frame, located, record.address_count).ok_or(Outcome::Incomplete)?,
        checksum: if pseudo {
            Checksum::PseudoHeader
        } else {
            Checksum::Message
        },
        auth: match version {
            Version::V2 if auth_type == vrrp::AUTH_PASS => Auth::Pass,
            Version::V2 | Version::V3 => Auth::None,
        },
        transport: if unicast {
            Transport::Unicast
        } else {
            Transport::Multicast
        },
        ttl: message.ttl,
    })
}

fn vips(frame: &[u8], located: &Located, count: u8) -> Option<Vec<IpAddr>> {
    let first = located.message.at + vrrp::HEADER_LEN;
    let address = |index: u8| {
        let at = first + usize::from(index) * located.family.address_len();
        match located.family {
            Family::V4 => frame.bytes::<4>(at).map(IpAddr::from),
            Family::V6 => frame.bytes::<16>(at).map(IpAddr::from),
        }
    };
    (0..count).map(address).collect()
}

/// The source of a packet whose header is wrong in some other place.
fn source(frame: &[u8], vlan: Option<u16>) -> Option<IpAddr> {
    let payload = ethernet::payload(frame, vlan)?;
    match payload.ethertype {
        ethernet::ETHERTYPE_IPV4 => frame.bytes::<4>(payload.at + 12).map(IpAddr::from),
        ethernet::ETHERTYPE_IPV6 => frame.bytes::<16>(payload.at + 8).map(IpAddr::from),
        _ => None,
    }
}
