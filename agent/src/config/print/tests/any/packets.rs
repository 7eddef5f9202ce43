//! What adverts, announcements and addresses are made with.

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use agent_common::{Family, record::MAX_ALLOWED};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{host, interface};
use crate::config::address::FOREVER;
use crate::config::model::{
    AddressOptions, Firewall, IfName, Instance, Interval, Network, OldChecksum, PaceGroup, Pacing,
    PacketPolicy, PeerTtl, StartDelay, Transport,
};

/// A multicast group.
pub fn group(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => any::<u32>()
            .prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits >> 4 | 0xe000_0000)))
            .boxed(),
        Family::V6 => any::<u128>()
            .prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits | 0xff << 120)))
            .boxed(),
    }
}

/// What goes with `transport`, which limits of peers change.
pub fn packets(
    family: Family,
    transport: Transport,
) -> impl Strategy<Value = (Transport, PacketPolicy)> {
    let old = prop_oneof![
        Just(OldChecksum::Detect),
        Just(OldChecksum::Always),
        Just(OldChecksum::Never)
    ];
    let limits = vec(option::weighted(0.3, any::<(u8, u8)>()), 32);
    let parts = (
        option::of(group(family)),
        prop_oneof![Just(u8::MAX), 1..=u8::MAX],
        limits,
        old,
        any::<[bool; 2]>(),
        sources(family),
    );
    parts.prop_map(
        move |(group, ttl, limits, old_checksum, switches, sources)| {
            let [fault_without_peers, skip_address_check] = switches;
            let mut transport = transport.clone();
            let mut policy = PacketPolicy {
                group,
                unicast_ttl: u8::MAX,
                peer_ttl: Vec::new(),
                old_checksum: OldChecksum::Detect,
                fault_without_peers,
                skip_address_check,
                allowed_sources: sources.clone(),
                max_learned: None,
            };
            match &mut transport {
                Transport::Multicast { .. } => {}
                Transport::Unicast { peers, .. } if peers.is_empty() => {
                    policy.fault_without_peers = true;
                }
                Transport::Unicast {
                    peers,
                    check_source,
                    ..
                } => {
                    policy.group = None;
                    policy.unicast_ttl = ttl;
                    policy.old_checksum = old_checksum;
                    let limited = peers.iter().zip(limits);
                    policy.peer_ttl = limited
                        .filter_map(|(peer, limit)| {
                            limit.map(|(min, max)| PeerTtl {
                                peer: *peer,
                                min,
                                max,
                            })
                        })
                        .collect();
                    *check_source |= !policy.peer_ttl.is_empty();
                }
            }
            (transport, policy)
        },
    )
}

/// Prefixes without the bits that do not count, each once.
fn sources(family: Family) -> impl Strategy<Value = Vec<Network>> {
    let one = (host(family), 0_u8..=128).prop_map(|(address, length)| match address {
        IpAddr::V4(v4) => {
            let length = length % 33;
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            let address = Ipv4Addr::from_bits(v4.to_bits() & mask).into();
            Network { address, length }
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            let address = Ipv6Addr::from_bits(v6.to_bits() & mask).into();
            Network { address, length }
        }
    });
    vec(one, 0..=MAX_ALLOWED).prop_map(|mut all| {
        let mut seen = HashSet::new();
        all.retain(|network| seen.insert((network.address, network.length)));
        all
    })
}

/// All but `autojoin`, which goes with multicast addresses.
pub fn options(family: Family) -> impl Strategy<Value = AddressOptions> {
    let lifetime = prop_oneof![Just(0), Just(FOREVER), any::<u32>()];
    let v6 = family == Family::V6;
    (
        option::weighted(0.2, host(family)),
        any::<[bool; 5]>(),
        option::of(lifetime),
    )
        .prop_map(move |(peer, switches, lifetime)| {
            let [home, detect, temporary, no_prefix_route, untracked] = switches;
            AddressOptions {
                peer,
                home: v6 && home,
                detect_duplicates: v6 && detect,
                manage_temporary: v6 && temporary,
                no_prefix_route,
                autojoin: false,
                use_vmac: false,
                untracked,
                preferred_lifetime: lifetime.filter(|_| v6),
            }
        })
}

fn interval(most: u64) -> impl Strategy<Value = Interval> {
    let one = move || prop_oneof![Just(0), 1..=most].prop_map(Duration::from_micros);
    (one(), one()).prop_map(|(garp, na)| Interval { garp, na })
}

/// Groups of interfaces that are in use and of others.
pub fn pacing(instances: &[Instance]) -> impl Strategy<Value = Pacing> + use<> {
    let homes = instances.iter().flat_map(|one| {
        let homes = one.vips.iter().filter_map(|vip| vip.device.clone());
        homes.chain([one.interface.clone()])
    });
    let used: BTreeSet<IfName> = homes.collect();
    let used: Vec<IfName> = used.into_iter().collect();
    let name = prop_oneof![interface(), prop::sample::select(used)];
    let group = (interval(3_600_000_000), vec(name, 1..4));
    let groups = vec(group, 0..4);
    (interval(u64::from(u32::MAX)), groups).prop_map(|(each, groups)| {
        let mut seen = HashSet::new();
        let groups = groups.into_iter().filter_map(|(interval, mut interfaces)| {
            interfaces.retain(|name| seen.insert(name.clone()));
            let usable = interval != Interval::default() && !interfaces.is_empty();
            usable.then_some(PaceGroup {
                interval,
                interfaces,
            })
        });
        Pacing {
            each,
            groups: groups.collect(),
        }
    })
}

pub fn start_delay() -> impl Strategy<Value = StartDelay> {
    let one = || prop_oneof![Just(0), 1000..=u64::from(u32::MAX)].prop_map(Duration::from_micros);
    (one(), one()).prop_map(|(after_start, after_boot)| StartDelay {
        after_start,
        after_boot,
    })
}

pub fn firewall() -> impl Strategy<Value = Firewall> {
    let name = prop_oneof![
        Just(Firewall::DEFAULT_TABLE.to_owned()),
        "[a-zA-Z][a-zA-Z0-9_.-]{0,254}"
    ];
    let priority = prop_oneof![Just(-1), any::<i32>()];
    (name, priority, any::<[bool; 2]>()).prop_map(|(table, priority, [by_index, counters])| {
        Firewall {
            table,
            priority,
            by_index,
            counters,
        }
    })
}
