//! Frames that ask where an address is, or that are sent to it: what a fence
//! keeps from a machine that should not answer any more.

use super::{
    Bytes, Frame,
    ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6},
    frame::wire_v4,
    ipv6,
    locate::Link,
};
use crate::{
    record::{FenceKey, WireAddress},
    types::Family,
};

/// Hardware type Ethernet, protocol IPv4, their address lengths, and the
/// operation of a request (RFC 826).
const ARP_REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
const ARP_SENDER: usize = 14;
const ARP_TARGET: usize = 24;

const NEXT_HEADER_ICMPV6: u8 = 58;
/// Neighbor Solicitation (RFC 4861 4.3).
const TYPE_SOLICITATION: u8 = 135;
/// Offset of the target within the ICMPv6 message.
const SOLICITATION_TARGET: usize = 8;

/// How a frame comes near an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Approach {
    /// An ARP request or a Neighbor Solicitation for it, by broadcast or
    /// unicast, of a host that looks for it or wants to use it itself.
    Question,
    /// An IP packet to it.
    Packet,
}

/// Whether a frame could be a question, at the price of two reads.
#[inline(always)]
pub fn scan_question<F: Bytes + ?Sized>(frame: &F, out_of_band: Option<u16>) -> bool {
    match ethernet::payload(frame, out_of_band) {
        Some(payload) if payload.ethertype == ETHERTYPE_ARP => true,
        Some(payload) if payload.ethertype == ETHERTYPE_IPV6 => is_solicitation(frame, payload.at),
        Some(_) | None => false,
    }
}

#[inline(always)]
pub(super) fn is_solicitation<F: Bytes + ?Sized>(frame: &F, at: usize) -> bool {
    frame.byte(at + 6) == Some(NEXT_HEADER_ICMPV6)
        && frame.byte(at + ipv6::HEADER_LEN) == Some(TYPE_SOLICITATION)
}

/// Which address a frame comes near, and how. `None` for all that is neither:
/// ARP replies and what announces, Neighbor Advertisements to others, what is
/// cut short.
#[inline(always)]
pub fn approach<F: Frame + ?Sized>(frame: &F, link: Link) -> Option<(FenceKey, Approach)> {
    let payload = ethernet::payload(frame, link.vlan)?;
    let at = frame.opaque(payload.at);
    let (family, address, approach) = match payload.ethertype {
        ETHERTYPE_ARP => (Family::V4, arp_target(frame, at)?, Approach::Question),
        ETHERTYPE_IPV4 => {
            let destination = wire_v4(frame.bytes(at + 16)?);
            (Family::V4, destination, Approach::Packet)
        }
        ETHERTYPE_IPV6 if is_solicitation(frame, at) => {
            let target = frame.bytes(at + ipv6::HEADER_LEN + SOLICITATION_TARGET)?;
            (Family::V6, target, Approach::Question)
        }
        ETHERTYPE_IPV6 => (Family::V6, frame.bytes(at + 24)?, Approach::Packet),
        _ => return None,
    };
    let key = FenceKey {
        ifindex: link.ifindex,
        vlan: payload.vlan,
        family: family as u8,
        _pad: 0,
        address,
    };
    Some((key, approach))
}

/// What a request asks for. One whose sender has the address announces it
/// (RFC 5227 3): that must reach us.
#[inline(always)]
fn arp_target<F: Frame + ?Sized>(frame: &F, at: usize) -> Option<WireAddress> {
    let operation: [u8; 8] = frame.bytes(at)?;
    let sender: [u8; 4] = frame.bytes(at + ARP_SENDER)?;
    let target: [u8; 4] = frame.bytes(at + ARP_TARGET)?;
    let request = u64::from_ne_bytes(operation) == u64::from_ne_bytes(ARP_REQUEST);
    let announces = u32::from_ne_bytes(sender) == u32::from_ne_bytes(target);
    (request && !announces).then(|| wire_v4(target))
}
