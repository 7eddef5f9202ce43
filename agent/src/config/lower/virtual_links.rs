//! Interfaces with virtual MAC addresses: their names and addresses, and which
//! VIPs are on them.

use std::collections::{BTreeMap, BTreeSet};

use super::global::Globals;
use super::instance::Draft;
use crate::config::diagnostic::Code;
use crate::config::lexer::Span;
use crate::config::model::{IfName, Instance, Track, Transport, VipMac, VirtualMac};
use crate::config::sink::Sink;
use crate::track::{Kind, TrackerId};
use agent_common::Family;

/// keepalived's prefix of generated names.
const PREFIX: &str = "vrrp";
/// Names that are tried for one interface.
const NAMES: usize = 512;

/// Interface names that are spoken for, and MAC addresses in use.
#[derive(Debug)]
pub struct Names {
    prefix: String,
    /// Of interfaces for VIPs that are not on the instance's.
    addr_prefix: String,
    given: BTreeSet<IfName>,
    taken: BTreeSet<IfName>,
    macs: BTreeMap<(IfName, [u8; 6]), String>,
}

impl Names {
    /// Names that the file gives come before those that are made up.
    pub fn new(drafts: &[Draft], globals: &Globals) -> Self {
        let own = drafts.iter().filter_map(|draft| draft.interface.clone()?);
        let given = drafts
            .iter()
            .filter_map(|draft| draft.vmac.as_ref()?.name.clone());
        let prefix = globals.vmac_prefix.clone().unwrap_or(PREFIX.to_owned());
        Self {
            addr_prefix: globals.vmac_addr_prefix.clone().unwrap_or(prefix.clone()),
            prefix,
            given: given.collect(),
            taken: own.collect(),
            macs: BTreeMap::new(),
        }
    }

    /// Gives `instance` the virtual MAC addresses that were asked for.
    pub fn settle(&mut self, draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
        self.own(draft, instance, sink);
        mark_vips(draft, instance, sink);
        self.of_vips(draft, instance, sink);
    }

    /// [`Config::vmac_addr_prefix`](crate::config::Config).
    pub fn addr_prefix(&self, instances: &[Instance]) -> Option<String> {
        let needed = instances.iter().any(|one| !one.vip_macs.is_empty());
        (needed && self.addr_prefix != PREFIX).then(|| self.addr_prefix.clone())
    }

    fn own(&mut self, draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
        let Some(asked) = &draft.vmac else { return };
        let mac = mac(draft, instance, instance.family);
        let title = &instance.name;
        let name = match asked.name.clone() {
            Some(name) => self.taken.insert(name.clone()).then_some(name),
            None => self.generate(&self.prefix.clone(), instance, instance.family),
        };
        let Some(name) = name else {
            let message = format!("({title}) the interface name of use_vmac is taken");
            sink.error(Code::Duplicate, asked.span, message)
                .help("give each instance a name of its own, or none");
            return;
        };
        self.note_mac(&instance.interface, mac, instance, asked.span, sink);
        let unicast = match &instance.transport {
            Transport::Multicast { .. } => false,
            Transport::Unicast { .. } => true,
        };
        instance.virtual_mac = Some(VirtualMac {
            name,
            mac,
            xmit_base: draft.vmac_xmit_base.is_some() || unicast,
            group: asked.group,
        });
    }

    /// One for each interface and family, in the order of the VIPs.
    fn of_vips(&mut self, draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
        let mut links: Vec<VipMac> = Vec::new();
        for vip in instance.vips.iter().filter(|vip| vip.options.use_vmac) {
            let base = vip.device.as_ref().unwrap_or(&instance.interface);
            let family = if vip.address.is_ipv4() {
                Family::V4
            } else {
                Family::V6
            };
            if links.iter().any(|link| link.serves(base, family)) {
                continue;
            }
            let mac = mac(draft, instance, family);
            self.note_mac(base, mac, instance, draft.place(), sink);
            let prefix = self.addr_prefix.clone();
            let Some(name) = self.generate(&prefix, instance, family) else {
                return;
            };
            links.push(VipMac {
                name,
                mac,
                base: base.clone(),
                family,
            });
        }
        instance.vip_macs = links;
    }

