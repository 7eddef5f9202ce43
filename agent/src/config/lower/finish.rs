//! A [`Draft`] to an [`Instance`]: what must be given, and what fits together.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use agent_common::{Family, Priority, Version, Vrid};

use super::address::{family, family_name};
use super::advert::{interval, password};
use super::firewall;
use super::global::Globals;
use super::instance::Draft;
use super::paths::{self, Preferences};
use super::transport::transport;
use super::useless::useless;
use super::{strict, track, traps, trust, virtual_links};
use crate::config::diagnostic::Code;
use crate::config::model::{IfName, Instance, Pace, Pacing, Transport, V3Checksum, Vip};
use crate::config::sink::Sink;

/// Addresses that the count field of an advert can stand for.
pub const MAX_ADVERTISED: usize = u8::MAX as usize;

/// `None` where the instance cannot be used; the reason is reported.
pub fn finish(
    mut draft: Draft,
    globals: &Globals,
    preferences: &mut Preferences,
    vmacs: &mut virtual_links::Names,
    sink: &mut Sink,
) -> Option<Instance> {
    let name = draft.name.as_ref().map(|name| name.text.clone())?;
    strict::enforce(&mut draft, globals, sink);
    let interface = required_interface(&draft, sink);
    let vrid = required_vrid(&draft, sink);
    let family = required_family(&draft, sink)?;
    let version = version(&draft, family, globals, sink);
    let vips = vips(&mut draft, family, version, sink);
    let transport = transport(&draft, family, globals.check_unicast_src, sink);
    let priority = draft
        .priority
        .unwrap_or(if draft.master { 255 } else { 100 });
    let (preempt, preempt_delay) = preempt(&draft, priority, sink);
    let interval = interval(&draft, version, sink);
    let password = password(&draft, version, sink);
    let paths = paths::lower(&draft.paths, &globals.names, preferences, sink);
    let mut packets = draft.packets.policy(&draft, family, globals, sink);
    if let Some(Transport::Unicast { peers, .. }) = &transport {
        // One list for all routers names ourselves as well.
        let limits = &mut packets.peer_ttl;
        limits.retain(|limit| peers.contains(&limit.peer));
    }
    let heard = trust::Heard {
        family,
        version,
        interval,
        transport: transport.as_ref(),
    };
    draft
        .trust
        .settle(&draft.title(), &heard, globals, &mut packets, sink);
    let interface = interface?;
    let v3_checksum = if draft
        .v3_checksum_as_v2
        .or(globals.v3_checksum_as_v2)
        .unwrap_or(false)
    {
        V3Checksum::MessageOnly
    } else {
        V3Checksum::PseudoHeader
    };
    let no_assert = draft
        .lower_prio_no_advert
        .or(globals.lower_prio_no_advert)
        .unwrap_or(false);
    let higher_send = draft
        .higher_prio_send_advert
        .or(globals.higher_prio_send_advert);
    let mut instance = Instance {
        name,
        track_interfaces: Vec::new(),
        tracks: Vec::new(),
        group: None,
        track_primary: !draft.dont_track_primary,
        interface,
        vrid: vrid?,
        version,
        family,
        priority: Priority(priority),
        interval,
        preempt,
        preempt_delay,
        down_factor: draft.down_factor.or(globals.down_factor).unwrap_or(3),
        assert_on_lower: !no_assert,
        higher_prio_send_advert: higher_send.unwrap_or(true),
        owner_ignores: draft
            .owner_ignores
            .or(globals.owner_ignores)
            .unwrap_or(false),
        transport: transport?,
        password,
        v3_checksum,
        announce: draft.garp.policy(&globals.garp, false),
        packets,
        paces: Vec::new(),
        vips: vips?,
        paths,
        accept: firewall::accept(&draft, priority == u8::MAX, sink),
        promote_secondaries: draft.promote_secondaries,
        tracked_addresses: Vec::new(),
        fast_detect: draft.fast_detect,
        virtual_mac: None,
        vip_macs: Vec::new(),
        notify: draft
            .tell
            .clone()
            .finish(&globals.tell, globals.script_user.as_ref()),
    };
    vmacs.settle(&draft, &mut instance, sink);
    let has_vmac = instance.virtual_links().next().is_some();
    instance.announce = draft.garp.policy(&globals.garp, has_vmac);
    instance.paces = paces(&instance, &globals.pacing);
    track::own(&draft, &mut instance, sink);
    traps::instance(&draft, &instance, globals, sink);
    let good = !strict::is_on(&draft, globals) || strict::allows(&draft, &instance, sink);
    good.then_some(instance)
}

/// Of the interfaces that its VIPs are on.
pub fn paces(instance: &Instance, pacing: &Pacing) -> Vec<Pace> {
    let homes = instance.vips.iter().map(|vip| instance.home(vip));
    let names: BTreeSet<&IfName> = homes.chain([&instance.interface]).collect();
    names
        .into_iter()
        .filter_map(|name| pacing.of(name))
        .collect()
}

fn required_interface(draft: &Draft, sink: &mut Sink) -> Option<IfName> {
    if draft.interface.is_none() {
        let message = format!("{} Unknown interface!", draft.title());
        sink.error(Code::MissingInterface, draft.place(), message)
            .help(
                "say on which interface adverts are sent: interface NAME \
                 (default_interface is for static addresses only)",
            );
    }
    draft.interface.clone().flatten()
}

