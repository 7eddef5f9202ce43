//! Which instance an advert is for where no BPF map says it.

use super::*;
use crate::{
    config::parse_str,
    io::{
        netlink::survey::{Address, Link, World},
        plan::{Standing, plan},
    },
};

/// Two instances of one VRID, each on a link of its own.
fn ports() -> Ports {
    let text = |link: u32| {
        format!(
            "vrrp_instance A {{\ninterface eth{link}\nvirtual_router_id 5\n\
             virtual_ipaddress {{\n10.0.{link}.9\n}}\n}}\n"
        )
    };
    let link = |ifindex| Link {
        ifindex,
        name: format!("eth{ifindex}"),
        usable: true,
        patient: false,
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        vlan_of: None,
        macvlan_of: None,
        vrf: None,
        alias: String::new(),
        promotes: false,
    };
    let address = |ifindex: u32| Address {
        ifindex,
        address: format!("10.0.{ifindex}.1").parse().unwrap(),
        prefix: 24,
        peer: None,
        protocol: 0,
        secondary: false,
        tentative: false,
    };
    let world = World {
        links: vec![link(1), link(2)],
        addresses: vec![address(1), address(2)],
        forwards_v6: false,
    };
    let seat = |id: u32| {
        let config = parse_str("f", &text(id)).config.unwrap();
        let instance = &config.instances[0];
        let standing = Standing::alone(instance);
        let port = plan(InstanceId(id as u16), instance, standing, &world).unwrap();
        Seat {
            port: Some(Box::new(port)),
            ..Seat::default()
        }
    };
    Ports(vec![seat(1), seat(2)])
}

// proves: R-07
#[test]
fn r07_a_vrid_counts_on_the_link_that_it_is_configured_on() {
    let ports = ports();
    let slot = |key: InstanceKey| ports.filter(&key).map(|filter| filter.slot);
    let key = |ifindex| InstanceKey {
        ifindex,
        vlan: 0,
        family: 4,
        vrid: 5,
    };
    assert_eq!([1, 2, 3].map(key).map(slot), [Some(1), Some(2), None]);
    let others = [
        InstanceKey { vlan: 7, ..key(1) },
        InstanceKey {
            family: 6,
            ..key(1)
        },
        InstanceKey { vrid: 6, ..key(1) },
    ];
    assert_eq!(others.map(slot), [None; 3]);
}