    fn note_mac(
        &mut self,
        base: &IfName,
        mac: [u8; 6],
        instance: &Instance,
        span: Span,
        sink: &mut Sink,
    ) {
        let (title, place) = (&instance.name, (base.clone(), mac));
        if let Some(other) = self.macs.insert(place, title.clone()) {
            let message =
                format!("({title}) has the same virtual MAC address on {base} as ({other})");
            sink.error(Code::Duplicate, span, message)
                .help("leave the MAC address to the RFC, or use another VRID or address");
        }
    }

    /// As keepalived: `vrrp.51`, with IPv6 then `vrrp6.51`, then `vrrp1.51` and
    /// so on.
    fn generate(&mut self, prefix: &str, instance: &Instance, family: Family) -> Option<IfName> {
        let six = match family {
            Family::V4 => None,
            Family::V6 => Some("6".to_owned()),
        };
        let numbers = (1..NAMES).map(|number| number.to_string());
        let middles = std::iter::once(String::new()).chain(six).chain(numbers);
        let vrid = instance.vrid;
        let mut names = middles.filter_map(|mid| IfName::new(&format!("{prefix}{mid}.{vrid}")));
        let free = names.find(|name| !self.taken.contains(name) && !self.given.contains(name))?;
        self.taken.insert(free.clone());
        Some(free)
    }
}

/// A MAC address that `use_vmac` gives is for the family of the instance, also
/// elsewhere: two interfaces on one link cannot share it.
fn mac(draft: &Draft, instance: &Instance, family: Family) -> [u8; 6] {
    let given = draft.vmac.as_ref().and_then(|asked| asked.mac);
    let given = given.filter(|_| family == instance.family);
    let standard = VirtualMac::standard(family, instance.vrid);
    given.map_or(standard, |octets| octets.complete(instance.vrid))
}

/// Which VIPs are on interfaces of their own: those that say so, and with
/// `use_vmac_addr` all that the instance's own is not for.
fn mark_vips(draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
    let all = draft.vmac_addr.is_some();
    let (own, interface) = (instance.virtual_mac.is_some(), instance.interface.clone());
    let title = instance.name.clone();
    for vip in &mut instance.vips {
        let here = vip
            .device
            .as_ref()
            .is_none_or(|device| *device == interface);
        let same = vip.address.is_ipv6() == matches!(instance.family, Family::V6);
        if vip.options.use_vmac && own && here && same {
            let message = format!(
                "({title}) VIP {} has the virtual MAC address of the instance: use_vmac is ignored",
                vip.address
            );
            sink.warn(Code::Conflict, draft.place(), message);
        }
        let asked = vip.options.use_vmac || all;
        vip.options.use_vmac = asked && !(here && same && (own || !vip.options.use_vmac));
    }
}

/// Who tracks such an interface means the link below: ours is down while its
/// instance is Backup.
pub fn track_below(instances: &mut [Instance], sink: &mut Sink) {
    let links = instances.iter().flat_map(Instance::virtual_links);
    let below: BTreeMap<IfName, IfName> = links
        .map(|link| (link.name.clone(), link.base.clone()))
        .collect();
    for instance in instances {
        let mut told = |name: &str, base: &IfName| {
            let message = format!(
                "({}) {name} is down while its instance is Backup: {base} below it is tracked",
                instance.name
            );
            sink.warn(Code::Conflict, Span::FILE, message)
                .help("name the interface below in track_interface");
        };
        let mut names: Vec<IfName> = Vec::new();
        for name in std::mem::take(&mut instance.track_interfaces) {
            let base = below.get(&name);
            base.iter().for_each(|base| told(name.as_str(), base));
            let anyway = instance.track_primary && base == Some(&instance.interface);
            let name = base.cloned().unwrap_or(name);
            if !anyway && !names.contains(&name) {
                names.push(name);
            }
        }
        instance.track_interfaces = names;
        let mut tracks: Vec<Track> = Vec::new();
        for mut track in std::mem::take(&mut instance.tracks) {
            let name = IfName::new(&track.tracker.name);
            let base = name.filter(|_| track.tracker.kind == Kind::Interface);
            if let Some(base) = base.and_then(|name| below.get(&name)) {
                told(&track.tracker.name, base);
                track.tracker = TrackerId::new(Kind::Interface, base.as_str());
                if tracks.iter().any(|other| other.tracker == track.tracker) {
                    continue;
                }
            }
            tracks.push(track);
        }
        instance.tracks = tracks;
    }
}
