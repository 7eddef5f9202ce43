//! Seamless BFD over UDP (RFC 7880, RFC 7881), as a reflector sees it: the
//! probe of an initiator is found, checked, and turned into its own answer.
//!
//! The control packet is that of RFC 5880 4.1. A reflector keeps no session:
//! all that it knows is whether what a discriminator stands for is in service.

use super::{
    Bytes, Frame,
    checksum::Sum,
    ethernet::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6, MacAddress},
    frame::wire_v4,
    ipv4, ipv6,
    locate::Link,
};
use crate::{
    record::{ReflectKey, WireAddress},
    types::{Family, Vrid},
};

/// Where reflectors listen, and what they answer from (RFC 7881 3).
pub const REFLECTOR_PORT: u16 = 7784;
/// Bytes of a control packet without authentication.
pub const LENGTH: usize = 24;

/// IP protocol number of UDP.
const PROTOCOL_UDP: u8 = 17;
const UDP_LEN: usize = 8;
/// UDP header and control packet.
const DATAGRAM_LEN: usize = UDP_LEN + LENGTH;
const IPV4_LEN: usize = 20;

pub(super) const VERSION: u8 = 1;
/// Only a neighbour on the link can send it (RFC 5881 5).
const TTL: u8 = 255;

pub(super) const FLAG_POLL: u8 = 0x20;
pub(super) const FLAG_FINAL: u8 = 0x10;
pub(super) const FLAG_AUTH: u8 = 0x04;
pub(super) const FLAG_DEMAND: u8 = 0x02;
pub(super) const FLAG_MULTIPOINT: u8 = 0x01;

/// The session state of a control packet (RFC 5880 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SessionState {
    AdminDown = 0,
    Up = 3,
}

/// The least interval at which a reflector wants to be asked, in microseconds:
/// faster than any initiator of ours asks.
const REQUIRED_MIN_RX_US: u32 = 50;

/// What the discriminators of virtual routers begin with. Those of other users
/// of S-BFD on a link are most often small numbers or IPv4 addresses.
const DISCRIMINATOR_BASE: u32 = 0xF0FA_0000;

/// The discriminator of a virtual router: by family and VRID, so that nobody
/// has to configure it. Unique on a link, as the VRID is.
pub const fn discriminator(family: Family, vrid: Vrid) -> u32 {
    DISCRIMINATOR_BASE | (family as u32) << 8 | vrid.get() as u32
}

/// Why a packet for the reflector's port is not answered. It passes untouched,
/// because others on this machine may listen there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Unanswered {
    /// Not UDP to the reflector's port, or not whole.
    Foreign,
    /// IP or UDP header that no initiator sends: options, a fragment, a wrong
    /// checksum or length.
    Header,
    /// From farther away than the link.
    Ttl,
    /// Not a control packet of version 1 that asks: wrong length, multiplier or
    /// discriminator 0, authentication, multipoint.
    Packet,
    /// A reflector's answer, or one that looks so: the Demand bit is clear or
    /// it comes from a reflector's port. To answer it could go on for ever.
    Answer,
}

/// A probe, and where its parts lie in the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Link and Your Discriminator.
    pub key: ReflectKey,
    pub family: Family,
    pub source: WireAddress,
    pub destination: WireAddress,
    pub destination_mac: MacAddress,
    /// Offset of the IP header.
    ip_at: usize,
    /// Offset of the UDP header.
    udp_at: usize,
}

/// Whether a frame could hold a probe, as cheaply as [`super::scan`].
#[inline(always)]
pub fn scan_probe<F: Bytes + ?Sized>(frame: &F, out_of_band: Option<u16>) -> bool {
    match ethernet::payload(frame, out_of_band) {
        Some(payload) if payload.ethertype == ETHERTYPE_IPV4 => scan_ipv4(frame, payload.at),
        Some(payload) if payload.ethertype == ETHERTYPE_IPV6 => scan_ipv6(frame, payload.at),
        Some(_) | None => false,
    }
}

/// Two reads at fixed offsets. A packet with options is not ours to answer.
#[inline(always)]
pub(super) fn scan_ipv4<F: Bytes + ?Sized>(frame: &F, at: usize) -> bool {
    frame.byte(at + 9) == Some(PROTOCOL_UDP)
        && frame.be16(at + IPV4_LEN + 2) == Some(REFLECTOR_PORT)
}

