//! Builds VRRP frames, right ones and wrong ones.
//!
//! A packet is a valid advert that a test bends in one place; checksums are
//! set last, so that only what was bent is wrong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use agent_common::wire::{checksum::Sum, ethernet, vrrp};

/// MAC address of the sender of every frame here.
pub const PEER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0B];
/// MAC address of the interface that the frames come to.
pub const OUR_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0A];
pub const PEER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 251);
pub const OUR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 252);
pub const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0xC8);

/// The golden messages of the conformance checklist.
pub mod golden {
    pub const G1: &str = "21 0a 64 02 00 01 f6 ed c0 00 02 01 c0 00 02 02 00 00 00 00 00 00 00 00";
    pub const G2: &str = "31 0a 64 02 00 64 e6 8a c0 00 02 01 c0 00 02 02";
    pub const G3: &str = "31 0a 64 02 00 64 42 fc c0 00 02 01 c0 00 02 02";
    pub const G4: &str = "31 0a 64 02 00 64 60 12 c0 00 02 01 c0 00 02 02";
    pub const G5: &str = "31 0a 64 02 00 64 3f 5d \
        fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 \
        20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01";
    pub const G6: &str = "31 0a 64 02 00 64 3e 53 \
        fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 \
        20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01";
    pub const G7: &str = "31 0a 00 02 00 64 4a 8b c0 00 02 01 c0 00 02 02";
    pub const G8: &str = "21 33 1e 01 00 01 b5 c5 0a 00 01 05 00 00 00 00 00 00 00 00";
}

/// Bytes of a hex dump with spaces.
///
/// # Panics
///
/// On anything else: the dumps are in the source.
pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("a hex dump"))
        .collect()
}

/// A frame in parts.
#[derive(Clone, Debug)]
pub struct Packet {
    pub destination_mac: [u8; 6],
    /// Ethertype and control word of each VLAN tag, outermost first.
    pub tags: Vec<(u16, u16)>,
    /// Of the same family as `destination`, which decides the IP version.
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4: header options, whole words. IPv6: extension headers.
    pub options: Vec<u8>,
    /// IP protocol, or type of the first extension header.
    pub protocol: u8,
    pub message: Vec<u8>,
    /// Bytes behind the IP packet, as links pad short frames.
    pub padding: usize,
}

impl Packet {
    /// To the IPv4 group.
    pub fn v4(message: &str) -> Self {
        Self {
            destination_mac: ethernet::multicast_v4(vrrp::GROUP_V4),
            tags: Vec::new(),
            source: PEER_V4.into(),
            destination: vrrp::GROUP_V4.into(),
            ttl: 255,
            options: Vec::new(),
            protocol: 112,
            message: hex(message),
            padding: 0,
        }
    }

    /// To the IPv6 group.
    pub fn v6(message: &str) -> Self {
        Self {
            destination_mac: ethernet::multicast_v6(vrrp::GROUP_V6),
            source: PEER_V6.into(),
            destination: vrrp::GROUP_V6.into(),
            ..Self::v4(message)
        }
    }

    /// To our own IPv4 address.
    pub fn unicast_v4(message: &str) -> Self {
        Self {
            destination_mac: OUR_MAC,
            destination: OUR_V4.into(),
            ..Self::v4(message)
        }
    }

    /// Sets one byte of the message and mends its checksum (the form without
    /// a pseudo-header).
    ///
    /// # Panics
    ///
    /// When the message is shorter.
    #[must_use]
    pub fn with_byte(mut self, at: usize, value: u8) -> Self {
        *self.message.get_mut(at).expect("within the message") = value;
        self.mended()
    }

    /// Sets the message's checksum (the form without a pseudo-header).
    #[must_use]
    pub fn mended(mut self) -> Self {
        if let Some(field) = self.message.get_mut(6..8) {
            field.fill(0);
        }
        let sum = Sum::new().add_slice(&self.message).finish();
        if let Some(field) = self.message.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        self
    }

    /// Offset of the IP header in the frame.
    pub fn ip_at(&self) -> usize {
        ethernet::HEADER_LEN + ethernet::TAG_LEN * self.tags.len()
    }

    /// The IP packet alone.
    pub fn ip_packet(&self) -> Vec<u8> {
        let (mut header, source, destination) = match self.destination {
            IpAddr::V4(_) => self.ipv4_header(),
            IpAddr::V6(_) => self.ipv6_header(),
        };
        header.extend(source);
        header.extend(destination);
        header.extend(&self.options);
        if self.destination.is_ipv4() {
            mend_ipv4(&mut header);
        }
        header.extend(&self.message);
        header
    }

    fn ipv4_header(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let header_len = 20 + self.options.len();
        let total = u16::try_from(header_len + self.message.len()).unwrap_or(u16::MAX);
        let words = u8::try_from(header_len / 4).unwrap_or(0x0F);
        let mut header = vec![0x40 | words, 0xC0];
        header.extend(total.to_be_bytes());
        header.extend([0x12, 0x34, 0, 0, self.ttl, self.protocol, 0, 0]);
        (header, octets(self.source), octets(self.destination))
    }

    fn ipv6_header(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let payload = self.options.len() + self.message.len();
        let mut header = vec![0x6C, 0, 0, 0];
        header.extend(u16::try_from(payload).unwrap_or(u16::MAX).to_be_bytes());
        header.extend([self.protocol, self.ttl]);
        (header, octets(self.source), octets(self.destination))
    }

    /// The whole Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(self.destination_mac);
        frame.extend(PEER_MAC);
        for (ethertype, control) in &self.tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let ethertype = if self.destination.is_ipv4() {
            ethernet::ETHERTYPE_IPV4
        } else {
            ethernet::ETHERTYPE_IPV6
        };
        frame.extend(ethertype.to_be_bytes());
        frame.extend(self.ip_packet());
        frame.extend(vec![0xA5; self.padding]);
        frame
    }

    /// The frame with one byte of its IPv4 header set and the header checksum
    /// mended.
    ///
    /// # Panics
    ///
    /// When the byte is not in the frame.
    pub fn frame_with_ipv4_byte(&self, at: usize, value: u8) -> Vec<u8> {
        let mut frame = self.frame();
        let start = self.ip_at();
        *frame.get_mut(start + at).expect("within the header") = value;
        if let Some(packet) = frame.get_mut(start..) {
            mend_ipv4(packet);
        }
        frame
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Sets the header checksum of an IPv4 packet.
fn mend_ipv4(packet: &mut [u8]) {
    let header_len = packet
        .first()
        .map_or(0, |first| usize::from(first & 0x0F) * 4);
    if let Some(field) = packet.get_mut(10..12) {
        field.fill(0);
    }
    let sum = Sum::new()
        .add_slice(packet.get(..header_len).unwrap_or(packet))
        .finish();
    if let Some(field) = packet.get_mut(10..12) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}
