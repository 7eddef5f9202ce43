//! GARP and NA frames, byte by byte.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::lab::*;
use crate::wire::{
    arp::{self, GratuitousForm, gratuitous},
    checksum::Sum,
    ndisc::{self, Announcement, unsolicited_na},
};

// proves: D-20
#[test]
fn d20_garp_request_and_reply() {
    let vip = Ipv4Addr::new(192, 0, 2, 1);
    for (form, operation) in [
        (GratuitousForm::Request, "01"),
        (GratuitousForm::Reply, "02"),
    ] {
        let mut out = [0xA5; 64];
        assert_eq!(
            gratuitous(&mut out, OUR_MAC, vip, form),
            Some(arp::FRAME_LEN)
        );
        let head = "ff ff ff ff ff ff 02 00 00 00 00 0a 08 06 00 01 08 00 06 04 00";
        let tail = "02 00 00 00 00 0a c0 00 02 01 02 00 00 00 00 0a c0 00 02 01 a5";
        assert_eq!(out[..43], hex(&std::format!("{head} {operation} {tail}")));
    }
    assert_eq!(
        gratuitous(&mut [0; 41], OUR_MAC, vip, GratuitousForm::Request),
        None
    );
}

// proves: D-21
#[test]
fn d21_unsolicited_na() {
    let vip: Ipv6Addr = "2001:db8::1".parse().unwrap();
    for router in [true, false] {
        let mut out = [0xA5; 100];
        let say = Announcement {
            mac: OUR_MAC,
            source: vip,
            vip,
            router,
        };
        assert_eq!(unsolicited_na(&mut out, &say), Some(ndisc::FRAME_LEN));
        let start = "33 33 00 00 00 01 02 00 00 00 00 0a 86 dd 60 00 00 00 00 20 3a ff";
        assert_eq!(out[..22], hex(start));
        assert_eq!(out[22..38], vip.octets());
        assert_eq!(
            out[38..54],
            hex("ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01")
        );
        assert_eq!(out[54..56], [136, 0]);
        assert_eq!(out[58], if router { 0xA0 } else { 0x20 });
        assert_eq!(out[62..78], vip.octets());
        assert_eq!(out[78..87], hex("02 01 02 00 00 00 00 0a a5"));
        // Addresses, message, then next header and length of the pseudo-header.
        let sum = Sum::new().add_slice(&out[22..86]).add_u16(58).add_u16(32);
        assert!(sum.verifies());
    }
    let say = Announcement {
        mac: OUR_MAC,
        source: vip,
        vip,
        router: true,
    };
    assert_eq!(unsolicited_na(&mut [0; 85], &say), None);
}
