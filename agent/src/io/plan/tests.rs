//! From instances and machines to ports and faults.

use agent_common::{Version, wire::frame::wire_address};

use super::{fitting::room, *};
use crate::config::parse_str;

/// What keepalived 2.2.7 says of its MTU: "max N addresses".
#[test]
fn the_room_of_an_advert_is_that_of_keepalived() {
    for (version, family, mtu, expected) in [
        (Version::V3, Family::V6, 1280, 76),
        (Version::V3, Family::V6, 1294, 77),
        (Version::V3, Family::V6, 1293, 76),
        (Version::V3, Family::V6, 1310, 78),
        (Version::V3, Family::V6, 1400, 83),
        (Version::V3, Family::V6, 1500, 89),
        (Version::V3, Family::V6, 9000, 255),
        (Version::V3, Family::V4, 501, 114),
        (Version::V3, Family::V4, 502, 115),
        (Version::V3, Family::V4, 576, 133),
        (Version::V2, Family::V4, 501, 112),
        (Version::V2, Family::V4, 502, 113),
        (Version::V2, Family::V4, 576, 131),
        (Version::V2, Family::V4, 1500, 255),
        (Version::V2, Family::V4, 0, 1),
    ] {
        assert_eq!(
            room(version, family, mtu),
            expected,
            "{version:?} {family:?} {mtu}"
        );
    }
}

fn instance(count: u8) -> Instance {
    let vips: String = (1..=count).map(|n| format!("10.0.0.{n}\n")).collect();
    let text = format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\nversion 3\n\
         virtual_ipaddress_excluded {{\n10.0.1.1\n}}\nvirtual_ipaddress {{\n{vips}}}\n}}\n"
    );
    parse_str("f", &text).config.unwrap().instances.remove(0)
}

/// The first ones of the file stay, and none is lost.
#[test]
fn what_does_not_fit_is_held_and_not_advertised() {
    let instance = instance(200);
    assert_eq!(*fitting(&instance, 1500), instance);
    let cut = fitting(&instance, 502);
    let first: Vec<IpAddr> = instance.advertised().take(115).collect();
    assert_eq!(cut.advertised().collect::<Vec<_>>(), first);
    assert_eq!(cut.vips.len(), instance.vips.len());
    assert_eq!(
        core_config(InstanceId(1), &cut, Standing::alone(&cut)).address_count,
        115
    );
}

const LINK: u32 = 7;

fn link() -> Link {
    Link {
        ifindex: LINK,
        name: "eth0".to_owned(),
        usable: true,
        patient: false,
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        vlan_of: None,
        macvlan_of: None,
        vrf: None,
        alias: String::new(),
        promotes: false,
    }
}

fn has(address: &str) -> Address {
    Address {
        ifindex: LINK,
        address: address.parse().unwrap(),
        prefix: 24,
        peer: None,
        protocol: 0,
        secondary: false,
        tentative: false,
    }
}

fn source(text: &str, addresses: Vec<Address>) -> Option<IpAddr> {
    let instance = parse_str("f", text).config.unwrap().instances.remove(0);
    let world = World {
        links: vec![link()],
        addresses,
        forwards_v6: false,
    };
    let standing = Standing::alone(&instance);
    match plan(InstanceId(1), &instance, standing, &world) {
        Ok(port) => {
            // What is compared in a tie, sent from, and known as our own.
            assert_eq!(port.filter.own, wire_address(port.source));
            Some(port.source)
        }
        Err(fault) => {
            assert_eq!(fault, Fault::NoSourceAddress);
            None
        }
    }
}

const V4: &str = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\n\
    virtual_ipaddress {\n10.0.0.9\n}\n}\n";

// proves: F-01
#[test]
fn f01_the_source_is_the_primary_address_and_never_a_vip() {
    let secondary = Address {
        secondary: true,
        ..has("10.0.0.1")
    };
    // The VIP is there already, and comes first.
    let all = vec![
        has("10.0.0.9"),
        secondary.clone(),
        has("10.0.0.2"),
        has("10.0.1.1"),
    ];
    assert_eq!(source(V4, all), Some("10.0.0.2".parse().unwrap()));
    assert_eq!(source(V4, vec![has("10.0.0.9"), secondary]), None);
    let elsewhere = Address {
        ifindex: LINK + 1,
        ..has("10.0.0.2")
    };
    assert_eq!(source(V4, vec![elsewhere, has("fe80::1")]), None);
}

// proves: F-02, X-09
#[test]
fn f02_x09_the_source_of_ipv6_is_a_link_local_address_that_is_ready() {
    let text = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nversion 3\n\
        virtual_ipaddress {\nfe80::9\n2001:db8::9\n}\n}\n";
    let tentative = Address {
        tentative: true,
        ..has("fe80::1")
    };
    let global = has("2001:db8::1");
    assert_eq!(
        source(
            text,
            vec![has("fe80::9"), global.clone(), tentative.clone()]
        ),
        None
    );
    let all = vec![has("fe80::9"), global, tentative, has("fe80::2")];
    assert_eq!(source(text, all), Some("fe80::2".parse().unwrap()));
}
