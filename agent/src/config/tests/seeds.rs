//! Five published deployments: what each file becomes, and every line of complaint.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use agent_common::{AdvertInterval, Family, Priority, Version, Vrid};

use crate::config::model::{AnnouncePolicy, Password, Paths, Track, Transport, V3Checksum, Weight};
use crate::config::{AddressOptions, Code, Config, IfName, Instance, Vip, parse_str};
use crate::track::{Kind, TrackerId};

macro_rules! seed {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/data/seeds/",
            $name
        ))
    };
}

pub const ALL: [(&str, &str); 11] = [
    ("apiserver.conf", seed!("apiserver.conf")),
    ("dummy-1.conf", seed!("dummy-1.conf")),
    ("dummy-2.conf", seed!("dummy-2.conf")),
    ("fabric-1.conf", seed!("fabric-1.conf")),
    ("fabric-2.conf", seed!("fabric-2.conf")),
    ("lvs-1.conf", seed!("lvs-1.conf")),
    ("lvs-2.conf", seed!("lvs-2.conf")),
    ("openstack-1.conf", seed!("openstack-1.conf")),
    ("openstack-2.conf", seed!("openstack-2.conf")),
    ("postgres-1.conf", seed!("postgres-1.conf")),
    ("postgres-2.conf", seed!("postgres-2.conf")),
];

fn address(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn interface(name: &str) -> IfName {
    IfName::new(name).expect(name)
}

fn vip(text: &str, prefix: u8) -> Vip {
    Vip {
        address: address(text),
        prefix,
        device: None,
        broadcast: None,
        label: None,
        scope: 0,
        options: AddressOptions::default(),
        advertised: true,
    }
}

fn unicast(source: Option<&str>, peers: &[&str]) -> Transport {
    Transport::Unicast {
        source: source.map(address),
        peers: peers.iter().map(|peer| address(peer)).collect(),
        check_source: true,
    }
}

/// A v2 multicast instance with keepalived's defaults.
fn instance(name: &str, on: &str, vrid: u8, priority: u8, vip: Vip) -> Instance {
    Instance {
        name: name.into(),
        interface: interface(on),
        vrid: Vrid::new(vrid).expect("a VRID"),
        version: Version::V2,
        family: Family::V4,
        priority: Priority(priority),
        interval: AdvertInterval::DEFAULT,
        preempt: true,
        preempt_delay: Duration::ZERO,
        down_factor: 3,
        assert_on_lower: true,
        higher_prio_send_advert: true,
        owner_ignores: false,
        transport: Transport::Multicast { source: None },
        password: None,
        v3_checksum: V3Checksum::PseudoHeader,
        announce: AnnouncePolicy::default(),
        packets: Default::default(),
        paces: vec![],
        vips: vec![vip],
        accept: true,
        promote_secondaries: false,
        tracked_addresses: vec![],
        notify: Default::default(),
        track_interfaces: vec![],
        tracks: vec![],
        group: None,
        paths: Paths::default(),
        track_primary: true,
        fast_detect: None,
        virtual_mac: None,
        vip_macs: Vec::new(),
    }
}

/// `complaints`: line, kind and text.
fn check(
    name: &str,
    router_id: Option<&str>,
    instance: Instance,
    complaints: &[(u32, Code, &str)],
) {
    let text = ALL
        .iter()
        .find(|(file, _)| *file == name)
        .expect("a seed")
        .1;
    let loaded = parse_str(name, text);
    let found: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| (d.line, d.code, d.message.as_str()))
        .collect();
    assert_eq!(found, complaints, "{name}");
    let config = Config {
        router_id: router_id.map(Into::into),
        files: crate::config::Files::default(),
        instances: vec![instance],
        trackers: loaded.config.clone().unwrap_or_default().trackers,
        tell: loaded.config.clone().unwrap_or_default().tell,
        lvs: loaded.config.clone().unwrap_or_default().lvs,
        ..Config::default()
    };
    assert_eq!(loaded.config, Some(config), "{name}");
}

fn openstack(name: &str, priority: u8, source: &str, peer: &str) -> Instance {
    Instance {
        version: Version::V3,
        transport: unicast(Some(source), &[peer]),
        announce: AnnouncePolicy {
            refresh: Some(Duration::from_secs(10)),
            ..Default::default()
        },
        ..instance(name, "ens3", 123, priority, vip("10.0.0.136", 32))
    }
}

#[test]
fn openstack_pair() {
    let bare = |name| format!("({name}) VIP 10.0.0.136 has no prefix length: it is /32");
    check(
        "openstack-1.conf",
        None,
        openstack("VI01", 110, "10.0.0.130", "10.0.0.131"),
        &[(22, Code::NoPrefix, &bare("VI01"))],
    );
    check(
        "openstack-2.conf",
        None,
        openstack("VI02", 100, "10.0.0.131", "10.0.0.130"),
        &[(22, Code::NoPrefix, &bare("VI02"))],
    );
}

