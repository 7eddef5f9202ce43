//! Instances that come, change and go while the fast lane runs.
//!
//! All of it was prepared by the slow lane: nothing is allocated or freed here.

use agent_common::{KernelTime, Outcome};

use super::{Driver, NEW_MAC_REPEAT};
use crate::{
    core::{Effect, Fault, Input, InstanceConfig, InstanceId},
    io::{
        advert::FamilySockets,
        hands::{Wish, Works},
        lane::Returned,
        plan::Port,
    },
};

impl Driver {
    /// The port is in place before the core hears of its configuration, so
    /// that the advert which that brings forth has the new content.
    pub(super) fn install(&mut self, mut port: Box<Port>, now: KernelTime) {
        let id = port.id;
        if self.ports.port(id).is_some_and(|old| moves(old, &port)) {
            // The links it had went unnoticed, in announcements that were
            // lost: begin anew, or an Active would never add its VIPs there.
            self.fault(id, Fault::InterfaceGone, now);
        }
        let Some(seat) = self.ports.seat(id) else {
            self.lane.give_back(Returned::Port(port));
            return;
        };
        seat.taken = true;
        seat.down = false;
        if self.waiting {
            let works = port.works.take();
            if let Some(former) = seat.port.replace(port) {
                self.lane.give_back(Returned::Port(former));
            }
            self.pass_on_works(id, works);
            return;
        }
        self.replace(port, now);
    }

    fn replace(&mut self, mut port: Box<Port>, now: KernelTime) {
        let (id, source, config) = (port.id, port.source, port.config);
        let works = port.works.take();
        let Some(seat) = self.ports.seat(id) else {
            self.lane.give_back(Returned::Port(port));
            return;
        };
        let former = seat.port.take();
        if let Some(former) = &former {
            port.advert.inherit(&former.advert);
            // Nobody took them down: that would have been news.
            port.raised = former.raised && former.virtual_links == port.virtual_links;
            port.missing.link = former.missing.link;
            for (vip, place) in (0..=u16::MAX).zip(&former.vips) {
                if former.missing.has(vip)
                    && let Some(vip) = port.tracked(*place)
                {
                    port.missing.add(vip);
                }
            }
        }
        let new_mac = former
            .as_ref()
            .is_some_and(|former| former.filter.mac != port.filter.mac);
        seat.port = Some(port);
        if let Some(former) = former {
            self.lane.give_back(Returned::Port(former));
        }
        self.pass_on_works(id, works);
        self.feed(Input::Configure { config }, now);
        // A lease that is new in the configuration begins now, and one that is
        // no more ends.
        if self.is_active(id) && self.ports.port(id).is_some_and(|port| port.lease.is_some()) {
            self.renew_lease(id);
        } else {
            self.end_lease(id);
        }
        self.feed(Input::Up { id, source }, now);
        self.configure_heart(id, now);
        // Whoever configures a link that is new may have put our VIPs on it.
        if !self.remove_stray(id) && new_mac {
            // Hosts know the VIPs of an Active under the address it had.
            self.carry_out(Effect::Announce {
                id,
                repeat: NEW_MAC_REPEAT,
            });
        }
    }

    fn pass_on_works(&mut self, id: InstanceId, works: Option<Box<Works>>) {
        if let Some(works) = works
            && let Some(unused) = self.ledger.install(id, works)
        {
            self.lane.give_back(Returned::Works(unused));
        }
    }

    pub(super) fn configure(&mut self, config: Box<InstanceConfig>, now: KernelTime) {
        if let Some(seat) = self.ports.seat(config.id) {
            seat.taken = true;
            self.feed(Input::Configure { config: *config }, now);
        }
        self.lane.give_back(Returned::Config(config));
    }

    pub(super) fn retire(&mut self, id: InstanceId, now: KernelTime) {
        // Said first: what it has may be another's by now, so that its removal
        // has to look.
        if let Some(unused) = self.ledger.want(id, Wish::retire) {
            self.lane.give_back(Returned::Works(unused));
        }
        self.feed(Input::Retire { id }, now);
        self.heart.configure(id, None, now);
        // An advert that waits for its link needs the port.
        if !self.ledger.holds_advert(id) {
            self.vacate(id);
        }
        // Its successor counts from zero.
        if let Some(counters) = self.outcomes.get_mut(usize::from(id.0)) {
            *counters = [0; Outcome::COUNT];
        }
    }

    /// The seat is free.
    pub(super) fn vacate(&mut self, id: InstanceId) {
        self.flights.forget(id);
        let port = self
            .ports
            .seat(id)
            .and_then(|seat| std::mem::take(seat).port);
        if let Some(port) = port {
            self.lane.give_back(Returned::Port(port));
        }
    }

    pub(super) fn add_family(&mut self, mut sockets: Box<FamilySockets>) {
        if !self.sockets.transmitters.has(sockets.family)
            && let Some(slow) = sockets.slow.take()
        {
            // Without it only reassembled adverts are missed.
            if self.waiter.add(&slow).is_err() {
                self.counters.receive_errors += 1;
            }
            if !self.receivers.is_empty() {
                slow.unfilter();
            }
            self.sockets.slow.push(slow);
        }
        self.sockets.transmitters.add(&mut sockets);
        self.lane.give_back(Returned::Family(sockets));
    }
}

/// Whether an instance whose VIPs were not configured anew is elsewhere now.
fn moves(old: &Port, new: &Port) -> bool {
    let same_vips = old.config.vips_digest == new.config.vips_digest;
    let left = || old.vips.iter().any(|vip| !new.vips.contains(vip));
    old.ifindex != new.ifindex || same_vips && left()
}
