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
use crate::config::lower::{family_of, paces, parse_host};
use crate::config::model::{
    AnnouncePolicy, Config, Firewall, IfName, Instance, PacketPolicy, Password, Paths,
    StaticAddress, Transport, V3Checksum, Vip,
};

mod lvs;
mod packets;
mod tell;

pub use self::lvs::lvs;

use self::packets::{firewall, options, pacing, packets, start_delay};

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
    let address = prop_oneof![19 => host(family), 1 => packets::group(family)];
    let prefix = prop_oneof![3 => any::<u8>(), 1 => Just(64)];
    (
        (address, options(family)),
        prefix,
        option::weighted(0.3, interface()),
        broadcast,
        label,
        prop_oneof![Just(0), any::<u8>()],
    )
        .prop_map(
            move |((address, mut options), prefix, device, broadcast, label, scope)| {
                let prefix = prefix % if family == Family::V4 { 33 } else { 129 };
                options.autojoin = address.is_multicast();
                options.manage_temporary &= prefix == 64;
                Vip {
                    address,
                    prefix,
                    device,
                    broadcast: broadcast.filter(|_| family == Family::V4),
                    label: label.filter(|label| family == Family::V4 && label.len() <= 15),
                    scope,
                    options,
                    advertised,
                }
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
    let nobody = option::of(host(family)).prop_map(|source| Transport::Unicast {
        source,
        peers: Vec::new(),
        check_source: true,
    });
    prop_oneof![5 => multicast, 5 => unicast, 1 => nobody]
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
        option::of((1..=86_400_u64).prop_map(Duration::from_secs)),
    )
        .prop_map(
            |(
                repeat,
                delay,
                refresh,
                refresh_repeat,
                lower_prio_repeat,
                lower_prio_delay,
                extra,
            )| {
                AnnouncePolicy {
                    repeat,
                    delay,
                    refresh: refresh.filter(|period| !period.is_zero()),
                    refresh_repeat,
                    lower_prio_repeat,
                    lower_prio_delay,
                    extra,
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
type Small = (Vrid, Priority, bool, Duration, u8, [bool; 7]);

fn small() -> impl Strategy<Value = Small> {
    (
        (1..=u8::MAX).prop_filter_map("zero", Vrid::new),
        (1..=u8::MAX).prop_map(Priority),
        any::<bool>(),
        prop_oneof![Just(0), 0..=1_000_000_000_u64].prop_map(Duration::from_micros),
        1..=100_u8,
        any::<[bool; 7]>(),
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
            transport(family).prop_flat_map(move |how| packets(family, how)),
            password(version),
            announce(),
            vips(family),
            (
                prop::collection::hash_set(interface(), 0..3),
                tell::notify(),
            ),
        )
            .prop_map(
                move |(
                    name,
                    interface,
                    (vrid, priority, preempt, preempt_delay, down_factor, switches),
                    interval,
                    (transport, packets),
                    password,
                    announce,
                    mut vips,
                    (tracked, notify),
                )| {
                    let owner = priority.is_owner();
                    let [
                        assert_on_lower,
                        higher_prio_send_advert,
                        owner_ignores,
                        as_v2,
                        accept,
                        promote_secondaries,
                        no_vips,
                    ] = switches;
                    if no_vips && version == Version::V2 {
                        vips.clear();
                    }
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
                        packets: PacketPolicy {
                            max_learned: (version == Version::V3 && accept)
                                .then_some(interval.max(AdvertInterval::DEFAULT)),
                            ..packets
                        },
                        // Those of the whole.
                        paces: Vec::new(),
                        accept: accept || owner,
                        promote_secondaries,
                        tracked_addresses: Vec::new(),
                        notify,
                        track_interfaces: tracked
                            .into_iter()
                            .filter(|name| *name != interface)
                            .collect(),
                        paths: Paths::default(),
                        track_primary: vips.len() % 2 == 0,
                        virtual_mac: None,
                        vip_macs: Vec::new(),
                        vips,
                        tracks: Vec::new(),
                        group: None,
                        fast_detect: higher_prio_send_advert.then_some(
                            crate::config::model::FastDetect {
                                lease: Duration::from_millis(u64::from(down_factor) * 10),
                                interval: Duration::from_micros(u64::from(down_factor) * 100),
                                multiplier: down_factor.clamp(2, 20),
                                asks: true,
                            },
                        ),
                        interface,
                    }
                },
            )
    })
}

/// Each once, all on a device.
fn static_addresses() -> impl Strategy<Value = Vec<StaticAddress>> {
    let any_family = prop_oneof![vip(Family::V4, false), vip(Family::V6, false)];
    let one = (any_family, interface()).prop_map(|(vip, device)| {
        StaticAddress(Vip {
            device: Some(device),
            ..vip
        })
    });
    vec(one, 0..4).prop_map(|mut all| {
        let mut seen = HashSet::new();
        all.retain(|StaticAddress(vip)| seen.insert((vip.address, vip.prefix, vip.device.clone())));
        all
    })
}

/// What concerns the machine.
type Rest = (Firewall, Vec<StaticAddress>, [bool; 2], u64);

fn rest() -> impl Strategy<Value = Rest> {
    (
        firewall(),
        static_addresses(),
        any::<[bool; 2]>(),
        any::<u64>(),
    )
}

/// Up to four instances, unique as the lowering asks for.
pub fn config() -> impl Strategy<Value = Config> {
    let parts = (option::of(word()), files(), vec(instance(), 1..=4));
    let parts = parts.prop_flat_map(|(router_id, files, instances)| {
        let pacing = pacing(&instances);
        let same = (Just(router_id), Just(files), Just(instances), tell::tell());
        (same, pacing, start_delay(), rest())
    });
    parts.prop_map(|(same, pacing, start_delay, rest)| {
        let (router_id, files, mut instances, tell) = same;
        let (firewall, static_addresses, switches, mut tracking) = rest;
        let [log_unknown_vrids, disable_local_igmp] = switches;
        let mut names = HashSet::new();
        let mut routers = HashSet::new();
        instances.retain(|one| {
            let first = one.vips.iter().find(|vip| vip.advertised);
            let family = first.map_or(Family::V4, |vip| family_of(vip.address));
            assert_eq!(family, one.family);
            names.insert(one.name.clone())
                && routers.insert((one.interface.clone(), one.family, one.vrid))
        });
        for one in &mut instances {
            one.paces = paces(one, &pacing);
            for address in &static_addresses {
                let StaticAddress(vip) = address;
                if tracking & 1 == 1 && !vip.options.untracked {
                    one.tracked_addresses.push(address.clone());
                }
                tracking = tracking.rotate_right(1);
            }
        }
        Config {
            router_id,
            pacing,
            start_delay,
            log_unknown_vrids,
            disable_local_igmp,
            files,
            instances,
            static_addresses,
            firewall,
            tell,
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