fn required_vrid(draft: &Draft, sink: &mut Sink) -> Option<Vrid> {
    if draft.vrid.is_none() {
        let message = format!("{} the virtual router id must be set", draft.title());
        sink.error(Code::MissingVrid, draft.place(), message)
            .help("there is no default: virtual_router_id N, 1 to 255, the same on all routers");
    }
    draft.vrid.flatten()
}

/// That of the first VIP which is advertised, else of the first at all.
pub fn family_of_vips(draft: &Draft) -> Option<Family> {
    if draft.native_ipv6 {
        return Some(Family::V6);
    }
    let advertised = draft.vips.iter().find(|(vip, _)| vip.advertised);
    let first = advertised.or(draft.vips.first());
    let none = draft.no_vips.then_some(Family::V4);
    first.map(|(vip, _)| family(vip.address)).or(none)
}

fn required_family(draft: &Draft, sink: &mut Sink) -> Option<Family> {
    let family = family_of_vips(draft);
    if family.is_none() {
        no_vip(draft, sink);
    }
    family
}

fn no_vip(draft: &Draft, sink: &mut Sink) {
    let message = format!(
        "{} No VIP specified; at least one is required",
        draft.title()
    );
    sink.error(Code::NoVip, draft.place(), message)
        .help("list them in virtual_ipaddress, one a line");
}

fn version(draft: &Draft, family: Family, globals: &Globals, sink: &mut Sink) -> Version {
    match (draft.version, family) {
        (Some((Version::V2, span)), Family::V6) => {
            let message = format!("{} VRRPv2 has no IPv6; version 3 is used", draft.title());
            sink.warn(Code::VersionForced, span, message)
                .help("use version 3 on all routers of this VRID");
            Version::V3
        }
        (Some((version, _)), _) => version,
        // The global default is for IPv4 only, in keepalived as well.
        (None, Family::V6) => Version::V3,
        (None, Family::V4) => globals.version.unwrap_or(Version::V2),
    }
}

fn vips(draft: &mut Draft, family_: Family, version: Version, sink: &mut Sink) -> Option<Vec<Vip>> {
    let title = draft.title();
    let mut vips: Vec<Vip> = Vec::with_capacity(draft.vips.len());
    let mut seen = HashSet::new();
    let mut advertised = 0_usize;
    let mut usable = true;
    for (mut vip, span) in std::mem::take(&mut draft.vips) {
        if vip.advertised && family(vip.address) != family_ {
            let message = format!(
                "{title} VIP {} must be {} as the first one is",
                vip.address,
                family_name(family_)
            );
            sink.error(Code::WrongFamily, span, message)
                .help("put it into an instance of its own, or into virtual_ipaddress_excluded");
            usable = false;
            continue;
        }
        if !seen.insert((vip.address, vip.device.clone())) {
            let message = format!(
                "{title} VIP {} is listed twice; the first one counts",
                vip.address
            );
            sink.trap(Code::Duplicate, span, message);
            continue;
        }
        if let Some(why) = useless(vip.address, vip.prefix) {
            let message = format!("{title} VIP {}/{} {why}", vip.address, vip.prefix);
            sink.trap(Code::BadAddress, span, message)
                .help("use an address that other machines of the network can have");
        }
        if vip.advertised {
            advertised = advertised.saturating_add(1);
            if advertised == MAX_ADVERTISED + 1 {
                let message = format!(
                    "{title} more than {MAX_ADVERTISED} VIPs: this one and those after it are held, but not advertised"
                );
                sink.warn(Code::TooManyVips, span, message)
                    .help("keep the order of VIPs the same on all routers, or use virtual_ipaddress_excluded");
            }
            vip.advertised = advertised <= MAX_ADVERTISED;
            if let (1, IpAddr::V6(first)) = (advertised, vip.address)
                && !first.is_unicast_link_local()
            {
                let message = format!("{title} the first IPv6 VIP address should be link local");
                sink.trap(Code::NotLinkLocal, span, message)
                    .help("RFC 9568 5.2.9: put a fe80:: address first, the same on all routers");
            }
        }
        vips.push(vip);
    }
    // A v2 advert may carry no address at all; a v3 advert may not (F-17).
    let none = vips.is_empty() && !draft.no_vips;
    if usable && advertised == 0 && (version == Version::V3 || none) {
        no_vip(draft, sink);
        return None;
    }
    usable.then_some(vips)
}

/// keepalived's rules: nopreempt and preempt_delay are nothing for the owner,
/// and `state MASTER` clears both.
fn preempt(draft: &Draft, priority: u8, sink: &mut Sink) -> (bool, Duration) {
    let title = draft.title();
    let why = if priority == u8::MAX {
        "with priority 255"
    } else if draft.master {
        "with initial state MASTER"
    } else {
        let delay = draft
            .preempt_delay
            .map_or(Duration::ZERO, |(delay, _)| delay);
        return (draft.nopreempt.is_none(), delay);
    };
    let remedy = "use state BACKUP and a priority below 255 on all routers";
    if let Some(span) = draft.nopreempt {
        let message = format!("{title} nopreempt will not work {why} - clearing");
        sink.warn(Code::Conflict, span, message).help(remedy);
    }
    if let Some((_, span)) = draft.preempt_delay.filter(|(delay, _)| !delay.is_zero()) {
        let message = format!("{title} preempt delay will not work {why} - clearing");
        sink.warn(Code::Conflict, span, message).help(remedy);
    }
    (true, Duration::ZERO)
}
