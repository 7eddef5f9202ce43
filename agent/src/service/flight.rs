//! The flight recorder: transitions as they are kept, told and given on.

use agent_common::KernelTime;
use tracing::info;

use super::{Service, words};
use crate::{
    control::{History, HistoryFilter},
    core::InstanceId,
    flight::{Flight, Names, Record, Why, table},
    io::{bpf::Backend, clock, lane::Report},
    tell::feed,
};

impl Service {
    /// Takes note of what the fast lane and its hands say of transitions.
    pub(super) fn note_flight(&mut self, report: &Report) {
        match report {
            Report::Flight(flight) => self.begin_flight(*flight),
            Report::Step(step) => {
                let told = self.flights.step(step);
                tell(told.as_slice());
            }
            Report::Transition { .. }
            | Report::GroupTransition { .. }
            | Report::PriorityChanged { .. }
            | Report::Notice { .. }
            | Report::Heart { .. }
            | Report::WentDown { .. }
            | Report::LinkGone { .. }
            | Report::StrayRemoved { .. }
            | Report::AdvertFailed { .. }
            | Report::AddressesRefused { .. }
            | Report::PathsRefused { .. }
            | Report::PathsRestored { .. }
            | Report::AnnounceFailed { .. }
            | Report::Privileges(_)
            | Report::LeaseLapsed { .. }
            | Report::HandsPrivileges(_)
            | Report::HandsWait { .. }
            | Report::HandsGoOn { .. }
            | Report::Released { .. }
            | Report::Refused(_)
            | Report::Overrun
            | Report::TookOver => {}
        }
    }

    fn begin_flight(&mut self, mut flight: Flight) {
        // Of the transition before, which the kernel side forgets with the
        // next one.
        if let Some(serial) = self.flights.awaited(flight.id) {
            self.look_for_packet(flight.id, serial, clock::now());
        }
        flight.awaits_packet &= self.sees_packets(flight.id);
        let names = self.names(&flight);
        tell(&self.flights.begin(&flight, names));
    }

    fn names(&self, flight: &Flight) -> Names {
        let name = |id: InstanceId| self.reporter.name(id).to_owned();
        let instance = name(flight.id);
        let last = self.flights.records(Some(&instance), Some(1));
        let was_in_fault = last.last().is_some_and(|it| it.to == feed::State::Fault);
        let at = KernelTime(flight.times.woke);
        let age = u64::try_from(clock::now().since(at).as_nanos()).unwrap_or(u64::MAX);
        Names {
            from: words::state_before(flight.from, was_in_fault),
            to: words::state(flight.to, &flight.cause),
            why: Why::of(flight, name),
            wall_ns: clock::wall_nanos().saturating_sub(age),
            instance,
        }
    }

    /// Whether a BPF program sees what comes in for a VIP of an instance.
    fn sees_packets(&self, id: InstanceId) -> bool {
        let seat = self.seats.iter().find(|seat| seat.id == id);
        let essence = seat.and_then(|seat| seat.installed.as_ref());
        let hears = |ifindex: &u32| {
            let link = self.links.by_index.get(ifindex);
            link.is_some_and(|link| link.backend != Backend::RawSocket)
        };
        essence.is_some_and(|it| self.fences.see(id, it.asked_for(), hears))
    }

    /// Asks the kernel side for first packets.
    fn look_for_packets(&mut self) {
        let now = clock::now();
        for (id, serial) in self.flights.awaiting() {
            self.look_for_packet(id, serial, now);
        }
    }

    fn look_for_packet(&mut self, id: InstanceId, serial: u32, now: KernelTime) {
        let Some(kernel) = &self.kernel else { return };
        if let Ok(at) = kernel.arrival(u32::from(id.0), serial) {
            self.flights.packet(id, serial, at, now);
        }
    }

    /// From time to time: what came for the last transitions, and what does not
    /// come any more.
    pub(super) fn look_after_flights(&mut self) {
        if self.flights.is_open() {
            self.look_for_packets();
            tell(&self.flights.expire(clock::now()));
        }
    }

    /// # Errors
    ///
    /// The reason, for who asks for an instance that there is not.
    pub(super) fn history(&mut self, filter: &HistoryFilter) -> Result<History, String> {
        self.look_for_packets();
        let HistoryFilter { instance, last } = filter;
        let records = self.flights.records(instance.as_deref(), *last);
        if let (true, Some(name)) = (records.is_empty(), instance) {
            let mut known = self.config.instances.iter();
            if !known.any(|known| known.name == *name) {
                return Err(format!(
                    "there is no instance {name}, and nothing is recorded of one"
                ));
            }
        }
        Ok(History {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            records,
        })
    }
}

fn tell(records: &[Record]) {
    for record in records {
        let name = &record.instance;
        info!(
            instance = name.as_str(),
            "({name}) {}",
            table::short(record)
        );
    }
}
