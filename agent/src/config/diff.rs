//! What a new configuration changes, instance by instance, before it is done.
//!
//! Instances are matched by what peers see: VRID, family, interface, and
//! whether adverts go by unicast or multicast; not by name. Works on
//! [`Portrait`]s, which say all of a configuration in words, so that a running
//! agent can be asked for its own without handing out a password.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::model::{Config, Instance, Password, Transport, V3Checksum, Vip};
use agent_common::Family;

/// Shown in place of a password.
pub(super) const SECRET: &str = "auth_pass";
pub(super) const HIDDEN: &str = "(not shown)";
const VERSION: &str = "version";

/// A configuration in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Portrait {
    pub router_id: Option<String>,
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
    Changes {
        global: field("router_id", &router_id(old), &router_id(new))
            .into_iter()
            .chain(fields(&old.trackers, &new.trackers))
            .collect(),
        instances,
    }
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

type Fields = BTreeMap<String, Vec<String>>;

fn fields(old: &Fields, new: &Fields) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let values = |all: &Fields, name: &String| all.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| field(name, &values(old, name), &values(new, name)))
        .collect()
}

/// What `field` has lost and gained.
fn field(name: &str, old: &[String], new: &[String]) -> Option<FieldChange> {
    if old == new {
        return None;
    }
    let without = |some: &[String], others: &[String]| -> Vec<String> {
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
        changes.extend(fields(&self.values, &new.values));
        let other_version = changes.iter().any(|change| change.field == VERSION);
        let action = match (changes.is_empty(), self.continues(new) && !other_version) {
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
            instances,
            trackers,
        } = config;
        Self {
            router_id: router_id.clone(),
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
            vips,
            track_interfaces,
            tracks,
            group,
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
        let (advertised, excluded): (Vec<&Vip>, Vec<&Vip>) =
            vips.iter().partition(|vip| vip.advertised);
        values.list("virtual_ipaddress", advertised.into_iter().map(words));
        values.list(
            "virtual_ipaddress_excluded",
            excluded.into_iter().map(words),
        );
        values.list("track_interface", track_interfaces);
        tracked::entries(tracks, &mut values);
        values.list("vrrp_sync_group", group);
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

#[derive(Default)]
struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    fn set(&mut self, keyword: &str, value: impl ToString) {
        self.list(keyword, [value]);
    }

    /// A keyword without a value is not there.
    fn list<T: ToString>(&mut self, keyword: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        if !values.is_empty() {
            self.0.insert(keyword.to_owned(), values);
        }
    }

    fn transport(&mut self, transport: &Transport) {
        match transport {
            Transport::Multicast { source } => self.list("mcast_src_ip", source),
            Transport::Unicast {
                source,
                peers,
                check_source,
            } => {
                self.list("unicast_src_ip", source);
                self.list("unicast_peer", peers);
                self.set("check_unicast_src", check_source);
            }
        }
    }

    fn announce(&mut self, policy: &super::model::AnnouncePolicy) {
        let super::model::AnnouncePolicy {
            repeat,
            delay,
            refresh,
            refresh_repeat,
            lower_prio_repeat,
            lower_prio_delay,
        } = policy;
        self.set("garp_master_repeat", repeat);
        self.set("garp_master_delay", seconds(*delay));
        self.list("garp_master_refresh", refresh.map(seconds));
        self.set("garp_master_refresh_repeat", refresh_repeat);
        self.set("garp_lower_prio_repeat", lower_prio_repeat);
        self.set("garp_lower_prio_delay", seconds(*lower_prio_delay));
    }
}

fn seconds(span: core::time::Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// As the line of a virtual_ipaddress block. A VIP that moves between the two
/// blocks is in another list then.
fn words(vip: &Vip) -> String {
    let Vip {
        address,
        prefix,
        device,
        broadcast,
        label,
        scope,
        advertised: _,
    } = vip;
    let mut text = format!("{address}/{prefix}");
    let mut option = |keyword: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {keyword} {value}"));
        }
    };
    option("dev", device.as_ref().map(ToString::to_string));
    option("brd", broadcast.map(|address| address.to_string()));
    option("label", label.clone());
    option("scope", (*scope != 0).then(|| scope.to_string()));
    text
}

/// FNV-1a, to tell passwords apart without showing them. Not a secret kept
/// well: VRRPv2 sends them in the clear.
fn fingerprint(password: &Password) -> String {
    let hash = password
        .0
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
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

mod tracked;

#[cfg(test)]
mod tests;
