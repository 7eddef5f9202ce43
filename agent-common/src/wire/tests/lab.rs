//! Frames to put before the parser: one valid advert, bent in one place.

use core::net::IpAddr;
use std::{vec, vec::Vec};

use bytemuck::Zeroable as _;

use crate::{
    outcome::Outcome,
    record::{AdvertRecord, InstanceFilter, filter_flags},
    types::Family,
    wire::{Link, checksum::Sum, ethernet, frame::wire_address, judge, locate, vrrp},
};

pub const LINK: Link = Link {
    ifindex: 7,
    vlan: None,
};
pub const NOW: u64 = 123_456_789;
pub const OUR_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0A];
pub const PEER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0B];
pub const OURS_V4: [u8; 4] = [192, 0, 2, 252];
pub const PEER_V4: [u8; 4] = [192, 0, 2, 251];

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

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

/// A packet that is still easy to bend.
#[derive(Clone)]
pub struct Packet {
    pub destination_mac: [u8; 6],
    pub tags: Vec<(u16, u16)>,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    /// IPv4: header options; IPv6: extension headers, the first of type `first`.
    pub options: Vec<u8>,
    pub first: u8,
    pub message: Vec<u8>,
    /// Link padding behind the packet.
    pub padding: usize,
}

impl Packet {
    pub fn v4(message: &str) -> Self {
        Self {
            destination_mac: ethernet::multicast_v4(vrrp::GROUP_V4),
            tags: vec![],
            source: IpAddr::from(PEER_V4),
            destination: IpAddr::from(vrrp::GROUP_V4),
            ttl: 255,
            options: vec![],
            first: 112,
            message: hex(message),
            padding: 0,
        }
    }

    pub fn v6(message: &str) -> Self {
        Self {
            destination_mac: ethernet::multicast_v6(vrrp::GROUP_V6),
            source: ip("fe80::c8"),
            destination: IpAddr::from(vrrp::GROUP_V6),
            ..Self::v4(message)
        }
    }

    pub fn unicast_v4(message: &str) -> Self {
        Self {
            destination_mac: OUR_MAC,
            destination: IpAddr::from(OURS_V4),
            ..Self::v4(message)
        }
    }

    /// Offset of the IP header.
    pub fn ip_at(&self) -> usize {
        14 + 4 * self.tags.len()
    }

    /// The IP packet without Ethernet.
    pub fn ip_packet(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header_len = 20 + self.options.len();
                let total = (header_len + self.message.len()) as u16;
                let mut out = vec![0x40 | (header_len / 4) as u8, 0xC0];
                out.extend(total.to_be_bytes());
                out.extend([0x12, 0x34, 0, 0, self.ttl, self.first, 0, 0]);
                out.extend(source.octets());
                out.extend(destination.octets());
                out.extend(&self.options);
                mend_ipv4(&mut out);
                out.extend(&self.message);
                out
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = (self.options.len() + self.message.len()) as u16;
                let mut out = vec![0x6C, 0, 0, 0];
                out.extend(length.to_be_bytes());
                out.extend([self.first, self.ttl]);
                out.extend(source.octets());
                out.extend(destination.octets());
                out.extend(&self.options);
                out.extend(&self.message);
                out
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => unreachable!(),
        }
    }

    pub fn frame(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.destination_mac);
        out.extend(PEER_MAC);
        for (ethertype, control) in &self.tags {
            out.extend(ethertype.to_be_bytes());
            out.extend(control.to_be_bytes());
        }
        let ethertype: u16 = if self.source.is_ipv4() {
            0x0800
        } else {
            0x86DD
        };
        out.extend(ethertype.to_be_bytes());
        out.extend(self.ip_packet());
        out.extend(vec![0xA5; self.padding]);
        out
    }
}

/// Sets the IPv4 header checksum.
pub fn mend_ipv4(packet: &mut [u8]) {
    let header_len = ((packet[0] & 0x0F) as usize * 4).min(packet.len());
    packet[10..12].fill(0);
    let sum = Sum::new().add_slice(&packet[..header_len]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Sets the message's checksum in the form without a pseudo-header.
pub fn mend_message(message: &mut [u8]) {
    message[6..8].fill(0);
    let sum = Sum::new().add_slice(message).finish();
    message[6..8].copy_from_slice(&sum.to_be_bytes());
}

/// A filter that accepts the golden vectors of one version and family.
pub fn filter(version: u8, family: Family) -> InstanceFilter {
    let destination = match family {
        Family::V4 => IpAddr::from(vrrp::GROUP_V4),
        Family::V6 => IpAddr::from(vrrp::GROUP_V6),
    };
    InstanceFilter {
        slot: 3,
        version,
        v2_seconds: 1,
        destination: wire_address(destination),
        mac: OUR_MAC,
        ..InstanceFilter::zeroed()
    }
}

pub fn unicast_filter() -> InstanceFilter {
    InstanceFilter {
        flags: filter_flags::UNICAST,
        destination: wire_address(IpAddr::from(OURS_V4)),
        own: wire_address(IpAddr::from(OURS_V4)),
        ..filter(3, Family::V4)
    }
}

pub fn verdict(frame: &[u8], filter: &InstanceFilter) -> Result<AdvertRecord, Outcome> {
    judge(frame, &locate(frame, LINK)?, filter, NOW)
}
