//! The verdict on a located message, against one configured instance.
//!
//! The order of the checks decides only which counter moves, never whether an
//! advert is accepted: addresses first, because they are the cheapest and say
//! most, then RFC 9568 7.1 in its order.

use super::{
    Frame, Located,
    checksum::Sum,
    ethernet,
    frame::same_address,
    ipv4::{self, PROTOCOL_VRRP},
    ipv6,
    vrrp::{self, Header},
};
use crate::{
    outcome::Outcome,
    record::{AdvertRecord, InstanceFilter, MAX_ALLOWED, WireAddress, advert_flags, filter_flags},
    types::{Family, Version},
};

/// TTL and hop limit of a multicast advert (RFC 9568 5.1.1.3, 5.1.2.3).
const TTL: u8 = 255;

/// Checks everything that RFC 9568 7.1, RFC 3768 7.1 and R-28 ask for.
///
/// `now_ns` is when the frame arrived, CLOCK_MONOTONIC nanoseconds.
///
/// # Errors
///
/// The first check that fails.
#[inline(always)]
pub fn judge<F: Frame + ?Sized>(
    frame: &F,
    located: &Located,
    filter: &InstanceFilter,
    now_ns: u64,
) -> Result<AdvertRecord, Outcome> {
    check_source(located, filter)?;
    check_destination(located, filter)?;
    if filter.flags & filter_flags::UNICAST == 0 && located.message.ttl != TTL {
        return Err(Outcome::Ttl);
    }
    let header = vrrp::header(frame, located)?;
    let version = check_version(&header, located.family, filter)?;
    if header.kind != vrrp::TYPE_ADVERTISEMENT {
        return Err(Outcome::Type);
    }
    let expected = vrrp::message_len(version, located.family, header.address_count);
    if located.message.length < expected {
        return Err(Outcome::Incomplete);
    }
    if located.message.length > expected {
        return Err(Outcome::Trailing);
    }
    let sum_flags = check_sum(frame, located, version, filter)?;
    if filter.flags & filter_flags::OWNER_IGNORES != 0 {
        return Err(Outcome::OwnerIgnores);
    }
    let interval_cs = match version {
        Version::V2 => check_v2(frame, located, &header, filter)?,
        Version::V3 => check_v3(frame, located, &header, filter)?,
    };
    let reassembled = located.destination_mac.is_none();
    let flags = sum_flags
        | if reassembled {
            advert_flags::REASSEMBLED
        } else {
            0
        };
    let flags = frame.opaque(flags as usize) as u8;
    let version = frame.opaque(version as usize) as u8;
    let digest = vrrp::digest_in_frame(frame, located, header.address_count)?;
    Ok(AdvertRecord {
        stamp_ns: now_ns,
        source: located.message.source,
        slot: filter.slot,
        addresses_digest: digest,
        interval_cs,
        priority: header.priority,
        version,
        family: located.family as u8,
        address_count: header.address_count,
        flags,
        _pad: 0,
    })
}

#[inline(always)]
fn check_source(located: &Located, filter: &InstanceFilter) -> Result<(), Outcome> {
    let source = &located.message.source;
    let [a, b, c, d, ..] = *source;
    let bad = match located.family {
        Family::V4 => ipv4::is_bad_source([a, b, c, d]),
        Family::V6 => ipv6::is_bad_source(*source),
    };
    if bad {
        return Err(Outcome::BadSource);
    }
    // `own` is all zero while there is none, and so no source that came here.
    if same_address(source, &filter.own) {
        return Err(Outcome::OwnSource);
    }
    if !is_allowed(source, filter) {
        return Err(Outcome::SourceNotAllowed);
    }
    if filter.flags & filter_flags::CHECK_SOURCE == 0 {
        return Ok(());
    }
    let ttl = located.message.ttl;
    let (mut known, mut near) = (false, false);
    let limits = filter.min_ttl.iter().zip(filter.ttl_headroom.iter());
    for (index, (peer, (least, headroom))) in filter.peers.iter().zip(limits).enumerate() {
        let same = index < filter.peer_count as usize && same_address(source, peer);
        known |= same;
        near |= same && ttl >= *least && ttl <= u8::MAX - *headroom;
    }
    match (known, near) {
        (true, true) => Ok(()),
        (true, false) => Err(Outcome::PeerTtl),
        (false, _) => Err(Outcome::UnknownPeer),
    }
}

/// Beyond the RFCs, which take adverts from anybody on the link (RFC 9568 9).
#[inline(always)]
fn is_allowed(source: &WireAddress, filter: &InstanceFilter) -> bool {
    let source = u128::from_ne_bytes(*source);
    // A bound that the compiler cannot see: unrolled, the loop would need more
    // stack than a BPF program has.
    let used = (filter.allowed_count as usize).min(MAX_ALLOWED);
    let mut allowed = used == 0;
    for prefix in filter.allowed.iter().take(used) {
        let differs = source ^ u128::from_ne_bytes(prefix.address);
        allowed |= differs & u128::from_ne_bytes(prefix.mask) == 0;
    }
    allowed
}

