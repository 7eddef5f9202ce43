//! Carries out what the core asks for.

use std::{io, net::IpAddr};

use agent_common::{KernelTime, Priority, record::WatchSlot, wire::frame::wire_address};

use super::Driver;
use crate::{
    core::{Effect, InstanceId, State},
    io::{announce::Which, clock, lane::Report, netlink::batch::BatchResult, plan::Port},
};

/// Announcements of a single VIP that was put back.
const RESTORED_REPEAT: u8 = 3;

impl Driver {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SendAdvert { id, priority } => self.send_advert(id, priority),
            Effect::AddAddresses { id } => {
                let Some(port) = self.ports.port(id) else {
                    return;
                };
                let result = self.sockets.command.add_all(&mut port.addresses);
                let all = result.as_ref().is_ok_and(|result| result.failed == 0);
                port.raised = all && !port.virtual_links.is_empty();
                self.addresses_changed(id, result);
                self.add_paths(id);
            }
            Effect::RemoveAddresses { id } => {
                let Some(port) = self.ports.port(id) else {
                    return;
                };
                // Whatever waits must not be announced by a Backup.
                port.announce.cancel();
                let result = self.sockets.command.remove_paths(&mut port.paths);
                self.paths_changed(id, result);
                let Some(port) = self.ports.port(id) else {
                    return;
                };
                port.raised = false;
                let result = self.sockets.command.remove_all(&mut port.addresses);
                self.addresses_changed(id, result);
            }
            Effect::ChangeAddresses { id, repeat } => self.change_addresses(id, repeat),
            Effect::RestoreAddress { id, vip } => {
                let Some(port) = self.ports.port(id) else {
                    return;
                };
                port.raised = false;
                self.raise(id);
                let Some(port) = self.ports.port(id) else {
                    return;
                };
                let result = self.sockets.command.add_one(&mut port.addresses, vip);
                self.addresses_changed(id, result);
                // Its removal took routes along that have it for their source.
                self.ensure_paths(id);
                self.announce(id, Which::One(vip), RESTORED_REPEAT);
            }
            Effect::Announce { id, repeat } => self.announce(id, Which::All, repeat),
            Effect::AnnounceElsewhere { id } => {
                if let Some(ifindex) = self.ports.port(id).map(|port| port.ifindex) {
                    self.announce(id, Which::Elsewhere(ifindex), 1);
                }
            }
            Effect::Watch { id, active } => self.watch(id, active),
            Effect::Transition {
                id,
                from,
                to,
                cause,
                at,
            } => {
                if from == State::Active {
                    self.end_lease(id);
                }
                self.lane.report(Report::Transition {
                    id,
                    from,
                    to,
                    cause,
                    at,
                });
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

    /// The links with virtual MAC addresses come up before the first advert,
    /// which goes out of one.
    pub(super) fn raise(&mut self, id: InstanceId) {
        let Some(port) = self.ports.port(id) else {
            return;
        };
        if !port.virtual_links.is_empty() && !port.raised {
            let result = self.sockets.command.raise(&mut port.addresses);
            port.raised = result.as_ref().is_ok_and(|result| result.failed == 0);
            // Tried with each advert, said once.
            let news = port.raised || !std::mem::replace(&mut port.refused_up, true);
            port.refused_up &= !port.raised;
            if news {
                self.addresses_changed(id, result);
            }
        }
    }

    fn send_advert(&mut self, id: InstanceId, priority: Priority) {
        self.raise(id);
        let Some(port) = self.ports.port(id) else {
            return;
        };
        let sent = port.advert.send(&self.sockets.transmitters, priority);
        let reached = port.advert.reached();
        if sent.is_err() {
            // Perhaps somebody took it down.
            port.raised = false;
        }
        if priority.is_release() {
            self.end_lease(id);
        } else if reached {
            self.renew_lease(id);
        }
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

    pub(super) fn addresses_changed(&mut self, id: InstanceId, result: io::Result<BatchResult>) {
        let (failed, errno) = match result {
            Ok(result) => (result.failed, result.first_errno),
            Err(error) => (u32::MAX, error.raw_os_error().unwrap_or(0)),
        };
        if failed > 0 {
            self.counters.addresses_refused += 1;
            self.lane
                .report(Report::AddressesRefused { id, failed, errno });
        }
    }

    fn announce(&mut self, id: InstanceId, which: Which, repeat: u8) {
        let Some(mut port) = self.ports.seat(id).and_then(|seat| seat.port.take()) else {
            return;
        };
        let pacer = &mut self.pacer;
        port.announce.queue(which, repeat, |pace| pacer.admit(pace));
        self.announce_on(&port, which, repeat);
        if let Some(seat) = self.ports.seat(id) {
            seat.port = Some(port);
        }
    }

    /// Of what no limit holds back.
    pub(super) fn announce_on(&mut self, port: &Port, which: Which, repeat: u8) {
        let result = port.announce.send(&self.sockets.announcer, which, repeat);
        self.announced(port.id, result);
    }

    pub(super) fn announced(&mut self, id: InstanceId, result: io::Result<()>) {
        if let Err(error) = result {
            self.counters.announce_failed += 1;
            let errno = error.raw_os_error().unwrap_or(0);
            self.lane.report(Report::AnnounceFailed { id, errno });
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
    /// True where they were removed.
    pub(super) fn remove_stray(&mut self, id: InstanceId) -> bool {
        let state = self.machine.snapshot(id).map(|snapshot| snapshot.state);
        let stray = state != Some(State::Active);
        if stray {
            self.carry_out(Effect::RemoveAddresses { id });
        }
        stray
    }
}
