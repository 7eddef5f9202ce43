//! The IPv6 header and a bounded walk of its extension headers (RFC 8200).

use super::{
    Bytes, Frame,
    ipv4::{PROTOCOL_AUTH_HEADER, PROTOCOL_VRRP},
    locate::IpMessage,
};
use crate::{outcome::Outcome, record::WireAddress};

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;
/// Extension headers that are walked; a longer chain is left to the slow path.
const MAX_EXTENSIONS: usize = 4;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
/// Fragment offset and M flag of the fragment header.
const FRAGMENTED: u16 = 0xFFF9;

#[inline(always)]
const fn is_extension(next: u8) -> bool {
    matches!(
        next,
        HOP_BY_HOP | ROUTING | FRAGMENT | PROTOCOL_AUTH_HEADER | DESTINATION_OPTIONS | MOBILITY
    )
}

/// Whether the packet at `at` could be an advert; reads one byte.
#[inline(always)]
pub fn scan<F: Bytes + ?Sized>(frame: &F, at: usize) -> bool {
    match frame.byte(at + 6) {
        Some(next) => next == PROTOCOL_VRRP || is_extension(next),
        None => false,
    }
}

/// Finds the VRRP message of the packet at `at`.
#[inline(always)]
pub fn message<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<IpMessage, Outcome> {
    let next = frame.byte(at + 6).ok_or(Outcome::Foreign)?;
    let payload = frame.be16(at + 4).ok_or(Outcome::Foreign)? as usize;
    let end = at + HEADER_LEN + payload;
    let message_at = walk(frame, next, at + HEADER_LEN, end)?;
    if frame.byte(at).ok_or(Outcome::Truncated)? >> 4 != 6 {
        return Err(Outcome::IpHeader);
    }
    if end > frame.received() || message_at > end {
        return Err(Outcome::IpLength);
    }
    if end > frame.readable() {
        return Err(Outcome::Oversize);
    }
    Ok(IpMessage {
        at: message_at,
        length: end - message_at,
        source: frame.bytes(at + 8).ok_or(Outcome::Truncated)?,
        destination: frame.bytes(at + 24).ok_or(Outcome::Truncated)?,
        ttl: frame.byte(at + 7).ok_or(Outcome::Truncated)?,
    })
}

/// The offset of the VRRP message, at or after `at` and before `end`.
///
/// A chain that ends before it comes to VRRP is [`Outcome::Foreign`]: what is
/// not known to be ours is not touched.
#[inline(always)]
fn walk<F: Frame + ?Sized>(
    frame: &F,
    mut next: u8,
    mut at: usize,
    end: usize,
) -> Result<usize, Outcome> {
    let mut authenticated = false;
    for _ in 0..=MAX_EXTENSIONS {
        if next == PROTOCOL_VRRP {
            return if authenticated {
                Err(Outcome::AuthHeader)
            } else {
                Ok(at)
            };
        }
        if !is_extension(next) || at + 8 > end {
            return Err(Outcome::Foreign);
        }
        let [following, length, field_high, field_low] =
            frame.bytes::<4>(at).ok_or(Outcome::Foreign)?;
        let size = match next {
            FRAGMENT if u16::from_be_bytes([field_high, field_low]) & FRAGMENTED != 0 => {
                return Err(fragment(following));
            }
            FRAGMENT => 8,
            PROTOCOL_AUTH_HEADER => {
                authenticated = true;
                (length as usize + 2) * 4
            }
            _ => (length as usize + 1) * 8,
        };
        next = following;
        at += size;
    }
    Err(Outcome::ExtensionChain)
}

/// Only the first fragment could be walked on; the reassembled packet is the
/// slow path's in any case.
#[inline(always)]
fn fragment(following: u8) -> Outcome {
    if following == PROTOCOL_VRRP {
        Outcome::Fragment
    } else if is_extension(following) {
        Outcome::ExtensionChain
    } else {
        Outcome::Foreign
    }
}

/// Sources that no advert can have: unspecified, loopback, multicast
/// (RFC 4291 2.5, 2.7).
#[inline(always)]
pub const fn is_bad_source(source: WireAddress) -> bool {
    let [first, ..] = source;
    first == 0xFF || u128::from_be_bytes(source) <= 1
}

/// fe80::/10 (RFC 4291 2.5.6).
#[inline(always)]
pub const fn is_link_local(address: WireAddress) -> bool {
    let [first, second, ..] = address;
    first == 0xFE && second & 0xC0 == 0x80
}
