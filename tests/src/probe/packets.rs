//! The questions of a probe, and whose answers they are.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{decode, topology::Mac};

/// First bytes of the sender hardware address of our ARP probes: locally
/// administered, unicast.
const ARP_MARK: [u8; 2] = [0x02, 0xfe];

/// An ARP probe whose sender hardware address is its number.
pub fn arp_probe(own: Mac, number: u32, vip: Ipv4Addr) -> [u8; 42] {
    let mut frame = [0; 42];
    frame[..6].copy_from_slice(&Mac::BROADCAST.0);
    frame[6..12].copy_from_slice(&own.0);
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..24].copy_from_slice(&ARP_MARK);
    frame[24..28].copy_from_slice(&number.to_be_bytes());
    frame[38..42].copy_from_slice(&vip.octets());
    frame
}

/// Number of the request that an ARP answer belongs to, and who answered.
pub fn arp_answer(frame: &[u8], vip: Ipv4Addr) -> Option<(usize, Mac)> {
    let arp = decode::arp(frame)?;
    let [a, b, number @ ..] = arp.target_mac.0;
    if arp.operation != 2 || arp.sender != vip || [a, b] != ARP_MARK {
        return None;
    }
    let answering = Mac(frame.get(6..12)?.try_into().ok()?);
    Some((u32::from_be_bytes(number) as usize, answering))
}

/// A neighbour solicitation with the source link-layer address option.
pub fn solicitation(own: Mac, source: Ipv6Addr, vip: Ipv6Addr) -> Vec<u8> {
    let [.., x, y, z] = vip.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(x),
        u16::from_be_bytes([y, z]),
    );
    let mut icmp = vec![135, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(vip.octets());
    icmp.extend([1, 1]);
    icmp.extend(own.0);
    let mut sum = 58 + icmp.len() as u32;
    let words = [
        source.octets().as_slice(),
        group.octets().as_slice(),
        icmp.as_slice(),
    ]
    .concat();
    for word in words.chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            word[0],
            word.get(1).copied().unwrap_or(0),
        ]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    icmp[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0xff, x, y, z];
    frame.extend(own.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend((icmp.len() as u16).to_be_bytes());
    frame.extend([58, 255]);
    frame.extend(source.octets());
    frame.extend(group.octets());
    frame.extend(icmp);
    frame
}

/// Who answered a solicitation for `vip`.
pub fn neighbour_answer(frame: &[u8], vip: Ipv6Addr) -> Option<Mac> {
    let advert = decode::neighbour_advert(frame)?;
    // An unsolicited one announces; it does not answer.
    (advert.target == vip && advert.solicited).then_some(advert.source_mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 1, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 1, 2]);

    #[test]
    fn an_answer_names_its_request() {
        let vip = Ipv4Addr::new(10, 77, 1, 100);
        let mut frame = arp_probe(A, 0x0102_0304, vip);
        assert_eq!(arp_answer(&frame, vip), None, "a request is no answer");
        // What the kernel makes of it: a reply to the sender hardware address.
        let asked = frame;
        frame[21] = 2;
        frame[6..12].copy_from_slice(&B.0);
        frame[22..28].copy_from_slice(&B.0);
        frame[28..32].copy_from_slice(&vip.octets());
        frame[32..38].copy_from_slice(&asked[22..28]);
        assert_eq!(arp_answer(&frame, vip), Some((0x0102_0304, B)));
    }
}
