//! What a new configuration changes, instance by instance, before it is done.
//!
//! Instances are matched by what peers see: VRID, family, interface, and
//! whether adverts go by unicast or multicast; not by name. Works on
//! [`Portrait`]s, which say all of a configuration in words, so that a running
//! agent can be asked for its own without handing out a password.

mod files;
mod lvs;
mod tell;
mod tracked;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use self::packets::pace;
use self::values::{Values, fingerprint, given, seconds, vip_mac, vmac, words};
use super::model::{Config, Instance, StartDelay, StaticAddress, Transport, V3Checksum, Vip};
use agent_common::Family;

/// Shown in place of a password.
pub(super) const SECRET: &str = "auth_pass";
pub(super) const HIDDEN: &str = "(not shown)";
const VERSION: &str = "version";
const VMAC: &str = "use_vmac";
const VMAC_ADDR: &str = "use_vmac_addr";

/// A configuration in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Portrait {
    pub router_id: Option<String>,
    /// What concerns no single instance, by keyword.
    #[serde(default)]
    pub globals: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub files: BTreeMap<String, Vec<String>>,
    pub instances: Vec<InstancePortrait>,
    /// What is tracked, by keyword and name.
    #[serde(default)]
    pub trackers: BTreeMap<String, Vec<String>>,
}

/// An instance in words: every value by the keyword that sets it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstancePortrait {
    pub name: String,
    pub vrid: u8,
    pub family: String,
    pub interface: String,
    /// `unicast` or `multicast`.
    pub transport: String,
    pub values: BTreeMap<String, Vec<String>>,
}

/// What becomes of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Leaves; priority 0 if it is Active.
    Removed,
    /// Leaves, and another one starts in its place: what changes cannot be
    /// changed in a running virtual router.
    Replaced,
    /// Keeps its state.
    Changed,
    Added,
    Unchanged,
}

/// One keyword with other values than before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    pub removed: Vec<String>,
    /// Both empty: the same values in another order.
    pub added: Vec<String>,
}

/// One instance before and after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delta {
    /// The new one, where there is one.
    pub name: String,
    pub action: Action,
    pub changes: Vec<FieldChange>,
    /// Index among the old instances.
    #[serde(skip)]
    pub old: Option<usize>,
    /// Index among the new ones.
    #[serde(skip)]
    pub new: Option<usize>,
}

/// All that a reload would do: what is removed first, then the new
/// configuration in its order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Changes {
    pub global: Vec<FieldChange>,
    pub instances: Vec<Delta>,
}

impl Changes {
    /// Nothing would be different.
    pub fn is_empty(&self) -> bool {
        let unchanged = |delta: &Delta| delta.action == Action::Unchanged;
        self.global.is_empty() && self.instances.iter().all(unchanged)
    }
}

/// What leads from `old` to `new`.
pub fn diff(old: &Portrait, new: &Portrait) -> Changes {
    let router_id = |portrait: &Portrait| Vec::from_iter(portrait.router_id.clone());
    let partners = partners(&old.instances, &new.instances);
    let mut instances: Vec<Delta> = old
        .instances
        .iter()
        .enumerate()
        .filter(|(index, _)| !partners.contains(&Some(*index)))
        .map(|(index, instance)| Delta {
            name: instance.name.clone(),
            action: Action::Removed,
            changes: Vec::new(),
            old: Some(index),
            new: None,
        })
        .collect();
    for ((index, instance), partner) in new.instances.iter().enumerate().zip(&partners) {
        let before = partner.and_then(|at| Some((at, old.instances.get(at)?)));
        instances.push(match before {
            None => Delta {
                name: instance.name.clone(),
                action: Action::Added,
                changes: Vec::new(),
                old: None,
                new: Some(index),
            },
            Some((at, before)) => Delta {
                old: Some(at),
                new: Some(index),
                ..before.delta(instance)
            },
        });
    }
    let mut global = Vec::from_iter(field("router_id", &router_id(old), &router_id(new)));
    global.extend(value_changes(&old.globals, &new.globals));
    global.extend(value_changes(&old.files, &new.files));
    global.extend(value_changes(&old.trackers, &new.trackers));
    Changes { global, instances }
}

