//! Gratuitous ARP (RFC 826, RFC 5227 3, RFC 9568 6.4.1): how hosts and
//! switches learn where a VIP lives now.

use core::net::Ipv4Addr;

use super::ethernet::{BROADCAST, ETHERTYPE_ARP, HEADER_LEN, MacAddress};

/// Bytes of the frame without link padding, which the driver adds.
pub const FRAME_LEN: usize = HEADER_LEN + 28;

/// Hardware type Ethernet, protocol IPv4, their address lengths.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// Which ARP operation announces. Some stacks honour only one (D-20).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum GratuitousForm {
    Request = 1,
    Reply = 2,
}

/// Writes a broadcast frame that says `vip` is at `mac`, and returns its length.
///
/// Sender and target address are both the VIP, and both hardware addresses
/// `mac` (errata 7947 and 7949 of RFC 9568). `None` when `out` is too short.
pub fn gratuitous(
    out: &mut [u8],
    mac: MacAddress,
    vip: Ipv4Addr,
    form: GratuitousForm,
) -> Option<usize> {
    let (frame, _) = out.split_first_chunk_mut::<FRAME_LEN>()?;
    let vip = vip.octets();
    let parts: [&[u8]; 9] = [
        &BROADCAST,
        &mac,
        &ETHERTYPE_ARP.to_be_bytes(),
        &ETHERNET_IPV4,
        &(form as u16).to_be_bytes(),
        &mac,
        &vip,
        &mac,
        &vip,
    ];
    for (byte, value) in frame.iter_mut().zip(parts.iter().copied().flatten()) {
        *byte = *value;
    }
    Some(FRAME_LEN)
}
