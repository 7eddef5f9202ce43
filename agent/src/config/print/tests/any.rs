//! Any model that a file could make: every field over its valid range.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use agent_common::{AdvertInterval, Family, Priority, Version, Vrid};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::config::MAX_PEERS;
use crate::config::files::{Files, JsonVersion};
use crate::config::lower::{family_of, parse_host};
use crate::config::model::{
    AddressOptions, AnnouncePolicy, Config, IfName, Instance, PacketPolicy, Password, Transport,
    V3Checksum, Vip,
};

/// Any text that a word of a file can be.
fn word() -> impl Strategy<Value = String> {
    let odd = "[ -!#-~\u{a0}-\u{17f}\u{2003}\u{4e00}-\u{4eff}\u{1f600}-\u{1f64f}]{0,20}";
    prop_oneof![
        3 => "[A-Za-z0-9_.:-]{1,15}",
        1 => odd,
        1 => "[@~$#!{}'\\\\a ]{0,6}",
        1 => Just("${_PWD}".to_owned()),
    ]
}

fn interface() -> impl Strategy<Value = IfName> {
    let odd = "[!#-.0-9;-~]{1,15}";
    prop_oneof![4 => "[a-z]{2,4}[0-9.]{1,4}", 1 => odd]
        .prop_filter_map("no interface", |name| IfName::new(&name))
}

