//! `static_ipaddress`: addresses of this machine that no instance moves.
//!
//! Added when we start, put back when somebody removes them, and taken off at
//! the end where we added them. A crash leaves them: they are in nobody's way,
//! and connections of the machine itself may use them. The next start knows
//! them for ours by their protocol number (Linux 5.18).

use std::{collections::BTreeSet, io, net::IpAddr, time::Duration};

use agent_common::KernelTime;
use tokio::io::unix::AsyncFd;
use tracing::{info, warn};

use super::Failure;
use crate::{
    config::{IfName, StaticAddress, Vip},
    io::{
        clock,
        netlink::{
            batch::{AddressPlan, BatchResult, CommandSocket, PROTOCOL},
            monitor::{Event, Monitor},
            survey::World,
        },
    },
};

/// Between two times that one address is put back: two who want to have it
/// their way shall not keep each other busy.
const PAUSE: Duration = Duration::from_secs(1);

/// One that is on its link.
#[derive(Debug)]
struct Held {
    address: Vip,
    ifindex: u32,
    /// To be taken off at the end: it was not there before us.
    ours: bool,
    put_back: Option<KernelTime>,
}

/// One of them, as one agent tells it to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub ifindex: u32,
    pub address: IpAddr,
    pub prefix: u8,
    /// See [`Held`].
    pub ours: bool,
}

#[derive(Debug)]
pub(super) struct Statics {
    socket: CommandSocket,
    /// Who tells of links and addresses; none where nothing is static.
    monitor: Option<AsyncFd<Monitor>>,
    held: Vec<Held>,
    /// What a predecessor held, until it is looked for.
    inherited: Vec<Place>,
    /// Interfaces that were missing, so that it is said once.
    missing: BTreeSet<IfName>,
    /// Addresses that were refused, for the same reason.
    refused: BTreeSet<String>,
    /// Addresses were changed since somebody asked.
    changed: bool,
}

impl Statics {
    /// # Errors
    ///
    /// When a netlink socket cannot be had.
    pub(super) fn new() -> Result<Self, Failure> {
        let socket = CommandSocket::open();
        Ok(Self {
            socket: socket.map_err(Failure::runtime("cannot open a netlink socket"))?,
            monitor: None,
            held: Vec::new(),
            inherited: Vec::new(),
            missing: BTreeSet::new(),
            refused: BTreeSet::new(),
            changed: false,
        })
    }

    /// Makes what is there what is `wanted`. False when it should be tried
    /// again.
    ///
    /// # Errors
    ///
    /// When addresses cannot be changed at all.
    pub(super) fn apply(
        &mut self,
        wanted: &[StaticAddress],
        world: &World,
    ) -> Result<bool, Failure> {
        if wanted.is_empty() && self.held.is_empty() {
            return Ok(true);
        }
        self.listen()?;
        let mut settled = true;
        let mut removed = Vec::new();
        for held in std::mem::take(&mut self.held) {
            let stays = |StaticAddress(address): &StaticAddress| same(address, &held.address);
            if wanted.iter().any(stays) {
                self.held.push(held);
            } else if held.ours {
                removed.push((held.ifindex, held.address.address, held.address.prefix));
                self.remove(&held);
            }
        }
        for StaticAddress(address) in wanted {
            let Some(name) = &address.device else {
                continue;
            };
            let Some(link) = world.link(name.as_str()) else {
                self.held.retain(|held| !same(&held.address, address));
                if self.missing.insert(name.clone()) {
                    warn!("interface {name} of a static address does not exist: waiting for it");
                }
                continue;
            };
            self.missing.remove(name);
            let place = (link.ifindex, address.address, address.prefix);
            let found = world
                .addresses_on(link.ifindex)
                .find(|found| (found.ifindex, found.address, found.prefix) == place)
                .filter(|_| !removed.contains(&place))
                .map(|found| found.protocol == PROTOCOL);
            settled &= self.settle(address, link.ifindex, found)?;
        }
        Ok(settled)
    }

    /// Of a link that comes or goes, and of addresses that somebody removes.
    fn listen(&mut self) -> Result<(), Failure> {
        if self.monitor.is_none() {
            let monitor = Monitor::open().and_then(super::readable);
            self.monitor = Some(monitor.map_err(Failure::runtime(
                "cannot listen to the kernel's announcements",
            ))?);
        }
        Ok(())
    }

    /// When there is reason to look at the addresses again.
    pub(super) async fn changed(&mut self) {
        let Some(monitor) = &mut self.monitor else {
            return std::future::pending().await;
        };
        loop {
            let Ok(mut ready) = monitor.readable_mut().await else {
                return std::future::pending().await;
            };
            let mut look = false;
            let each = |event: Event| {
                look |= match event {
                    Event::Link { .. } | Event::LinkGone { .. } => !self.missing.is_empty(),
                    Event::Address {
                        ifindex,
                        address,
                        gone,
                        port: _,
                    } => {
                        let mine = |held: &Held| {
                            (held.ifindex, held.address.address) == (ifindex, address)
                        };
                        gone && self.held.iter().any(mine)
                    }
                    Event::PathGone { .. } => false,
                    Event::Overrun => true,
                }
            };
            match ready.get_inner_mut().read(each) {
                Ok(true) => {}
                Ok(false) => ready.clear_ready(),
                // Its next datagram is read then.
                Err(_) => ready.clear_ready(),
            }
            if look {
                return;
            }
        }
    }

