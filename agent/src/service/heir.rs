//! An upgrade, as the agent sees it that takes over: see [`crate::upgrade`].

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use agent_common::KernelTime;
use tracing::{info, warn};

use super::{Failure, Service, bequest, debounce::Debounced};
use crate::{
    config::{IfName, Instance},
    core::InstanceId,
    io::{bpf::Backend, lane::Command, netlink::devconf::Before},
    supervise::inherited,
    track::{Kind, TrackerId, Value},
    upgrade::{
        HEIR_FD, PROTOCOL,
        channel::{Channel, ChannelError, wait},
        message::{Identity, Message},
    },
};

/// A predecessor sends all at once.
const HELLO: Duration = Duration::from_secs(5);
/// From our readiness to its end; it decides.
const TURN: Duration = Duration::from_secs(30);
/// What it counted comes right behind the state.
const COUNTED: Duration = Duration::from_secs(2);

/// A link of the predecessor.
#[derive(Debug)]
pub struct InheritedLink {
    pub backend: Backend,
    pub refused: Vec<(Backend, String)>,
    pub link: Option<OwnedFd>,
}

/// What a predecessor gives us before we take over.
#[derive(Debug)]
pub struct Heritage {
    channel: Channel,
    version: String,
    pub held_until: KernelTime,
    pub settling: Vec<(IfName, Debounced)>,
    /// Trackers as they were found last, with what is said of it.
    pub readings: Vec<(TrackerId, Value, String)>,
    /// Settings below virtual MAC addresses that it will have us put back.
    pub before: Vec<Before>,
    pub control: Option<OwnedFd>,
    pub fast: Option<OwnedFd>,
    pub locks: BTreeMap<String, OwnedFd>,
    pub links: BTreeMap<u32, InheritedLink>,
    instances: Vec<(InstanceId, Identity, KernelTime)>,
}

impl Heritage {
    /// Whether this process was started to take over, and with what.
    ///
    /// # Errors
    ///
    /// When the predecessor is not understood.
    pub fn receive() -> Option<Result<Self, Failure>> {
        let socket = inherited(HEIR_FD)?;
        Some(Self::take(socket).map_err(|error| Failure::Heritage(error.to_string())))
    }

    fn take(socket: OwnedFd) -> Result<Self, ChannelError> {
        let mut heritage = Self {
            channel: Channel::new(socket)?,
            version: String::new(),
            held_until: KernelTime(0),
            settling: Vec::new(),
            readings: Vec::new(),
            before: Vec::new(),
            control: None,
            fast: None,
            locks: BTreeMap::new(),
            links: BTreeMap::new(),
            instances: Vec::new(),
        };
        loop {
            let (message, fd) = heritage.channel.receive(HELLO)?;
            if heritage.note(message, fd)? {
                return Ok(heritage);
            }
        }
    }

    /// True when that was all.
    fn note(&mut self, message: Message, fd: Option<OwnedFd>) -> io::Result<bool> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        match message {
            Message::Hello {
                protocol,
                version,
                locks,
                held_until_ns,
            } => {
                if protocol != PROTOCOL {
                    return Err(invalid());
                }
                self.version = version;
                self.held_until = KernelTime(held_until_ns);
                bequest::make_room(locks);
            }
            Message::Control => self.control = fd,
            Message::FastLane => self.fast = fd,
            Message::Lock { name } => {
                self.locks.insert(name, fd.ok_or_else(invalid)?);
            }
            Message::Link {
                ifindex,
                backend,
                refused,
            } => {
                let refused = refused.into_iter();
                let link = InheritedLink {
                    backend: backend.parse().map_err(|()| invalid())?,
                    refused: refused
                        .filter_map(|(backend, why)| Some((backend.parse().ok()?, why)))
                        .collect(),
                    link: fd,
                };
                self.links.insert(ifindex, link);
            }
            Message::Settling {
                interface,
                ifindex,
                usable,
                since_ns,
            } => {
                let settling = bequest::settling(&interface, ifindex, usable, since_ns);
                self.settling.push(settling.ok_or_else(invalid)?);
            }
            Message::Instance { id, who, began_ns } => {
                let began = bequest::began(began_ns);
                self.instances.push((InstanceId(id), who, began));
            }
            Message::Reading {
                kind,
                name,
                value,
                detail,
            } => {
                let kind = Kind::of_word(&kind).ok_or_else(invalid)?;
                let value = Value::of_text(&value).ok_or_else(invalid)?;
                self.readings
                    .push((TrackerId::new(kind, &name), value, detail));
            }
            Message::Before {
                ifindex,
                setting,
                value,
            } => {
                let before = bequest::before(ifindex, setting, value);
                self.before.push(before.ok_or_else(invalid)?);
            }
            Message::Prepare => return Ok(true),
            Message::Switch
            | Message::Static { .. }
            | Message::VirtualLink { .. }
            | Message::Promoted { .. }
            | Message::LocalIgmp { .. }
            | Message::Rules { .. }
            | Message::Cleared { .. }
            | Message::Counted { .. }
            | Message::Telling(_)
            | Message::Flight(_)
            | Message::Farewell { .. }
            | Message::Ready
            | Message::Switched
            | Message::Lease { .. }
            | Message::Refused { .. } => return Err(invalid()),
        }
        Ok(false)
    }

    /// The number that the predecessor has for each of our instances, and since
    /// when there is that instance.
    ///
    /// # Errors
    ///
    /// When it has others, or other VIPs.
    pub fn seats(&self, instances: &[Instance]) -> Result<Vec<(InstanceId, KernelTime)>, Failure> {
        let ids: Option<Vec<_>> = instances
            .iter()
            .map(|instance| {
                let own = Identity::of(instance);
                let same = self.instances.iter().find(|(_, who, _)| *who == own);
                same.map(|(id, _, began)| (*id, *began))
            })
            .collect();
        match ids {
            Some(ids) if ids.len() == self.instances.len() => Ok(ids),
            Some(_) | None => Err(Failure::Heritage(
                "the new version reads other instances or VIPs out of the same configuration: \
                 stop and start it instead"
                    .to_owned(),
            )),
        }
    }

    /// Tells the predecessor that we cannot take over.
    pub fn refuse(&self, failure: &Failure) {
        let reason = failure.to_string();
        // Without it our end says the same.
        let _ = self.channel.send(&Message::Refused { reason }, None);
    }
}

