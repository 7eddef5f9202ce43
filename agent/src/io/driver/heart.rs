//! The heartbeat at work: answers in, verdicts to the core, probes out.

use agent_common::KernelTime;

use super::Driver;
use crate::{
    core::{Input, InstanceId, Pulse},
    heart::Outcome,
    io::{clock, lane::Report},
};

/// Probes sent in one round, so that no number of streams keeps adverts
/// waiting; the rest are late by a round.
const PROBES: usize = 512;

impl Driver {
    /// What the instance asks with from now on, as its port has it.
    pub(super) fn configure_heart(&mut self, id: InstanceId, now: KernelTime) {
        let plan = self.ports.port(id).and_then(|port| port.heart);
        self.heart.configure(id, plan, now);
        self.follow(id);
    }

    /// Whom the instance has accepted as its Active may be another one now.
    pub(super) fn follow(&mut self, id: InstanceId) {
        let accepted = self.machine.accepted(id);
        self.heart.follow(id, accepted, clock::now());
    }

    /// All adverts until `now` are read; here all answers are, before anybody
    /// is found down. Also before a Backup's deadline may fire, which an answer
    /// can hold.
    pub(super) fn judge_hearts(&mut self, now: KernelTime) {
        if !self.heart.is_wanted(&self.machine, now) {
            return;
        }
        let heart = &mut self.heart;
        let drained = self.askers.drain(|answer| {
            heart.answer(&answer, now);
        });
        if drained.is_err() {
            self.counters.receive_errors += 1;
        }
        self.heart.judge(now);
        self.tell_hearts(now);
    }

    /// Passes on what the heartbeats have brought forth.
    pub(super) fn tell_hearts(&mut self, now: KernelTime) {
        let mut looked = false;
        while let Some(outcome) = self.heart.poll_outcome() {
            match outcome {
                Outcome::Down { id, .. } => {
                    // Our own link may be what went, and the kernel has said so.
                    if !std::mem::replace(&mut looked, true) {
                        let _ = self.watch_surroundings(now);
                    }
                    if self.is_own_link_down(id, now) {
                        self.heart.disproved_until(id, None);
                        continue;
                    }
                }
                Outcome::Up { .. } => {}
                Outcome::News { id, active, news } => {
                    self.lane.report(Report::Heart { id, active, news });
                }
            }
            if let Some(input) = self.heart.heed(&outcome, &self.machine, now) {
                self.feed(input, now);
            }
        }
    }

    /// Or has not said it yet: who reads its news waits for a lock and a worker
    /// of the kernel. Then the silence is our own, and who counts on the link is
    /// in fault as if the news had come. Who does not, or bridges its losses,
    /// goes on, by adverts alone: what is sent into a dead link is lost without
    /// an error.
    fn is_own_link_down(&mut self, id: InstanceId, now: KernelTime) -> bool {
        if self.ports.seat(id).is_some_and(|seat| seat.down) {
            return true;
        }
        let port = self.ports.port(id).filter(|port| port.heart.is_some());
        let Some(port) = port else { return false };
        let ifindex = port.ifindex;
        let is_dead = self.askers.is_running(port.name.as_str(), ifindex) == Some(false);
        if is_dead {
            self.link_lost(ifindex, now);
        }
        is_dead
    }

    /// The same look before a take-over by the heartbeat's verdict, which came a
    /// Skew_Time ago: on a dead link it is taken back, and adverts alone decide.
    pub(super) fn doubt_links(&mut self, now: KernelTime) {
        for id in self.expiring(now) {
            if !self.is_own_link_down(id, now) {
                continue;
            }
            self.heart.disproved_until(id, None);
            // None of one in fault.
            if let Some(active) = self.machine.accepted(id) {
                let pulse = Pulse::Up;
                self.feed(Input::Heart { id, active, pulse }, now);
            }
        }
    }

    /// Holds the take-overs for want of adverts of those whose Active says Up.
    pub(super) fn veto(&mut self, now: KernelTime) {
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            if let Some(input) = self.heart.hold_back(id, &self.machine, now) {
                self.feed(input, now);
            }
        }
    }

    pub(super) fn send_probes(&mut self, now: KernelTime) {
        if self.heart.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        for _ in 0..PROBES {
            let Some(probe) = self.heart.poll_probe(now) else {
                break;
            };
            match self.askers.send(&probe) {
                Ok(()) => self.heart.sent(&probe, clock::now()),
                Err(_) => self.heart.unsent(&probe),
            }
            self.tell_hearts(now);
        }
    }
}