#[inline(always)]
pub(super) fn scan_ipv6<F: Bytes + ?Sized>(frame: &F, at: usize) -> bool {
    frame.byte(at + 6) == Some(PROTOCOL_UDP)
        && frame.be16(at + ipv6::HEADER_LEN + 2) == Some(REFLECTOR_PORT)
}

/// Finds and checks the probe in an Ethernet frame.
///
/// The checksum of UDP is not looked at: within a machine it is not made
/// before the packet leaves, and the discriminator has 32 bits to be wrong.
///
/// # Errors
///
/// Why it is not one.
#[inline(always)]
pub fn locate_probe<F: Frame + ?Sized>(frame: &F, link: Link) -> Result<Probe, Unanswered> {
    let payload = ethernet::payload(frame, link.vlan).ok_or(Unanswered::Foreign)?;
    let ip_at = frame.opaque(payload.at);
    let packet = match payload.ethertype {
        ETHERTYPE_IPV4 if scan_ipv4(frame, ip_at) => ipv4_packet(frame, ip_at)?,
        ETHERTYPE_IPV6 if scan_ipv6(frame, ip_at) => ipv6_packet(frame, ip_at)?,
        _ => return Err(Unanswered::Foreign),
    };
    if packet.ttl != TTL {
        return Err(Unanswered::Ttl);
    }
    let udp_at = frame.opaque(packet.udp_at);
    let discriminator = check_datagram(frame, udp_at)?;
    Ok(Probe {
        key: ReflectKey {
            ifindex: link.ifindex,
            vlan: payload.vlan,
            family: packet.family as u8,
            _pad: 0,
            discriminator,
        },
        family: packet.family,
        source: packet.source,
        destination: packet.destination,
        destination_mac: frame.bytes(0).ok_or(Unanswered::Foreign)?,
        ip_at,
        udp_at,
    })
}

struct Packet {
    family: Family,
    source: WireAddress,
    destination: WireAddress,
    ttl: u8,
    udp_at: usize,
}

#[inline(always)]
fn ipv4_packet<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Packet, Unanswered> {
    let header = Unanswered::Header;
    let total = frame.be16(at + 2).ok_or(header)? as usize;
    let fragment = frame.be16(at + 6).ok_or(header)?;
    let sum = Sum::new().add_frame(frame, at, IPV4_LEN, IPV4_LEN);
    if frame.byte(at) != Some(0x45)
        || total != IPV4_LEN + DATAGRAM_LEN
        || at + total > frame.readable()
        || fragment & ipv4::FRAGMENT != 0
        || !sum.ok_or(header)?.verifies()
    {
        return Err(header);
    }
    let source: [u8; 4] = frame.bytes(at + 12).ok_or(header)?;
    if ipv4::is_bad_source(source) {
        return Err(header);
    }
    Ok(Packet {
        family: Family::V4,
        source: wire_v4(source),
        destination: wire_v4(frame.bytes(at + 16).ok_or(header)?),
        ttl: frame.byte(at + 8).ok_or(header)?,
        udp_at: at + IPV4_LEN,
    })
}

#[inline(always)]
fn ipv6_packet<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<Packet, Unanswered> {
    let header = Unanswered::Header;
    let payload = frame.be16(at + 4).ok_or(header)? as usize;
    let source: WireAddress = frame.bytes(at + 8).ok_or(header)?;
    if frame.byte(at).ok_or(header)? >> 4 != 6
        || payload != DATAGRAM_LEN
        || at + ipv6::HEADER_LEN + payload > frame.readable()
        || ipv6::is_bad_source(source)
    {
        return Err(header);
    }
    Ok(Packet {
        family: Family::V6,
        source,
        destination: frame.bytes(at + 24).ok_or(header)?,
        ttl: frame.byte(at + 7).ok_or(header)?,
        udp_at: at + ipv6::HEADER_LEN,
    })
}

