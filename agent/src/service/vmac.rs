//! Interfaces with virtual MAC addresses: made before an instance needs them,
//! kept while it is configured, removed at the end.
//!
//! One is known again by its name, the link below, its address and its kind;
//! and as made by an agent by its alias, which is the name of the instance's
//! lock. What somebody else made is used, and left.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use tracing::{info, warn};

use super::{
    Failure, lock,
    quiet::{Quiet, conf},
};
use crate::{
    config::{Instance, model::VirtualLink},
    io::netlink::{
        devconf::{self, Ipv4Conf},
        macvlan::{self, MARK, Macvlan},
        survey::{Link, World},
    },
};

#[derive(Debug, Default)]
pub(super) struct VirtualLinks {
    /// Those in use by index, and whether they are ours to remove.
    known: BTreeMap<u32, bool>,
    /// What we set on links below.
    pub quiet: Quiet,
    /// What agents that crashed left was looked for.
    swept: bool,
    changed: bool,
}

impl VirtualLinks {
    /// Makes what `instances` lack on links that exist, and removes what none
    /// of them wants any more. What the instances that are `leaving` have stays
    /// as it is; whoever wants another one of that name has to wait.
    ///
    /// # Errors
    ///
    /// What the kernel refuses, or a name that is taken: that of the first
    /// instance; the others are seen to all the same.
    pub(super) fn apply<'a>(
        &mut self,
        instances: &[Instance],
        leaving: impl Iterator<Item = &'a Instance>,
        world: &World,
    ) -> Result<(), Failure> {
        let exists = |ifindex: &u32| world.links.iter().any(|link| link.ifindex == *ifindex);
        self.known.retain(|ifindex, _| exists(ifindex));
        let (mut wanted, mut first) = (BTreeSet::new(), Ok(()));
        let mut held = BTreeSet::new();
        for link in leaving.flat_map(Instance::virtual_links) {
            held.extend(world.link(link.name.as_str()).map(|link| link.ifindex));
        }
        wanted.extend(held.iter().copied());
        for (instance, link) in instances
            .iter()
            .flat_map(|instance| instance.virtual_links().map(move |link| (instance, link)))
        {
            let found = world.link(link.name.as_str());
            // Also of one whose link below is not there under its name any
            // more: the instance lets go of its VIPs first.
            wanted.extend(found.map(|found| found.ifindex));
            let Some(base) = world.link(link.base.as_str()) else {
                continue;
            };
            let waits = |found: &Link| held.contains(&found.ifindex) && !fits(&link, base, found);
            if found.is_some_and(waits) {
                continue;
            }
            if let Err(failure) = self.provide(instance, &link, base, found, world) {
                first = first.and(Err(failure));
            }
        }
        for ifindex in self.unwanted(&wanted, world) {
            self.remove(ifindex);
        }
        first
    }

    /// Links came or went since this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When no VIP is left. Also done when this is dropped, as by a start that
    /// fails.
    pub(super) fn end(&mut self) {
        for (ifindex, ours) in std::mem::take(&mut self.known) {
            if ours {
                self.remove(ifindex);
            }
        }
        self.quiet.end();
    }

    /// All of them, which are a successor's to remove: by index, and whether
    /// they are ours to remove.
    pub(super) fn give_away(&mut self) -> BTreeMap<u32, bool> {
        std::mem::take(&mut self.known)
    }

    pub(super) fn inherit(&mut self, ifindex: u32, ours: bool) {
        self.known.insert(ifindex, ours);
    }

    fn provide(
        &mut self,
        instance: &Instance,
        vmac: &VirtualLink<'_>,
        base: &Link,
        found: Option<&Link>,
        world: &World,
    ) -> Result<(), Failure> {
        let fits = |link: &Link| fits(vmac, base, link);
        match found {
            Some(link) if fits(link) && self.known.contains_key(&link.ifindex) => Ok(()),
            Some(link) if fits(link) => {
                info!("({}) uses {}, which was there", instance.name, vmac.name);
                // Up it would speak with an address that another router has;
                // not so when it serves already.
                let serves = |vip| world.addresses_on(link.ifindex).any(|a| a.address == vip);
                if !instance.vips.iter().any(|vip| serves(vip.address))
                    && let Err(error) = macvlan::take_down(link.ifindex)
                {
                    warn!(
                        "({}) cannot take {} down: {error}",
                        instance.name, vmac.name
                    );
                }
                let ours = is_ours_to_remove(link, instance);
                self.known.insert(link.ifindex, ours);
                configure(instance, vmac, base, link.ifindex);
                Ok(())
            }
            Some(link)
                if link.macvlan_of.is_some()
                    && (self.known.get(&link.ifindex) == Some(&true)
                        || is_ours_to_remove(link, instance)) =>
            {
                self.remove(link.ifindex);
                self.create(instance, vmac, base)
            }
            Some(_) => Err(Failure::NameTaken {
                instance: instance.name.clone(),
                name: vmac.name.to_string(),
            }),
            None => self.create(instance, vmac, base),
        }
    }

    fn create(
        &mut self,
        instance: &Instance,
        vmac: &VirtualLink<'_>,
        base: &Link,
    ) -> Result<(), Failure> {
        let name = vmac.name.as_str();
        let made = macvlan::create(&Macvlan {
            name,
            base: base.ifindex,
            mac: vmac.mac,
            vrf: base.vrf,
            group: vmac.group,
            alias: &lock::router_name(instance),
        });
        let made = made.and_then(|()| macvlan::index(name));
        let ifindex = made.map_err(|source| {
            let what = format!(
                "({}) cannot create the macvlan interface {name} on {}",
                instance.name, base.name
            );
            Failure::runtime(&what)(source)
        })?;
        info!("({}) {name} created on {}", instance.name, base.name);
        self.changed = true;
        self.known.insert(ifindex, true);
        configure(instance, vmac, base, ifindex);
        Ok(())
    }

    /// What is ours and not wanted; once, also what agents that are no more
    /// have left.
    fn unwanted(&mut self, wanted: &BTreeSet<u32>, world: &World) -> Vec<u32> {
        let mut unwanted = Vec::new();
        self.known.retain(|ifindex, ours| {
            // One that was just made is not in the picture.
            let seen = world.links.iter().any(|link| link.ifindex == *ifindex);
            let keep = wanted.contains(ifindex) || !seen;
            unwanted.extend((!keep && *ours).then_some(*ifindex));
            keep
        });
        if !std::mem::replace(&mut self.swept, true) {
            let left = |link: &&Link| {
                link.macvlan_of.is_some()
                    && !wanted.contains(&link.ifindex)
                    && link.alias.starts_with(MARK)
                    && lock::is_free(&link.alias)
            };
            for link in world.links.iter().filter(left) {
                info!("{} is left over from an agent that crashed", link.name);
                unwanted.push(link.ifindex);
            }
        }
        unwanted
    }

    fn remove(&mut self, ifindex: u32) {
        self.known.remove(&ifindex);
        match macvlan::remove(ifindex) {
            Ok(()) => self.changed = true,
            // With the link below, or by somebody else.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => warn!("cannot remove the macvlan interface {ifindex}: {error}"),
        }
    }
}

