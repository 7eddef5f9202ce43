//! From a frame or an IP packet to the VRRP message in it.

use super::{
    Bytes, Frame,
    ethernet::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6, MacAddress},
    ipv4, ipv6,
};
use crate::{
    outcome::Outcome,
    record::{InstanceKey, WireAddress},
    types::Family,
};

/// Where a frame came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    pub ifindex: u32,
    /// Control word of the outermost VLAN tag where it is no longer in the
    /// frame (`vlan_tci` of tcx, the auxiliary data of AF_PACKET).
    pub vlan: Option<u16>,
}

/// An IP payload of protocol 112 that lies whole within the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpMessage {
    /// Offset of the VRRP message in the frame.
    pub at: usize,
    /// Its bytes by the IP header, whatever else the frame holds.
    pub length: usize,
    pub source: WireAddress,
    pub destination: WireAddress,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// A VRRP message, and whom it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located {
    pub key: InstanceKey,
    pub family: Family,
    pub message: IpMessage,
    /// Destination MAC; `None` on the slow path, which has no Ethernet header
    /// because the kernel has checked it.
    pub destination_mac: Option<MacAddress>,
}

/// What the slow path knows of an IPv6 payload from control messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlowPath {
    pub ifindex: u32,
    /// VLAN id of the instances of this socket, 0 without one.
    pub vlan: u16,
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub hop_limit: u8,
}

/// Whether a frame could hold an advert, at the price of three reads at fixed
/// offsets: everything else on the link is turned away here.
#[inline(always)]
pub fn scan<F: Bytes + ?Sized>(frame: &F, out_of_band: Option<u16>) -> bool {
    match ethernet::payload(frame, out_of_band) {
        Some(payload) if payload.ethertype == ETHERTYPE_IPV4 => ipv4::scan(frame, payload.at),
        Some(payload) if payload.ethertype == ETHERTYPE_IPV6 => ipv6::scan(frame, payload.at),
        Some(_) | None => false,
    }
}

/// Finds the VRRP message of an Ethernet frame.
///
/// # Errors
///
/// [`Outcome::Foreign`] for whatever is not known to be VRRP, otherwise what
/// keeps us from the message.
#[inline(always)]
pub fn locate<F: Frame + ?Sized>(frame: &F, link: Link) -> Result<Located, Outcome> {
    let payload = ethernet::payload(frame, link.vlan).ok_or(Outcome::Foreign)?;
    let at = frame.opaque(payload.at);
    let (family, message) = match payload.ethertype {
        ETHERTYPE_IPV4 => (Family::V4, ipv4::message(frame, at)?),
        ETHERTYPE_IPV6 => (Family::V6, ipv6::message(frame, at)?),
        _ => return Err(Outcome::Foreign),
    };
    let destination_mac = Some(frame.bytes(0).ok_or(Outcome::Foreign)?);
    address(
        frame,
        link.ifindex,
        payload.vlan,
        family,
        message,
        destination_mac,
    )
}

/// Finds the message of an IPv4 packet as a raw socket gives it, header
/// included.
///
/// # Errors
///
/// As [`locate`].
pub fn locate_ipv4<F: Frame + ?Sized>(
    packet: &F,
    ifindex: u32,
    vlan: u16,
) -> Result<Located, Outcome> {
    let message = ipv4::message(packet, 0)?;
    address(packet, ifindex, vlan, Family::V4, message, None)
}

/// Takes the payload of an IPv6 packet as a raw socket gives it: the message
/// alone, its headers already consumed by the kernel.
///
/// # Errors
///
/// [`Outcome::Incomplete`] for less than the start of a message.
pub fn locate_ipv6<F: Frame + ?Sized>(payload: &F, from: SlowPath) -> Result<Located, Outcome> {
    let message = IpMessage {
        at: 0,
        length: payload.received(),
        source: from.source,
        destination: from.destination,
        ttl: from.hop_limit,
    };
    address(payload, from.ifindex, from.vlan, Family::V6, message, None)
}

/// Reads the VRID, which makes the key complete.
#[inline(always)]
fn address<F: Frame + ?Sized>(
    frame: &F,
    ifindex: u32,
    vlan: u16,
    family: Family,
    message: IpMessage,
    destination_mac: Option<MacAddress>,
) -> Result<Located, Outcome> {
    if message.length < 2 {
        return Err(Outcome::Incomplete);
    }
    let vrid = frame.byte(message.at + 1).ok_or(Outcome::Incomplete)?;
    let key = InstanceKey {
        ifindex,
        vlan,
        family: family as u8,
        vrid,
    };
    Ok(Located {
        key,
        family,
        message,
        destination_mac,
    })
}
