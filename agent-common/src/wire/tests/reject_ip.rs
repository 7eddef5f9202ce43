//! Refusals below VRRP: lengths, IP headers, addresses, link.

use std::vec;

use super::{
    lab::*,
    reject::{refused_v4, refused_v6},
};
use crate::{
    outcome::Outcome,
    record::{AllowedPrefix, InstanceFilter, advert_flags, filter_flags},
    types::Family,
    wire::{Bytes, Frame, Link, ethernet, frame::wire_address, locate, scan},
};
// proves: R-17
#[test]
fn r17_ip_length_past_the_frame() {
    let mut frame = Packet::v4(G2).frame();
    frame.pop();
    assert_eq!(
        verdict(&frame, &filter(3, Family::V4)),
        Err(Outcome::IpLength)
    );
    let mut frame = Packet::v6(G5).frame();
    frame.pop();
    assert_eq!(
        verdict(&frame, &filter(3, Family::V6)),
        Err(Outcome::IpLength)
    );
}

// proves: R-17
#[test]
fn r17_ip_length_shorter_than_its_header() {
    let packet = Packet::v4(G2);
    let mut frame = packet.frame();
    frame[packet.ip_at() + 3] = 19;
    mend_ipv4(&mut frame[14..]);
    assert_eq!(
        verdict(&frame, &filter(3, Family::V4)),
        Err(Outcome::IpLength)
    );
}

// proves: R-18
#[test]
fn r18_trailing_bytes() {
    for extra in [1, 4, 28] {
        let mut packet = Packet::v4(G2);
        packet.message.extend(vec![0; extra]);
        assert_eq!(refused_v4(&packet), Outcome::Trailing, "{extra}");
    }
}

// proves: R-19
#[test]
fn r19_ip_header() {
    for first in [0x44, 0x40, 0x55, 0x65] {
        let mut frame = Packet::v4(G2).frame();
        frame[14] = first;
        assert_eq!(
            verdict(&frame, &filter(3, Family::V4)),
            Err(Outcome::IpHeader),
            "{first:x}"
        );
    }
    let mut frame = Packet::v6(G5).frame();
    frame[14] = 0x4C;
    assert_eq!(
        verdict(&frame, &filter(3, Family::V6)),
        Err(Outcome::IpHeader)
    );
}

// proves: R-20
#[test]
fn r20_chain_longer_than_we_walk() {
    let mut packet = Packet {
        first: 60,
        ..Packet::v6(G5)
    };
    for next in [60, 60, 60, 60, 112] {
        packet.options.extend([next, 0, 1, 4, 0, 0, 0, 0]);
    }
    assert_eq!(refused_v6(&packet), Outcome::ExtensionChain);
}

// proves: R-21
#[test]
fn r21_fragments() {
    for field in [0x2000_u16, 0x0001, 0x2010] {
        let mut frame = Packet::v4(G2).frame();
        frame[20..22].copy_from_slice(&field.to_be_bytes());
        mend_ipv4(&mut frame[14..]);
        assert_eq!(
            verdict(&frame, &filter(3, Family::V4)),
            Err(Outcome::Fragment),
            "{field:x}"
        );
    }
    for field in [[0, 1], [0, 8], [5, 0x81]] {
        let options = vec![112, 0, field[0], field[1], 1, 2, 3, 4];
        let packet = Packet {
            first: 44,
            options,
            ..Packet::v6(G5)
        };
        assert_eq!(refused_v6(&packet), Outcome::Fragment);
    }
}

// proves: R-21
#[test]
fn r21_fragment_of_something_else() {
    let packet = Packet {
        first: 44,
        options: vec![17, 0, 0, 1, 1, 2, 3, 4],
        ..Packet::v6(G5)
    };
    assert_eq!(refused_v6(&packet), Outcome::Foreign);
    // Whose it is only the reassembled packet can tell.
    let packet = Packet {
        first: 44,
        options: vec![60, 0, 0, 1, 1, 2, 3, 4],
        ..Packet::v6(G5)
    };
    assert_eq!(refused_v6(&packet), Outcome::ExtensionChain);
}

// proves: R-23
#[test]
fn r23_own_source() {
    let filter = InstanceFilter {
        own: wire_address(PEER_V4.into()),
        ..filter(3, Family::V4)
    };
    assert_eq!(
        verdict(&Packet::v4(G2).frame(), &filter),
        Err(Outcome::OwnSource)
    );
}

