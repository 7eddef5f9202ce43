//! What a configuration asks of the kernel.

use std::{collections::BTreeMap, net::IpAddr};

use agent_common::Family;

use super::{
    Daemon, Destination, DestinationKey, Pool, Role, Service, ServiceKey, Table, granularity,
    reconcile::Wanted,
};
use crate::config::model::{
    Config, Front, Granularity, GroupEntry, Lvs, RealServer, SyncDaemon, VirtualServer,
};

/// What `config` asks for while the instance of its sync daemon is Active, or
/// is not; `None` where that is not known yet, and daemons stay as they are.
pub fn of(config: &Config, active: Option<bool>) -> Wanted {
    let lvs = &config.lvs;
    let mut table = Table::new();
    for server in &lvs.virtual_servers {
        for key in keys(lvs, server) {
            // The first of two counts, which the file was told.
            table.entry(key).or_insert_with(|| pool(key, server));
        }
    }
    Wanted {
        table,
        timeouts: lvs.timeouts,
        daemons: sync_daemons(config, active),
        checked: Checked::of(lvs),
    }
}

/// Of [`of`] the daemons.
pub fn sync_daemons(config: &Config, active: Option<bool>) -> Option<Vec<Daemon>> {
    let daemon = config.lvs.sync_daemon.as_ref()?;
    let vrid = config
        .instances
        .iter()
        .find(|one| Some(&one.name) == daemon.instance.as_ref())
        .map(|one| one.vrid.get());
    daemons(daemon, vrid, active)
}

/// Real servers of the file, those of a group counted once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// With a checker, which nobody runs yet.
    pub with: usize,
    pub all: usize,
}

impl Checked {
    fn of(lvs: &Lvs) -> Self {
        let servers = || lvs.virtual_servers.iter().flat_map(|one| &one.servers);
        Self {
            with: servers().filter(|one| one.is_to_be_checked()).count(),
            all: servers().count(),
        }
    }

    /// What an operator has to know of them.
    pub fn warning(self) -> Option<String> {
        let Self { with, all } = self;
        (with > 0).then(|| {
            format!(
                "{with} of {all} real servers have checks that are not run: a dead one keeps \
                 getting connections"
            )
        })
    }
}

fn daemons(daemon: &SyncDaemon, vrid: Option<u8>, active: Option<bool>) -> Option<Vec<Daemon>> {
    let SyncDaemon {
        interface,
        instance,
        id,
        max_length,
        port,
        ttl,
        group,
    } = daemon;
    let roles: &[Role] = match (instance, active) {
        (None, _) => &[Role::Master, Role::Backup],
        (Some(_), Some(true)) => &[Role::Master],
        (Some(_), Some(false)) => &[Role::Backup],
        (Some(_), None) => return None,
    };
    let of = |role: &Role| Daemon {
        role: *role,
        interface: interface.to_string(),
        sync_id: id.or(vrid).unwrap_or(0),
        max_length: *max_length,
        group: *group,
        port: *port,
        ttl: *ttl,
    };
    Some(roles.iter().map(of).collect())
}

/// The services of a virtual server: one, or those of its group, which is
/// bounded where the file is read.
pub(crate) fn keys(lvs: &Lvs, server: &VirtualServer) -> Vec<ServiceKey> {
    let protocol = server.protocol;
    let at = |address, port| ServiceKey::Address {
        protocol,
        address,
        port,
    };
    let v6 = server.mark_family() == Family::V6;
    match &server.front {
        Front::Address(address, port) => vec![at(*address, *port)],
        Front::Mark(mark) => vec![ServiceKey::Mark { v6, mark: *mark }],
        Front::Group(name) => {
            let group = lvs.groups.iter().find(|group| group.name == *name);
            let entries = group.into_iter().flat_map(|group| &group.entries);
            let mut keys = Vec::new();
            for entry in entries {
                match *entry {
                    GroupEntry::Mark { mark, v6: own } => keys.push(ServiceKey::Mark {
                        v6: own.unwrap_or(v6),
                        mark,
                    }),
                    GroupEntry::Range { first, last, port } => {
                        keys.extend(addresses(first, last).map(|address| at(address, port)));
                    }
                }
            }
            keys
        }
    }
}

/// Bounded where the file is read.
fn addresses(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Box::new((first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V4(bits.into())))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Box::new((first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V6(bits.into())))
        }
        (first, _) => Box::new(std::iter::once(first)),
    }
}

fn pool(key: ServiceKey, server: &VirtualServer) -> Pool {
    let family = key.family();
    let whole = match family {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    // That of the other family says nothing.
    let length = match (server.granularity, family) {
        (Some(Granularity::V4(length)), Family::V4)
        | (Some(Granularity::V6(length)), Family::V6) => length.min(whole),
        (Some(Granularity::V4(_) | Granularity::V6(_)) | None, Family::V4 | Family::V6) => whole,
    };
    let service = Service {
        key,
        scheduler: server.scheduler.clone(),
        one_packet: server.one_packet,
        flags: server.flags,
        persistence: server.persistence,
        engine: server.engine.clone(),
        netmask: granularity(family, length),
    };
    let mut servers = BTreeMap::new();
    for one in &server.servers {
        let destination = destination(key, one);
        servers.entry(destination.key).or_insert(destination);
    }
    Pool { service, servers }
}

fn destination(service: ServiceKey, server: &RealServer) -> Destination {
    let own = match service {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Mark { .. } => 0,
    };
    Destination {
        key: DestinationKey {
            address: server.address,
            port: match server.port {
                0 => own,
                port => port,
            },
        },
        forward: server.forward,
        weight: server.weight,
        upper: server.upper,
        lower: server.lower,
    }
}
