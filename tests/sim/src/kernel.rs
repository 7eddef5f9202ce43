//! What a router's kernel does whether the agent runs or not: XDP with its
//! LATEST slots and its ring, the reflector and the fence, addresses,
//! announcements of changes.
//!
//! The rules are those of agent-ebpf (`verdict`, `emit`, `reflect`, `fence`),
//! written again: what runs in the kernel cannot run here.

use std::{collections::VecDeque, net::IpAddr};

use agent_common::{
    KernelTime, Priority,
    record::{InstanceFilter, Lease},
    wire::{
        bfd::{Probe, SessionState},
        probe::Said,
    },
};
use failoverd::core::Advert;

use crate::schedule::{INSTANCES, VIPS};

/// An advert after a gap of more intervals than this is news.
const STEADY_INTERVALS: u32 = 4;

#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    pub active: Option<IpAddr>,
    pub wake_always: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub instance: usize,
    pub advert: Advert,
}

#[derive(Debug)]
pub struct Kernel {
    capacity: usize,
    ring: VecDeque<Record>,
    latest: [Option<Advert>; INSTANCES],
    pub watch: [Watch; INSTANCES],
    pub vips: [[bool; VIPS]; INSTANCES],
    /// VIPs that somebody removed, as the monitor tells of them.
    pub removed: VecDeque<(usize, usize)>,
    /// Refuses to add addresses.
    pub refuses: bool,
    pub dropped: u64,
    /// Adverts that reached the hook, those of them that the parser refused,
    /// those read from the ring, and those that went with the ring.
    pub received: u64,
    pub refused: u64,
    pub taken: u64,
    pub forgotten: u64,
    /// What the parser goes by.
    pub filters: [InstanceFilter; INSTANCES],
    /// For whom probes are answered, by discriminator and address.
    pub targets: [Option<Target>; INSTANCES],
    pub leases: [Lease; INSTANCES],
    /// Answers in the socket of the heartbeat.
    pub answers: VecDeque<(IpAddr, Said)>,
}

/// Whose probes are answered, and who is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    pub discriminator: u32,
    pub own: [u8; 16],
    pub mac: [u8; 6],
}

/// As many as a socket has room for, about.
const ANSWERS: usize = 256;

impl Kernel {
    pub fn new(capacity: usize, filters: [InstanceFilter; INSTANCES]) -> Self {
        Self {
            capacity,
            ring: VecDeque::new(),
            latest: [None; INSTANCES],
            watch: [Watch::default(); INSTANCES],
            vips: [[false; VIPS]; INSTANCES],
            removed: VecDeque::new(),
            refuses: false,
            dropped: 0,
            received: 0,
            refused: 0,
            taken: 0,
            forgotten: 0,
            filters,
            targets: [None; INSTANCES],
            leases: [Lease::default(); INSTANCES],
            answers: VecDeque::new(),
        }
    }

    /// What goes with the agent's process: its maps and what it was to hear.
    pub fn forget_agent(&mut self) {
        self.forgotten += self.ring.len() as u64;
        self.ring.clear();
        self.latest = [None; INSTANCES];
        self.watch = [Watch::default(); INSTANCES];
        self.removed.clear();
        self.targets = [None; INSTANCES];
        self.leases = [Lease::default(); INSTANCES];
        self.answers.clear();
    }

    /// What the reflector says to a probe; `None` for one that passes.
    pub fn reflect(&self, probe: &Probe, now: KernelTime) -> Option<SessionState> {
        let asked = |target: &Option<Target>| {
            target.is_some_and(|target| {
                target.discriminator == probe.key.discriminator
                    && target.own == probe.destination
                    && target.mac == probe.destination_mac
            })
        };
        let instance = self.targets.iter().position(asked)?;
        Some(match self.leases[instance].until_ns > now.0 {
            true => SessionState::Up,
            false => SessionState::AdminDown,
        })
    }

    /// Questions for its VIPs do not reach the stack.
    pub fn is_fenced(&self, instance: usize, now: KernelTime) -> bool {
        self.targets[instance].is_some() && self.leases[instance].has_run_out(now.0)
    }

    pub fn answer(&mut self, from: IpAddr, said: Said) {
        if self.answers.len() < ANSWERS {
            self.answers.push_back((from, said));
        }
    }

    /// An advert reaches the hook. True when the agent is woken.
    pub fn receive(&mut self, instance: usize, advert: Advert) -> bool {
        let watch = self.watch[instance];
        let watched = watch.active == Some(advert.source);
        let nobody = watch.active.is_none();
        let steady = (watched || nobody) && self.note(instance, advert);
        let wake = !steady || !watched || watch.wake_always;
        let room = if wake {
            self.capacity
        } else {
            self.capacity / 2
        };
        if self.ring.len() >= room {
            self.dropped += 1;
        } else {
            self.ring.push_back(Record { instance, advert });
        }
        wake
    }

    fn note(&mut self, instance: usize, advert: Advert) -> bool {
        let before = self.latest[instance].replace(advert);
        before.is_some_and(|before| {
            advert.source == before.source
                && advert.priority != Priority::RELEASE
                && advert.priority == before.priority
                && advert.interval == before.interval
                && advert.addresses_digest == before.addresses_digest
                && advert.stamp.since(before.stamp) <= before.interval.duration() * STEADY_INTERVALS
        })
    }

    pub fn latest(&self, instance: usize) -> Option<Advert> {
        self.latest[instance]
    }

    pub fn read(&mut self) -> Option<Record> {
        let record = self.ring.pop_front();
        self.taken += u64::from(record.is_some());
        record
    }

    /// Each advert was refused, or is somewhere (25).
    pub fn adds_up(&self) -> bool {
        let there = self.ring.len() as u64;
        self.received == self.refused + self.dropped + self.taken + self.forgotten + there
    }

    /// The newest stamp of an advert that outranks `priority`, unread.
    pub fn outranking(&self, instance: usize, priority: Priority) -> Option<KernelTime> {
        let queued = self
            .ring
            .iter()
            .filter(|record| record.instance == instance);
        let better = queued.filter(|record| record.advert.priority > priority);
        better.map(|record| record.advert.stamp).max()
    }

    pub fn has_vip(&self, instance: usize) -> bool {
        self.vips[instance].iter().any(|vip| *vip)
    }
}