/// For each new instance the old one that it continues or replaces.
fn partners(old: &[InstancePortrait], new: &[InstancePortrait]) -> Vec<Option<usize>> {
    type Same = fn(&InstancePortrait, &InstancePortrait) -> bool;
    let rules: [Same; 3] = [
        InstancePortrait::continues,
        InstancePortrait::same_virtual_router,
        |a, b| a.name == b.name,
    ];
    let mut partners = vec![None; new.len()];
    let mut free: Vec<usize> = (0..old.len()).collect();
    for same in rules {
        for (instance, partner) in new.iter().zip(&mut partners) {
            if partner.is_some() {
                continue;
            }
            let found = free
                .iter()
                .position(|index| old.get(*index).is_some_and(|old| same(old, instance)));
            *partner = found.map(|at| free.remove(at));
        }
    }
    partners
}

/// Of all keywords that either side has.
fn value_changes(
    old: &BTreeMap<String, Vec<String>>,
    new: &BTreeMap<String, Vec<String>>,
) -> Vec<FieldChange> {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let of = |values: &BTreeMap<String, Vec<String>>, name| -> Vec<String> {
        values.get(name).cloned().unwrap_or_default()
    };
    let changes = names
        .into_iter()
        .filter_map(|name| field(name, &of(old, name), &of(new, name)));
    changes.collect()
}

/// What `field` has lost and gained.
fn field(name: &str, old: &[String], new: &[String]) -> Option<FieldChange> {
    if old == new {
        return None;
    }
    let without = |some: &[String], others: &[String]| -> Vec<String> {
        // Thousands of real servers of one service are compared at once.
        let others: HashSet<&String> = others.iter().collect();
        let missing = some.iter().filter(|value| !others.contains(value));
        match name {
            SECRET => missing.map(|_| HIDDEN.to_owned()).collect(),
            _ => missing.cloned().collect(),
        }
    };
    Some(FieldChange {
        field: name.to_owned(),
        removed: without(old, new),
        added: without(new, old),
    })
}

impl InstancePortrait {
    fn same_virtual_router(&self, other: &Self) -> bool {
        self.vrid == other.vrid && self.family == other.family && self.interface == other.interface
    }

    fn continues(&self, other: &Self) -> bool {
        self.same_virtual_router(other) && self.transport == other.transport
    }

    /// Without the indices.
    fn delta(&self, new: &Self) -> Delta {
        let vrid = |p: &Self| vec![p.vrid.to_string()];
        let text = |text: &String| vec![text.clone()];
        let mut changes: Vec<FieldChange> = [
            field("name", &text(&self.name), &text(&new.name)),
            field("virtual_router_id", &vrid(self), &vrid(new)),
            field("family", &text(&self.family), &text(&new.family)),
            field("interface", &text(&self.interface), &text(&new.interface)),
            field("transport", &text(&self.transport), &text(&new.transport)),
        ]
        .into_iter()
        .flatten()
        .collect();
        changes.extend(value_changes(&self.values, &new.values));
        // Adverts come from elsewhere then, and VIPs are elsewhere.
        let fixed =
            |change: &FieldChange| [VERSION, VMAC, VMAC_ADDR].contains(&change.field.as_str());
        let other_router = changes.iter().any(fixed);
        let action = match (changes.is_empty(), self.continues(new) && !other_router) {
            (true, _) => Action::Unchanged,
            (false, true) => Action::Changed,
            (false, false) => Action::Replaced,
        };
        Delta {
            name: new.name.clone(),
            action,
            changes,
            old: None,
            new: None,
        }
    }
}

impl From<&Config> for Portrait {
    fn from(config: &Config) -> Self {
        let Config {
            router_id,
            // Said of each instance that it concerns.
            pacing: _,
            start_delay,
            log_unknown_vrids,
            disable_local_igmp,
            files,
            instances,
            trackers,
            process,
            interfaces,
            static_addresses,
            static_paths,
            // In the names of the interfaces.
            vmac_addr_prefix: _,
            firewall,
            tell: telling,
            lvs: virtual_servers,
        } = config;
        let mut globals = Values::default();
        let StartDelay {
            after_start,
            after_boot,
        } = *start_delay;
        globals.list("vrrp_startup_delay", given(after_start).map(seconds));
        globals.list("vrrp_delay_after_boot", given(after_boot).map(seconds));
        globals.flag("log_unknown_vrids", *log_unknown_vrids);
        globals.flag("disable_local_igmp", *disable_local_igmp);
        globals.addresses(static_addresses, firewall);
        globals.paths("static", static_paths);
        globals.process(process);
        globals.interfaces(interfaces);
        tell::globals(telling, &mut globals);
        lvs::values(virtual_servers, &mut globals);
        Self {
            router_id: router_id.clone(),
            globals: globals.0,
            files: files::values(files).0,
            instances: instances.iter().map(InstancePortrait::from).collect(),
            trackers: tracked::definitions(trackers),
        }
    }
}

