//! What the kernel side has to know of an instance to judge adverts for it.

use std::net::IpAddr;

use agent_common::{
    Family, Version,
    record::{AllowedPrefix, InstanceFilter, MAX_ALLOWED, MAX_PEERS, filter_flags},
    wire::frame::wire_address,
};
use bytemuck::Zeroable;

use super::{Standing, group};
use crate::{
    config::{
        Instance,
        model::{OldChecksum, Transport},
    },
    core::InstanceId,
    io::netlink::survey::Link,
};

pub(super) fn filter(
    id: InstanceId,
    instance: &Instance,
    standing: Standing,
    link: &Link,
    source: IpAddr,
) -> InstanceFilter {
    let mut filter = InstanceFilter::zeroed();
    filter.slot = u32::from(id.0);
    filter.version = instance.version as u8;
    filter.own = wire_address(source);
    filter.mac = link.mac;
    filter.priority = standing.priority.get();
    if instance.version == Version::V2 {
        filter.v2_seconds = u8::try_from(instance.interval.centis() / 100).unwrap_or(u8::MAX);
    }
    if let Some(password) = instance.password {
        filter.flags |= filter_flags::AUTH_PASS;
        filter.auth = password.0;
    }
    if instance.owner_ignores && instance.priority.is_owner() {
        filter.flags |= filter_flags::OWNER_IGNORES;
    }
    let first = instance.advertised().next();
    if matches!(first, Some(IpAddr::V6(first)) if !first.is_unicast_link_local()) {
        filter.flags |= filter_flags::ANY_FIRST_ADDRESS;
    }
    let sources = instance.packets.allowed_sources.iter().take(MAX_ALLOWED);
    filter.allowed_count = sources.len() as u8;
    for (slot, source) in filter.allowed.iter_mut().zip(sources) {
        *slot = AllowedPrefix::new(wire_address(source.address), source.length);
    }
    match &instance.transport {
        Transport::Multicast { .. } => {
            filter.destination = group(instance).map(wire_address).unwrap_or_default();
        }
        Transport::Unicast {
            peers,
            check_source,
            ..
        } => {
            filter.flags |= filter_flags::UNICAST;
            if *check_source {
                filter.flags |= filter_flags::CHECK_SOURCE;
            }
            filter.destination = wire_address(source);
            for (slot, peer) in filter.peers.iter_mut().zip(peers) {
                *slot = wire_address(*peer);
            }
            filter.peer_count = peers.len().min(MAX_PEERS) as u8;
            let limits = filter.min_ttl.iter_mut().zip(&mut filter.ttl_headroom);
            for ((min, headroom), peer) in limits.zip(peers) {
                let limit = instance.packets.peer_ttl.iter().find(|l| l.peer == *peer);
                (*min, *headroom) = limit.map_or((0, 0), |l| (l.min, u8::MAX - l.max));
            }
            let v3_ipv4 = instance.version == Version::V3 && instance.family == Family::V4;
            if v3_ipv4 && instance.packets.old_checksum != OldChecksum::Never {
                filter.flags |= filter_flags::OLD_CHECKSUM;
            }
        }
    }
    filter
}
