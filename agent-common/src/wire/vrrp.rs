//! The VRRP message (RFC 3768 5, RFC 9568 5.2): its header, its address list
//! and how to build one.

use core::net::IpAddr;

use super::{
    Frame, Located,
    checksum::Sum,
    ethernet::MacAddress,
    frame::{family_of, wire_address, wire_v4},
    ipv4::PROTOCOL_VRRP,
};
use crate::{
    outcome::Outcome,
    record::WireAddress,
    types::{AdvertInterval, Family, Priority, Version, Vrid},
};

/// Bytes before the address list.
pub const HEADER_LEN: usize = 8;
/// Bytes of the v2 Authentication Data, always present.
pub const AUTH_LEN: usize = 8;
/// The longest message: v3/IPv6 with 255 addresses.
pub const MAX_LEN: usize = HEADER_LEN + 255 * 16;

/// The one type that is defined (RFC 9568 5.2.2).
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// v2 Auth Type: none (RFC 3768 5.3.6).
pub const AUTH_NONE: u8 = 0;
/// v2 Auth Type: simple text password (RFC 2338 5.3.6).
pub const AUTH_PASS: u8 = 1;

/// 224.0.0.18 (RFC 9568 5.1.1.2).
pub const GROUP_V4: [u8; 4] = [224, 0, 0, 18];
/// ff02::12 (RFC 9568 5.1.2.2).
pub const GROUP_V6: [u8; 16] = [0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12];

/// The fixed part, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The nibble as it stands.
    pub version: u8,
    pub kind: u8,
    pub vrid: u8,
    pub priority: u8,
    pub address_count: u8,
    /// v2: Auth Type and Adver Int; v3: Reserve and Max Advertise Interval.
    pub byte_4_5: [u8; 2],
}

#[inline(always)]
pub(super) fn header<F: Frame + ?Sized>(frame: &F, located: &Located) -> Result<Header, Outcome> {
    if located.message.length < HEADER_LEN {
        return Err(Outcome::Incomplete);
    }
    let [first, vrid, priority, address_count, byte_4, byte_5, ..] = frame
        .bytes::<HEADER_LEN>(located.message.at)
        .ok_or(Outcome::Incomplete)?;
    Ok(Header {
        version: first >> 4,
        kind: first & 0x0F,
        vrid,
        priority,
        address_count,
        byte_4_5: [byte_4, byte_5],
    })
}

/// The exact length of a message with `count` addresses.
#[inline(always)]
pub const fn message_len(version: Version, family: Family, count: u8) -> usize {
    let list = count as usize * family.address_len();
    match version {
        Version::V2 => HEADER_LEN + list + AUTH_LEN,
        Version::V3 => HEADER_LEN + list,
    }
}

/// A digest of an address list that does not depend on the order: equal lists
/// have equal digests. Not proof against an adversary, who may well send
/// our own list.
pub fn address_digest(addresses: impl IntoIterator<Item = IpAddr>) -> u32 {
    addresses.into_iter().fold(0, |digest, address| {
        digest.wrapping_add(mix(wire_address(address)))
    })
}

#[inline(always)]
pub(super) fn digest_in_frame<F: Frame + ?Sized>(
    frame: &F,
    located: &Located,
    count: u8,
) -> Result<u32, Outcome> {
    let size = located.family.address_len();
    let count = frame.opaque(count as usize);
    let mut at = frame.opaque(located.message.at) + HEADER_LEN;
    let mut digest = 0u32;
    for index in 0..u8::MAX as usize {
        if index >= count {
            break;
        }
        let address = match located.family {
            Family::V4 => frame.bytes(at).map(wire_v4),
            Family::V6 => frame.bytes(at),
        };
        digest = digest.wrapping_add(mix(address.ok_or(Outcome::Incomplete)?));
        at = at.wrapping_add(size);
    }
    Ok(digest)
}

/// Spreads every bit of an address over 32.
#[inline(always)]
fn mix(address: WireAddress) -> u32 {
    let (words, _) = address.as_chunks::<4>();
    let mut hash = 0x9E37_79B9_u32;
    for word in words {
        hash = (hash ^ u32::from_be_bytes(*word)).wrapping_mul(0x85EB_CA6B);
        hash ^= hash >> 15;
    }
    hash
}

