//! What the monitor listens with: a packet socket, two groups, link changes.

use std::{io, net::IpAddr};

use agent_common::wire::vrrp::{GROUP_V4, GROUP_V6};

use super::{Failure, event::LinkState};
use crate::{
    config::model::IfName,
    io::{
        netlink::monitor::{self, Event, Monitor},
        receive::{membership::Membership, raw::RawReceiver},
        sys,
    },
};

/// Everything that is open on one interface.
#[derive(Debug)]
pub struct Listener {
    pub receiver: RawReceiver,
    pub links: Monitor,
    pub ifindex: u32,
    /// As of the opening.
    pub state: LinkState,
    /// What could not be done and can be done without.
    pub notes: Vec<String>,
    _groups: Vec<Membership>,
}

impl Listener {
    /// # Errors
    ///
    /// Where the interface does not exist, or CAP_NET_RAW is missing.
    pub fn open(interface: &IfName) -> Result<Self, Failure> {
        let name = interface.as_str();
        let failed = |source: io::Error| {
            let interface = name.to_owned();
            if source.kind() == io::ErrorKind::PermissionDenied {
                Failure::Permission { interface }
            } else {
                Failure::Io { interface, source }
            }
        };
        // Before the look at the links, so that no change falls in between.
        let links = Monitor::open().map_err(failed)?;
        let all = sys::interfaces().map_err(failed)?;
        let Some((ifindex, _)) = all.iter().find(|(_, known)| known == name) else {
            let mut known: Vec<_> = all.into_iter().map(|(_, name)| name).collect();
            known.sort_unstable();
            return Err(Failure::UnknownInterface {
                interface: name.to_owned(),
                known: known.join(", "),
            });
        };
        let ifindex = *ifindex;
        let receiver = RawReceiver::open_with_outgoing(ifindex).map_err(failed)?;
        let (mut groups, mut notes) = (Vec::new(), Vec::new());
        for group in [IpAddr::from(GROUP_V4), IpAddr::from(GROUP_V6)] {
            match Membership::join(group, ifindex) {
                Ok(membership) => groups.push(membership),
                // Without it, only a snooping switch may keep adverts from us.
                Err(error) => notes.push(format!("cannot join {group}: {error}")),
            }
        }
        let flags = sys::interface_flags(name).map_err(failed)?;
        let state = if monitor::usable(flags) {
            LinkState::Up
        } else {
            LinkState::Down
        };
        Ok(Self {
            receiver,
            links,
            ifindex,
            state,
            notes,
            _groups: groups,
        })
    }

    /// What became of the interface since the last call; the last state counts.
    ///
    /// # Errors
    ///
    /// What the netlink socket reports.
    pub fn link_changes(&mut self, interface: &IfName) -> io::Result<Option<LinkState>> {
        let (ours, mut found, mut overrun) = (self.ifindex, None, false);
        let each = |event: Event| match event {
            Event::Link { ifindex, usable } if ifindex == ours => {
                let state = if usable {
                    LinkState::Up
                } else {
                    LinkState::Down
                };
                // Gone is gone, whatever came with it.
                found = Some(match found {
                    Some(LinkState::Gone) => LinkState::Gone,
                    Some(LinkState::Up | LinkState::Down) | None => state,
                });
            }
            Event::LinkGone { ifindex } if ifindex == ours => found = Some(LinkState::Gone),
            Event::Overrun => overrun = true,
            Event::Link { .. } | Event::LinkGone { .. } | Event::Address { .. } => {}
            Event::PathGone { .. } => {}
        };
        let mut each = each;
        while self.links.read(&mut each)? {}
        if overrun {
            found = Some(self.look(interface)?);
        }
        Ok(found
            .filter(|state| *state != self.state)
            .inspect(|state| self.state = *state))
    }

    fn look(&self, interface: &IfName) -> io::Result<LinkState> {
        if !sys::interfaces()?
            .iter()
            .any(|(ifindex, _)| *ifindex == self.ifindex)
        {
            return Ok(LinkState::Gone);
        }
        Ok(match sys::interface_flags(interface.as_str()) {
            Ok(flags) if monitor::usable(flags) => LinkState::Up,
            Ok(_) | Err(_) => LinkState::Down,
        })
    }
}
