//! What the fast lane notes for the flight recorder: a few numbers for each
//! instance, and one report for each transition.

use std::net::IpAddr;

use agent_common::{KernelTime, Priority, record::SLOTS};

use super::Driver;
use crate::{
    core::{Advert, Cause, Effect, InstanceId, State},
    flight::{Done, Flight, Step, Times},
    io::{
        bpf::{AWAITED_FOR, Expected},
        clock,
        hands::Wish,
        lane::Report,
    },
};

/// A router that was heard within so many of its intervals still sends.
const ALIVE_INTERVALS: u32 = 3;

/// Of one instance.
#[derive(Clone, Copy, Debug, Default)]
struct Notes {
    serial: u32,
    is_active: bool,
    due: Due,
    heard: Option<Advert>,
    released: u64,
    /// The first advert of a transition that is under way.
    advert: u64,
    /// The transition was said, and its first advert was not sent yet.
    owes_advert: bool,
    awaits_hands: bool,
}

/// What was known when the Active was given up.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    deadline: u64,
    last_advert: u64,
    last_up: u64,
    active: Option<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Flights {
    /// By id.
    notes: Vec<Notes>,
    /// What is being handled comes from another configuration.
    configuring: bool,
    /// Whose first packet is waited for, and until when.
    expected: Option<(InstanceId, KernelTime)>,
}

fn nanos(at: Option<KernelTime>) -> u64 {
    at.map_or(0, KernelTime::nanos)
}

impl Flights {
    pub(super) fn new() -> Self {
        Self {
            notes: vec![Notes::default(); SLOTS],
            configuring: false,
            expected: None,
        }
    }

    fn of(&mut self, id: InstanceId) -> Option<&mut Notes> {
        self.notes.get_mut(usize::from(id.0))
    }

    pub(super) fn set_configuring(&mut self, configuring: bool) {
        self.configuring = configuring;
    }

    /// A valid advert, whatever the core makes of it.
    pub(super) fn heard(&mut self, id: InstanceId, advert: &Advert) {
        let Some(notes) = self.of(id) else { return };
        if advert.priority.is_release() {
            notes.released = notes.released.max(advert.stamp.nanos());
        } else if notes.heard.is_none_or(|last| last.stamp <= advert.stamp) {
            notes.heard = Some(*advert);
        }
    }

    /// A predecessor left it in this state.
    pub(super) fn inherit(&mut self, id: InstanceId, is_active: bool) {
        if let Some(notes) = self.of(id) {
            notes.is_active = is_active;
        }
    }

    /// The instance is no more. Its number goes on to count: the hands may
    /// still say what they did for it.
    pub(super) fn forget(&mut self, id: InstanceId) {
        if let Some(notes) = self.of(id) {
            *notes = Notes {
                serial: notes.serial,
                ..Notes::default()
            };
        }
    }

    /// An advert has left. True where the time of it was waited for; what is
    /// to be said of it then has its serial.
    fn sent(&mut self, id: InstanceId, priority: Priority, now: KernelTime) -> Option<u32> {
        let notes = self.of(id)?;
        if notes.is_active == priority.is_release() {
            notes.advert = now.nanos();
        } else if notes.is_active && std::mem::take(&mut notes.owes_advert) {
            return Some(notes.serial);
        }
        None
    }

    /// Whether [`Self::sent`] wants to know.
    fn wants_advert(&self, id: InstanceId, priority: Priority) -> bool {
        let notes = self.notes.get(usize::from(id.0));
        notes.is_some_and(|it| it.owes_advert || it.is_active == priority.is_release())
    }

    /// The hands are to say when they are done: the serial of the transition
    /// that comes right after, unless there is none.
    fn tag(&mut self, id: InstanceId, to_active: bool) -> Option<u32> {
        let notes = self.of(id)?;
        if notes.is_active == to_active {
            return None;
        }
        notes.awaits_hands = true;
        Some(notes.serial.saturating_add(1))
    }

