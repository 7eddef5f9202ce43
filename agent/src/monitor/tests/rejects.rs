//! Adverts that nobody would accept, and frames that are none.

use agent_common::{Outcome, wire::checksum::Sum};

use super::{Lab, MS, Router, SECOND, ip, router};
use crate::monitor::{
    event::{Event, Rejected},
    rejects::MAX_REJECTS,
};

fn rejected(events: &[Event]) -> Option<&Rejected> {
    match events {
        [Event::Rejected(rejected)] => Some(rejected),
        _ => None,
    }
}

fn reason(frame: &[u8]) -> String {
    let events = Lab::default().frame(frame, SECOND, false);
    rejected(&events).map_or_else(|| format!("{events:?}"), |r| r.reason.to_owned())
}

/// Mends the checksum of a v2 message, which covers the message alone.
fn mend(message: &mut [u8]) {
    message[6..8].fill(0);
    let sum = Sum::new().add_slice(message).finish();
    message[6..8].copy_from_slice(&sum.to_be_bytes());
}

fn v2() -> Router {
    let mut sender = router("192.0.2.1", 100);
    sender.version = agent_common::Version::V2;
    sender
}

#[test]
fn every_reason_that_needs_no_configuration_is_told() {
    let sender = v2();
    let with_sum = |bend: fn(&mut Vec<u8>)| {
        sender.bent(|message| {
            bend(message);
            mend(message);
        })
    };
    let far = Router { ttl: 254, ..v2() };
    let wrong_group = Router {
        destination: Some(ip("224.0.0.19")),
        ..v2()
    };
    let mut global_first = router("fe80::1", 100);
    global_first.vips.reverse();
    let cases = [
        (sender.bent(|m| m[7] ^= 1), Outcome::Checksum),
        (far.frame(), Outcome::Ttl),
        (with_sum(|m| m[0] = 0x11), Outcome::Version),
        (with_sum(|m| m[0] = 0x22), Outcome::Type),
        (with_sum(|m| m[1] = 0), Outcome::UnknownVrid),
        (with_sum(|m| m[3] = 2), Outcome::Incomplete),
        (with_sum(|m| m[3] = 0), Outcome::Trailing),
        (with_sum(|m| m[4] = 2), Outcome::AuthType),
        (with_sum(|m| m[5] = 0), Outcome::IntervalZero),
        (sender.bent(|m| m.truncate(4)), Outcome::Incomplete),
        (wrong_group.frame(), Outcome::Destination),
        (router("127.0.0.1", 1).frame(), Outcome::BadSource),
        (global_first.frame(), Outcome::NotLinkLocal),
    ];
    for (frame, expected) in cases {
        assert_eq!(reason(&frame), expected.label());
    }
    let no_addresses = router("192.0.2.1", 1).bent(|m| {
        m.truncate(8);
        m[3] = 0;
        mend(m);
    });
    assert_eq!(reason(&no_addresses), Outcome::NoAddresses.label());
    let mut bad_header = sender.frame();
    bad_header[14 + 10] ^= 1;
    assert_eq!(reason(&bad_header), Outcome::IpChecksum.label());
}

#[test]
fn a_rejected_advert_names_its_sender_and_changes_no_router() {
    let mut lab = Lab::default();
    let sender = v2();
    lab.hear(&sender, SECOND);
    let before = lab.model.routers().next().map(|r| r.report());
    let events = lab.frame(&sender.bent(|m| m[2] = 250), 2 * SECOND, true);
    let told = rejected(&events).expect("a rejection");
    assert_eq!((told.source, told.local), (Some(sender.source), true));
    assert_eq!(told.router.map(|router| router.vrid), Some(51));
    let mut after = lab
        .model
        .routers()
        .next()
        .map(|r| r.report())
        .expect("a router");
    assert_eq!(after.rejected, 1);
    after.rejected = 0;
    assert_eq!(Some(after), before);
}

#[test]
fn the_source_is_told_even_where_the_header_is_broken() {
    let mut frame = v2().frame();
    frame[14 + 10] ^= 1;
    let events = Lab::default().frame(&frame, SECOND, false);
    let told = rejected(&events).expect("a rejection");
    assert_eq!((told.source, told.router), (Some(ip("192.0.2.1")), None));
}

#[test]
fn one_reason_of_one_source_is_told_once_in_ten_seconds() {
    let mut lab = Lab::default();
    let bad = v2().bent(|m| m[7] ^= 1);
    let mut told = Vec::new();
    for i in 0..200 {
        let events = lab.frame(&bad, SECOND + i * 100 * MS, false);
        told.extend(rejected(&events).map(|r| r.count));
    }
    assert_eq!(told, [1, 101]);
    assert_eq!(lab.model.totals().rejected, 200);
}

#[test]
fn forged_sources_fill_neither_memory_nor_the_output() {
    let mut lab = Lab::default();
    let mut told = 0;
    for i in 0..2_000u32 {
        let mut sender = v2();
        sender.source = std::net::Ipv4Addr::from(0x0A00_0000 + i).into();
        told += lab.frame(&sender.bent(|m| m[7] ^= 1), SECOND, false).len();
    }
    assert!(told <= 20, "{told}");
    assert_eq!(lab.model.rejects().len(), MAX_REJECTS);
    assert_eq!(lab.model.totals().rejected, 2_000);
}

#[test]
fn no_cut_and_no_flipped_byte_of_a_frame_breaks_anything() {
    for sender in [v2(), router("fe80::1", 100)] {
        let whole = sender.frame();
        let mut lab = Lab::default();
        for length in 0..whole.len() {
            lab.frame(&whole[..length], SECOND, false);
        }
        for at in 0..whole.len() {
            for value in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
                let mut bent = whole.clone();
                bent[at] = value;
                lab.frame(&bent, 2 * SECOND, false);
            }
        }
        // Foreign traffic is not even counted.
        let before = lab.model.totals().rejected;
        let mut arp = whole;
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(lab.frame(&arp, 3 * SECOND, false), []);
        assert_eq!(lab.model.totals().rejected, before);
    }
}
