//! From an instance and a picture of the machine to everything the fast lane needs.
//!
//! Pure: no system call. What cannot be planned is a [`Fault`], which ends when
//! a later picture allows a plan.

mod fast;
mod fence;
mod filter;
mod fitting;
mod missing;
mod virtual_links;

use std::{
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use agent_common::{
    Family, Priority,
    record::{InstanceFilter, InstanceKey},
    wire::vrrp::address_digest,
};

pub use self::fitting::fitting;
use self::{filter::filter, missing::Missing, virtual_links::virtual_links};
use super::{
    advert::AdvertPlan,
    announce::{AnnouncePlan, Announced, FramePace, PaceKey},
    hands::Works,
    netlink::{
        batch::AddressPlan,
        paths::PathPlan,
        survey::{Address, Link, World},
    },
};
use crate::{
    config::{IfName, Instance, StaticAddress, model::Transport},
    core::{Fault, GroupId, InstanceConfig, InstanceId},
    heart,
    track::Kind,
};

/// The VRRP groups (RFC 9568 5.1.1.2, 5.1.2.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// A link that the instance depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needed {
    pub ifindex: u32,
    /// Without this the link need only exist.
    pub usable: bool,
    /// What its loss is.
    pub fault: Fault,
}

/// An instance on the links that it has now.
#[derive(Debug)]
pub struct Port {
    pub id: InstanceId,
    pub config: InstanceConfig,
    pub ifindex: u32,
    /// Of that link.
    pub name: IfName,
    pub source: IpAddr,
    pub key: InstanceKey,
    pub filter: InstanceFilter,
    pub advert: AdvertPlan,
    /// Until the fast lane passes them on to its hands.
    pub works: Option<Box<Works>>,
    pub needed: Vec<Needed>,
    /// Other links that count for the priority.
    pub watched: Vec<u32>,
    /// One of those is not there: any new link may be it.
    pub awaits_link: bool,
    /// Each VIP and its link, in configured order.
    pub vips: Vec<(u32, IpAddr)>,
    /// Which of them are not put back when somebody removes them.
    untracked: Vec<bool>,
    /// VIPs that our own doing removed while there is more to do.
    pub missing: Missing,
    /// VIPs that an advert on this link has no room for.
    pub surplus: usize,
    /// The group to be a member of; `None` in unicast mode.
    pub group: Option<IpAddr>,
    /// How long each advert of ours vouches for us before the reflector.
    pub lease: Option<Duration>,
    /// How the Active is asked whether it serves.
    pub heart: Option<heart::Plan>,
    /// The interfaces with virtual MAC addresses: down unless Active, so that
    /// nothing with such an address leaves a Backup, nor is taken by it (RFC
    /// 9568 6.4.2).
    pub virtual_links: Vec<u32>,
    /// They are up, as far as we did it.
    pub raised: bool,
    essence: Essence,
}

/// What makes two ports of one instance differ for the fast lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Essence {
    ifindex: u32,
    source: IpAddr,
    mac: [u8; 6],
    needed: Vec<Needed>,
    vips: Vec<(u32, IpAddr)>,
    announce: AnnouncePlan,
    watched: Vec<u32>,
    paths: PathPlan,
    asked_for: Vec<(u32, IpAddr)>,
    /// Without its name, which only people see.
    instance: Instance,
}

impl Essence {
    /// The link of the instance.
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Each VIP where requests for it come in.
    pub fn asked_for(&self) -> &[(u32, IpAddr)] {
        &self.asked_for
    }
}

impl Port {
    pub fn essence(&self) -> &Essence {
        &self.essence
    }

    /// The VIP at this place whose loss is to be made up for.
    pub fn tracked(&self, place: (u32, IpAddr)) -> Option<u16> {
        let vip = self.vips.iter().position(|vip| *vip == place)?;
        let untracked = self.untracked.get(vip).copied().unwrap_or(false);
        u16::try_from(vip).ok().filter(|_| !untracked)
    }
}

/// What an instance is beside its own block: what trackers make of its
/// priority, and the group it moves with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// In force, 1..=255.
    pub priority: Priority,
    pub group: Option<GroupId>,
}

impl Standing {
    /// Of an instance without trackers and without a group.
    pub fn alone(instance: &Instance) -> Self {
        Self {
            priority: instance.priority,
            group: None,
        }
    }
}

