//! What must be accepted, and what the record then says.

use std::vec;

use super::lab::*;
use crate::{
    outcome::Outcome,
    record::{AdvertRecord, InstanceFilter, InstanceKey, advert_flags, filter_flags},
    types::Family,
    wire::{
        Link, SlowPath, frame::wire_address, judge, locate, locate_ipv4, locate_ipv6, scan, vrrp,
    },
};

fn record(priority: u8, version: u8, flags: u8) -> AdvertRecord {
    AdvertRecord {
        stamp_ns: NOW,
        source: wire_address(PEER_V4.into()),
        slot: 3,
        addresses_digest: vrrp::address_digest([ip("192.0.2.2"), ip("192.0.2.1")]),
        interval_cs: 100,
        priority,
        version,
        family: 4,
        address_count: 2,
        flags,
        _pad: 0,
    }
}

// proves: F-11, F-20, K-01
#[test]
fn g1_v2() {
    assert_eq!(
        verdict(&Packet::v4(G1).frame(), &filter(2, Family::V4)),
        Ok(record(100, 2, 0))
    );
}

// proves: K-03, K-05
#[test]
fn g2_v3_message_only_checksum() {
    assert_eq!(
        verdict(&Packet::v4(G2).frame(), &filter(3, Family::V4)),
        Ok(record(100, 3, 0))
    );
}

// proves: K-04, K-05
#[test]
fn g3_v3_pseudo_header_checksum() {
    let expected = record(100, 3, advert_flags::PSEUDO_HEADER);
    assert_eq!(
        verdict(&Packet::v4(G3).frame(), &filter(3, Family::V4)),
        Ok(expected)
    );
}

// proves: K-06
#[test]
fn g4_v3_unicast_checksum_covers_the_real_destination() {
    let expected = record(100, 3, advert_flags::PSEUDO_HEADER);
    assert_eq!(
        verdict(&Packet::unicast_v4(G4).frame(), &unicast_filter()),
        Ok(expected)
    );
}

// proves: K-02
#[test]
fn g5_v3_ipv6() {
    let expected = AdvertRecord {
        source: wire_address(ip("fe80::c8")),
        addresses_digest: vrrp::address_digest([ip("fe80::1"), ip("2001:db8::1")]),
        family: 6,
        ..record(100, 3, advert_flags::PSEUDO_HEADER)
    };
    assert_eq!(
        verdict(&Packet::v6(G5).frame(), &filter(3, Family::V6)),
        Ok(expected)
    );
}

#[test]
fn g7_release() {
    assert_eq!(
        verdict(&Packet::v4(G7).frame(), &filter(3, Family::V4)),
        Ok(record(0, 3, 0))
    );
}

// proves: K-01
#[test]
fn g8_v2_of_another_implementation() {
    let found = verdict(&Packet::v4(G8).frame(), &filter(2, Family::V4)).unwrap();
    assert_eq!(
        (found.priority, found.interval_cs, found.address_count),
        (30, 100, 1)
    );
}

// proves: F-19
#[test]
fn f19_reserve_nibble_is_ignored() {
    let mut packet = Packet::v4(G2);
    packet.message[4] |= 0xF0;
    mend_message(&mut packet.message);
    assert_eq!(
        verdict(&packet.frame(), &filter(3, Family::V4)),
        Ok(record(100, 3, 0))
    );
}

// proves: F-25
#[test]
fn f25_v2_authentication_data_is_ignored_without_authentication() {
    let mut packet = Packet::v4(G1);
    packet.message[16] = 0x77;
    mend_message(&mut packet.message);
    assert_eq!(
        verdict(&packet.frame(), &filter(2, Family::V4)),
        Ok(record(100, 2, 0))
    );
}

// proves: F-27
#[test]
fn f27_v2_password() {
    let mut packet = Packet::v4(G1);
    packet.message[4] = 1;
    packet.message[16..].copy_from_slice(b"secret\0\0");
    mend_message(&mut packet.message);
    let filter = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        auth: *b"secret\0\0",
        ..filter(2, Family::V4)
    };
    assert_eq!(verdict(&packet.frame(), &filter), Ok(record(100, 2, 0)));
}

