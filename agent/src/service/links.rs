//! What the agent holds on each link: a BPF attachment or a raw receiver, and
//! group memberships.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::IpAddr,
};

use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{error, info, warn};

use super::{Failure, heir::InheritedLink, readable};

use crate::config::Instance;
use crate::io::{
    bpf::{Backend, Kernel},
    lane::{Command, SlowEnd},
    netlink::survey::World,
    plan::{self, Port},
    receive::{membership::Membership, raw::RawReceiver, witness::TagWitness},
};

/// How adverts of one link reach the agent.
#[derive(Debug)]
pub struct LinkState {
    pub name: String,
    pub backend: Backend,
    /// Better backends and why they are not in use.
    pub refused: Vec<(Backend, String)>,
    groups: BTreeMap<IpAddr, Membership>,
    /// Our program was found detached at the last look.
    is_lost: bool,
    /// With XDP: tells when adverts come whose VLAN it cannot see.
    _witness: Option<Witness>,
}

/// The links in use, by interface index.
#[derive(Debug)]
pub struct Links {
    pub by_index: BTreeMap<u32, LinkState>,
    /// Those of a predecessor that nobody has asked for yet: how they are read.
    heritage: BTreeMap<u32, (Backend, Vec<(Backend, String)>)>,
    tell: mpsc::UnboundedSender<u32>,
    told: mpsc::UnboundedReceiver<u32>,
}

impl Default for Links {
    fn default() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Self {
            by_index: BTreeMap::new(),
            heritage: BTreeMap::new(),
            tell,
            told,
        }
    }
}

/// Waits for one tagged advert on a link, for as long as it lives.
#[derive(Debug)]
struct Witness(JoinHandle<()>);