impl Service {
    /// Waits for our turn and goes on from the state of the predecessor.
    ///
    /// # Errors
    ///
    /// When it goes on itself, or there is nothing to go on from. Nothing was
    /// changed on the machine then.
    pub(super) async fn take_over(&mut self, heritage: &Heritage) -> Result<(), Failure> {
        self.running = true;
        if !self.look_around().await? {
            return Err(Failure::Heritage(
                "an instance cannot be prepared: see the log of the new agent".to_owned(),
            ));
        }
        let channel = &heritage.channel;
        let failed = |error: ChannelError| Failure::Heritage(error.to_string());
        channel.send(&Message::Ready, None).map_err(failed)?;
        loop {
            match channel.receive(TURN).map_err(failed)?.0 {
                Message::Lease { id, until_ns } => self.take_lease(id, until_ns),
                Message::Switch => break,
                other => return Err(Failure::Heritage(format!("it says {other:?}"))),
            }
        }
        self.switch().await?;
        channel.send(&Message::Switched, None).map_err(failed)?;
        while !self.took_over {
            // Its end is read as well: what our fast lane said comes first.
            wait([self.lane.wake_fd(), channel.as_fd()], TURN);
            self.lane.clear_wake();
            self.hear().await;
            if !self.took_over && wait([channel.as_fd()], Duration::ZERO) {
                return Err(Failure::Heritage("it took everything back".to_owned()));
            }
        }
        info!("Took over from failoverd {}", heritage.version);
        self.reload_first = farewell(channel, |message, fd| self.inherit(message, fd));
        // Before it says farewell it takes its own down.
        self.fence_vips();
        self.telling.begin(&self.config.tell);
        Ok(())
    }

    async fn switch(&mut self) -> Result<(), Failure> {
        let told = self.lane.send(Command::ForgetBacklog).is_ok();
        if !told || !self.fence().await {
            return Err(Failure::Heritage("its fast lane does not run".to_owned()));
        }
        // Before our programs are asked.
        self.reflect();
        self.fence_vips();
        match &self.kernel {
            Some(kernel) => kernel
                .switch()
                .map_err(|error| Failure::Heritage(error.to_string())),
            None => Ok(()),
        }
    }
}

/// What a predecessor leaves, up to its last word: whether a reload was asked
/// for meanwhile. A later version may leave what this one does not know; that
/// is said once, and what comes after it counts all the same.
fn farewell(channel: &Channel, mut inherit: impl FnMut(Message, Option<OwnedFd>) -> bool) -> bool {
    let mut warned = false;
    let mut unknown = |what: &dyn std::fmt::Display| {
        if !std::mem::replace(&mut warned, true) {
            warn!("not all that the earlier agent leaves is known: {what}");
        }
    };
    loop {
        match channel.receive(COUNTED) {
            Ok((Message::Farewell { reload }, _)) => return reload,
            Ok((message, fd)) => {
                let what = format!("{message:?}");
                if !inherit(message, fd) {
                    unknown(&format_args!("it says {what}"));
                }
            }
            Err(error @ ChannelError::Garbled(_)) => unknown(&error),
            Err(
                error
                @ (ChannelError::Closed | ChannelError::TimedOut(_) | ChannelError::System(_)),
            ) => {
                warn!("what the earlier agent leaves is not known: {error}");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