    /// Whether addresses were changed since the last call, so that a picture
    /// of them is out of date.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// All of them, which are another's to take off.
    pub(super) fn give_away(&mut self) -> impl Iterator<Item = Place> {
        std::mem::take(&mut self.held)
            .into_iter()
            .map(|held| Place {
                ifindex: held.ifindex,
                address: held.address.address,
                prefix: held.address.prefix,
                ours: held.ours,
            })
    }

    pub(super) fn inherit(&mut self, place: Place) {
        self.inherited.push(place);
    }

    /// Takes off what we added.
    pub(super) fn end(&mut self) {
        for held in std::mem::take(&mut self.held) {
            if held.ours {
                self.remove(&held);
            }
        }
    }

    /// `found`: whether the kernel has it, and whether one of us set it.
    fn settle(
        &mut self,
        address: &Vip,
        ifindex: u32,
        found: Option<bool>,
    ) -> Result<bool, Failure> {
        self.held
            .retain(|held| held.ifindex == ifindex || !same(&held.address, address));
        let now = clock::now();
        let known = self
            .held
            .iter_mut()
            .find(|held| same(&held.address, address));
        match (known, found) {
            (Some(held), Some(_)) => {
                // Whether it is tracked may be another wish now.
                held.address = address.clone();
                Ok(true)
            }
            (Some(_), None) if address.options.untracked => Ok(true),
            (Some(held), None) => {
                if held.put_back.is_some_and(|at| now.since(at) < PAUSE) {
                    return Ok(false);
                }
                held.put_back = Some(now);
                info!(
                    "static address {}/{} is gone: putting it back",
                    address.address, address.prefix
                );
                self.add(address, ifindex)
            }
            (None, Some(ours)) => {
                let ours = self.inherited(address, ifindex).unwrap_or(ours);
                self.hold(address, ifindex, ours);
                Ok(true)
            }
            (None, None) => {
                let before = self.inherited(address, ifindex);
                if let Some(ours) = before {
                    // As it was held before, it is seen to again.
                    self.hold(address, ifindex, ours);
                    return self.settle(address, ifindex, None);
                }
                let added = self.add(address, ifindex)?;
                if added {
                    self.hold(address, ifindex, true);
                }
                Ok(added)
            }
        }
    }

    /// Whether a predecessor had added it; asked once.
    fn inherited(&mut self, address: &Vip, ifindex: u32) -> Option<bool> {
        let wanted = (ifindex, address.address, address.prefix);
        let mut places = self.inherited.iter();
        let at = places.position(|place| (place.ifindex, place.address, place.prefix) == wanted)?;
        Some(self.inherited.swap_remove(at).ours)
    }

    fn hold(&mut self, address: &Vip, ifindex: u32, ours: bool) {
        self.held.push(Held {
            address: address.clone(),
            ifindex,
            ours,
            put_back: None,
        });
    }

    fn add(&mut self, address: &Vip, ifindex: u32) -> Result<bool, Failure> {
        let mut plan = AddressPlan::new(std::iter::once((address, ifindex)));
        let name = format!("{}/{}", address.address, address.prefix);
        let result = self.socket.add_all(&mut plan);
        match result.map_err(Failure::runtime("cannot add a static address"))? {
            BatchResult { failed: 0, .. } => {
                self.refused.remove(&name);
                self.changed = true;
                Ok(true)
            }
            BatchResult {
                first_errno: libc::EPERM,
                ..
            } => Err(Failure::Permission {
                what: "change addresses".to_owned(),
            }),
            BatchResult { first_errno, .. } => {
                let error = io::Error::from_raw_os_error(first_errno);
                if self.refused.insert(name.clone()) {
                    warn!("the kernel refuses the static address {name}, trying on: {error}");
                }
                Ok(false)
            }
        }
    }

    fn remove(&mut self, held: &Held) {
        let Held {
            address, ifindex, ..
        } = held;
        self.changed = true;
        let mut plan = AddressPlan::new(std::iter::once((address, *ifindex)));
        match self.socket.remove_all(&mut plan) {
            // Its link is gone, and it with it.
            Ok(BatchResult {
                first_errno: 0 | libc::ENODEV,
                ..
            }) => {}
            Ok(BatchResult { first_errno, .. }) => {
                let error = io::Error::from_raw_os_error(first_errno);
                warn!(
                    "cannot remove the static address {}: {error}",
                    address.address
                );
            }
            Err(error) => warn!(
                "cannot remove the static address {}: {error}",
                address.address
            ),
        }
    }
}

/// Whether both are asked of the kernel in the same words.
fn same(one: &Vip, other: &Vip) -> bool {
    let wish = |vip: &Vip| {
        let mut vip = vip.clone();
        vip.options.untracked = false;
        vip
    };
    wish(one) == wish(other)
}
