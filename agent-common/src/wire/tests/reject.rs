//! One bent packet for each reason to refuse, by requirement id.

use super::lab::*;
use crate::{
    outcome::Outcome,
    record::{InstanceFilter, filter_flags},
    types::Family,
    wire::{SlowPath, frame::wire_address, judge, locate_ipv4, locate_ipv6, vrrp},
};

pub(super) fn refused_v4(packet: &Packet) -> Outcome {
    verdict(&packet.frame(), &filter(3, Family::V4)).unwrap_err()
}

pub(super) fn refused_v6(packet: &Packet) -> Outcome {
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

// proves: R-01
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

// proves: R-02
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

// proves
#[test]
fn r01_r02_on_the_slow_path() {
    let packet = Packet {
        ttl: 254,
        ..Packet::v4(G3)
    };
    let packet = packet.ip_packet();
    let located = locate_ipv4(&packet[..], 7, 0).unwrap();
    let found = judge(&packet[..], &located, &filter(3, Family::V4), NOW);
    assert_eq!(found, Err(Outcome::Ttl));

    let payload = hex(G5);
    let from = SlowPath {
        ifindex: 7,
        vlan: 0,
        source: wire_address(ip("fe80::c8")),
        destination: vrrp::GROUP_V6,
        hop_limit: 254,
    };
    let located = locate_ipv6(&payload[..], from).unwrap();
    let found = judge(&payload[..], &located, &filter(3, Family::V6), NOW);
    assert_eq!(found, Err(Outcome::Ttl));
}

// proves: R-03, I-10
#[test]
fn r03_version() {
    assert_eq!(refused_v4(&Packet::v4(G1)), Outcome::Version);
    assert_eq!(refused_v4(&bent(0, 0x41)), Outcome::Version);
    let v2 = filter(2, Family::V4);
    assert_eq!(verdict(&Packet::v4(G2).frame(), &v2), Err(Outcome::Version));
}

// proves: R-03
#[test]
fn r03_v2_knows_no_ipv6() {
    let mut packet = Packet::v6(G5);
    packet.message[0] = 0x21;
    let verdict = verdict(&packet.frame(), &filter(2, Family::V6));
    assert_eq!(verdict, Err(Outcome::Version));
}

// proves: R-04
#[test]
fn r04_type() {
    assert_eq!(refused_v4(&bent(0, 0x37)), Outcome::Type);
    assert_eq!(refused_v4(&bent(0, 0x30)), Outcome::Type);
}

// proves: R-05
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

// proves: R-05
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

// proves: K-07, R-06
#[test]
fn r06_checksum() {
    for at in 6..16 {
        let mut packet = Packet::v4(G2);
        packet.message[at] ^= 0x10;
        assert_eq!(refused_v4(&packet), Outcome::Checksum, "{at}");
    }
}

// proves: K-02, K-07, K-09, R-06
#[test]
fn r06_g6_ipv6_without_pseudo_header() {
    assert_eq!(refused_v6(&Packet::v6(G6)), Outcome::Checksum);
}

// proves: K-01, K-07, R-06
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

// proves: K-06
#[test]
fn k06_unicast_sum_over_the_group() {
    // The sum of keepalived before 1.3.7: pseudo-header of the group.
    let refused = verdict(&Packet::unicast_v4(G3).frame(), &unicast_filter());
    assert_eq!(refused, Err(Outcome::Checksum));
}

// proves: R-08
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

// proves: F-26, R-09
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

// proves: R-09
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

// proves: R-10
#[test]
fn r10_no_addresses() {
    let mut packet = Packet::v4("31 0a 64 00 00 64 00 00");
    mend_message(&mut packet.message);
    assert_eq!(refused_v4(&packet), Outcome::NoAddresses);
}

// proves: R-11
#[test]
fn r11_interval_zero() {
    assert_eq!(refused_v4(&bent(5, 0)), Outcome::IntervalZero);
    assert_eq!(bent_v2(5, 0), Outcome::IntervalZero);
}

// proves: R-12
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

// proves: R-13
#[test]
fn r13_v2_interval() {
    assert_eq!(bent_v2(5, 2), Outcome::IntervalMismatch);
}