// proves: K-08
#[test]
fn k08_both_representations_of_a_zero_checksum() {
    // Priority and interval chosen so that everything else sums to 0xFFFF.
    for field in [[0x00, 0x00], [0xFF, 0xFF]] {
        let mut packet = Packet::v4(G2);
        packet.message[6..8].fill(0);
        let rest = crate::wire::checksum::Sum::new()
            .add_slice(&packet.message)
            .finish();
        // The last address takes up the difference.
        let low = u16::from_be_bytes([packet.message[14], packet.message[15]]);
        let low = crate::wire::checksum::Sum::new()
            .add_u16(low)
            .add_u16(rest)
            .finish();
        packet.message[14..16].copy_from_slice(&(!low).to_be_bytes());
        packet.message[6..8].copy_from_slice(&field);
        assert!(
            verdict(&packet.frame(), &filter(3, Family::V4)).is_ok(),
            "{field:02x?}"
        );
        packet.message[6] ^= 1;
        assert_eq!(
            verdict(&packet.frame(), &filter(3, Family::V4)),
            Err(Outcome::Checksum)
        );
    }
}

// proves: R-17
#[test]
fn r17_link_padding_is_not_part_of_the_message() {
    let packet = Packet {
        padding: 10,
        ..Packet::v4(G2)
    };
    assert_eq!(packet.frame().len(), 60);
    assert_eq!(
        verdict(&packet.frame(), &filter(3, Family::V4)),
        Ok(record(100, 3, 0))
    );
}

// proves: R-19
#[test]
fn r19_ipv4_options() {
    for words in 1..=10 {
        let packet = Packet {
            options: vec![1; words * 4],
            ..Packet::v4(G3)
        };
        let expected = record(100, 3, advert_flags::PSEUDO_HEADER);
        assert_eq!(
            verdict(&packet.frame(), &filter(3, Family::V4)),
            Ok(expected),
            "{words}"
        );
    }
}

// proves: R-20
#[test]
fn r20_up_to_four_extension_headers() {
    for count in 1..=4_usize {
        let mut packet = Packet {
            first: 60,
            ..Packet::v6(G5)
        };
        for left in (0..count).rev() {
            let next = if left == 0 { 112 } else { 60 };
            packet.options.extend([next, 0, 1, 4, 0, 0, 0, 0]);
        }
        assert!(scan(&packet.frame()[..], None));
        assert!(
            verdict(&packet.frame(), &filter(3, Family::V6)).is_ok(),
            "{count}"
        );
    }
}

// proves: R-20
#[test]
fn r20_atomic_fragment_is_whole() {
    let packet = Packet {
        first: 44,
        options: vec![112, 0, 0, 0, 1, 2, 3, 4],
        ..Packet::v6(G5)
    };
    assert!(verdict(&packet.frame(), &filter(3, Family::V6)).is_ok());
}

/// By whatever path a message comes: interface, VLAN, family and VRID.
// proves: R-07
#[test]
fn r07_the_key_has_the_interface_the_family_and_the_vrid() {
    for ifindex in [7, 8] {
        for (family, packet, message) in [
            (Family::V4, Packet::v4(G2), G2),
            (Family::V6, Packet::v6(G5), G5),
        ] {
            let key = InstanceKey {
                ifindex,
                vlan: 0,
                family: family as u8,
                vrid: 10,
            };
            let link = Link {
                ifindex,
                vlan: None,
            };
            let frame = packet.frame();
            assert_eq!(locate(&frame[..], link).map(|l| l.key), Ok(key));
            let slow = match family {
                Family::V4 => locate_ipv4(&packet.ip_packet()[..], ifindex, 0),
                Family::V6 => {
                    let from = SlowPath {
                        ifindex,
                        vlan: 0,
                        source: wire_address(ip("fe80::c8")),
                        destination: vrrp::GROUP_V6,
                        hop_limit: 255,
                    };
                    locate_ipv6(&hex(message)[..], from)
                }
            };
            assert_eq!(slow.map(|l| l.key), Ok(key));
        }
    }
}