// proves: R-26
#[test]
fn r26_multicast_to_a_unicast_instance_and_back() {
    assert_eq!(
        verdict(&Packet::v4(G3).frame(), &unicast_filter()),
        Err(Outcome::Destination)
    );
    assert_eq!(refused_v4(&Packet::unicast_v4(G4)), Outcome::Destination);
}

// proves: R-26
#[test]
fn r26_unknown_peer() {
    let mut filter = InstanceFilter {
        peer_count: 1,
        ..unicast_filter()
    };
    filter.flags |= filter_flags::CHECK_SOURCE;
    filter.peers[0] = wire_address(ip("192.0.2.250"));
    // Beyond `peer_count`: not in use.
    filter.peers[1] = wire_address(PEER_V4.into());
    let frame = Packet::unicast_v4(G4).frame();
    assert_eq!(verdict(&frame, &filter), Err(Outcome::UnknownPeer));
    filter.peer_count = 2;
    assert!(verdict(&frame, &filter).is_ok());
    filter.peer_count = 255;
    assert!(verdict(&frame, &filter).is_ok());
}

// proves: R-26
#[test]
fn r26_ttl_of_a_peer() {
    let mut filter = unicast_filter();
    filter.flags |= filter_flags::CHECK_SOURCE;
    filter.peers[0] = wire_address(PEER_V4.into());
    filter.peers[1] = wire_address(ip("192.0.2.250"));
    filter.peer_count = 2;
    filter.min_ttl = [64; 32];
    filter.ttl_headroom = [1; 32];
    let from = |ttl| Packet {
        ttl,
        ..Packet::unicast_v4(G4)
    };
    for (ttl, good) in [
        (0, false),
        (63, false),
        (64, true),
        (254, true),
        (255, false),
    ] {
        let found = verdict(&from(ttl).frame(), &filter).map(|_| ());
        let expected = if good { Ok(()) } else { Err(Outcome::PeerTtl) };
        assert_eq!(found, expected, "{ttl}");
    }
    // The limits of another peer are not its own.
    filter.min_ttl[0] = 0;
    assert!(verdict(&from(1).frame(), &filter).is_ok());
}

// proves: K-06
#[test]
fn k06_the_old_checksum_of_unicast() {
    let mut filter = unicast_filter();
    let old = Packet::unicast_v4(G3).frame();
    assert_eq!(verdict(&old, &filter), Err(Outcome::Checksum));
    filter.flags |= filter_flags::OLD_CHECKSUM;
    let flags = verdict(&old, &filter).unwrap().flags;
    assert_eq!(
        flags,
        advert_flags::OLD_CHECKSUM | advert_flags::PSEUDO_HEADER
    );
    // The proper one is not taken for it.
    let proper = verdict(&Packet::unicast_v4(G4).frame(), &filter).unwrap();
    assert_eq!(proper.flags, advert_flags::PSEUDO_HEADER);
    let mut wrong = hex(G3);
    wrong[15] ^= 1;
    let mut packet = Packet::unicast_v4(G3);
    packet.message = wrong;
    assert_eq!(verdict(&packet.frame(), &filter), Err(Outcome::Checksum));
}

// proves: R-28
#[test]
fn r28_ipv4_header_checksum() {
    let mut frame = Packet::v4(G2).frame();
    frame[24] ^= 1;
    assert_eq!(
        verdict(&frame, &filter(3, Family::V4)),
        Err(Outcome::IpChecksum)
    );
}

// proves: R-28
#[test]
fn r28_bad_source() {
    for source in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.18",
        "255.255.255.255",
    ] {
        let packet = Packet {
            source: ip(source),
            ..Packet::v4(G2)
        };
        assert_eq!(refused_v4(&packet), Outcome::BadSource, "{source}");
    }
    for source in ["::", "::1", "ff02::12"] {
        let packet = Packet {
            source: ip(source),
            ..Packet::v6(G5)
        };
        assert_eq!(refused_v6(&packet), Outcome::BadSource, "{source}");
    }
}

// proves: R-28
#[test]
fn r28_destination() {
    let packet = Packet {
        destination: ip("224.0.0.19"),
        ..Packet::v4(G2)
    };
    assert_eq!(refused_v4(&packet), Outcome::Destination);
}