impl Drop for VirtualLinks {
    fn drop(&mut self) {
        self.end();
    }
}

/// Made by an agent, and in use by none but us: another one may have it for a
/// virtual router that only shares its name with ours.
fn is_ours_to_remove(link: &Link, instance: &Instance) -> bool {
    let alias = &link.alias;
    alias.starts_with(MARK) && (*alias == lock::router_name(instance) || lock::is_free(alias))
}

fn fits(vmac: &VirtualLink<'_>, base: &Link, link: &Link) -> bool {
    link.mac == vmac.mac && link.macvlan_of == Some(base.ifindex)
}

/// What makes the interface answer for its VIPs and say nothing else. What
/// cannot be set is a warning: the VIPs are served all the same.
fn configure(instance: &Instance, vmac: &VirtualLink<'_>, base: &Link, ifindex: u32) {
    let name = vmac.name.as_str();
    let complain = |setting: &str, result: io::Result<()>| {
        if let Err(error) = result {
            warn!(
                "({}) cannot set {setting} on {name}: {error}",
                instance.name
            );
        }
    };
    // A reverse path leads over the link below. Where the filter is on for
    // all, it cannot be off for one, only loose.
    let strict = conf("ipv4", "all", "rp_filter").unwrap_or(0) != 0;
    let rp_filter = if strict { 2 } else { 0 };
    let forwarding = conf("ipv4", &base.name, "forwarding").unwrap_or(0);
    for (label, setting, value) in [
        // Not for the addresses of the link below.
        ("arp_ignore", Ipv4Conf::ArpIgnore, 1),
        ("arp_announce", Ipv4Conf::ArpAnnounce, 2),
        ("rp_filter", Ipv4Conf::RpFilter, rp_filter),
        // The removal of one VIP leaves the others.
        ("promote_secondaries", Ipv4Conf::PromoteSecondaries, 1),
        // What hosts send to the virtual MAC address is to be forwarded.
        ("forwarding", Ipv4Conf::Forwarding, forwarding),
    ] {
        complain(label, devconf::set(ifindex, setting, value));
    }
    if fs::metadata("/proc/sys/net/ipv6").is_err() {
        return;
    }
    complain("addr_gen_mode", macvlan::no_generated_addresses(ifindex));
    let has_v6 = instance
        .vips
        .iter()
        .any(|vip| vip.address.is_ipv6() && instance.home(vip) == vmac.name);
    if !has_v6 {
        // Nothing of IPv6 leaves with an address that is for IPv4.
        complain("disable_ipv6", set_v6(name, "disable_ipv6", 1));
        return;
    }
    let forwarding = conf("ipv6", &base.name, "forwarding").unwrap_or(0);
    complain("forwarding", set_v6(name, "forwarding", forwarding));
    // No address of its own by advertisements, which it would share with the
    // other routers (D-19).
    complain("accept_ra", set_v6(name, "accept_ra", 0));
    complain("autoconf", set_v6(name, "autoconf", 0));
}

/// Not to be had over netlink.
fn set_v6(interface: &str, setting: &str, value: u32) -> io::Result<()> {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/{setting}");
    fs::write(path, value.to_string())
}