impl Witness {
    fn start(ifindex: u32, tell: mpsc::UnboundedSender<u32>) -> io::Result<Self> {
        let socket = readable(TagWitness::open(ifindex)?)?;
        Ok(Self(tokio::spawn(async move {
            if socket.readable().await.is_ok() {
                // Nobody listens any more when the agent is ending.
                let _ = tell.send(ifindex);
            }
        })))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const HIDDEN_TAG: &str = "adverts come with a VLAN tag that XDP cannot see";

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
        let state = match self.by_index.entry(port.ifindex) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let mut state = match self.heritage.remove(&port.ifindex) {
                    Some(found) => continued(port.ifindex, interface, found, lane)?,
                    None => attach(port.ifindex, interface, kernel, policy, lane)?,
                };
                if state.backend.is_xdp() {
                    state._witness = Witness::start(port.ifindex, self.tell.clone())
                        .inspect_err(|error| warn!("{interface}: VLAN tags go unseen: {error}"))
                        .ok();
                }
                new.insert(state)
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

    /// Takes over how a predecessor receives adverts.
    ///
    /// # Errors
    ///
    /// When BPF is in use there and not to be had here.
    pub fn adopt(
        &mut self,
        links: BTreeMap<u32, InheritedLink>,
        mut kernel: Option<&mut Kernel>,
    ) -> Result<(), Failure> {
        for (ifindex, inherited) in links {
            let InheritedLink {
                backend,
                refused,
                link,
            } = inherited;
            if let Some(link) = link {
                let Some(kernel) = &mut kernel else {
                    let reason = "the new version cannot load its BPF programs";
                    return Err(Failure::Heritage(reason.to_owned()));
                };
                kernel.adopt(ifindex, backend, link);
            }
            self.heritage.insert(ifindex, (backend, refused));
        }
        Ok(())
    }

    /// A link on which an advert came whose VLAN tag XDP cannot see.
    pub async fn tagged(&mut self) -> u32 {
        match self.told.recv().await {
            Some(ifindex) => ifindex,
            // The other end is ours, so this does not happen.
            None => std::future::pending().await,
        }
    }

    /// Takes a link away from XDP, which would count adverts of other VLANs as
    /// untagged.
    pub fn leave_xdp(
        &mut self,
        ifindex: u32,
        kernel: &mut Option<Kernel>,
        policy: &BackendPolicy,
        lane: &SlowEnd,
    ) {
        let Some(state) = self.by_index.get_mut(&ifindex) else {
            return;
        };
        let name = state.name.clone();
        let mut policy = policy.clone();
        policy.order.retain(|backend| !backend.is_xdp());
        if policy.require_xdp || policy.order.is_empty() {
            error!("{name}: {HIDDEN_TAG}, and --require-xdp or --backend allows nothing else");
            return;
        }
        let was = state.backend;
        match attach(ifindex, &name, kernel, &policy, lane) {
            Ok(new) => {
                state.backend = new.backend;
                state.refused = new.refused;
                state.refused.insert(0, (was, HIDDEN_TAG.to_owned()));
                state._witness = None;
                warn!(
                    "{name}: {HIDDEN_TAG}: now receiving through {}",
                    state.backend
                );
            }
            Err(error) => error!("{name}: {HIDDEN_TAG}, and nothing else can be had: {error}"),
        }
    }

    /// Attaches again where somebody has detached our program by force, which the
    /// kernel tells nobody. Found at one look and acted upon at the next: an
    /// interface that goes takes its program along, and is let go of meanwhile.
    /// True when something was attached.
    pub fn attach_lost(
        &mut self,
        kernel: &mut Option<Kernel>,
        policy: &BackendPolicy,
        lane: &SlowEnd,
    ) -> bool {
        let mut attached = false;
        for (ifindex, state) in &mut self.by_index {
            let is_lost = kernel
                .as_ref()
                .is_some_and(|kernel| kernel.is_detached(*ifindex));
            if !is_lost || !std::mem::replace(&mut state.is_lost, true) {
                state.is_lost = is_lost;
                continue;
            }
            let (name, was) = (state.name.clone(), state.backend);
            error!("{name}: somebody has detached our program ({was}), adverts went unheard");
            match attach(*ifindex, &name, kernel, policy, lane) {
                Ok(new) => {
                    state.backend = new.backend;
                    state.refused = new.refused;
                    state.is_lost = false;
                    if !new.backend.is_xdp() {
                        state._witness = None;
                    }
                    attached = true;
                }
                // Tried again at the next look.
                Err(error) => error!("{name}: {error}"),
            }
        }
        attached
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
            .by_index
            .iter()
            .filter(|(_, link)| on(&link.name).next().is_none())
            .map(|(ifindex, _)| *ifindex)
            .collect();
        for ifindex in unused {
            if let Some(state) = self.detach(ifindex, kernel, lane) {
                info!("Interface {} ({ifindex}) is not used any more", state.name);
            }
        }
        for link in self.by_index.values_mut() {
            let LinkState { name, groups, .. } = link;
            groups
                .retain(|group, _| on(name).any(|instance| plan::group(instance) == Some(*group)));
        }
    }

    /// Takes over new names of links. A reload may name an instance's interface
    /// by a name that it has been given meanwhile, and what is attached there
    /// must not be taken for unused.
    pub fn rename(&mut self, world: &World) {
        for link in &world.links {
            let known = self.by_index.get_mut(&link.ifindex);
            if let Some(state) = known.filter(|state| state.name != link.name) {
                let was = std::mem::replace(&mut state.name, link.name.clone());
                info!("Interface {was} ({}) is {} now", link.ifindex, state.name);
            }
        }
    }

    /// Lets go of links that no longer exist.
    pub fn forget_gone(&mut self, world: &World, kernel: &mut Option<Kernel>, lane: &SlowEnd) {
        let exists = |ifindex: u32| world.links.iter().any(|link| link.ifindex == ifindex);
        let gone: Vec<u32> = self
            .by_index
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
        let state = self.by_index.remove(&ifindex)?;
        if let Some(kernel) = kernel {
            kernel.detach(ifindex);
        }
        if state.backend == Backend::RawSocket {
            let _ = lane.send(Command::RemoveReceiver { ifindex });
        }
        Some(state)
    }
}

/// As the predecessor has it; its BPF link is in our hands already.
fn continued(
    ifindex: u32,
    interface: &str,
    (backend, refused): (Backend, Vec<(Backend, String)>),
    lane: &SlowEnd,
) -> Result<LinkState, LinkError> {
    if backend == Backend::RawSocket {
        receive_raw(ifindex, interface, lane)?;
    }
    Ok(LinkState {
        name: interface.to_owned(),
        backend,
        refused,
        groups: BTreeMap::new(),
        is_lost: false,
        _witness: None,
    })
}

fn receive_raw(ifindex: u32, interface: &str, lane: &SlowEnd) -> Result<(), LinkError> {
    let no_backend = |source| LinkError::NoBackend {
        interface: interface.to_owned(),
        source,
    };
    let receiver = RawReceiver::open(ifindex).map_err(no_backend)?;
    lane.send(Command::AddReceiver(Box::new(receiver)))
        .map_err(|_| no_backend(io::ErrorKind::ResourceBusy.into()))
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
    let is_xdp = backend.is_some_and(Backend::is_xdp);
    let raw_will_do = policy.order.contains(&Backend::RawSocket);
    if let Some(other) = backend.filter(|_| policy.require_xdp && !is_xdp) {
        refused.push((other, "it would do, but is not XDP".to_owned()));
    }
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
            receive_raw(ifindex, interface, lane)?;
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
        is_lost: false,
        _witness: None,
    })
}
