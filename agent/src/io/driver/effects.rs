//! Carries out what the core asks for.

use std::net::IpAddr;

use agent_common::{KernelTime, Priority, record::WatchSlot, wire::frame::wire_address};

use super::Driver;
use crate::{
    core::{Effect, InstanceId},
    heart::Tenure,
    io::{clock, hands::Wish, lane::Report},
};

impl Driver {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SendAdvert { id, priority } => self.send_advert(id, priority),
            Effect::AddAddresses { id } => {
                self.ledger.set_active(id, true);
                self.ledger.want(id, Wish::add);
                self.tag_wish(id, true);
            }
            Effect::RemoveAddresses { id } => self.give_up(id),
            Effect::ChangeAddresses { id, repeat } => {
                self.ledger.want(id, |wish| wish.change(repeat));
            }
            Effect::RestoreAddress { id, vip } => {
                self.ledger.want(id, |wish| wish.restore(vip));
            }
            Effect::Announce { id, repeat } => {
                self.ledger.want(id, |wish| wish.announce(repeat));
            }
            Effect::AnnounceElsewhere { id } => {
                self.ledger.want(id, Wish::announce_elsewhere);
            }
            Effect::Watch { id, active } => {
                // All that is urgent was said: they can begin.
                self.ledger.hand_out();
                self.watch(id, active);
                self.follow(id);
            }
            Effect::Transition {
                id,
                from,
                to,
                cause,
                at,
            } => {
                self.tenure(id, Tenure::after_leaving(from));
                self.follow(id);
                self.lane.report(Report::Transition {
                    id,
                    from,
                    to,
                    cause,
                    at,
                });
                self.record_flight(&effect);
            }
            Effect::GroupTransition { group, to, at } => {
                self.lane.report(Report::GroupTransition { group, to, at });
            }
            Effect::PriorityChanged { id, from, to } => {
                self.lane.report(Report::PriorityChanged { id, from, to });
            }
            Effect::Notice { id, notice } => self.lane.report(Report::Notice { id, notice }),
        }
    }

    /// What the hands are announcing ends at once.
    fn give_up(&mut self, id: InstanceId) {
        self.ledger.set_active(id, false);
        self.ledger.forget_advert(id);
        self.ledger.want(id, Wish::remove);
        self.tag_wish(id, false);
        if let Some(port) = self.ports.port(id) {
            port.raised = false;
        }
    }

    /// The links with virtual MAC addresses come up before the first advert,
    /// which goes out of one.
    fn send_advert(&mut self, id: InstanceId, priority: Priority) {
        let Some(port) = self.ports.port(id) else {
            return;
        };
        if port.virtual_links.is_empty() || port.raised {
            self.send_now(id, priority);
        } else {
            self.ledger.hold_advert(id, priority);
        }
    }

    pub(super) fn send_now(&mut self, id: InstanceId, priority: Priority) {
        let Some(port) = self.ports.port(id) else {
            return;
        };
        let sent = port.advert.send(&self.sockets.transmitters, priority);
        let reached = port.advert.reached();
        if sent.is_ok() {
            self.note_sent(id, priority);
        }
        let Some(port) = self.ports.port(id) else {
            return;
        };
        if sent.is_err() {
            // Perhaps somebody took it down.
            port.raised = false;
        }
        self.tenure(id, Tenure::after_advert(priority, reached));
        match sent {
            Ok(()) if priority.is_release() => self.lane.report(Report::Released { id }),
            Ok(()) => {}
            Err(error) => {
                self.counters.adverts_failed += 1;
                let errno = error.raw_os_error().unwrap_or(0);
                self.lane.report(Report::AdvertFailed {
                    id,
                    priority,
                    errno,
                });
            }
        }
    }

    fn tenure(&mut self, id: InstanceId, tenure: Option<Tenure>) {
        match tenure {
            Some(Tenure::Renewed) => self.renew_lease(id),
            Some(Tenure::Ended) => self.end_lease(id),
            None => {}
        }
    }

    /// That this could be done says that the fast lane runs.
    pub(super) fn renew_lease(&mut self, id: InstanceId) {
        let lease = self.ports.port(id).and_then(|port| port.lease);
        if let Some(lease) = lease {
            self.set_lease(id, Some(clock::now().after(lease)));
        }
    }

    /// Whatever the configuration says by now.
    pub(super) fn end_lease(&mut self, id: InstanceId) {
        self.set_lease(id, None);
    }

    fn set_lease(&mut self, id: InstanceId, until: Option<KernelTime>) {
        let before = self.ports.seat(id);
        let before = before.and_then(|seat| std::mem::replace(&mut seat.leased, until));
        if let Some(before) = before {
            let span = clock::now().since(before);
            if !span.is_zero() {
                self.lane.report(Report::LeaseLapsed { id, span });
            }
        }
        self.lane
            .lease(u32::from(id.0), until.map_or(0, KernelTime::nanos));
        if let Some(maps) = &self.sockets.maps
            && maps.lease(u32::from(id.0), until).is_err()
        {
            self.counters.watch_errors += 1;
        }
    }

    fn watch(&mut self, id: InstanceId, active: Option<IpAddr>) {
        let Some(maps) = &self.sockets.maps else {
            return;
        };
        let watch = match active {
            Some(active) => WatchSlot {
                active: wire_address(active),
                ..WatchSlot::default()
            },
            None => WatchSlot {
                wake_always: 1,
                ..WatchSlot::default()
            },
        };
        if maps.watch(u32::from(id.0), &watch).is_err() {
            self.counters.watch_errors += 1;
        }
    }

    /// The kernel has VIPs of this instance: right only when it is Active.
    /// True where they are removed.
    pub(super) fn remove_stray(&mut self, id: InstanceId) -> bool {
        let stray = !self.is_active(id);
        if stray {
            self.carry_out(Effect::RemoveAddresses { id });
        }
        stray
    }
}