/// The rules of RFC 5880 6.8.6 that need no session, and of RFC 7880 7.2.1.
/// Gives Your Discriminator, in host order.
#[inline(always)]
fn check_datagram<F: Frame + ?Sized>(frame: &F, at: usize) -> Result<u32, Unanswered> {
    let packet = Unanswered::Packet;
    if frame.be16(at + 4) != Some(DATAGRAM_LEN as u16) {
        return Err(Unanswered::Header);
    }
    let source_port = frame.be16(at).ok_or(packet)?;
    let [version, flags, multiplier, length] = frame.bytes(at + UDP_LEN).ok_or(packet)?;
    let mine = u32::from_be_bytes(frame.bytes(at + UDP_LEN + 4).ok_or(packet)?);
    let yours = u32::from_be_bytes(frame.bytes(at + UDP_LEN + 8).ok_or(packet)?);
    if version >> 5 != VERSION
        || length != LENGTH as u8
        || multiplier == 0
        || mine == 0
        || yours == 0
        || flags & (FLAG_AUTH | FLAG_MULTIPOINT) != 0
    {
        return Err(packet);
    }
    if flags & FLAG_DEMAND == 0 || source_port == REFLECTOR_PORT || source_port == 0 {
        return Err(Unanswered::Answer);
    }
    Ok(yours)
}

/// A frame that can be turned into its answer.
pub trait FrameMut: Frame {
    /// Writes at an offset; nothing where that is not all within the frame.
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]);
}

/// Exchanges two fields.
#[inline(always)]
fn exchange<const N: usize, F: FrameMut + ?Sized>(
    frame: &mut F,
    one: usize,
    other: usize,
) -> Option<()> {
    let (first, second) = (frame.bytes::<N>(one)?, frame.bytes::<N>(other)?);
    frame.put(one, second);
    frame.put(other, first);
    Some(())
}

impl Probe {
    /// Turns the frame that this was found in into its answer (RFC 7880
    /// 7.2.2), and gives its length; `None` where it is not that frame.
    #[inline(always)]
    pub fn answer<F: FrameMut + ?Sized>(
        &self,
        frame: &mut F,
        state: SessionState,
    ) -> Option<usize> {
        self.answer_at(frame, state, REQUIRED_MIN_RX_US)
    }

    /// [`Self::answer`] of a reflector that wants to be asked no more often
    /// than each `required_min_rx_us` microseconds.
    #[inline(always)]
    pub fn answer_at<F: FrameMut + ?Sized>(
        &self,
        frame: &mut F,
        state: SessionState,
        required_min_rx_us: u32,
    ) -> Option<usize> {
        if self.udp_at + DATAGRAM_LEN > frame.readable() {
            return None;
        }
        exchange::<6, F>(frame, 0, 6)?;
        let ip_at = frame.opaque(self.ip_at);
        match self.family {
            // Neither changes the checksum of the header.
            Family::V4 => exchange::<4, F>(frame, ip_at + 12, ip_at + 16)?,
            Family::V6 => exchange::<16, F>(frame, ip_at + 8, ip_at + 24)?,
        }
        let at = frame.opaque(self.udp_at);
        let port = frame.bytes::<2>(at)?;
        frame.put(at, REFLECTOR_PORT.to_be_bytes());
        frame.put(at + 2, port);
        // Not 0 but "none" for IPv4 (RFC 768); IPv6 must have one.
        frame.put(at + 6, [0, 0]);
        let [_, flags, multiplier, length] = frame.bytes(at + UDP_LEN)?;
        // Poll is answered by Final; Demand is clear in what a reflector says.
        let answer = if flags & FLAG_POLL != 0 {
            FLAG_FINAL
        } else {
            0
        };
        frame.put(
            at + UDP_LEN,
            [
                VERSION << 5,
                (state as u8) << 6 | answer,
                multiplier,
                length,
            ],
        );
        exchange::<4, F>(frame, at + UDP_LEN + 4, at + UDP_LEN + 8)?;
        frame.put(at + UDP_LEN + 16, required_min_rx_us.to_be_bytes());
        frame.put(at + UDP_LEN + 20, [0; 4]);
        if self.family == Family::V6 {
            let sum = Sum::new()
                .add_address(&self.source)
                .add_address(&self.destination)
                .add_u16(DATAGRAM_LEN as u16)
                .add_u16(PROTOCOL_UDP as u16)
                .add_frame(frame, at, DATAGRAM_LEN, DATAGRAM_LEN)?;
            let sum = match sum.finish() {
                0 => 0xFFFF,
                sum => sum,
            };
            frame.put(at + 6, sum.to_be_bytes());
        }
        Some(at + DATAGRAM_LEN)
    }
}