// proves: R-28
#[test]
fn r28_destination_mac() {
    for destination_mac in [[0xFF; 6], PEER_MAC, [0x01, 0, 0x5E, 0, 0, 0x13]] {
        let packet = Packet {
            destination_mac,
            ..Packet::v4(G2)
        };
        assert_eq!(refused_v4(&packet), Outcome::DestinationMac);
    }
    for destination_mac in [PEER_MAC, ethernet::multicast_v4(OURS_V4)] {
        let packet = Packet {
            destination_mac,
            ..Packet::unicast_v4(G4)
        };
        let refused = verdict(&packet.frame(), &unicast_filter());
        assert_eq!(refused, Err(Outcome::DestinationMac));
    }
}

// proves: F-28
#[test]
fn f28_authentication_header() {
    let mut packet = Packet {
        first: 51,
        ..Packet::v4(G1)
    };
    packet
        .message
        .splice(0..0, [112, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert!(scan(&packet.frame()[..], None));
    assert_eq!(refused_v4(&packet), Outcome::AuthHeader);
    packet.message[0] = 6;
    assert!(!scan(&packet.frame()[..], None));
    assert_eq!(refused_v4(&packet), Outcome::Foreign);

    let options = vec![112, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let packet = Packet {
        first: 51,
        options,
        ..Packet::v6(G5)
    };
    assert_eq!(refused_v6(&packet), Outcome::AuthHeader);
}

#[test]
fn foreign() {
    let tcp = Packet {
        first: 6,
        ..Packet::v4(G2)
    };
    assert_eq!(refused_v4(&tcp), Outcome::Foreign);
    assert!(!scan(&tcp.frame()[..], None));
    let icmp = Packet {
        first: 58,
        ..Packet::v6(G5)
    };
    assert_eq!(refused_v6(&icmp), Outcome::Foreign);
    assert!(!scan(&icmp.frame()[..], None));
    assert_eq!(
        verdict(&[0; 60], &filter(3, Family::V4)),
        Err(Outcome::Foreign)
    );
}

/// A frame of which only the start was copied.
struct Head<'a>(&'a [u8], usize);

impl Frame for Head<'_> {
    fn received(&self) -> usize {
        self.0.len()
    }

    fn readable(&self) -> usize {
        self.1
    }
}

impl Bytes for Head<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0[..self.1].bytes(at)
    }
}

#[test]
fn oversize_is_what_was_not_copied_whole() {
    let frame = Packet {
        padding: 3000,
        ..Packet::v4(G2)
    }
    .frame();
    let link = Link {
        ifindex: 7,
        vlan: None,
    };
    assert!(locate(&Head(&frame, 50), link).is_ok());
    assert_eq!(locate(&Head(&frame, 49), link), Err(Outcome::Oversize));
    let frame = Packet {
        padding: 3000,
        ..Packet::v6(G5)
    }
    .frame();
    assert!(locate(&Head(&frame, 94), link).is_ok());
    assert_eq!(locate(&Head(&frame, 93), link), Err(Outcome::Oversize));
}

#[test]
fn only_listed_sources_are_heard() {
    let frame = Packet::v4(G2).frame();
    let listed = |prefixes: &[(&str, u8)], count| {
        let mut filter = filter(3, Family::V4);
        for (slot, (address, length)) in filter.allowed.iter_mut().zip(prefixes) {
            *slot = AllowedPrefix::new(wire_address(ip(address)), *length);
        }
        filter.allowed_count = count;
        verdict(&frame, &filter).map(|_| ())
    };
    let refused = Err(Outcome::SourceNotAllowed);
    let peer = core::net::Ipv4Addr::from(PEER_V4);
    let peer = std::format!("{peer}");
    let last = std::vec![("192.0.2.99", 32); 15];
    let last = [last, std::vec![(peer.as_str(), 32)]].concat();
    assert_eq!(listed(&[("192.0.2.99", 32)], 0), Ok(()), "no list");
    assert_eq!(listed(&[("192.0.2.99", 32)], 1), refused);
    assert_eq!(listed(&[("192.0.2.0", 24)], 1), Ok(()));
    assert_eq!(listed(&[("198.51.100.0", 24)], 1), refused);
    assert_eq!(listed(&[("0.0.0.0", 0)], 1), Ok(()));
    assert_eq!(listed(&last, 16), Ok(()));
    assert_eq!(listed(&last, 15), refused, "beyond the count: not in use");
    assert_eq!(listed(&last, 255), Ok(()), "no more than there are");
}
