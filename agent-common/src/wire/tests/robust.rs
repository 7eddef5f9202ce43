//! No bytes of any length panic, and none but the whole message is accepted.

use std::vec;

use super::lab::*;
use crate::{
    types::Family,
    wire::{Link, locate, scan},
};

fn vectors() -> [(Packet, crate::record::InstanceFilter); 7] {
    [
        (Packet::v4(G1), filter(2, Family::V4)),
        (Packet::v4(G2), filter(3, Family::V4)),
        (Packet::v4(G3), filter(3, Family::V4)),
        (Packet::unicast_v4(G4), unicast_filter()),
        (Packet::v6(G5), filter(3, Family::V6)),
        (Packet::v4(G7), filter(3, Family::V4)),
        (Packet::v4(G8), filter(2, Family::V4)),
    ]
}

// proves: R-05
#[test]
fn every_truncation_is_refused() {
    for (packet, filter) in vectors() {
        let frame = packet.frame();
        assert!(verdict(&frame, &filter).is_ok());
        for length in 0..frame.len() {
            assert!(
                verdict(&frame[..length], &filter).is_err(),
                "{length} of {}",
                frame.len()
            );
        }
    }
}

#[test]
fn every_truncation_of_the_message_in_a_frame_of_rubbish_is_refused() {
    for (packet, filter) in vectors() {
        for length in 0..packet.message.len() {
            let mut short = packet.clone();
            short.message.truncate(length);
            short.padding = 200;
            assert!(verdict(&short.frame(), &filter).is_err(), "{length}");
        }
    }
}

#[test]
fn every_prefix_over_rubbish_is_survived() {
    for (packet, filter) in vectors() {
        let frame = packet.frame();
        for length in 0..frame.len() {
            let mut rubbish = vec![0xA5; 2048];
            rubbish[..length].copy_from_slice(&frame[..length]);
            assert!(verdict(&rubbish, &filter).is_err(), "{length}");
        }
    }
}

// proves: K-07, R-06
#[test]
fn every_single_bit_matters_or_is_known_not_to() {
    for (packet, filter) in vectors() {
        let frame = packet.frame();
        // Not looked at: source MAC, and in IPv6 the class and flow label.
        let unread = |at: usize| {
            (6..12).contains(&at) || (packet.source.is_ipv6() && (14..18).contains(&at))
        };
        for bit in 0..frame.len() * 8 {
            let mut bent = frame.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let refused = verdict(&bent, &filter).is_err();
            // The VRID and the Reserve nibble are covered by the checksum; a
            // unicast TTL by the header's.
            assert!(refused || unread(bit / 8), "bit {bit} of byte {}", bit / 8);
        }
    }
}

#[test]
fn scan_never_hides_what_locate_would_find() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (packet, filter) in vectors() {
        for _ in 0..20_000 {
            let mut frame = packet.frame();
            for _ in 0..random() % 4 {
                let at = random() as usize % frame.len();
                frame[at] = random() as u8;
            }
            frame.truncate(random() as usize % (frame.len() + 1));
            let link = Link {
                ifindex: 7,
                vlan: (random() % 2 == 0).then_some(random() as u16),
            };
            let found = locate(&frame[..], link);
            let foreign = found == Err(crate::Outcome::Foreign);
            assert!(foreign || scan(&frame[..], link.vlan), "{found:?}");
            if let Ok(located) = found {
                let _survived = crate::wire::judge(&frame[..], &located, &filter, NOW);
            }
        }
    }
}
