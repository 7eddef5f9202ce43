//! Unsolicited Neighbor Advertisement (RFC 4861 4.4, 7.2.6; RFC 9568 6.4.1).

use core::net::Ipv6Addr;

use super::{
    checksum::Sum,
    ethernet::{self, ETHERTYPE_IPV6, MacAddress},
    ipv6,
};

/// Bytes of the ICMPv6 message: header, target, one option.
const MESSAGE_LEN: usize = 32;
/// Bytes of the frame.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN + MESSAGE_LEN;

const NEXT_HEADER_ICMPV6: u8 = 58;
const TYPE_NEIGHBOR_ADVERTISEMENT: u8 = 136;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
/// Anything else is discarded by the receiver (RFC 4861 7.1.2).
const HOP_LIMIT: u8 = 255;
/// ff02::1
const ALL_NODES: [u8; 16] = [0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// What an announcement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Source MAC of the frame and target link-layer address.
    pub mac: MacAddress,
    /// Source address: the VIP itself or the interface's link-local address.
    pub source: Ipv6Addr,
    pub vip: Ipv6Addr,
    /// The R flag: this node forwards.
    pub router: bool,
}

/// Writes a frame to all nodes with S=0 and O=1 (D-21), and returns its length.
///
/// `None` when `out` is too short.
pub fn unsolicited_na(out: &mut [u8], announcement: &Announcement) -> Option<usize> {
    let (frame, _) = out.split_first_chunk_mut::<FRAME_LEN>()?;
    let Announcement {
        mac,
        source,
        vip,
        router,
    } = *announcement;
    let (source, vip) = (source.octets(), vip.octets());
    let flags = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    let sum = |checksum: u16| -> [u8; 8] {
        let [high, low] = checksum.to_be_bytes();
        [TYPE_NEIGHBOR_ADVERTISEMENT, 0, high, low, flags, 0, 0, 0]
    };
    let option = [OPTION_TARGET_LINK_LAYER, 1];
    let checksum = Sum::new()
        .add_address(&source)
        .add_address(&ALL_NODES)
        .add_u16(MESSAGE_LEN as u16)
        .add_u16(NEXT_HEADER_ICMPV6 as u16)
        .add_slice(&sum(0))
        .add_slice(&vip)
        .add_slice(&option)
        .add_slice(&mac)
        .finish();
    let parts: [&[u8]; 12] = [
        &ethernet::multicast_v6(ALL_NODES),
        &mac,
        &ETHERTYPE_IPV6.to_be_bytes(),
        &[0x60, 0, 0, 0],
        &(MESSAGE_LEN as u16).to_be_bytes(),
        &[NEXT_HEADER_ICMPV6, HOP_LIMIT],
        &source,
        &ALL_NODES,
        &sum(checksum),
        &vip,
        &option,
        &mac,
    ];
    for (byte, value) in frame.iter_mut().zip(parts.iter().copied().flatten()) {
        *byte = *value;
    }
    Some(FRAME_LEN)
}
