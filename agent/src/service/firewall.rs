//! Which rules keep traffic away from the VIPs of instances with `no_accept`.
//!
//! They stand while such an instance is configured, Active or not: where a VIP
//! is not on this machine they match nothing, and a promotion waits for no
//! firewall.

use std::{collections::BTreeSet, net::IpAddr, os::fd::OwnedFd};

use tracing::warn;

use super::Failure;
use crate::{
    config::{Firewall, Instance},
    io::netlink::{
        nft::{Binding, Installed, Ruleset, Table},
        survey::World,
    },
};

#[derive(Debug, Default)]
pub(super) struct Drops {
    table: Option<Table>,
}

impl Drops {
    /// Puts the rules for `instances` in the place of what is there.
    ///
    /// # Errors
    ///
    /// Then the rules are as before.
    pub(super) fn apply<'a>(
        &mut self,
        firewall: &Firewall,
        instances: impl Iterator<Item = &'a Instance>,
        world: &World,
    ) -> Result<(), Failure> {
        let Some(wanted) = ruleset(firewall, instances, world) else {
            self.remove();
            return Ok(());
        };
        if self.table.is_none() {
            let table = Table::open().map_err(Failure::runtime("cannot use nftables"))?;
            self.table = Some(table);
        }
        let Some(table) = &mut self.table else {
            return Ok(());
        };
        if table.has(&wanted) {
            return Ok(());
        }
        let left_over = wanted.table == Firewall::DEFAULT_TABLE;
        let installed = table.is_installed();
        let name = wanted.table.clone();
        table
            .install(wanted, left_over)
            .map_err(|source| match source.raw_os_error() {
                Some(libc::EEXIST) => Failure::TableTaken { name },
                Some(libc::EPERM) if left_over && !installed => Failure::TableTaken { name },
                Some(_) | None => Failure::runtime("cannot set nftables rules")(source),
            })
    }

    /// The table and the socket that it belongs to, which are another's from
    /// here on.
    pub(super) fn give_away(&mut self) -> Option<(Installed, OwnedFd)> {
        self.table.take().and_then(Table::give_away)
    }

    pub(super) fn inherit(&mut self, rules: Installed, socket: OwnedFd) {
        self.table = Some(Table::inherit(rules, socket));
    }

    /// After the VIPs are gone.
    pub(super) fn remove(&mut self) {
        let removed = self.table.as_mut().map_or(Ok(()), Table::remove);
        match removed {
            Ok(()) => {}
            // Somebody was faster.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => warn!("cannot remove the nftables rules: {error}"),
        }
    }
}

/// `None` where nothing is to be dropped.
fn ruleset<'a>(
    firewall: &Firewall,
    instances: impl Iterator<Item = &'a Instance>,
    world: &World,
) -> Option<Ruleset> {
    let Firewall {
        table,
        priority,
        by_index,
        counters,
    } = firewall;
    let mut rules = Ruleset {
        table: table.clone(),
        priority: *priority,
        counters: *counters,
        v4: BTreeSet::new(),
        v6: BTreeSet::new(),
        link_local: BTreeSet::new(),
    };
    for instance in instances.filter(|instance| !instance.accept) {
        for vip in &instance.vips {
            let home = instance.home(vip);
            match vip.address {
                IpAddr::V4(address) => drop(rules.v4.insert(address)),
                IpAddr::V6(address) if address.is_unicast_link_local() => {
                    let link = world.link(home.as_str()).filter(|_| *by_index);
                    let binding = match link {
                        Some(link) => Binding::Index(link.ifindex),
                        None => Binding::Name(home.clone()),
                    };
                    rules.link_local.insert((binding, address));
                }
                IpAddr::V6(address) => drop(rules.v6.insert(address)),
            }
        }
    }
    let nothing = rules.v4.is_empty() && rules.v6.is_empty() && rules.link_local.is_empty();
    (!nothing).then_some(rules)
}
