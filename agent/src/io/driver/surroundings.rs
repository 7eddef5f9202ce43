//! Links and addresses as the kernel announces them, turned into inputs.
//!
//! What cannot wait is decided here: a link that went, a VIP that vanished.
//! Everything else is only passed on, and comes back from the slow lane as a
//! new port.

use std::net::IpAddr;

use agent_common::KernelTime;

use super::Driver;
use crate::{
    core::{Fault, Input, InstanceId},
    io::{lane::Report, netlink::monitor::Event, plan::Needed},
};

/// Events taken per datagram; the kernel sends one or a few in each.
const EVENTS: usize = 64;
/// Datagrams read in one round, so that a storm of links does not keep
/// deadlines waiting.
const DATAGRAMS: usize = 256;

impl Driver {
    /// True when all news there were have been read.
    pub(super) fn watch_surroundings(&mut self, now: KernelTime) -> bool {
        for _ in 0..DATAGRAMS {
            let mut events = [None; EVENTS];
            let mut count = 0;
            let read = self.sockets.monitor.read(|event| {
                // More than fits is as good as an overrun: ask for everything.
                match events.get_mut(count) {
                    Some(slot) => *slot = Some(event),
                    None => events[EVENTS - 1] = Some(Event::Overrun),
                }
                count += 1;
            });
            for event in events.into_iter().flatten() {
                self.surrounding(event, now);
            }
            match read {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => {
                    self.counters.receive_errors += 1;
                    // Not waited for: it may be like this forever.
                    return true;
                }
            }
        }
        false
    }

    /// As if the kernel had announced that the link is down.
    pub(super) fn link_lost(&mut self, ifindex: u32, now: KernelTime) {
        let usable = false;
        self.surrounding(Event::Link { ifindex, usable }, now);
    }

    fn surrounding(&mut self, event: Event, now: KernelTime) {
        match event {
            Event::Link { ifindex, usable } => {
                if !usable {
                    self.lose(
                        now,
                        |needed| needed.ifindex == ifindex && needed.usable,
                        None,
                    );
                    self.virtual_link_down(ifindex, now);
                } else {
                    self.virtual_link_up(ifindex);
                }
                self.pass_on(ifindex);
            }
            Event::LinkGone { ifindex } => {
                let fault = Fault::InterfaceGone;
                self.lose(
                    now,
                    |needed| needed.ifindex == ifindex,
                    Some((ifindex, fault)),
                );
                if self.ports.all().any(|port| port.ifindex == ifindex) {
                    self.lane.report(Report::LinkGone { ifindex });
                }
                self.pass_on(ifindex);
            }
            // Our own doing, yet perhaps not our wish: with the first address of
            // a subnet the kernel removes the others (promote_secondaries 0),
            // and they may be VIPs of another instance that is Active.
            Event::Address {
                ifindex,
                address,
                gone,
                port,
            } if port == self.ledger.port() => {
                if gone {
                    self.address_gone(ifindex, address, true, now);
                } else {
                    self.address_is_back((ifindex, address));
                }
            }
            Event::Address {
                ifindex,
                address,
                gone,
                port: _,
            } => {
                if gone {
                    self.address_gone(ifindex, address, false, now);
                } else {
                    self.address_came(ifindex, address);
                }
                self.pass_on(ifindex);
            }
            // The slow lane's: those of a router with many routes must not keep
            // this lane busy.
            Event::PathGone { .. } => {}
            Event::Overrun => {
                self.lane.report(Report::Overrun);
                self.lane.surroundings_changed();
            }
        }
    }

    /// Every instance that needs what was lost gives up at once. `own` names
    /// the fault of instances whose own link it is.
    fn lose(&mut self, now: KernelTime, lost: impl Fn(&Needed) -> bool, own: Option<(u32, Fault)>) {
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            let Some(seat) = self.ports.seat(id).filter(|seat| !seat.down) else {
                continue;
            };
            let Some(port) = &seat.port else { continue };
            let Some(needed) = port.needed.iter().find(|needed| lost(needed)) else {
                continue;
            };
            let fault = match own {
                Some((ifindex, fault)) if ifindex == port.ifindex => fault,
                Some(_) | None => needed.fault,
            };
            self.fault(id, fault, now);
            self.lane.report(Report::WentDown { id, fault });
        }
    }

    /// Somebody took the link of our VIPs down: as if the first of them was
    /// removed, with the limit that there is on that.
    fn virtual_link_down(&mut self, ifindex: u32, now: KernelTime) {
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            let Some(port) = self
                .ports
                .port(id)
                .filter(|port| port.virtual_links.contains(&ifindex))
            else {
                continue;
            };
            port.raised = false;
            if self.ledger.is_busy(id) {
                // We may take it down ourselves, and then up again.
                port.missing.link = true;
                continue;
            }
            let first = port.vips.iter().position(|(home, _)| *home == ifindex);
            if let Some(vip) = first.and_then(|vip| u16::try_from(vip).ok()) {
                self.feed(Input::AddressLost { id, vip }, now);
            }
        }
    }

    fn virtual_link_up(&mut self, ifindex: u32) {
        let ports = self
            .ports
            .0
            .iter_mut()
            .filter_map(|seat| seat.port.as_mut());
        for port in ports.filter(|port| port.missing.link) {
            port.missing.link = !port.virtual_links.contains(&ifindex);
        }
    }

    /// `own`: by a change that we asked for. While there is more that we asked
    /// for, an address that went may be on its way back already: whether it is
    /// wanted shows when all of that is done.
    fn address_gone(&mut self, ifindex: u32, address: IpAddr, own: bool, now: KernelTime) {
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            let port = self.ports.port(id);
            let Some(vip) = port.and_then(|port| port.tracked((ifindex, address))) else {
                continue;
            };
            if own && self.ledger.is_busy(id) {
                self.missing(id, vip);
            } else {
                self.feed(Input::AddressLost { id, vip }, now);
            }
        }
    }

    fn missing(&mut self, id: InstanceId, vip: u16) {
        if let Some(port) = self.ports.port(id) {
            port.missing.add(vip);
        }
    }

    /// We have put it there.
    fn address_is_back(&mut self, place: (u32, IpAddr)) {
        let ports = self
            .ports
            .0
            .iter_mut()
            .filter_map(|seat| seat.port.as_mut());
        for port in ports.filter(|port| !port.missing.is_empty()) {
            if let Some(vip) = port.tracked(place) {
                port.missing.remove(vip);
            }
        }
    }

    /// Somebody else put a VIP there: right only where we are Active.
    fn address_came(&mut self, ifindex: u32, address: IpAddr) {
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            let port = self.ports.port(id);
            if port.is_some_and(|port| port.vips.contains(&(ifindex, address)))
                && self.remove_stray(id)
            {
                self.lane.report(Report::StrayRemoved { id, address });
            }
        }
    }

    /// The slow lane looks again when a link matters to an instance, and
    /// whenever an instance waits for its links.
    fn pass_on(&mut self, ifindex: u32) {
        let mut taken = self.ports.0.iter().filter(|seat| seat.taken);
        let matters = taken.any(|seat| match &seat.port {
            Some(port) if !seat.down => {
                port.awaits_link
                    || port.watched.contains(&ifindex)
                    || port.needed.iter().any(|n| n.ifindex == ifindex)
            }
            Some(_) | None => true,
        });
        if matters {
            self.lane.surroundings_changed();
        }
    }
}
