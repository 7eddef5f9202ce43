//! A second opinion on frames: what the lab needs to know of them, decoded
//! independently of the agent's parser. Lenient; checks nothing but lengths.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::topology::Mac;

/// A VRRP advert, RFC 9568 5.2 or RFC 3768 5.3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advert {
    pub source_mac: Mac,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    pub version: u8,
    pub vrid: u8,
    pub priority: u8,
    pub interval: Duration,
    pub addresses: Vec<IpAddr>,
}

/// A gratuitous ARP: sender and target address are the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Garp {
    pub source_mac: Mac,
    pub destination_mac: Mac,
    /// The hardware address that it claims the address for.
    pub claimed: Mac,
    pub address: Ipv4Addr,
    /// 1 request, 2 reply.
    pub operation: u16,
}

/// An ARP packet, RFC 826.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arp {
    pub operation: u16,
    pub sender_mac: Mac,
    pub sender: Ipv4Addr,
    pub target_mac: Mac,
    pub target: Ipv4Addr,
}

/// A neighbour advertisement, RFC 4861 4.4.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighbourAdvert {
    pub source_mac: Mac,
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub target: Ipv6Addr,
    /// Of the target link-layer address option.
    pub claimed: Option<Mac>,
    pub router: bool,
    pub solicited: bool,
    pub overriding: bool,
}

/// The Ethernet layer.
struct Ethernet<'a> {
    destination: Mac,
    source: Mac,
    kind: u16,
    payload: &'a [u8],
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// Skips up to two VLAN tags; the first VLAN id.
pub fn vlan_tag(frame: &[u8]) -> Option<u16> {
    match be16(frame, 12)? {
        0x8100 | 0x88a8 => Some(be16(frame, 14)? & 0x0fff),
        _ => None,
    }
}

fn ethernet(frame: &[u8]) -> Option<Ethernet<'_>> {
    let mut at = 12;
    while matches!(be16(frame, at)?, 0x8100 | 0x88a8) && at < 20 {
        at += 4;
    }
    Some(Ethernet {
        destination: Mac(array(frame, 0)?),
        source: Mac(array(frame, 6)?),
        kind: be16(frame, at)?,
        payload: frame.get(at + 2..)?,
    })
}

/// Source, destination, TTL, protocol and payload of an IP packet.
fn ip(kind: u16, packet: &[u8]) -> Option<(IpAddr, IpAddr, u8, u8, &[u8])> {
    match kind {
        0x0800 => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let total = usize::from(be16(packet, 2)?);
            let source = Ipv4Addr::from(array::<4>(packet, 12)?);
            let destination = Ipv4Addr::from(array::<4>(packet, 16)?);
            let payload = packet.get(header..total)?;
            Some((
                source.into(),
                destination.into(),
                *packet.get(8)?,
                *packet.get(9)?,
                payload,
            ))
        }
        0x86dd => {
            let length = usize::from(be16(packet, 4)?);
            let source = Ipv6Addr::from(array::<16>(packet, 8)?);
            let destination = Ipv6Addr::from(array::<16>(packet, 24)?);
            let payload = packet.get(40..40 + length)?;
            Some((
                source.into(),
                destination.into(),
                *packet.get(7)?,
                *packet.get(6)?,
                payload,
            ))
        }
        _ => None,
    }
}

/// The advert in a frame, if it is one.
pub fn advert(frame: &[u8]) -> Option<Advert> {
    let ethernet = ethernet(frame)?;
    let (source, destination, ttl, protocol, vrrp) = ip(ethernet.kind, ethernet.payload)?;
    if protocol != 112 {
        return None;
    }
    let version = vrrp.first()? >> 4;
    let interval = if version == 2 {
        Duration::from_secs((*vrrp.get(5)?).into())
    } else {
        Duration::from_millis(u64::from(be16(vrrp, 4)? & 0x0fff) * 10)
    };
    let count = usize::from(*vrrp.get(3)?);
    let address = |index: usize| match source {
        IpAddr::V4(_) => array::<4>(vrrp, 8 + index * 4).map(|bytes| Ipv4Addr::from(bytes).into()),
        IpAddr::V6(_) => {
            array::<16>(vrrp, 8 + index * 16).map(|bytes| Ipv6Addr::from(bytes).into())
        }
    };
    Some(Advert {
        source_mac: ethernet.source,
        source,
        destination,
        ttl,
        version,
        vrid: *vrrp.get(1)?,
        priority: *vrrp.get(2)?,
        interval,
        addresses: (0..count).map_while(address).collect(),
    })
}

/// The ARP packet in a frame, if it is one.
pub fn arp(frame: &[u8]) -> Option<Arp> {
    let ethernet = ethernet(frame)?;
    let arp = ethernet.payload;
    // Hardware type Ethernet, protocol IPv4, lengths 6 and 4.
    if ethernet.kind != 0x0806 || array::<6>(arp, 0)? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    Some(Arp {
        operation: be16(arp, 6)?,
        sender_mac: Mac(array(arp, 8)?),
        sender: array::<4>(arp, 14)?.into(),
        target_mac: Mac(array(arp, 18)?),
        target: array::<4>(arp, 24)?.into(),
    })
}

/// The gratuitous ARP in a frame, if it is one.
pub fn garp(frame: &[u8]) -> Option<Garp> {
    let packet = arp(frame)?;
    let ethernet = ethernet(frame)?;
    (packet.sender == packet.target).then_some(Garp {
        source_mac: ethernet.source,
        destination_mac: ethernet.destination,
        claimed: packet.sender_mac,
        address: packet.sender,
        operation: packet.operation,
    })
}

/// The neighbour advertisement in a frame, if it is one.
pub fn neighbour_advert(frame: &[u8]) -> Option<NeighbourAdvert> {
    let ethernet = ethernet(frame)?;
    let (source, destination, _, protocol, icmp) = ip(ethernet.kind, ethernet.payload)?;
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (source, destination) else {
        return None;
    };
    if protocol != 58 || *icmp.first()? != 136 {
        return None;
    }
    let flags = *icmp.get(4)?;
    let option = array::<2>(icmp, 24);
    Some(NeighbourAdvert {
        source_mac: ethernet.source,
        source,
        destination,
        target: array::<16>(icmp, 8)?.into(),
        claimed: (option == Some([2, 1]))
            .then(|| array(icmp, 26).map(Mac))
            .flatten(),
        router: flags & 0x80 != 0,
        solicited: flags & 0x40 != 0,
        overriding: flags & 0x20 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GARP: &str = "ffffffffffff020000000102080600010800060400010200000001020a4d0164\
                        ffffffffffff0a4d0164";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .filter_map(|digit| digit.to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    #[test]
    fn a_gratuitous_arp_is_known_and_an_ordinary_one_is_not() {
        let mut frame = bytes(GARP);
        let found = garp(&frame).expect("a gratuitous ARP");
        assert_eq!(found.address, Ipv4Addr::new(10, 77, 1, 100));
        assert_eq!(found.claimed, Mac([2, 0, 0, 0, 1, 2]));
        frame[41] = 1;
        assert_eq!(garp(&frame), None);
    }

    #[test]
    fn a_cut_frame_is_no_packet() {
        let frame = bytes(GARP);
        for length in 0..frame.len() {
            assert_eq!(garp(&frame[..length]), None);
            assert_eq!(advert(&frame[..length]), None);
            assert_eq!(neighbour_advert(&frame[..length]), None);
        }
    }
}
