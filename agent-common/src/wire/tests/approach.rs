//! Who is asked for, or sent to: every truncation and every byte of a frame.

use super::super::{
    Link,
    approach::{Approach, approach, scan_question},
};
use crate::types::Family;

const LINK: Link = Link {
    ifindex: 7,
    vlan: None,
};

fn arp() -> [u8; 42] {
    let mut frame = [0xA5; 42];
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[28..32].copy_from_slice(&[203, 0, 113, 2]);
    frame[38..42].copy_from_slice(&[203, 0, 113, 7]);
    frame
}

fn solicitation() -> [u8; 78] {
    let mut frame = [0xA5; 78];
    frame[12..14].copy_from_slice(&[0x86, 0xDD]);
    frame[20] = 58;
    frame[54] = 135;
    frame[62..78].copy_from_slice(&[7; 16]);
    frame
}

#[test]
fn questions_are_known_at_their_whole_length_only() {
    let cases: [(&[u8], Family); 2] = [(&arp(), Family::V4), (&solicitation(), Family::V6)];
    for (frame, family) in cases {
        assert!(scan_question(frame, None));
        let (key, how) = approach(frame, LINK).unwrap();
        assert_eq!((key.ifindex, key.vlan, key._pad), (7, 0, 0));
        assert_eq!((key.family, how), (family as u8, Approach::Question));
        for length in 0..frame.len() {
            let short = frame.get(..length).unwrap();
            let question = approach(short, LINK).filter(|(_, how)| *how == Approach::Question);
            assert_eq!(question, None, "{length} bytes");
        }
    }
}

/// What is asked for is in no other byte, and whatever decides is looked at.
#[test]
fn each_byte_of_an_arp_request_counts_as_it_should() {
    let (wanted, _) = approach(&arp()[..], LINK).unwrap();
    for at in 0..42 {
        let mut frame = arp();
        frame[at] ^= 0x10;
        let found = approach(&frame[..], LINK);
        match at {
            // The frame is of another kind, or no request.
            12..22 => assert_eq!(found, None, "{at}"),
            38..42 => assert!(found.is_some_and(|(key, _)| key != wanted), "{at}"),
            _ => assert_eq!(found, Some((wanted, Approach::Question)), "{at}"),
        }
    }
}

#[test]
fn announcements_are_no_questions() {
    let mut frame = arp();
    frame[28..32].copy_from_slice(&[203, 0, 113, 7]);
    assert_eq!(approach(&frame[..], LINK), None);
}

#[test]
fn the_vlan_is_part_of_the_place() {
    let tagged = Link {
        vlan: Some(0x2007),
        ..LINK
    };
    let (key, _) = approach(&arp()[..], tagged).unwrap();
    assert_eq!(key.vlan, 7);
}

#[test]
fn packets_are_sent_to_their_destination() {
    let mut frame = [0xA5; 60];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[30..34].copy_from_slice(&[203, 0, 113, 7]);
    let (key, how) = approach(&frame[..], LINK).unwrap();
    assert_eq!(
        (&key.address[..4], how),
        (&[203, 0, 113, 7][..], Approach::Packet)
    );
    assert!(!scan_question(&frame[..], None));
    frame[12..14].copy_from_slice(&[0x86, 0xDD]);
    frame[38..54].copy_from_slice(&[9; 16]);
    let (key, how) = approach(&frame[..], LINK).unwrap();
    assert_eq!((key.address, how), ([9; 16], Approach::Packet));
}
