//! What comes after the hands have done something.

use std::time::Duration;

use agent_common::KernelTime;

use super::Driver;
use crate::{
    core::{Input, InstanceId, State},
    io::{
        clock,
        hands::Wish,
        lane::{LaneCounters, Returned},
    },
    upgrade::channel,
};

impl Driver {
    /// Everything that was done, after the kernel's news of it were read.
    pub(super) fn land(&mut self, now: KernelTime) {
        while let Some((id, raised)) = self.ledger.next_landed() {
            // Of a Backup it is about to go down.
            let active = self.is_active(id);
            if let (Some(raised), Some(port)) = (raised, self.ports.port(id)) {
                port.raised = raised && active;
            }
            // Its link is up, or cannot be.
            if raised.is_some()
                && let Some(priority) = self.ledger.take_advert(id)
            {
                self.send_now(id, priority);
                if self.machine.snapshot(id).is_none() {
                    self.vacate(id);
                }
            }
            if !active {
                self.forget_missing(id);
            } else if !self.ledger.is_busy(id) {
                self.make_up(id, now);
            }
        }
    }

    /// What our own doing removed and nobody put back: another of our VIPs,
    /// or one of another instance, was the first of its subnet.
    fn make_up(&mut self, id: InstanceId, now: KernelTime) {
        let link = self.ports.port(id);
        if link.is_some_and(|port| std::mem::take(&mut port.missing.link)) {
            self.ledger.want(id, Wish::add);
        }
        while let Some(vip) = self.ports.port(id).and_then(|port| port.missing.take()) {
            self.feed(Input::AddressLost { id, vip }, now);
        }
    }

    pub(super) fn forget_missing(&mut self, id: InstanceId) {
        if let Some(port) = self.ports.port(id) {
            port.missing.clear();
        }
    }

    /// Passes on what is wanted, and says what was done.
    pub(super) fn hand_out(&mut self) {
        self.ledger.hand_out();
        while let Some(mark) = self.ledger.next_mark() {
            self.lane.give_back(Returned::Mark(mark));
        }
        if let Some(report) = self.ledger.delay(clock::now()) {
            self.lane.report(report);
        }
    }

    /// At the end: all is given up when this returns. The kernel may keep us
    /// waiting; the supervisor does not wait for that.
    pub(super) fn await_hands(&mut self) {
        // Nothing is decided any more.
        self.ledger.desk().set_due(None);
        self.hand_out();
        while !self.ledger.is_idle() {
            let wake = self.ledger.desk().wake_fd();
            channel::wait([wake], Duration::from_secs(1));
            self.ledger.collect();
            self.land(clock::now());
            self.hand_out();
        }
    }

    pub(super) fn is_active(&self, id: InstanceId) -> bool {
        let state = self.machine.snapshot(id).map(|snapshot| snapshot.state);
        state == Some(State::Active)
    }

    /// Our counters, with those of the hands.
    pub(super) fn counted(&self) -> LaneCounters {
        let counts = self.ledger.counts();
        let own = self.counters;
        LaneCounters {
            addresses_refused: own
                .addresses_refused
                .saturating_add(counts.addresses_refused),
            paths_refused: own.paths_refused.saturating_add(counts.paths_refused),
            announce_failed: own.announce_failed.saturating_add(counts.announce_failed),
            ..own
        }
    }
}