/// The static half: what the core must know of an instance.
pub fn core_config(id: InstanceId, instance: &Instance, standing: Standing) -> InstanceConfig {
    InstanceConfig {
        id,
        version: instance.version,
        family: instance.family,
        priority: standing.priority,
        base_priority: instance.priority,
        group: standing.group,
        interval: instance.interval,
        preempt: instance.preempt,
        preempt_delay: instance.preempt_delay,
        max_learned: instance.packets.max_learned,
        senders_listed: senders_listed(instance),
        down_factor: instance.down_factor,
        assert_on_lower: instance.assert_on_lower,
        higher_prio_send_advert: instance.higher_prio_send_advert,
        announce: instance.announce,
        vip_count: u16::try_from(instance.vips.len()).unwrap_or(u16::MAX),
        vips_digest: vips_digest(instance),
        check_addresses: !instance.packets.skip_address_check,
        address_count: u8::try_from(instance.advertised().count()).unwrap_or(u8::MAX),
        addresses_digest: address_digest(instance.advertised()),
    }
}

/// The kernel side refuses whoever is in no list.
fn senders_listed(instance: &Instance) -> bool {
    let peers = match &instance.transport {
        Transport::Multicast { .. } => false,
        Transport::Unicast { check_source, .. } => *check_source,
    };
    peers || !instance.packets.allowed_sources.is_empty()
}

/// Of every word that is said of the VIPs, in their order: the numbers of VIPs
/// are theirs as long as it stays.
fn vips_digest(instance: &Instance) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    // Equal values print alike, and no field that is added can be forgotten.
    format!("{:?}{:?}", instance.interface, instance.vips).hash(&mut hasher);
    hasher.finish()
}

/// Plans an instance on the machine as it is.
///
/// # Errors
///
/// What keeps the instance from taking part.
pub fn plan(
    id: InstanceId,
    instance: &Instance,
    standing: Standing,
    world: &World,
) -> Result<Port, Fault> {
    let link = world
        .link(instance.interface.as_str())
        .ok_or(Fault::InterfaceGone)?;
    if instance.track_primary && !link.usable {
        return Err(Fault::LinkDown);
    }
    let no_peer =
        matches!(&instance.transport, Transport::Unicast { peers, .. } if peers.is_empty());
    if no_peer && instance.packets.fault_without_peers {
        return Err(Fault::NoPeers);
    }
    let configured = instance.advertised().count();
    let instance = &*fitting(instance, link.mtu);
    let surplus = configured.saturating_sub(instance.advertised().count());
    let mut needed = vec![Needed {
        ifindex: link.ifindex,
        usable: instance.track_primary && !link.patient,
        fault: Fault::LinkDown,
    }];
    for name in &instance.track_interfaces {
        let tracked = world.link(name.as_str()).filter(|link| link.usable);
        let tracked = tracked.ok_or(Fault::TrackedDown)?;
        needed.push(Needed {
            ifindex: tracked.ifindex,
            usable: !tracked.patient,
            fault: Fault::TrackedDown,
        });
    }
    for StaticAddress(tracked) in &instance.tracked_addresses {
        let on = tracked
            .device
            .as_ref()
            .and_then(|name| world.link(name.as_str()));
        let mut there = on
            .into_iter()
            .flat_map(|link| world.addresses_on(link.ifindex));
        let wanted = (tracked.address, tracked.prefix);
        if !there.any(|found| (found.address, found.prefix) == wanted) {
            return Err(Fault::TrackedAddressGone);
        }
    }
    let links = virtual_links(instance, world)?;
    needed.extend(links.iter().map(|ifindex| Needed {
        ifindex: *ifindex,
        usable: false,
        fault: Fault::InterfaceGone,
    }));
    let mut homes = Vec::with_capacity(instance.vips.len());
    for vip in &instance.vips {
        let home = world.link(instance.home(vip).as_str());
        let home = home.ok_or(Fault::InterfaceGone)?;
        if needed.iter().all(|needed| needed.ifindex != home.ifindex) {
            let fault = Fault::InterfaceGone;
            needed.push(Needed {
                ifindex: home.ifindex,
                usable: false,
                fault,
            });
        }
        homes.push(home);
    }
    let source = source_address(instance, link, world).ok_or(Fault::NoSourceAddress)?;
    let filter = filter(id, instance, standing, link, source);
    let placed = || instance.vips.iter().zip(&homes);
    let group = group(instance);
    let destinations = match &instance.transport {
        Transport::Unicast { peers, .. } => peers.clone(),
        Transport::Multicast { .. } => Vec::from_iter(group),
    };
    let vips: Vec<_> = placed()
        .map(|(vip, home)| (home.ifindex, vip.address))
        .collect();
    let announce = AnnouncePlan::new(placed().map(|(vip, home)| Announced {
        address: vip.address,
        ifindex: home.ifindex,
        mac: home.mac,
        router: world.forwards_v6,
        pace: pace(instance, vip.address, home),
    }));
    let weighed = || {
        let tracks = instance.tracks.iter().map(|track| &track.tracker);
        tracks.filter(|tracker| tracker.kind == Kind::Interface)
    };
    let watched: Vec<u32> = weighed()
        .filter_map(|tracker| Some(world.link(&tracker.name)?.ifindex))
        .collect();
    let index = |name: &IfName| world.link(name.as_str()).map(|link| link.ifindex);
    let paths = PathPlan::new(&instance.paths, index);
    let asked = || placed().map(|(vip, home)| (vip.address, *home));
    let asked_for = fence::places(link, &links, asked());
    let own = instance.virtual_mac.as_ref();
    let by_own = own.filter(|own| !own.xmit_base).and(links.first());
    let from = by_own.map_or(link.ifindex, |own| *own);
    let essence = Essence {
        ifindex: link.ifindex,
        source,
        mac: filter.mac,
        needed: needed.clone(),
        vips: vips.clone(),
        announce: announce.clone(),
        watched: watched.clone(),
        paths: paths.clone(),
        asked_for,
        instance: Instance {
            name: String::new(),
            ..instance.clone()
        },
    };
    let homes = placed().map(|(vip, home)| (vip, home.ifindex));
    let works = Works {
        addresses: AddressPlan::with_links(homes, &links),
        paths,
        announce,
        vips: vips.clone(),
        ifindex: link.ifindex,
        has_links: !links.is_empty(),
    };
    Ok(Port {
        id,
        config: core_config(id, instance, standing),
        ifindex: link.ifindex,
        name: instance.interface.clone(),
        source,
        key: InstanceKey {
            ifindex: link.ifindex,
            vlan: 0,
            family: instance.family as u8,
            vrid: instance.vrid.get(),
        },
        filter,
        advert: AdvertPlan::new(instance, source, from, destinations),
        works: Some(Box::new(works)),
        needed,
        awaits_link: watched.len() < weighed().count(),
        watched,
        vips,
        untracked: placed().map(|(vip, _)| vip.options.untracked).collect(),
        missing: Missing::new(instance.vips.len()),
        surplus,
        group,
        lease: fast::lease(instance),
        heart: fast::heart(instance, link.ifindex, source),
        virtual_links: links,
        raised: false,
        essence,
    })
}