    fn depart(
        &mut self,
        id: InstanceId,
        (from, to): (State, State),
        cause: Cause,
        at: KernelTime,
    ) -> Option<Flight> {
        let configured = self.configuring;
        let notes = self.of(id)?;
        notes.serial = notes.serial.saturating_add(1);
        notes.is_active = to == State::Active;
        let due = std::mem::take(&mut notes.due);
        let advert = std::mem::take(&mut notes.advert);
        notes.owes_advert = notes.is_active && advert == 0;
        let mut times = Times {
            woke: at.nanos(),
            advert,
            ..Times::default()
        };
        match cause {
            Cause::ActiveSilent {
                last_advert,
                deadline,
            } => {
                times.last_advert = nanos(last_advert);
                times.last_up = due.last_up;
                times.deadline = deadline.nanos();
            }
            Cause::HeartStopped { .. } => {
                times.last_advert = due.last_advert;
                times.last_up = due.last_up;
                times.deadline = due.deadline;
            }
            Cause::ActiveReleased { .. } => {
                times.last_advert = due.last_advert;
                times.released = notes.released;
                times.deadline = due.deadline;
            }
            Cause::Outranked { .. } => times.last_advert = nanos(notes.heard.map(|it| it.stamp)),
            Cause::Started
            | Cause::Owner
            | Cause::AddressesTaken
            | Cause::Group { .. }
            | Cause::Fault(_)
            | Cause::Shutdown => {}
        }
        let rival = notes.heard.filter(|heard| {
            let patience = heard.interval.duration().saturating_mul(ALIVE_INTERVALS);
            heard.stamp.nanos() > times.last_advert && at.since(heard.stamp) <= patience
        });
        Some(Flight {
            id,
            serial: notes.serial,
            from,
            to,
            cause,
            active: due.active,
            rival: rival.map(|heard| (heard.source, heard.priority)),
            configured,
            awaits_hands: std::mem::take(&mut notes.awaits_hands),
            awaits_packet: false,
            times,
        })
    }
}

impl Driver {
    /// Before a Backup takes over: of whom, and when that was last heard.
    pub(super) fn note_due(&mut self, id: InstanceId, now: KernelTime) {
        let Some(snapshot) = self.machine.snapshot(id) else {
            return;
        };
        let is_due = snapshot.deadline.is_some_and(|deadline| deadline <= now);
        let heart = self.heart.snapshot(id, now);
        if let (true, Some(notes)) = (is_due, self.flights.of(id)) {
            notes.due = Due {
                deadline: nanos(snapshot.deadline),
                last_advert: nanos(snapshot.last_advert),
                last_up: nanos(heart.and_then(|heart| heart.last_up)),
                active: snapshot.active,
            };
        }
    }

    pub(super) fn note_sent(&mut self, id: InstanceId, priority: Priority) {
        if !self.flights.wants_advert(id, priority) {
            return;
        }
        let now = clock::now();
        if let Some(serial) = self.flights.sent(id, priority, now) {
            let done = Done::Advert(now);
            self.lane.report(Report::Step(Step { id, serial, done }));
        }
    }

    /// The change of addresses that a transition is about to bring.
    pub(super) fn tag_wish(&mut self, id: InstanceId, to_active: bool) {
        if let Some(serial) = self.flights.tag(id, to_active) {
            self.ledger.want(id, |wish: &mut Wish| wish.tell(serial));
        }
    }

    /// What is known of a transition, which is an [`Effect::Transition`].
    pub(super) fn record_flight(&mut self, effect: &Effect) {
        let Effect::Transition {
            id,
            from,
            to,
            cause,
            at,
        } = *effect
        else {
            return;
        };
        if let Some(mut flight) = self.flights.depart(id, (from, to), cause, at) {
            flight.awaits_packet = to == State::Active && self.expect_packet(id, flight.serial);
            self.lane.report(Report::Flight(flight));
        }
    }

    /// Has the kernel side wait for the first packet; false where it cannot.
    fn expect_packet(&mut self, id: InstanceId, serial: u32) -> bool {
        let now = clock::now();
        let others = self.flights.expected;
        let among_others = others.is_some_and(|(other, until)| other != id && until > now);
        let Some(port) = self.ports.port(id) else {
            return false;
        };
        let here = |place: &(u32, IpAddr)| place.0 == port.ifindex;
        let mac = match port.vips.iter().all(here) {
            true => port.filter.mac,
            // Each link has another, and an interface with a virtual MAC
            // address is not asked for anything before it is up.
            false => [0; 6],
        };
        let Some(maps) = &self.sockets.maps else {
            return false;
        };
        let until = now.after(AWAITED_FOR);
        let expected = Expected {
            slot: u32::from(id.0),
            serial,
            mac,
            among_others,
        };
        // Of several nobody is the last one.
        let only = if among_others { InstanceId(0) } else { id };
        self.flights.expected = Some((only, until));
        maps.expect(expected, until).is_ok()
    }
}

#[cfg(test)]
mod tests;
