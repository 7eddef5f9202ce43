//! The links below virtual MAC addresses speak of no VIP with their own
//! address: they neither answer ARP for them, nor ask in their name, from which
//! hosts learn too.
//!
//! What a link had before is told to the supervisor first, and put back when no
//! instance needs it otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use agent_common::Family;
use tracing::warn;

use crate::{
    config::Instance,
    io::netlink::{
        devconf::{self, Before, Ipv4Conf},
        survey::{Link, World},
    },
};

#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// What was found, and whether it is otherwise by now.
    found: BTreeMap<(u32, Ipv4Conf), (u32, bool)>,
    /// What a predecessor found, until it has handed over.
    foretold: Vec<Before>,
}

impl Quiet {
    /// Notes what is to be set for these instances, and puts back what none of
    /// them needs.
    pub(super) fn foresee<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Instance>,
        world: &World,
    ) {
        for before in std::mem::take(&mut self.foretold) {
            self.inherit(before);
        }
        let mut bases = BTreeSet::new();
        for link in instances.flat_map(Instance::virtual_links) {
            let base = world.link(link.base.as_str());
            if let Some(base) = base.filter(|_| link.family == Family::V4) {
                bases.insert(base.ifindex);
                self.note(base);
            }
        }
        let over: Vec<_> = self
            .found
            .keys()
            .filter(|(ifindex, _)| !bases.contains(ifindex))
            .copied()
            .collect();
        for place in over {
            self.put_back(place);
        }
    }

    /// What the supervisor has to put back should we die.
    pub(super) fn before(&self) -> impl Iterator<Item = Before> {
        let found = self.found.iter();
        found
            .map(|((ifindex, setting), (value, _))| Before {
                ifindex: *ifindex,
                setting: *setting,
                value: *value,
            })
            .chain(self.foretold.iter().copied())
    }

    /// Carries out what was foreseen.
    pub(super) fn apply(&mut self) {
        for ((ifindex, setting), (_, done)) in &mut self.found {
            if *done {
                continue;
            }
            match devconf::set(*ifindex, *setting, wanted(*setting)) {
                Ok(()) => *done = true,
                Err(error) => warn!(
                    "cannot set {} on interface {ifindex}: {error}",
                    setting.label()
                ),
            }
        }
    }

    pub(super) fn end(&mut self) {
        let places: Vec<_> = self.found.keys().copied().collect();
        for place in places {
            self.put_back(place);
        }
    }

    /// What is a successor's to put back from now on.
    pub(super) fn give_away(&mut self) -> Vec<Before> {
        let all = self.before().collect();
        *self = Self::default();
        all
    }

    /// It would be ours should the predecessor hand over.
    pub(super) fn foretell(&mut self, before: Before) {
        self.foretold.push(before);
    }

    /// It is ours.
    pub(super) fn inherit(&mut self, before: Before) {
        let Before {
            ifindex,
            setting,
            value,
        } = before;
        self.found.insert((ifindex, setting), (value, true));
    }

    fn note(&mut self, base: &Link) {
        for setting in [Ipv4Conf::ArpIgnore, Ipv4Conf::ArpAnnounce] {
            let place = (base.ifindex, setting);
            let found = conf("ipv4", &base.name, setting.label());
            let Some(value) = found.filter(|value| !is_enough(setting, *value)) else {
                continue;
            };
            match self.found.get_mut(&place) {
                // Somebody has put it back, as another agent that ended.
                Some((_, done)) => *done = false,
                None => drop(self.found.insert(place, (value, false))),
            }
        }
    }

    fn put_back(&mut self, place: (u32, Ipv4Conf)) {
        let (ifindex, setting) = place;
        let Some((value, true)) = self.found.remove(&place) else {
            return;
        };
        match devconf::set(ifindex, setting, value) {
            Ok(()) => {}
            // The link is gone.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => warn!(
                "cannot put {} of interface {ifindex} back: {error}",
                setting.label()
            ),
        }
    }
}

/// 1 would do as arp_announce for VIPs of other subnets only.
fn wanted(setting: Ipv4Conf) -> u32 {
    if setting == Ipv4Conf::ArpAnnounce {
        2
    } else {
        1
    }
}

/// Modes 3 to 7 of arp_ignore answer for addresses of other links.
fn is_enough(setting: Ipv4Conf, value: u32) -> bool {
    match setting {
        Ipv4Conf::ArpAnnounce => value >= 2,
        _ => matches!(value, 1 | 2 | 8),
    }
}

/// /proc/sys/net/`family`/conf/`interface`/`setting`.
pub(super) fn conf(family: &str, interface: &str, setting: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/sys/net/{family}/conf/{interface}/{setting}"));
    text.ok()?.trim().parse().ok()
}