/// What a message to be sent says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert<'a> {
    pub version: Version,
    pub vrid: Vrid,
    pub priority: Priority,
    pub interval: AdvertInterval,
    /// v2: the password of Auth Type 1, zero padded; `None` for Auth Type 0.
    pub auth: Option<[u8; 8]>,
    /// Of one family, which is the message's.
    pub addresses: &'a [IpAddr],
    pub family: Family,
    /// v3: see [`ChecksumForm`]. v2 has one form only and ignores this.
    pub checksum: ChecksumForm,
}

/// What the checksum of a v3 message covers besides the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumForm {
    /// Nothing: v3/IPv4 by RFC 9568 5.2.8.
    MessageOnly,
    /// The pseudo-header: v3/IPv6, and v3/IPv4 by RFC 5798 as deployed.
    PseudoHeader { source: IpAddr, destination: IpAddr },
}

/// Writes a message to the start of `out` and returns its length.
///
/// `None` when it does not fit, has more than 255 addresses or one of another
/// family, when the interval cannot be written in this version, or when the
/// checksum form does not exist for it: a message that we would not accept
/// ourselves is never built (F-21, K-02).
pub fn build(out: &mut [u8], advert: &Advert<'_>) -> Option<usize> {
    let count = u8::try_from(advert.addresses.len()).ok()?;
    let length = message_len(advert.version, advert.family, count);
    let out = out.get_mut(..length)?;
    let byte_4_5 = match advert.version {
        Version::V2 => v2_fields(advert)?,
        Version::V3 => v3_fields(advert, count)?,
    };
    let [byte_4, byte_5] = byte_4_5;
    let first = ((advert.version as u8) << 4) | TYPE_ADVERTISEMENT;
    let (header, rest) = out.split_first_chunk_mut::<HEADER_LEN>()?;
    *header = [
        first,
        advert.vrid.get(),
        advert.priority.get(),
        count,
        byte_4,
        byte_5,
        0,
        0,
    ];
    let (list, trailer) =
        rest.split_at_mut_checked(advert.addresses.len() * advert.family.address_len())?;
    for (slot, address) in list
        .chunks_exact_mut(advert.family.address_len())
        .zip(advert.addresses)
    {
        if family_of(*address) != advert.family {
            return None;
        }
        slot.copy_from_slice(wire_address(*address).get(..advert.family.address_len())?);
    }
    if let Some(trailer) = trailer.first_chunk_mut::<AUTH_LEN>() {
        *trailer = advert.auth.unwrap_or([0; AUTH_LEN]);
    }
    let sum = checksum(advert, out)?;
    out.get_mut(6..8)?.copy_from_slice(&sum.to_be_bytes());
    Some(length)
}

fn v2_fields(advert: &Advert<'_>) -> Option<[u8; 2]> {
    let centis = advert.interval.centis();
    let seconds = u8::try_from(centis / 100).ok()?;
    if advert.family != Family::V4 || !centis.is_multiple_of(100) {
        return None;
    }
    let auth_type = if advert.auth.is_some() {
        AUTH_PASS
    } else {
        AUTH_NONE
    };
    Some([auth_type, seconds])
}

fn v3_fields(advert: &Advert<'_>, count: u8) -> Option<[u8; 2]> {
    if advert.interval > AdvertInterval::MAX_V3 || count == 0 {
        return None;
    }
    Some(advert.interval.centis().to_be_bytes())
}

fn checksum(advert: &Advert<'_>, message: &[u8]) -> Option<u16> {
    let sum = Sum::new().add_slice(message);
    match (advert.version, advert.family, advert.checksum) {
        (Version::V2, _, _) | (Version::V3, Family::V4, ChecksumForm::MessageOnly) => {
            Some(sum.finish())
        }
        (Version::V3, Family::V6, ChecksumForm::MessageOnly) => None,
        (
            Version::V3,
            family,
            ChecksumForm::PseudoHeader {
                source,
                destination,
            },
        ) => {
            if family_of(source) != family || family_of(destination) != family {
                return None;
            }
            let sum = sum
                .add_address(&wire_address(source))
                .add_address(&wire_address(destination))
                .add_u16(PROTOCOL_VRRP as u16)
                .add_u16(u16::try_from(message.len()).ok()?);
            Some(sum.finish())
        }
    }
}

/// The virtual router's MAC address (RFC 9568 7.3).
pub const fn virtual_mac(family: Family, vrid: Vrid) -> MacAddress {
    let family = match family {
        Family::V4 => 0x01,
        Family::V6 => 0x02,
    };
    [0x00, 0x00, 0x5E, 0x00, family, vrid.get()]
}
