//! One bent packet for each reason to refuse, by requirement id.

use std::vec;

use super::lab::*;
use crate::{
    outcome::Outcome,
    record::{InstanceFilter, filter_flags},
    types::Family,
    wire::{Bytes, Frame, Link, ethernet, frame::wire_address, locate, scan},
};

fn refused_v4(packet: &Packet) -> Outcome {
    verdict(&packet.frame(), &filter(3, Family::V4)).unwrap_err()
}

fn refused_v6(packet: &Packet) -> Outcome {
    verdict(&packet.frame(), &filter(3, Family::V6)).unwrap_err()
}

/// G2 with one byte of the message set and its checksum mended.
fn bent(at: usize, value: u8) -> Packet {
    let mut packet = Packet::v4(G2);
    packet.message[at] = value;
    mend_message(&mut packet.message);
    packet
}

fn bent_v2(at: usize, value: u8) -> Outcome {
    let mut packet = Packet::v4(G1);
    packet.message[at] = value;
    mend_message(&mut packet.message);
    verdict(&packet.frame(), &filter(2, Family::V4)).unwrap_err()
}

#[test]
fn r01_ttl() {
    for ttl in [0, 1, 254] {
        assert_eq!(
            refused_v4(&Packet {
                ttl,
                ..Packet::v4(G2)
            }),
            Outcome::Ttl
        );
    }
}

#[test]
fn r02_hop_limit() {
    assert_eq!(
        refused_v6(&Packet {
            ttl: 254,
            ..Packet::v6(G5)
        }),
        Outcome::Ttl
    );
}

#[test]
fn r03_version() {
    assert_eq!(refused_v4(&Packet::v4(G1)), Outcome::Version);
    assert_eq!(refused_v4(&bent(0, 0x41)), Outcome::Version);
    let v2 = filter(2, Family::V4);
    assert_eq!(verdict(&Packet::v4(G2).frame(), &v2), Err(Outcome::Version));
}

#[test]
fn r03_v2_knows_no_ipv6() {
    let mut packet = Packet::v6(G5);
    packet.message[0] = 0x21;
    let verdict = verdict(&packet.frame(), &filter(2, Family::V6));
    assert_eq!(verdict, Err(Outcome::Version));
}

#[test]
fn r04_type() {
    assert_eq!(refused_v4(&bent(0, 0x37)), Outcome::Type);
    assert_eq!(refused_v4(&bent(0, 0x30)), Outcome::Type);
}

#[test]
fn r05_incomplete() {
    assert_eq!(refused_v4(&bent(3, 3)), Outcome::Incomplete);
    assert_eq!(refused_v4(&bent(3, 255)), Outcome::Incomplete);
    for length in 0..8 {
        let mut packet = Packet::v4(G2);
        packet.message.truncate(length);
        assert_eq!(refused_v4(&packet), Outcome::Incomplete, "{length}");
    }
}

#[test]
fn r05_v2_trailer_counts() {
    let mut packet = Packet::v4(G1);
    packet.message.truncate(16);
    mend_message(&mut packet.message);
    assert_eq!(
        verdict(&packet.frame(), &filter(2, Family::V4)),
        Err(Outcome::Incomplete)
    );
}

#[test]
fn r06_checksum() {
    for at in 6..16 {
        let mut packet = Packet::v4(G2);
        packet.message[at] ^= 0x10;
        assert_eq!(refused_v4(&packet), Outcome::Checksum, "{at}");
    }
}

#[test]
fn r06_g6_ipv6_without_pseudo_header() {
    assert_eq!(refused_v6(&Packet::v6(G6)), Outcome::Checksum);
}

#[test]
fn r06_v2_with_a_pseudo_header() {
    let pseudo = u32::from_be_bytes(PEER_V4) as u64 + 0xE000_0012 + 112 + 24;
    let mut packet = Packet::v4(G1);
    let old = u16::from_be_bytes([packet.message[6], packet.message[7]]);
    let mut sum = !old as u64 + pseudo;
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    packet.message[6..8].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    assert_eq!(
        verdict(&packet.frame(), &filter(2, Family::V4)),
        Err(Outcome::Checksum)
    );
}

