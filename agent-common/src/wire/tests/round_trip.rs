//! What we build is what the golden vectors say, and what we accept.

use core::net::IpAddr;
use std::{vec, vec::Vec};

use super::lab::*;
use crate::{
    record::{InstanceFilter, advert_flags, filter_flags},
    types::{AdvertInterval, Family, Priority, Version, Vrid},
    wire::{
        frame::{ip_address, wire_address},
        vrrp::{self, Advert, ChecksumForm, address_digest, build},
    },
};

const PSEUDO: ChecksumForm = ChecksumForm::PseudoHeader {
    source: IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 251)),
    destination: IpAddr::V4(core::net::Ipv4Addr::new(224, 0, 0, 18)),
};

fn advert(addresses: &[IpAddr]) -> Advert<'_> {
    Advert {
        version: Version::V3,
        vrid: Vrid::new(10).unwrap(),
        priority: Priority::DEFAULT,
        interval: AdvertInterval::DEFAULT,
        auth: None,
        addresses,
        family: Family::V4,
        checksum: ChecksumForm::MessageOnly,
    }
}

fn built(advert: &Advert<'_>) -> Option<Vec<u8>> {
    let mut out = vec![0xA5; vrrp::MAX_LEN];
    let length = build(&mut out, advert)?;
    assert!(out[length..].iter().all(|byte| *byte == 0xA5));
    out.truncate(length);
    Some(out)
}

// proves: F-11, F-12, F-13, F-16, F-17, F-18, F-20, F-24, F-25, K-01, K-02, K-03, K-04, X-01, X-02
#[test]
fn x01_x02_golden_vectors() {
    let two = [ip("192.0.2.1"), ip("192.0.2.2")];
    let v3 = advert(&two);
    assert_eq!(
        built(&Advert {
            version: Version::V2,
            ..v3
        }),
        Some(hex(G1))
    );
    assert_eq!(built(&v3), Some(hex(G2)));
    assert_eq!(
        built(&Advert {
            checksum: PSEUDO,
            ..v3
        }),
        Some(hex(G3))
    );
    let unicast = ChecksumForm::PseudoHeader {
        source: PEER_V4.into(),
        destination: OURS_V4.into(),
    };
    assert_eq!(
        built(&Advert {
            checksum: unicast,
            ..v3
        }),
        Some(hex(G4))
    );
    assert_eq!(
        built(&Advert {
            priority: Priority::RELEASE,
            ..v3
        }),
        Some(hex(G7))
    );
    let v6 = [ip("fe80::1"), ip("2001:db8::1")];
    let checksum = ChecksumForm::PseudoHeader {
        source: ip("fe80::c8"),
        destination: ip("ff02::12"),
    };
    let v6 = Advert {
        family: Family::V6,
        checksum,
        ..advert(&v6)
    };
    assert_eq!(built(&v6), Some(hex(G5)));
}

// proves: X-01
#[test]
fn x01_every_size_round_trips() {
    let digest_of = |list: &[IpAddr]| address_digest(list.iter().copied());
    for count in 1..=255_u8 {
        let v4: Vec<IpAddr> = (0..count).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        let message = built(&Advert {
            checksum: PSEUDO,
            ..advert(&v4)
        })
        .unwrap();
        let found = verdict(
            &Packet {
                message,
                ..Packet::v4("")
            }
            .frame(),
            &filter(3, Family::V4),
        );
        let found = found.unwrap();
        assert_eq!(
            (found.address_count, found.addresses_digest),
            (count, digest_of(&v4))
        );
        assert_eq!(found.flags, advert_flags::PSEUDO_HEADER);

        let v6: Vec<IpAddr> = (0..count)
            .map(|n| IpAddr::from([0xFE80, 0, 0, 0, 0, 0, 0, n as u16]))
            .collect();
        let checksum = ChecksumForm::PseudoHeader {
            source: ip("fe80::c8"),
            destination: ip("ff02::12"),
        };
        let message = built(&Advert {
            family: Family::V6,
            checksum,
            ..advert(&v6)
        })
        .unwrap();
        let found = verdict(
            &Packet {
                message,
                ..Packet::v6("")
            }
            .frame(),
            &filter(3, Family::V6),
        );
        let found = found.unwrap();
        assert_eq!(
            (found.address_count, found.addresses_digest),
            (count, digest_of(&v6))
        );
    }
}