#[test]
fn lvs_pair() {
    let lvs = |priority| Instance {
        password: Some(Password(*b"secure12")),
        ..instance(
            "HA_Group",
            "ens33",
            51,
            priority,
            vip("192.168.192.200", 24),
        )
    };
    check(
        "lvs-1.conf",
        Some("NodeA"),
        lvs(100),
        &[
            (
                0,
                Code::VirtualServers,
                "virtual servers are read and checked, not carried out (virtual_server, line 30)",
            ),
            (
                22,
                Code::PasswordTruncated,
                "(HA_Group) Truncating auth_pass to 8 characters",
            ),
            (34, Code::UnknownKeyword, "Unknown keyword 'nat_mask'"),
            (42, Code::UnknownKeyword, "Unknown keyword 'nb_get_retry'"),
            (52, Code::UnknownKeyword, "Unknown keyword 'nb_get_retry'"),
        ],
    );
    check(
        "lvs-2.conf",
        Some("NodeB"),
        lvs(95),
        &[
            (
                0,
                Code::VirtualServers,
                "virtual servers are read and checked, not carried out (virtual_server, line 23)",
            ),
            (
                15,
                Code::PasswordTruncated,
                "(HA_Group) Truncating auth_pass to 8 characters",
            ),
            (27, Code::UnknownKeyword, "Unknown keyword 'nat_mask'"),
            (35, Code::UnknownKeyword, "Unknown keyword 'nb_get_retry'"),
            (45, Code::UnknownKeyword, "Unknown keyword 'nb_get_retry'"),
        ],
    );
}

#[test]
fn dummy_pair() {
    let dummy = |priority, peer| Instance {
        password: Some(Password(*b"4h[-/BhJ")),
        transport: unicast(None, &[peer]),
        track_interfaces: vec![interface("dummy0")],
        ..instance(
            "service-100",
            "eth0",
            100,
            priority,
            Vip {
                device: Some(interface("dummy0")),
                broadcast: Some(Ipv4Addr::new(192, 0, 2, 255)),
                ..vip("192.0.2.100", 24)
            },
        )
    };
    let complaints = [
        (
            14,
            Code::PasswordTruncated,
            "(service-100) Truncating auth_pass to 8 characters",
        ),
        (
            27,
            Code::OwnInterface,
            "(service-100) Ignoring track_interface eth0 since own interface",
        ),
    ];
    check(
        "dummy-1.conf",
        Some("server-1"),
        dummy(100, "192.0.2.6"),
        &complaints,
    );
    check(
        "dummy-2.conf",
        Some("server2-2"),
        dummy(50, "192.0.2.5"),
        &complaints,
    );
}

#[test]
fn postgres_pair() {
    let postgres = |priority, transport| Instance {
        password: Some(Password(*b"Postgres")),
        transport,
        ..instance("Postgres_VIP", "ens18", 51, priority, vip("10.0.2.100", 8))
    };
    let message = "(Postgres_VIP) Truncating auth_pass to 8 characters";
    let peers = unicast(Some("10.0.1.62"), &["10.0.1.63", "10.0.1.64"]);
    let complaints = [
        (
            5,
            Code::NotOwner,
            "(Postgres_VIP) priority 255 says that the VIPs are this machine's own addresses, and nothing here shows that they are",
        ),
        (14, Code::PasswordTruncated, message),
    ];
    check("postgres-1.conf", None, postgres(255, peers), &complaints);
    let complaints = [(9, Code::PasswordTruncated, message)];
    let multicast = Transport::Multicast { source: None };
    check(
        "postgres-2.conf",
        None,
        postgres(254, multicast),
        &complaints,
    );
}

#[test]
fn apiserver() {
    let expected = Instance {
        password: Some(Password(*b"svcentPa")),
        transport: unicast(Some("10.0.0.246"), &["10.0.1.4", "10.0.1.51"]),
        tracks: vec![Track {
            tracker: TrackerId::new(Kind::Script, "apiserver"),
            weight: Weight::default(),
        }],
        ..instance("ServerCenter", "ens192", 55, 30, vip("10.0.0.191", 22))
    };
    check(
        "apiserver.conf",
        None,
        expected,
        &[(
            22,
            Code::PasswordTruncated,
            "(ServerCenter) Truncating auth_pass to 8 characters",
        )],
    );
}

#[test]
fn fabric_pair() {
    for (file, priority) in [("fabric-1.conf", 100), ("fabric-2.conf", 1)] {
        let expected = Instance {
            password: Some(Password(*b"SUPER_PA")),
            ..instance("VI_1", "enp0s8", 11, priority, vip("100.65.0.10", 24))
        };
        let message = "(VI_1) Truncating auth_pass to 8 characters";
        check(
            file,
            None,
            expected,
            &[(9, Code::PasswordTruncated, message)],
        );
    }
}
