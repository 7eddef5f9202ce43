//! The fast lane's part of an upgrade: it hands everything over at once, or
//! takes everything over and goes on.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use agent_common::{KernelTime, Outcome, outcome::OutcomeCounters, record::SLOTS};
use serde::{Deserialize, Serialize};

use super::Driver;
use crate::{
    core::{Effect, Input, InstanceId, Saved, State},
    io::{
        clock,
        hands::Wish,
        lane::{Command, Report, Returned},
    },
    upgrade::{
        channel::{self, ChannelError, MAX_MESSAGE},
        message::Heading,
    },
};

/// A hand-over takes less; an advert that is due sooner is sent first.
const ROOM: Duration = Duration::from_millis(3);
/// Rounds that are waited for such a moment. With many instances there is none.
const TRIES: u8 = 16;
/// What the successor has to take over, before it is ended.
const PATIENCE: Duration = Duration::from_millis(500);
/// What changes of addresses that are under way have: no job may outlive us.
const HANDS: Duration = Duration::from_secs(1);

/// Packets of a backlog: more than a socket holds.
const BACKLOG: usize = 1 << 16;

const TAKEN: &[u8] = b"taken";
const NOT_TAKEN: &[u8] = b"not taken";

/// An instance on its way.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Handed {
    saved: Saved,
    /// How often announcements that wait for their pace are still to be sent.
    #[serde(default)]
    to_announce: u8,
}

/// What the slow lane gives for a hand-over, and gets back.
#[derive(Debug)]
pub struct HandOver {
    socket: OwnedFd,
    buffer: Vec<u8>,
    tries: u8,
    /// Until then the hands have to be done.
    until: Option<KernelTime>,
    /// Verdicts of the socket backends, as in a picture.
    pub outcomes: Vec<OutcomeCounters>,
    /// How long nobody acted; or why the successor has not taken over.
    pub result: Result<Duration, NotTaken>,
}

/// Why a hand-over failed. We have stopped until we are told to resume, unless
/// nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("it ended")]
    Ended,
    #[error("it did not take over in {PATIENCE:?}")]
    TooLate,
    #[error("it does not understand the state of an instance")]
    Refused,
    #[error("the kernel is still at work on addresses after {HANDS:?}")]
    HandsBusy,
    #[error("the state could not be sent (errno {0})")]
    Unsent(i32),
}

impl HandOver {
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            buffer: Vec::with_capacity(MAX_MESSAGE),
            tries: 0,
            until: None,
            outcomes: vec![[0; Outcome::COUNT]; SLOTS],
            result: Err(NotTaken::Ended),
        }
    }

    fn send(&mut self, message: &impl serde::Serialize) -> Result<(), NotTaken> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, message).map_err(|_| NotTaken::Refused)?;
        channel::send(self.socket.as_fd(), &self.buffer, &[]).map_err(|error| match error {
            ChannelError::Closed => NotTaken::Ended,
            ChannelError::System(error) => NotTaken::Unsent(error.raw_os_error().unwrap_or(0)),
            ChannelError::TimedOut(_) | ChannelError::Garbled(_) => NotTaken::Refused,
        })
    }

    fn await_answer(&mut self) -> Result<(), NotTaken> {
        if !channel::wait([self.socket.as_fd()], PATIENCE) {
            return Err(NotTaken::TooLate);
        }
        let mut answer = [0; 16];
        match channel::receive(self.socket.as_fd(), &mut answer) {
            Ok((len, _)) if answer.get(..len) == Some(TAKEN) => Ok(()),
            Ok(_) => Err(NotTaken::Refused),
            Err(_) => Err(NotTaken::Ended),
        }
    }
}

/// What a successor waits with.
#[derive(Debug)]
pub struct Heir {
    socket: OwnedFd,
    buffer: Vec<u8>,
    heading: Option<Heading>,
    saved: Vec<Handed>,
}