/// The limit on announcements of an address on a link.
fn pace(instance: &Instance, address: IpAddr, home: &Link) -> Option<FramePace> {
    let mut paces = instance.paces.iter();
    let pace = paces.find(|pace| pace.interface.as_str() == home.name)?;
    let (interval, is_na) = match address {
        IpAddr::V4(_) => (pace.interval.garp, false),
        IpAddr::V6(_) => (pace.interval.na, true),
    };
    let key = PaceKey {
        id: pace.group.map_or(home.ifindex, u32::from),
        is_group: pace.group.is_some(),
        is_na,
    };
    (!interval.is_zero()).then_some(FramePace { key, interval })
}

/// The group that adverts go to; `None` in unicast mode.
pub fn group(instance: &Instance) -> Option<IpAddr> {
    match (&instance.transport, instance.family) {
        (Transport::Unicast { .. }, _) => None,
        (Transport::Multicast { .. }, Family::V4) => {
            Some(instance.packets.group.unwrap_or(GROUP_V4.into()))
        }
        (Transport::Multicast { .. }, Family::V6) => {
            Some(instance.packets.group.unwrap_or(GROUP_V6.into()))
        }
    }
}

/// The address that adverts come from (F-01, F-02).
pub fn source_address(instance: &Instance, link: &Link, world: &World) -> Option<IpAddr> {
    let wanted = match &instance.transport {
        Transport::Multicast { source } | Transport::Unicast { source, .. } => *source,
    };
    let usable = |address: &&Address| !address.tentative;
    if let Some(wanted) = wanted {
        let found = world
            .addresses
            .iter()
            .filter(usable)
            .find(|found| found.address == wanted);
        return found.map(|found| found.address);
    }
    let is_vip = |address: IpAddr| instance.vips.iter().any(|vip| vip.address == address);
    world
        .addresses_on(link.ifindex)
        .filter(usable)
        .filter(|found| !is_vip(found.address))
        .find(|found| match (instance.family, found.address) {
            (Family::V4, IpAddr::V4(_)) => !found.secondary,
            (Family::V6, IpAddr::V6(v6)) => v6.is_unicast_link_local(),
            (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => false,
        })
        .map(|found| found.address)
}

#[cfg(test)]
mod tests;
