//! Instances that come, change and go while the fast lane runs.
//!
//! All of it was prepared by the slow lane: nothing is allocated or freed here.

use agent_common::{KernelTime, Outcome};

use super::{Driver, NEW_MAC_REPEAT};
use crate::{
    core::{Effect, Fault, Input, InstanceConfig, InstanceId, State},
    io::{
        advert::FamilySockets,
        announce::Which,
        lane::Returned,
        netlink::batch::{AddressPlan, Comparison, Difference},
        plan::Port,
    },
};

impl Driver {
    /// The port is in place before the core hears of its configuration, so
    /// that the advert which that brings forth has the new content.
    pub(super) fn install(&mut self, port: Box<Port>, now: KernelTime) {
        let (id, source, config) = (port.id, port.source, port.config);
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
            if let Some(former) = seat.port.replace(port) {
                self.lane.give_back(Returned::Port(former));
            }
            return;
        }
        let mac = port.filter.mac;
        seat.former = seat.port.replace(port);
        let left = seat.former.as_ref();
        let left = left.map_or(0, |former| former.announce.most_left());
        if let (Some(former), Some(port)) = (&seat.former, &mut seat.port) {
            port.advert.inherit(&former.advert);
        }
        if left > 0 {
            self.announce_on_anew(id, left);
        }
        let Some(seat) = self.ports.seat(id) else {
            return;
        };
        let new_mac = seat
            .former
            .as_ref()
            .is_some_and(|former| former.filter.mac != mac);
        self.drop_former_paths(id);
        self.feed(Input::Configure { config }, now);
        self.add_new_paths(id);
        if let Some(former) = self.ports.seat(id).and_then(|seat| seat.former.take()) {
            self.lane.give_back(Returned::Port(former));
        }
        // A lease that is new in the configuration begins now, and one that is
        // no more ends.
        let active =
            self.machine.snapshot(id).map(|snapshot| snapshot.state) == Some(State::Active);
        if active && self.ports.port(id).is_some_and(|port| port.lease.is_some()) {
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

    /// What was still to be announced, with the limits of now; what has none
    /// any more at once, as it may have been all that waited. Once too often
    /// does no harm.
    fn announce_on_anew(&mut self, id: InstanceId, left: u8) {
        let Some(mut port) = self.ports.seat(id).and_then(|seat| seat.port.take()) else {
            return;
        };
        let pacer = &mut self.pacer;
        port.announce
            .queue(Which::All, left, |pace| pacer.admit(pace));
        self.announce_on(&port, Which::All, 1);
        if let Some(seat) = self.ports.seat(id) {
            seat.port = Some(port);
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
        if let Some(seat) = self.ports.seat(id)
            && let Some(port) = seat.port.take()
        {
            port.vips.iter().for_each(|place| self.expect_gone(*place));
            if let Some(seat) = self.ports.seat(id) {
                seat.port = Some(port);
            }
        }
        self.feed(Input::Retire { id }, now);
        self.heart.configure(id, None, now);
        let Some(seat) = self.ports.seat(id) else {
            return;
        };
        if let Some(port) = std::mem::take(seat).port {
            self.lane.give_back(Returned::Port(port));
        }
        // Its successor counts from zero.
        if let Some(counters) = self.outcomes.get_mut(usize::from(id.0)) {
            *counters = [0; Outcome::COUNT];
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

    /// The VIPs of an Active were configured anew: only what differs is
    /// changed, and only what is new is announced.
    pub(super) fn change_addresses(&mut self, id: InstanceId, repeat: u8) {
        self.raise(id);
        let Some(former) = self.ports.seat(id).and_then(|seat| seat.former.take()) else {
            return;
        };
        let Some(port) = self.ports.seat(id).and_then(|seat| seat.port.take()) else {
            return;
        };
        let (former, mut port) = self.swap_addresses(id, former, port);
        let pacer = &mut self.pacer;
        for vip in news(&former.addresses, &port.addresses) {
            port.announce
                .queue(Which::One(vip), repeat, |pace| pacer.admit(pace));
        }
        for _ in 0..repeat {
            for vip in news(&former.addresses, &port.addresses) {
                self.announce_on(&port, Which::One(vip), 1);
            }
        }
        if let Some(seat) = self.ports.seat(id) {
            seat.former = Some(former);
            seat.port = Some(port);
        }
    }

    /// Both ports are out of their seat meanwhile, because the whole driver is
    /// needed; moving a box allocates nothing.
    fn swap_addresses(
        &mut self,
        id: InstanceId,
        mut former: Box<Port>,
        mut port: Box<Port>,
    ) -> (Box<Port>, Box<Port>) {
        let mut comparison = Comparison::default();
        while let Some(difference) = comparison.next(&former.addresses, &port.addresses) {
            let Difference::Gone(vip) = difference else {
                continue;
            };
            let Some(place) = former.vips.get(usize::from(vip)).copied() else {
                continue;
            };
            if self.is_held_by_another(place) {
                continue;
            }
            self.expect_gone(place);
            let result = self.sockets.command.remove_one(&mut former.addresses, vip);
            self.addresses_changed(id, result);
        }
        let mut comparison = Comparison::default();
        while let Some(difference) = comparison.next(&former.addresses, &port.addresses) {
            if let Difference::New(vip) = difference {
                let result = self.sockets.command.add_one(&mut port.addresses, vip);
                self.addresses_changed(id, result);
            }
        }
        (former, port)
    }

    /// A VIP that a reload takes off may be back, with other options or in
    /// another instance, before the kernel's word of it is read.
    fn expect_gone(&mut self, place: (u32, std::net::IpAddr)) {
        if self.removed.len() < self.removed.capacity() {
            self.removed.push(place);
        }
    }

    /// A VIP that moves from one of our instances to another stays.
    fn is_held_by_another(&self, place: (u32, std::net::IpAddr)) -> bool {
        self.ports.all().any(|port| {
            let state = self
                .machine
                .snapshot(port.id)
                .map(|snapshot| snapshot.state);
            state == Some(State::Active) && port.vips.contains(&place)
        })
    }
}

/// Whether an instance whose VIPs were not configured anew is elsewhere now.
fn moves(old: &Port, new: &Port) -> bool {
    let same_vips = old.config.vips_digest == new.config.vips_digest;
    let left = || old.vips.iter().any(|vip| !new.vips.contains(vip));
    old.ifindex != new.ifindex || same_vips && left()
}

/// The VIPs of `new` that `old` has not.
fn news(old: &AddressPlan, new: &AddressPlan) -> impl Iterator<Item = u16> {
    let mut comparison = Comparison::default();
    std::iter::from_fn(move || {
        loop {
            match comparison.next(old, new)? {
                Difference::New(vip) => return Some(vip),
                Difference::Gone(_) => {}
            }
        }
    })
}
