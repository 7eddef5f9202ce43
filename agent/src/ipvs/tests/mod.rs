//! Messages, reconciliation, and what configurations ask for.

mod captured;
mod reconcile;
mod wanted;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;

use agent_common::Family;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn key(text: &str, port: u16) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: address(text),
        port,
    }
}

fn service(key: ServiceKey) -> Service {
    let whole = match key.family() {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    Service {
        key,
        scheduler: "rr".into(),
        one_packet: false,
        flags: [false; 3],
        persistence: None,
        engine: None,
        netmask: granularity(key.family(), whole),
    }
}

fn server(text: &str, port: u16) -> Destination {
    Destination {
        key: DestinationKey {
            address: address(text),
            port,
        },
        forward: Forward::Route,
        weight: 1,
        upper: 0,
        lower: 0,
    }
}

fn pool(key: ServiceKey, servers: &[Destination]) -> (ServiceKey, Pool) {
    let servers: BTreeMap<_, _> = servers.iter().map(|one| (one.key, *one)).collect();
    let service = service(key);
    (key, Pool { service, servers })
}

#[test]
fn a_granularity_is_a_mask_or_a_length() {
    for (family, length, bytes) in [
        (Family::V4, 0, [0, 0, 0, 0]),
        (Family::V4, 24, [255, 255, 255, 0]),
        (Family::V4, 32, [255; 4]),
        (Family::V6, 64, 64_u32.to_ne_bytes()),
    ] {
        assert_eq!(granularity(family, length), bytes);
        assert_eq!(prefix_of(family, bytes), Some(length));
    }
    assert_eq!(prefix_of(Family::V4, [255, 0, 255, 0]), None);
    assert_eq!(prefix_of(Family::V6, 129_u32.to_ne_bytes()), None);
}