#[inline(always)]
fn check_destination(located: &Located, filter: &InstanceFilter) -> Result<(), Outcome> {
    let destination = &located.message.destination;
    if !same_address(destination, &filter.destination) {
        return Err(Outcome::Destination);
    }
    let Some(mac) = located.destination_mac else {
        return Ok(());
    };
    if same_mac(mac, filter.mac) {
        return Ok(());
    }
    let [a, b, c, d, ..] = *destination;
    let group = match located.family {
        Family::V4 => ethernet::multicast_v4([a, b, c, d]),
        Family::V6 => ethernet::multicast_v6(*destination),
    };
    if filter.flags & filter_flags::UNICAST == 0 && same_mac(mac, group) {
        return Ok(());
    }
    Err(Outcome::DestinationMac)
}

#[inline(always)]
fn same_mac(one: ethernet::MacAddress, other: ethernet::MacAddress) -> bool {
    let mut different = 0;
    for (a, b) in one.iter().zip(other.iter()) {
        different |= a ^ b;
    }
    different == 0
}

/// VRRPv2 knows no IPv6.
#[inline(always)]
fn check_version(
    header: &Header,
    family: Family,
    filter: &InstanceFilter,
) -> Result<Version, Outcome> {
    if header.version != filter.version {
        return Err(Outcome::Version);
    }
    match (Version::from_nibble(header.version), family) {
        (Some(Version::V2), Family::V4) => Ok(Version::V2),
        (Some(Version::V3), _) => Ok(Version::V3),
        (Some(Version::V2), Family::V6) | (None, _) => Err(Outcome::Version),
    }
}

/// How the sum verified, in [`advert_flags`]: with the pseudo-header,
/// which v3/IPv4 may have or not (K-03..K-07), v3/IPv6 must have and v2 must
/// not; or with the group in it where the advert came by unicast (K-06).
#[inline(always)]
fn check_sum<F: Frame + ?Sized>(
    frame: &F,
    located: &Located,
    version: Version,
    filter: &InstanceFilter,
) -> Result<u8, Outcome> {
    let message = &located.message;
    let bare = Sum::new()
        .add_frame(frame, message.at, message.length, F::LONGEST_MESSAGE)
        .ok_or(Outcome::Incomplete)?;
    let pseudo = bare
        .add_address(&message.source)
        .add_address(&message.destination)
        .add_u16(PROTOCOL_VRRP as u16)
        .add_u16(message.length as u16);
    let (may_bare, may_pseudo) = match (version, located.family) {
        (Version::V2, _) => (true, false),
        (Version::V3, Family::V4) => (true, true),
        (Version::V3, Family::V6) => (false, true),
    };
    if may_pseudo && pseudo.verifies() {
        return Ok(advert_flags::PSEUDO_HEADER);
    }
    if may_bare && bare.verifies() {
        return Ok(0);
    }
    let may_old = may_bare && may_pseudo && filter.flags & filter_flags::OLD_CHECKSUM != 0;
    let [a, b, c, d] = vrrp::GROUP_V4;
    let old = bare
        .add_address(&message.source)
        .add_u16(u16::from_be_bytes([a, b]))
        .add_u16(u16::from_be_bytes([c, d]))
        .add_u16(PROTOCOL_VRRP as u16)
        .add_u16(message.length as u16);
    if may_old && old.verifies() {
        Ok(advert_flags::PSEUDO_HEADER | advert_flags::OLD_CHECKSUM)
    } else {
        Err(Outcome::Checksum)
    }
}

/// the interval in centiseconds.
#[inline(always)]
fn check_v2<F: Frame + ?Sized>(
    frame: &F,
    located: &Located,
    header: &Header,
    filter: &InstanceFilter,
) -> Result<u16, Outcome> {
    let [auth_type, seconds] = header.byte_4_5;
    let pass = filter.flags & filter_flags::AUTH_PASS != 0;
    if auth_type
        != if pass {
            vrrp::AUTH_PASS
        } else {
            vrrp::AUTH_NONE
        }
    {
        return Err(Outcome::AuthType);
    }
    if pass {
        let at = located.message.at + located.message.length - vrrp::AUTH_LEN;
        let theirs = frame.bytes::<8>(at).ok_or(Outcome::Incomplete)?;
        // One comparison of one integer: its time tells nothing (F-27).
        if u64::from_ne_bytes(theirs) != u64::from_ne_bytes(filter.auth) {
            return Err(Outcome::AuthFailed);
        }
    }
    if seconds == 0 {
        return Err(Outcome::IntervalZero);
    }
    if seconds != filter.v2_seconds {
        return Err(Outcome::IntervalMismatch);
    }
    Ok(seconds as u16 * 100)
}

/// the interval in centiseconds.
#[inline(always)]
fn check_v3<F: Frame + ?Sized>(
    frame: &F,
    located: &Located,
    header: &Header,
    filter: &InstanceFilter,
) -> Result<u16, Outcome> {
    if header.address_count == 0 {
        return Err(Outcome::NoAddresses);
    }
    // The Reserve nibble is ignored on receipt (F-19).
    let centis = u16::from_be_bytes(header.byte_4_5) & 0x0FFF;
    if centis == 0 {
        return Err(Outcome::IntervalZero);
    }
    match located.family {
        Family::V4 => Ok(centis),
        Family::V6 => {
            let at = located.message.at + vrrp::HEADER_LEN;
            let first = frame.bytes::<16>(at).ok_or(Outcome::Incomplete)?;
            if ipv6::is_link_local(first) || filter.flags & filter_flags::ANY_FIRST_ADDRESS != 0 {
                Ok(centis)
            } else {
                Err(Outcome::NotLinkLocal)
            }
        }
    }
}