#[test]
fn k06_unicast_sum_over_the_group() {
    // The sum of keepalived before 1.3.7: pseudo-header of the group.
    let refused = verdict(&Packet::unicast_v4(G3).frame(), &unicast_filter());
    assert_eq!(refused, Err(Outcome::Checksum));
}

#[test]
fn r08_owner_ignores() {
    let filter = InstanceFilter {
        flags: filter_flags::OWNER_IGNORES,
        ..filter(3, Family::V4)
    };
    assert_eq!(
        verdict(&Packet::v4(G2).frame(), &filter),
        Err(Outcome::OwnerIgnores)
    );
}

#[test]
fn r09_auth_type() {
    assert_eq!(bent_v2(4, 1), Outcome::AuthType);
    let pass = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        ..filter(2, Family::V4)
    };
    assert_eq!(
        verdict(&Packet::v4(G1).frame(), &pass),
        Err(Outcome::AuthType)
    );
}

#[test]
fn r09_password() {
    let filter = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        auth: *b"secret\0\0",
        ..filter(2, Family::V4)
    };
    for at in 0..8 {
        let mut packet = Packet::v4(G1);
        packet.message[4] = 1;
        packet.message[16..].copy_from_slice(b"secret\0\0");
        packet.message[16 + at] ^= 1;
        mend_message(&mut packet.message);
        assert_eq!(
            verdict(&packet.frame(), &filter),
            Err(Outcome::AuthFailed),
            "{at}"
        );
    }
}

#[test]
fn r10_no_addresses() {
    let mut packet = Packet::v4("31 0a 64 00 00 64 00 00");
    mend_message(&mut packet.message);
    assert_eq!(refused_v4(&packet), Outcome::NoAddresses);
}

#[test]
fn r11_interval_zero() {
    assert_eq!(refused_v4(&bent(5, 0)), Outcome::IntervalZero);
    assert_eq!(bent_v2(5, 0), Outcome::IntervalZero);
}

#[test]
fn r12_first_address_not_link_local() {
    let mut packet = Packet::v6(G5);
    // Swapped: the sum stays the same.
    let (first, second) = packet.message[8..].split_at_mut(16);
    first.swap_with_slice(second);
    assert_eq!(refused_v6(&packet), Outcome::NotLinkLocal);
    // Unless we are configured so ourselves.
    let mut ours = filter(3, Family::V6);
    ours.flags |= crate::record::filter_flags::ANY_FIRST_ADDRESS;
    assert!(verdict(&packet.frame(), &ours).is_ok());
}

#[test]
fn r13_v2_interval() {
    assert_eq!(bent_v2(5, 2), Outcome::IntervalMismatch);
}

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

#[test]
fn r18_trailing_bytes() {
    for extra in [1, 4, 28] {
        let mut packet = Packet::v4(G2);
        packet.message.extend(vec![0; extra]);
        assert_eq!(refused_v4(&packet), Outcome::Trailing, "{extra}");
    }
}

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

#[test]
fn r26_multicast_to_a_unicast_instance_and_back() {
    assert_eq!(
        verdict(&Packet::v4(G3).frame(), &unicast_filter()),
        Err(Outcome::Destination)
    );
    assert_eq!(refused_v4(&Packet::unicast_v4(G4)), Outcome::Destination);
}

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

#[test]
fn r28_ipv4_header_checksum() {
    let mut frame = Packet::v4(G2).frame();
    frame[24] ^= 1;
    assert_eq!(
        verdict(&frame, &filter(3, Family::V4)),
        Err(Outcome::IpChecksum)
    );
}

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

#[test]
fn r28_destination() {
    let packet = Packet {
        destination: ip("224.0.0.19"),
        ..Packet::v4(G2)
    };
    assert_eq!(refused_v4(&packet), Outcome::Destination);
}

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