fn v4() -> impl Strategy<Value = IpAddr> {
    any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn v6() -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

fn host(family: Family) -> BoxedStrategy<IpAddr> {
    let any = match family {
        Family::V4 => v4().boxed(),
        Family::V6 => v6().boxed(),
    };
    any.prop_filter("no host", |address| {
        parse_host(&address.to_string()).is_ok()
    })
    .boxed()
}

fn vip(family: Family, advertised: bool) -> impl Strategy<Value = Vip> {
    let label = option::weighted(0.3, word());
    let broadcast = option::of(any::<u32>().prop_map(Ipv4Addr::from_bits));
    (
        host(family),
        any::<u8>(),
        option::weighted(0.3, interface()),
        broadcast,
        label,
        prop_oneof![Just(0), any::<u8>()],
    )
        .prop_map(
            move |(address, prefix, device, broadcast, label, scope)| Vip {
                address,
                prefix: prefix % if family == Family::V4 { 33 } else { 129 },
                device,
                broadcast: broadcast.filter(|_| family == Family::V4),
                label: label.filter(|label| family == Family::V4 && label.len() <= 15),
                scope,
                options: AddressOptions::default(),
                advertised,
            },
        )
}

/// At least one that is advertised; excluded ones of both families anywhere.
fn vips(family: Family) -> impl Strategy<Value = Vec<Vip>> {
    let any_vip = prop_oneof![
        3 => vip(family, true).boxed(),
        1 => vip(Family::V4, false).boxed(),
        1 => vip(Family::V6, false).boxed(),
    ];
    (
        vip(family, true),
        vec(any_vip, 0..8),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(first, mut vips, at)| {
            vips.insert(at.index(vips.len() + 1), first);
            let mut seen = HashSet::new();
            vips.retain(|vip| seen.insert((vip.address, vip.device.clone())));
            vips
        })
}

fn transport(family: Family) -> impl Strategy<Value = Transport> {
    let multicast = option::of(host(family)).prop_map(|source| Transport::Multicast { source });
    let peers = prop::collection::hash_set(host(family), 1..=MAX_PEERS);
    let unicast = (option::of(host(family)), peers, any::<bool>()).prop_filter_map(
        "a peer that is ourselves",
        |(source, peers, check_source)| {
            let own = source.is_some_and(|own| peers.contains(&own));
            (!own).then(|| Transport::Unicast {
                source,
                peers: peers.into_iter().collect(),
                check_source,
            })
        },
    );
    prop_oneof![multicast, unicast]
}

fn announce() -> impl Strategy<Value = AnnouncePolicy> {
    let seconds = || any::<u32>().prop_map(|s| Duration::from_secs(s.into()));
    (
        1..=u8::MAX,
        seconds(),
        option::of(seconds()),
        1..=u8::MAX,
        any::<u8>(),
        seconds(),
    )
        .prop_map(
            |(repeat, delay, refresh, refresh_repeat, lower_prio_repeat, lower_prio_delay)| {
                AnnouncePolicy {
                    repeat,
                    delay,
                    refresh: refresh.filter(|period| !period.is_zero()),
                    refresh_repeat,
                    lower_prio_repeat,
                    lower_prio_delay,
                    extra: None,
                }
            },
        )
}

fn interval(version: Version) -> BoxedStrategy<AdvertInterval> {
    match version {
        Version::V2 => (1..=u8::MAX)
            .prop_filter_map("zero", AdvertInterval::from_v2_seconds)
            .boxed(),
        Version::V3 => (1..=AdvertInterval::MAX_V3.centis())
            .prop_filter_map("zero", AdvertInterval::from_centis)
            .boxed(),
    }
}

fn password(version: Version) -> BoxedStrategy<Option<Password>> {
    match version {
        Version::V2 => {
            let some = word().prop_filter("empty", |text| !text.is_empty());
            option::of(some.prop_map(|text| crate::config::cut_password(&text).0)).boxed()
        }
        Version::V3 => Just(None).boxed(),
    }
}

/// Tuples have twelve parts at most: what goes into switches and small numbers.
type Small = (Vrid, Priority, bool, Duration, u8, [bool; 4]);

fn small() -> impl Strategy<Value = Small> {
    (
        (1..=u8::MAX).prop_filter_map("zero", Vrid::new),
        (1..=u8::MAX).prop_map(Priority),
        any::<bool>(),
        prop_oneof![Just(0), 0..=1_000_000_000_u64].prop_map(Duration::from_micros),
        1..=100_u8,
        any::<[bool; 4]>(),
    )
}

fn instance() -> impl Strategy<Value = Instance> {
    let kinds = prop_oneof![
        Just((Family::V4, Version::V2)),
        Just((Family::V4, Version::V3)),
        Just((Family::V6, Version::V3)),
    ];
    kinds.prop_flat_map(|(family, version)| {
        (
            word(),
            interface(),
            small(),
            interval(version),
            transport(family),
            password(version),
            announce(),
            vips(family),
            prop::collection::hash_set(interface(), 0..3),
        )
            .prop_map(
                move |(
                    name,
                    interface,
                    (vrid, priority, preempt, preempt_delay, down_factor, switches),
                    interval,
                    transport,
                    password,
                    announce,
                    vips,
                    tracked,
                )| {
                    let owner = priority.is_owner();
                    let [
                        assert_on_lower,
                        higher_prio_send_advert,
                        owner_ignores,
                        as_v2,
                    ] = switches;
                    Instance {
                        name,
                        vrid,
                        version,
                        family,
                        priority,
                        interval,
                        preempt: preempt || owner,
                        preempt_delay: if owner { Duration::ZERO } else { preempt_delay },
                        down_factor,
                        assert_on_lower,
                        higher_prio_send_advert,
                        owner_ignores,
                        transport,
                        password,
                        v3_checksum: match as_v2 {
                            true => V3Checksum::MessageOnly,
                            false => V3Checksum::PseudoHeader,
                        },
                        announce,
                        packets: PacketPolicy::default(),
                        paces: Vec::new(),
                        accept: true,
                        promote_secondaries: false,
                        tracked_addresses: Vec::new(),
                        track_interfaces: tracked
                            .into_iter()
                            .filter(|name| *name != interface)
                            .collect(),
                        track_primary: vips.len() % 2 == 0,
                        virtual_mac: None,
                        vips,
                        interface,
                    }
                },
            )
    })
}

/// Up to four instances, unique as the lowering asks for.
pub fn config() -> impl Strategy<Value = Config> {
    let parts = (option::of(word()), files(), vec(instance(), 1..=4));
    parts.prop_map(|(router_id, files, mut instances)| {
        let mut names = HashSet::new();
        let mut routers = HashSet::new();
        instances.retain(|one| {
            let family = one.vips.iter().find(|vip| vip.advertised);
            assert_eq!(family.map(|vip| family_of(vip.address)), Some(one.family));
            names.insert(one.name.clone())
                && routers.insert((one.interface.clone(), one.family, one.vrid))
        });
        Config {
            router_id,
            files,
            instances,
            ..Config::default()
        }
    })
}

fn files() -> impl Strategy<Value = Files> {
    let path = || option::of("/[a-z]{1,9}/[a-z]{1,9}").prop_map(|path| path.map(PathBuf::from));
    let name = || option::of("[a-zA-Z0-9][a-zA-Z0-9._-]{0,9}");
    let dumps = (path(), path(), path());
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let beside = PathBuf::from("keepalived.reload");
    let reload_file = option::of(prop_oneof![
        Just(beside),
        "/[a-z]{1,9}".prop_map(PathBuf::from)
    ]);
    let parts = (dumps, switches, reload_file, name(), name());
    parts.prop_map(|(dumps, switches, reload_file, instance, namespace)| {
        let (state_dump, stats_dump, json_dump) = dumps;
        let (two, data_use_instance, use_pid_dir) = switches;
        Files {
            state_dump,
            stats_dump,
            json_dump,
            json_version: match two {
                true => JsonVersion::Two,
                false => JsonVersion::One,
            },
            data_use_instance,
            reload_file,
            instance,
            namespace,
            use_pid_dir,
        }
    })
}