impl Heir {
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            buffer: vec![0; MAX_MESSAGE],
            heading: None,
            saved: Vec::with_capacity(SLOTS),
        }
    }

    /// Reads what is there; true when it is all.
    fn read(&mut self) -> Result<bool, ChannelError> {
        loop {
            let len = match channel::receive(self.socket.as_fd(), &mut self.buffer) {
                Ok((len, _)) => len,
                Err(ChannelError::System(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let bytes = self.buffer.get(..len).unwrap_or_default();
            let instances = match self.heading {
                None => {
                    self.heading
                        .insert(serde_json::from_slice(bytes)?)
                        .instances
                }
                Some(heading) => {
                    if self.saved.len() < self.saved.capacity() {
                        self.saved.push(serde_json::from_slice(bytes)?);
                    }
                    heading.instances
                }
            };
            if self.saved.len() >= usize::from(instances) {
                return Ok(true);
            }
        }
    }
}

impl Driver {
    /// Hands over now, unless one of our adverts is due in a moment.
    pub(super) fn try_hand_over(&mut self, mut over: Box<HandOver>) {
        let now = clock::now();
        let until = *over.until.get_or_insert(now.after(HANDS));
        let quiet = self.ledger.is_quiet();
        if !quiet && now < until {
            self.over = Some(over);
            return;
        }
        let next = self.machine.poll_timeout();
        if quiet && over.tries < TRIES && next.is_some_and(|next| next < now.after(ROOM)) {
            over.tries += 1;
            self.over = Some(over);
            return;
        }
        if quiet {
            self.drain_adverts(now);
            self.read_all_latest(now);
        }
        // A demotion among them is a removal that has to be carried out first.
        if quiet && !self.ledger.is_quiet() {
            self.over = Some(over);
            return;
        }
        over.result = match quiet {
            true => self.hand_over(&mut over),
            false => Err(NotTaken::HandsBusy),
        };
        let result = over.result;
        self.lane.give_back(Returned::HandedOver(over));
        match result {
            // Neither priority 0 nor a change of addresses: they are another's.
            Ok(_) => self.finished = true,
            // The successor has nothing to act on: adverts go on.
            Err(NotTaken::HandsBusy) => self.ledger.resume(),
            Err(NotTaken::Ended | NotTaken::TooLate | NotTaken::Refused | NotTaken::Unsent(_)) => {
                self.await_resume();
                self.ledger.resume();
            }
        }
    }

    /// When a hand-over that waits is to be looked at again.
    pub(super) fn over_due(&self) -> Option<KernelTime> {
        self.over.as_ref()?.until
    }

    fn hand_over(&mut self, over: &mut HandOver) -> Result<Duration, NotTaken> {
        for (copy, counters) in over.outcomes.iter_mut().zip(&self.outcomes) {
            *copy = *counters;
        }
        let began = clock::now();
        let instances = self.machine.instances().count();
        over.send(&Heading {
            instances: u16::try_from(instances).unwrap_or(u16::MAX),
            counters: self.counted(),
        })?;
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            if let Some(saved) = self.machine.save(id) {
                let to_announce = self.ledger.desk().left(id);
                over.send(&Handed { saved, to_announce })?;
            }
        }
        over.await_answer()?;
        Ok(clock::now().since(began))
    }

    /// The ring may have been full.
    fn read_all_latest(&mut self, now: KernelTime) {
        for index in 1..=self.ports.0.len() {
            self.read_latest_of(InstanceId(index as u16), now);
        }
    }

    /// After a failed hand-over nothing is done until the successor is known to
    /// have ended: two must not act.
    fn await_resume(&mut self) {
        loop {
            channel::wait([self.lane.wake_fd()], Duration::from_secs(1));
            self.lane.clear_wake();
            while let Some(command) = self.lane.command() {
                let now = clock::now();
                if matches!(command, Command::Resume) {
                    return self.command(command, now);
                }
                self.command(command, now);
            }
            self.hand_out();
            if self.finished {
                return;
            }
        }
    }

    /// As a successor: waits for the state, and goes on from it. False when
    /// there is nothing to go on from.
    pub(super) fn inherit(&mut self, mut heir: Box<Heir>) -> bool {
        self.waiting = true;
        while !self.finished {
            channel::wait(
                [
                    self.lane.wake_fd(),
                    heir.socket.as_fd(),
                    self.ledger.desk().wake_fd(),
                ],
                Duration::from_secs(1),
            );
            self.lane.clear_wake();
            while let Some(command) = self.lane.command() {
                self.command(command, clock::now());
            }
            // Plans go to the hands, and marks come back.
            self.ledger.collect();
            self.land(clock::now());
            self.hand_out();
            match heir.read() {
                Ok(false) => {}
                Ok(true) => return self.take_over(&heir),
                Err(_) => {
                    // Whoever is gone minds no answer.
                    let _ = channel::send(heir.socket.as_fd(), NOT_TAKEN, &[]);
                    return false;
                }
            }
        }
        false
    }

    fn take_over(&mut self, heir: &Heir) -> bool {
        let mut all = heir.saved.iter();
        let restored = all.all(|handed| self.machine.restore(&handed.saved));
        let answer = if restored { TAKEN } else { NOT_TAKEN };
        if let Some(heading) = &heir.heading {
            self.counters = heading.counters;
        }
        self.waiting = false;
        self.forget_news();
        self.lane.report(Report::TookOver);
        let answered = channel::send(heir.socket.as_fd(), answer, &[]).is_ok();
        if !restored || !answered {
            return false;
        }
        let now = clock::now();
        for index in 1..=self.ports.0.len() {
            self.continue_instance(InstanceId(index as u16), now);
        }
        for handed in &heir.saved {
            self.announce_rest(handed);
        }
        self.drain_adverts(now);
        true
    }

    /// What waited for its pace there waits here, of all VIPs: once too often
    /// does no harm.
    fn announce_rest(&mut self, handed: &Handed) {
        let id = handed.saved.instance();
        let state = self.machine.snapshot(id).map(|snapshot| snapshot.state);
        if handed.to_announce == 0 || state != Some(State::Active) {
            return;
        }
        self.ledger
            .want(id, |wish| wish.announce_rest(handed.to_announce));
    }

    /// Its links and its configuration are those that we have found ourselves.
    fn continue_instance(&mut self, id: InstanceId, now: KernelTime) {
        // What follows may end that state.
        let is_active = self.is_active(id);
        self.flights.inherit(id, is_active);
        if is_active {
            // The VIPs are there, and their links are up.
            self.ledger.set_active(id, true);
            self.ledger.want(id, Wish::inherit);
            if let Some(port) = self.ports.port(id) {
                port.raised = !port.virtual_links.is_empty();
            }
        }
        let Some(seat) = self.ports.seat(id) else {
            return;
        };
        let port = seat.port.as_ref().filter(|_| !seat.down);
        if let Some((config, source)) = port.map(|port| (port.config, port.source)) {
            self.feed(Input::Configure { config }, now);
            self.feed(Input::Up { id, source }, now);
            self.configure_heart(id, now);
        }
        if let Some(snapshot) = self.machine.snapshot(id) {
            let active = match snapshot.state {
                State::Backup => snapshot.watched,
                State::Initialize | State::Active => None,
            };
            self.carry_out(Effect::Watch { id, active });
            // The predecessor may have left it after its lease was told.
            if snapshot.state == State::Active {
                self.renew_lease(id);
            } else {
                self.end_lease(id);
            }
        }
    }

    /// Before adverts come to us: whatever the sockets have, our predecessor
    /// reads as well.
    pub(super) fn forget_backlog(&mut self) {
        struct Nobody;
        impl crate::io::receive::Filters for Nobody {
            fn filter(
                &self,
                _: &agent_common::record::InstanceKey,
            ) -> Option<&agent_common::record::InstanceFilter> {
                None
            }
        }
        for receiver in &mut self.receivers {
            let _ = receiver.drain(&Nobody, BACKLOG, |_| {});
        }
        for receiver in &mut self.sockets.slow {
            let _ = receiver.drain(&Nobody, BACKLOG, |_| {});
        }
        self.forget_news();
    }

    /// The slow lane asks the kernel for everything afterwards.
    fn forget_news(&mut self) {
        for _ in 0..BACKLOG {
            if !matches!(self.sockets.monitor.read(|_| {}), Ok(true)) {
                break;
            }
        }
    }
}
