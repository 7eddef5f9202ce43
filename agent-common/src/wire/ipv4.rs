//! The IPv4 header (RFC 791), with what the kernel would have checked for a
//! raw socket and XDP has to check itself.

use super::{Bytes, Frame, checksum::Sum, frame::wire_v4, locate::IpMessage};
use crate::outcome::Outcome;

const MIN_HEADER_LEN: usize = 20;
const MAX_HEADER_LEN: usize = 60;
/// More-fragments bit and fragment offset; a whole packet has neither.
pub(super) const FRAGMENT: u16 = 0x3FFF;

/// IP protocol number of VRRP.
pub const PROTOCOL_VRRP: u8 = 112;
/// IP protocol number of the IPsec authentication header (RFC 4302).
pub const PROTOCOL_AUTH_HEADER: u8 = 51;

/// Whether the packet at `at` could be an advert; reads two bytes at most.
#[inline(always)]
pub fn scan<F: Bytes + ?Sized>(frame: &F, at: usize) -> bool {
    match frame.byte(at + 9) {
        Some(PROTOCOL_VRRP) => true,
        // Behind options the offset varies: leave that to `message`.
        Some(PROTOCOL_AUTH_HEADER) => match (frame.byte(at), frame.byte(at + MIN_HEADER_LEN)) {
            (Some(0x45), Some(next)) => next == PROTOCOL_VRRP,
            (_, _) => true,
        },
        Some(_) | None => false,
    }
}

/// Finds the VRRP message of the packet at `at`.
#[inline(always)]
pub fn message<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<IpMessage, Outcome> {
    let protocol = frame.byte(at + 9).ok_or(Outcome::Foreign)?;
    if protocol != PROTOCOL_VRRP && protocol != PROTOCOL_AUTH_HEADER {
        return Err(Outcome::Foreign);
    }
    let first = frame.byte(at).ok_or(Outcome::Truncated)?;
    let header_len = ((first & 0x0F) as usize) * 4;
    if protocol == PROTOCOL_AUTH_HEADER {
        return Err(auth_header(frame, at, header_len));
    }
    if first >> 4 != 4 || header_len < MIN_HEADER_LEN {
        return Err(Outcome::IpHeader);
    }
    let sum = Sum::new()
        .add_frame(frame, at, header_len, MAX_HEADER_LEN)
        .ok_or(Outcome::Truncated)?;
    if !sum.verifies() {
        return Err(Outcome::IpChecksum);
    }
    let total = frame.be16(at + 2).ok_or(Outcome::Truncated)? as usize;
    let end = at + total;
    if total < header_len || end > frame.received() {
        return Err(Outcome::IpLength);
    }
    if frame.be16(at + 6).ok_or(Outcome::Truncated)? & FRAGMENT != 0 {
        return Err(Outcome::Fragment);
    }
    if end > frame.readable() {
        return Err(Outcome::Oversize);
    }
    Ok(IpMessage {
        at: at + header_len,
        length: total - header_len,
        source: wire_v4(frame.bytes(at + 12).ok_or(Outcome::Truncated)?),
        destination: wire_v4(frame.bytes(at + 16).ok_or(Outcome::Truncated)?),
        ttl: frame.byte(at + 8).ok_or(Outcome::Truncated)?,
    })
}

/// VRRP inside an authentication header is refused by name; anything else in
/// one is not ours.
#[inline(always)]
fn auth_header<F: Frame + ?Sized>(frame: &F, at: usize, header_len: usize) -> Outcome {
    match frame.byte(at + header_len) {
        Some(PROTOCOL_VRRP) => Outcome::AuthHeader,
        Some(_) | None => Outcome::Foreign,
    }
}

/// Sources that no advert can have: this network, loopback, multicast and
/// limited broadcast (RFC 1122 3.2.1.3), as the kernel refuses them.
#[inline(always)]
pub const fn is_bad_source(source: [u8; 4]) -> bool {
    let [first, ..] = source;
    first == 0
        || first == 127
        || (first >= 224 && first < 240)
        || u32::from_be_bytes(source) == u32::MAX
}
