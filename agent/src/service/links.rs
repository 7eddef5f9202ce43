//! What the agent holds on each link: a BPF attachment or a raw receiver, and
//! group memberships.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::IpAddr,
};

use agent_common::Family;
use tracing::{info, warn};

use crate::config::{Instance, model::Transport};
use crate::io::{
    bpf::{Backend, Kernel},
    lane::{Command, SlowEnd},
    netlink::survey::World,
    plan::Port,
    receive::{membership::Membership, raw::RawReceiver},
};

/// How adverts of one link reach the agent.
#[derive(Debug)]
pub struct LinkState {
    pub name: String,
    pub backend: Backend,
    /// Better backends and why they are not in use.
    pub refused: Vec<(Backend, String)>,
    groups: BTreeMap<IpAddr, Membership>,
}

/// The links in use, by interface index.
#[derive(Debug, Default)]
pub struct Links(pub BTreeMap<u32, LinkState>);

/// Why a link cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("the wanted backend cannot be attached to {interface}: {reasons}")]
    Wanted { interface: String, reasons: String },
    #[error("{interface}: cannot receive adverts: {source}")]
    NoBackend {
        interface: String,
        source: io::Error,
    },
    #[error("{interface}: cannot join {group}: {source}")]
    Group {
        interface: String,
        group: IpAddr,
        source: io::Error,
    },
}

/// What the operator wants of backends.
#[derive(Clone, Debug)]
pub struct BackendPolicy {
    /// In the order they are tried.
    pub order: Vec<Backend>,
    pub require_xdp: bool,
}

impl BackendPolicy {
    /// Raw sockets will not do.
    pub fn insists(&self) -> bool {
        self.require_xdp || !self.order.contains(&Backend::RawSocket)
    }
}

impl Default for BackendPolicy {
    fn default() -> Self {
        let order = vec![
            Backend::XdpNative,
            Backend::XdpGeneric,
            Backend::Tcx,
            Backend::RawSocket,
        ];
        Self {
            order,
            require_xdp: false,
        }
    }
}

impl Links {
    /// Makes sure that adverts for `port` are received on its link.
    pub fn prepare(
        &mut self,
        port: &Port,
        interface: &str,
        kernel: &mut Option<Kernel>,
        policy: &BackendPolicy,
        lane: &SlowEnd,
    ) -> Result<(), LinkError> {
        let state = match self.0.entry(port.ifindex) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(attach(port.ifindex, interface, kernel, policy, lane)?)
            }
        };
        if let Some(group) = port.group.filter(|group| !state.groups.contains_key(group)) {
            let membership =
                Membership::join(group, port.ifindex).map_err(|source| LinkError::Group {
                    interface: interface.to_owned(),
                    group,
                    source,
                })?;
            state.groups.insert(group, membership);
        }
        Ok(())
    }

    /// Lets go of links and group memberships that none of these instances
    /// needs.
    pub fn release_unused<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Instance> + Clone,
        kernel: &mut Option<Kernel>,
        lane: &SlowEnd,
    ) {
        let on = |name: &str| {
            let name = name.to_owned();
            instances
                .clone()
                .filter(move |instance| instance.interface.as_str() == name)
        };
        let unused: Vec<u32> = self
            .0
            .iter()
            .filter(|(_, link)| on(&link.name).next().is_none())
            .map(|(ifindex, _)| *ifindex)
            .collect();
        for ifindex in unused {
            if let Some(state) = self.detach(ifindex, kernel, lane) {
                info!("Interface {} ({ifindex}) is not used any more", state.name);
            }
        }
        for link in self.0.values_mut() {
            let LinkState { name, groups, .. } = link;
            groups.retain(|group, _| {
                on(name).any(|instance| {
                    matches!(instance.transport, Transport::Multicast { .. })
                        && (instance.family == Family::V4) == group.is_ipv4()
                })
            });
        }
    }

    /// Lets go of links that no longer exist.
    pub fn forget_gone(&mut self, world: &World, kernel: &mut Option<Kernel>, lane: &SlowEnd) {
        let exists = |ifindex: u32| world.links.iter().any(|link| link.ifindex == ifindex);
        let gone: Vec<u32> = self
            .0
            .keys()
            .copied()
            .filter(|ifindex| !exists(*ifindex))
            .collect();
        for ifindex in gone {
            self.forget(ifindex, kernel, lane);
        }
    }

    /// Lets go of one link: an index that is given to another link does not
    /// bring back what was attached to the old one.
    pub fn forget(&mut self, ifindex: u32, kernel: &mut Option<Kernel>, lane: &SlowEnd) {
        if let Some(state) = self.detach(ifindex, kernel, lane) {
            info!("Interface {} ({ifindex}) is gone", state.name);
        }
    }

    /// As [`Self::forget`], of a link that may still be there.
    pub fn detach(
        &mut self,
        ifindex: u32,
        kernel: &mut Option<Kernel>,
        lane: &SlowEnd,
    ) -> Option<LinkState> {
        let state = self.0.remove(&ifindex)?;
        if let Some(kernel) = kernel {
            kernel.detach(ifindex);
        }
        if state.backend == Backend::RawSocket {
            let _ = lane.send(Command::RemoveReceiver { ifindex });
        }
        Some(state)
    }
}

fn attach(
    ifindex: u32,
    interface: &str,
    kernel: &mut Option<Kernel>,
    policy: &BackendPolicy,
    lane: &SlowEnd,
) -> Result<LinkState, LinkError> {
    let (mut backend, mut refused) = (None, Vec::new());
    if let Some(kernel) = kernel {
        let report = kernel.attach(ifindex, interface, &policy.order);
        backend = report
            .backend
            .filter(|backend| *backend != Backend::RawSocket);
        refused = report.refused;
    }
    let is_xdp = matches!(backend, Some(Backend::XdpNative | Backend::XdpGeneric));
    let raw_will_do = policy.order.contains(&Backend::RawSocket);
    if policy.require_xdp && !is_xdp || backend.is_none() && !raw_will_do {
        if let Some(kernel) = kernel {
            kernel.detach(ifindex);
        }
        let reasons: Vec<_> = refused
            .iter()
            .map(|(backend, reason)| format!("{backend}: {reason}"))
            .collect();
        return Err(LinkError::Wanted {
            interface: interface.to_owned(),
            reasons: reasons.join("; "),
        });
    }
    let backend = match backend {
        Some(backend) => backend,
        None => {
            let no_backend = |source| LinkError::NoBackend {
                interface: interface.to_owned(),
                source,
            };
            let receiver = RawReceiver::open(ifindex).map_err(no_backend)?;
            lane.send(Command::AddReceiver(Box::new(receiver)))
                .map_err(|_| no_backend(io::ErrorKind::ResourceBusy.into()))?;
            Backend::RawSocket
        }
    };
    for (backend, reason) in &refused {
        warn!("{interface}: backend {backend} not used: {reason}");
    }
    info!("{interface}: receiving adverts through {backend}");
    Ok(LinkState {
        name: interface.to_owned(),
        backend,
        refused,
        groups: BTreeMap::new(),
    })
}
