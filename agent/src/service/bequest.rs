//! What goes from one agent to its successor besides the state of instances:
//! what the machine has of us, delays that run, counts.
//!
//! The successor changes nothing of it before it has taken over. What it
//! prepares with comes before; what can still change until then, or must not
//! be two agents', comes with the farewell.

use std::{os::fd::OwnedFd, sync::Arc};

use agent_common::KernelTime;

use super::{Service, debounce::Debounced, lock, statics::Place};
use crate::{
    config::IfName,
    core::InstanceId,
    io::{
        clock,
        netlink::{
            devconf::{Before, Ipv4Conf},
            nft::Installed,
        },
    },
    upgrade::message::{Identity, Message},
};

/// What is given, message by message.
pub(super) type Estate = Vec<(Message, Option<Arc<OwnedFd>>)>;

impl Service {
    /// Everything that a successor prepares with, with duplicates of the
    /// descriptors.
    pub(super) fn estate(&self) -> std::io::Result<Estate> {
        let own = |fd: std::io::Result<OwnedFd>| fd.map(|fd| Some(Arc::new(fd)));
        let locks = self.locks.all();
        let mut estate = vec![(
            Message::Hello {
                protocol: crate::upgrade::PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                locks: locks.len(),
                held_until_ns: self.held.until().nanos(),
            },
            None,
        )];
        if let Some(control) = &self.control {
            estate.push((Message::Control, own(control.try_clone())?));
        }
        for (name, lock) in locks {
            let name = name.clone();
            estate.push((Message::Lock { name }, Some(lock.clone())));
        }
        for (ifindex, link) in &self.links.by_index {
            let kernel = self.kernel.as_ref();
            let held = kernel.and_then(|kernel| kernel.link(*ifindex));
            let held = held.map(|fd| own(fd.try_clone_to_owned())).transpose()?;
            let refused = link.refused.iter();
            let message = Message::Link {
                ifindex: *ifindex,
                backend: link.backend.to_string(),
                refused: refused
                    .map(|(backend, why)| (backend.to_string(), why.clone()))
                    .collect(),
            };
            estate.push((message, held.flatten()));
        }
        for (name, settling) in self.debounce.all() {
            let message = Message::Settling {
                interface: name.to_string(),
                ifindex: settling.ifindex,
                usable: settling.usable,
                since_ns: settling.since.map(KernelTime::nanos),
            };
            estate.push((message, None));
        }
        for (tracker, value, detail) in self.health.readings() {
            let message = Message::Reading {
                kind: tracker.kind.word().to_owned(),
                name: tracker.name.to_string(),
                value: value.to_string(),
                detail: detail.to_owned(),
            };
            estate.push((message, None));
        }
        let before = self.virtual_links.quiet.before();
        estate.extend(before.map(|before| (told(before), None)));
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            let message = Message::Instance {
                id: seat.id.0,
                who: Identity::of(instance),
                began_ns: seat.began.nanos(),
            };
            estate.push((message, None));
        }
        Ok(estate)
    }

    /// What the machine has of us, once it is a successor's: nothing of it is
    /// ours from here on.
    pub(super) fn bequeath(&mut self) -> Estate {
        let mut estate: Estate = Vec::new();
        let mut give = |message| estate.push((message, None));
        self.machine.paths.give_away();
        for place in self.machine.statics.give_away() {
            let Place {
                ifindex,
                address,
                prefix,
                ours,
            } = place;
            give(Message::Static {
                ifindex,
                address,
                prefix,
                ours,
            });
        }
        for (ifindex, ours) in self.virtual_links.give_away() {
            give(Message::VirtualLink { ifindex, ours });
        }
        for before in self.virtual_links.quiet.give_away() {
            give(told(before));
        }
        for ifindex in self.machine.promotion.give_away() {
            give(Message::Promoted { ifindex });
        }
        if let Some(before) = self.igmp.give_away() {
            give(Message::LocalIgmp { before });
        }
        for (id, (name, stats)) in std::mem::take(&mut self.cleared) {
            let id = id.0;
            give(Message::Cleared { id, name, stats });
        }
        if let Some((rules, socket)) = self.machine.drops.give_away() {
            let Installed { table, digest } = rules;
            estate.push((Message::Rules { table, digest }, Some(Arc::new(socket))));
        }
        estate
    }

    /// As the successor: a message of the farewell. False for another one.
    pub(super) fn inherit(&mut self, message: Message, fd: Option<OwnedFd>) -> bool {
        match message {
            Message::Static {
                ifindex,
                address,
                prefix,
                ours,
            } => self.machine.statics.inherit(Place {
                ifindex,
                address,
                prefix,
                ours,
            }),
            Message::VirtualLink { ifindex, ours } => self.virtual_links.inherit(ifindex, ours),
            Message::Before {
                ifindex,
                setting,
                value,
            } => match before(ifindex, setting, value) {
                Some(before) => self.virtual_links.quiet.inherit(before),
                None => return false,
            },
            Message::Promoted { ifindex } => self.machine.promotion.inherit(ifindex),
            Message::LocalIgmp { before } => self.igmp.inherit(before),
            Message::Cleared { id, name, stats } => {
                self.cleared.insert(InstanceId(id), (name, stats));
            }
            Message::Rules { table, digest } => {
                if let Some(socket) = fd {
                    let rules = Installed { table, digest };
                    self.machine.drops.inherit(rules, socket);
                }
            }
            Message::Counted { slot, outcomes } => self.carry(slot, &outcomes),
            Message::Telling(telling) => self.telling.inherit(telling, fd),
            Message::Flight(record) => self.flights.inherit(*record),
            Message::Hello { .. }
            | Message::Control
            | Message::FastLane
            | Message::Lock { .. }
            | Message::Link { .. }
            | Message::Settling { .. }
            | Message::Reading { .. }
            | Message::Instance { .. }
            | Message::Prepare
            | Message::Switch
            | Message::Farewell { .. }
            | Message::Ready
            | Message::Switched
            | Message::Lease { .. }
            | Message::Refused { .. } => return false,
        }
        true
    }
}

/// How an interface with a delay was taken by a predecessor.
pub(super) fn settling(
    interface: &str,
    ifindex: u32,
    usable: bool,
    since_ns: Option<u64>,
) -> Option<(IfName, Debounced)> {
    let settling = Debounced {
        ifindex,
        usable,
        since: since_ns.map(KernelTime),
    };
    Some((IfName::new(interface)?, settling))
}

/// A setting of a link as it was before any of us; none of those that we know
/// where a later version says it.
pub(super) fn before(ifindex: u32, setting: u8, value: u32) -> Option<Before> {
    Some(Before {
        ifindex,
        setting: Ipv4Conf::of(setting)?,
        value,
    })
}

fn told(before: Before) -> Message {
    let Before {
        ifindex,
        setting,
        value,
    } = before;
    Message::Before {
        ifindex,
        setting: setting.number(),
        value,
    }
}

/// Room for the descriptors of that many locks, before they come.
pub(super) fn make_room(locks: usize) {
    // Where it is refused they do not all arrive, which is noticed then.
    let _ = lock::room(locks.min(MAX_LOCKS));
}

/// 510 instances with 255 VIPs each, and a lock for each.
const MAX_LOCKS: usize = 131_072;

/// When something began, told by an agent that may not know it.
pub(super) fn began(nanos: u64) -> KernelTime {
    match nanos {
        0 => clock::now(),
        nanos => KernelTime(nanos),
    }
}