impl From<&Instance> for InstancePortrait {
    fn from(instance: &Instance) -> Self {
        // All of it by name: a field that is added must not be forgotten here.
        let Instance {
            name,
            interface,
            vrid,
            version,
            family,
            priority,
            interval,
            preempt,
            preempt_delay,
            down_factor,
            assert_on_lower,
            higher_prio_send_advert,
            owner_ignores,
            transport,
            password,
            v3_checksum,
            announce,
            packets,
            paces,
            vips,
            paths,
            accept,
            promote_secondaries,
            tracked_addresses,
            track_interfaces,
            tracks,
            group,
            track_primary,
            fast_detect,
            virtual_mac,
            vip_macs,
            notify,
        } = instance;
        let mut values = Values::default();
        values.set(VERSION, *version as u8);
        values.set("priority", priority.get());
        values.set("advert_int", seconds(interval.duration()));
        values.set("preempt", preempt);
        values.set("preempt_delay", seconds(*preempt_delay));
        values.set("down_timer_adverts", down_factor);
        values.set("lower_prio_no_advert", !assert_on_lower);
        values.set("higher_prio_send_advert", higher_prio_send_advert);
        values.set("owner_ignore_adverts", owner_ignores);
        values.transport(transport);
        values.list(SECRET, password.iter().map(fingerprint));
        let as_v2 = match v3_checksum {
            V3Checksum::PseudoHeader => false,
            V3Checksum::MessageOnly => true,
        };
        values.set("v3_checksum_as_v2", as_v2);
        values.announce(announce);
        values.packets(packets);
        values.list("garp_interval", paces.iter().map(pace));
        let (advertised, excluded): (Vec<&Vip>, Vec<&Vip>) =
            vips.iter().partition(|vip| vip.advertised);
        values.list("virtual_ipaddress", advertised.into_iter().map(words));
        values.list(
            "virtual_ipaddress_excluded",
            excluded.into_iter().map(words),
        );
        values.paths("virtual", paths);
        values.set("accept", accept);
        values.set("promote_secondaries", promote_secondaries);
        let tracked = tracked_addresses.iter();
        let tracked = tracked.map(|StaticAddress(vip)| words(vip));
        values.list("track_group", tracked);
        values.list("track_interface", track_interfaces);
        values.set("dont_track_primary", !track_primary);
        tracked::entries(tracks, &mut values);
        values.list("vrrp_sync_group", group);
        values.list("fast_detect", fast_detect.as_ref().map(values::fast));
        values.list(VMAC, virtual_mac.iter().map(vmac));
        values.list(VMAC_ADDR, vip_macs.iter().map(vip_mac));
        tell::notify("", notify, &mut values);
        Self {
            name: name.clone(),
            vrid: vrid.get(),
            family: match family {
                Family::V4 => "ipv4".to_owned(),
                Family::V6 => "ipv6".to_owned(),
            },
            interface: interface.to_string(),
            transport: match transport {
                Transport::Multicast { .. } => "multicast".to_owned(),
                Transport::Unicast { .. } => "unicast".to_owned(),
            },
            values: values.0,
        }
    }
}

impl fmt::Display for Changes {
    /// One line per instance, one per change below it; unchanged ones in one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.global {
            writeln!(f, "{change}")?;
        }
        let mut unchanged = 0;
        for delta in &self.instances {
            let what = match delta.action {
                Action::Unchanged => {
                    unchanged += 1;
                    continue;
                }
                Action::Removed => "removed",
                Action::Replaced => "replaced: leaves, and starts anew",
                Action::Changed => "changed, keeps its state",
                Action::Added => "added",
            };
            writeln!(f, "({}) {what}", delta.name)?;
            for change in &delta.changes {
                writeln!(f, "  {change}")?;
            }
        }
        match unchanged {
            0 => Ok(()),
            1 => writeln!(f, "1 instance unchanged"),
            count => writeln!(f, "{count} instances unchanged"),
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            removed,
            added,
        } = self;
        match (removed.as_slice(), added.as_slice()) {
            ([], []) => write!(f, "{field}: another order"),
            ([old], [new]) if field == SECRET && old == new => write!(f, "{field}: another one"),
            ([old], [new]) => write!(f, "{field}: {old} -> {new}"),
            (removed, added) => {
                write!(f, "{field}:")?;
                removed.iter().try_for_each(|old| write!(f, " -{old}"))?;
                added.iter().try_for_each(|new| write!(f, " +{new}"))
            }
        }
    }
}

mod packets;
#[cfg(test)]
mod tests;
mod values;