// proves: F-27
#[test]
fn f27_v2_password_round_trips() {
    let one = [ip("192.0.2.1")];
    let auth = Some(*b"12345678");
    let interval = AdvertInterval::from_v2_seconds(255).unwrap();
    let message = built(&Advert {
        version: Version::V2,
        auth,
        interval,
        ..advert(&one)
    })
    .unwrap();
    let filter = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        auth: *b"12345678",
        v2_seconds: 255,
        ..filter(2, Family::V4)
    };
    let found = verdict(
        &Packet {
            message,
            ..Packet::v4("")
        }
        .frame(),
        &filter,
    )
    .unwrap();
    assert_eq!(found.interval_cs, 25_500);
}

// proves: F-17, F-20, F-21, F-23, K-02
#[test]
fn what_cannot_be_sent_is_not_built() {
    let one = [ip("192.0.2.1")];
    let v3 = advert(&one);
    let sub_second = AdvertInterval::from_centis(150).unwrap();
    let too_long = AdvertInterval::from_centis(4096).unwrap();
    assert_eq!(AdvertInterval::from_centis(0), None);
    let many = vec![ip("192.0.2.1"); 256];
    let mixed = [ip("192.0.2.1"), ip("fe80::1")];
    let v6 = [ip("fe80::1")];
    assert_eq!(
        built(&Advert {
            version: Version::V2,
            interval: sub_second,
            ..v3
        }),
        None
    );
    assert_eq!(
        built(&Advert {
            interval: too_long,
            ..v3
        }),
        None
    );
    assert_eq!(built(&advert(&many)), None);
    assert_eq!(built(&advert(&[])), None);
    assert_eq!(built(&advert(&mixed)), None);
    assert_eq!(
        built(&Advert {
            family: Family::V6,
            ..advert(&v6)
        }),
        None
    );
    assert_eq!(
        built(&Advert {
            family: Family::V6,
            checksum: PSEUDO,
            ..advert(&v6)
        }),
        None
    );
    for short in 0..12 {
        assert_eq!(build(&mut vec![0; short], &v3), None);
    }
}

// proves: R-15
#[test]
fn r15_digest_ignores_order_and_nothing_else() {
    let digest = |list: &[&str]| address_digest(list.iter().map(|text| ip(text)));
    assert_eq!(
        digest(&["10.0.0.1", "10.0.0.2"]),
        digest(&["10.0.0.2", "10.0.0.1"])
    );
    assert_ne!(
        digest(&["10.0.0.1", "10.0.0.2"]),
        digest(&["10.0.0.0", "10.0.0.3"])
    );
    assert_ne!(digest(&["10.0.0.1"]), digest(&["10.0.0.1", "10.0.0.1"]));
    assert_ne!(digest(&["fe80::1:0"]), digest(&["fe80::1"]));
}

#[test]
fn addresses_come_back() {
    for (family, text) in [(Family::V4, "192.0.2.7"), (Family::V6, "2001:db8::7")] {
        assert_eq!(ip_address(family, wire_address(ip(text))), ip(text));
    }
}

// proves: D-01
#[test]
fn d01_virtual_mac() {
    let vrid = Vrid::new(51).unwrap();
    assert_eq!(vrrp::virtual_mac(Family::V4, vrid), [0, 0, 0x5E, 0, 1, 51]);
    assert_eq!(vrrp::virtual_mac(Family::V6, vrid), [0, 0, 0x5E, 0, 2, 51]);
}
