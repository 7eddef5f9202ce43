//! Ethernet with up to two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad).

use super::Bytes;

/// Bytes of the header without tags.
pub const HEADER_LEN: usize = 14;
/// Bytes that one VLAN tag adds.
pub const TAG_LEN: usize = 4;

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_IPV6: u16 = 0x86DD;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88A8;

/// Tags of a frame that are looked through, an out-of-band one included.
const MAX_TAGS: usize = 2;
/// The VLAN id within a tag control word (802.1Q 9.6).
const VLAN_ID: u16 = 0x0FFF;

pub type MacAddress = [u8; 6];

pub const BROADCAST: MacAddress = [0xFF; 6];

/// What lies behind the Ethernet header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    pub ethertype: u16,
    /// Offset of the next header.
    pub at: usize,
    /// VLAN id of the innermost tag that has one; 0 where none does.
    pub vlan: u16,
}

/// Looks through the tags. `out_of_band` is the outermost tag's control word
/// where the kernel has taken it out of the frame (tcx, AF_PACKET).
///
/// `None` for a frame that is too short. A frame with more tags than we look
/// through comes back with the ethertype of a tag, which is nobody's.
#[inline(always)]
pub fn payload<F: Bytes + ?Sized>(frame: &F, out_of_band: Option<u16>) -> Option<Payload> {
    let mut found = Payload {
        ethertype: frame.be16(12)?,
        at: HEADER_LEN,
        vlan: out_of_band.unwrap_or(0) & VLAN_ID,
    };
    let in_frame = if out_of_band.is_some() {
        MAX_TAGS - 1
    } else {
        MAX_TAGS
    };
    for _ in 0..in_frame {
        if found.ethertype != ETHERTYPE_VLAN && found.ethertype != ETHERTYPE_QINQ {
            break;
        }
        // A priority tag (id 0) says nothing of the VLAN: one inside another
        // tag leaves the frame in the VLAN of that one.
        let id = frame.be16(found.at)? & VLAN_ID;
        found = Payload {
            vlan: if id == 0 { found.vlan } else { id },
            ethertype: frame.be16(found.at + 2)?,
            at: found.at + TAG_LEN,
        };
    }
    Some(found)
}

/// The group's MAC address (RFC 1112 6.4).
#[inline(always)]
pub const fn multicast_v4(group: [u8; 4]) -> MacAddress {
    let [_, b, c, d] = group;
    [0x01, 0x00, 0x5E, b & 0x7F, c, d]
}

/// The group's MAC address (RFC 2464 7).
#[inline(always)]
pub const fn multicast_v6(group: [u8; 16]) -> MacAddress {
    let [.., a, b, c, d] = group;
    [0x33, 0x33, a, b, c, d]
}