// proves: R-22
#[test]
fn r22_vlan_tags_in_and_out_of_the_frame() {
    let cases = [
        (vec![], None, 0),
        (vec![(0x8100, 0xE064)], None, 100),
        (vec![(0x88A8, 7), (0x8100, 100)], None, 100),
        (vec![(0x8100, 0xE000)], None, 0),
        (vec![(0x88A8, 7), (0x8100, 0xE000)], None, 7),
        (vec![(0x8100, 0xE000)], Some(0x2064), 100),
        (vec![], Some(0x2064), 100),
        (vec![(0x8100, 200)], Some(0x2064), 200),
    ];
    for (tags, out_of_band, vlan) in cases {
        let packet = Packet {
            tags: tags.clone(),
            ..Packet::v4(G2)
        };
        let frame = packet.frame();
        let link = Link {
            ifindex: 7,
            vlan: out_of_band,
        };
        assert!(scan(&frame[..], out_of_band));
        let located = locate(&frame[..], link).unwrap();
        assert_eq!(located.key.vlan, vlan, "{tags:?} {out_of_band:?}");
        assert_eq!(
            judge(&frame[..], &located, &filter(3, Family::V4), NOW),
            Ok(record(100, 3, 0))
        );
    }
}

// proves: R-22
#[test]
fn r22_three_tags_are_foreign_wherever_the_first_is() {
    let packet = Packet {
        tags: vec![(0x88A8, 1), (0x8100, 2)],
        ..Packet::v4(G2)
    };
    let link = Link {
        ifindex: 7,
        vlan: Some(3),
    };
    assert_eq!(locate(&packet.frame()[..], link), Err(Outcome::Foreign));

    let packet = Packet {
        tags: vec![(0x88A8, 1), (0x8100, 2), (0x8100, 3)],
        ..Packet::v4(G2)
    };
    assert_eq!(
        verdict(&packet.frame(), &filter(3, Family::V4)),
        Err(Outcome::Foreign)
    );
    assert!(!scan(&packet.frame()[..], None));
}

// proves: R-26
#[test]
fn r26_unicast_ttl_is_not_checked() {
    let packet = Packet {
        ttl: 3,
        ..Packet::unicast_v4(G4)
    };
    assert!(verdict(&packet.frame(), &unicast_filter()).is_ok());
}

// proves: R-28
#[test]
fn r28_multicast_advert_sent_to_our_own_mac() {
    let packet = Packet {
        destination_mac: OUR_MAC,
        ..Packet::v4(G2)
    };
    assert!(verdict(&packet.frame(), &filter(3, Family::V4)).is_ok());
}

// proves: R-30
#[test]
fn r30_slow_path_says_the_same() {
    let packet = Packet::v4(G3).ip_packet();
    let located = locate_ipv4(&packet[..], 7, 0).unwrap();
    let flags = advert_flags::PSEUDO_HEADER | advert_flags::REASSEMBLED;
    let found = judge(&packet[..], &located, &filter(3, Family::V4), NOW);
    assert_eq!(found, Ok(record(100, 3, flags)));

    let from = SlowPath {
        ifindex: 7,
        vlan: 0,
        source: wire_address(ip("fe80::c8")),
        destination: vrrp::GROUP_V6,
        hop_limit: 255,
    };
    let payload = hex(G5);
    let located = locate_ipv6(&payload[..], from).unwrap();
    let found = judge(&payload[..], &located, &filter(3, Family::V6), NOW).unwrap();
    let by_frame = verdict(&Packet::v6(G5).frame(), &filter(3, Family::V6)).unwrap();
    assert_eq!(found, AdvertRecord { flags, ..by_frame });
}
