//! One transition as it is kept and shown.

use agent_common::KernelTime;
use serde::{Deserialize, Serialize};

use super::{Carried, Done, Flight, Why};
use crate::{core::InstanceId, tell::feed::State};

/// What the fast lane does not know of a transition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    pub instance: String,
    /// A fault is a state for people.
    pub from: State,
    pub to: State,
    pub why: Why,
    /// Nanoseconds since 1970 at the transition.
    pub wall_ns: u64,
}

/// An interface: fields are added, never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since 1970, UTC.
    pub time_us: u64,
    pub instance: String,
    pub from: State,
    pub to: State,
    pub cause: Why,
    /// The cause as people read it.
    pub text: String,
    pub stamps: Stamps,
    pub steps_us: Steps,
    /// VIPs that the kernel added, or removed.
    pub vips: u32,
    /// VIPs that it refused.
    pub vips_refused: u32,
    /// GARP and NA that were sent at once.
    pub announcements: u32,
    /// Some wait for the pace that is configured.
    pub announcements_paced: bool,
    /// What is known of the first packet.
    #[serde(default)]
    pub packet: Packet,
}

/// CLOCK_MONOTONIC nanoseconds; `null` for what was not, or is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// The last accepted advert reached the machine.
    pub last_advert: Option<u64>,
    /// The last answer to a probe that said Up was read.
    pub last_up: Option<u64>,
    /// A priority 0 reached the machine.
    pub released: Option<u64>,
    /// When the Active was to be given up.
    pub deadline: Option<u64>,
    /// The agent began to decide.
    pub woke: u64,
    /// The first advert of ours had left; of one that leaves, the priority 0.
    pub advert: Option<u64>,
    /// The kernel had answered for all VIPs.
    pub addresses: Option<u64>,
    pub first_announcement: Option<u64>,
    pub last_announcement: Option<u64>,
    /// The first IP packet to a VIP reached the machine.
    pub first_packet: Option<u64>,
}

/// What took how long, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Steps {
    /// From the last sign of life to the deadline.
    pub detection: Option<u64>,
    /// From there until the agent was awake and had read what had come.
    pub decision: Option<u64>,
    /// Until the first advert had left; `null` where it left after one of the
    /// steps below, and is no part of the way there.
    pub send: Option<u64>,
    /// Until the kernel had the VIPs.
    pub addresses: Option<u64>,
    /// Until hosts were told.
    pub announcement: Option<u64>,
    /// From the last sign of life of the old Active to the first announcement;
    /// it goes on where the kernel refused all VIPs.
    pub blackout: Option<u64>,
    /// From the last sign of life of the old Active to the first packet.
    pub blackout_to_packet: Option<u64>,
}

/// What is known of the first packet for a VIP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packet {
    /// Not waited for: not Active, or no BPF program sees packets here.
    #[default]
    Unknown,
    Awaited,
    Seen,
    /// None came while it was waited for.
    None,
}

const fn some(nanos: u64) -> Option<u64> {
    if nanos == 0 { None } else { Some(nanos) }
}

impl Record {
    pub fn new(flight: &Flight, names: Names) -> Self {
        let times = flight.times;
        let text = names.why.to_string();
        let mut record = Self {
            time_us: names.wall_ns / 1000,
            instance: names.instance,
            from: names.from,
            to: names.to,
            cause: names.why,
            text,
            stamps: Stamps {
                last_advert: some(times.last_advert),
                last_up: some(times.last_up),
                released: some(times.released),
                deadline: some(times.deadline),
                woke: times.woke,
                advert: some(times.advert),
                ..Stamps::default()
            },
            steps_us: Steps::default(),
            vips: 0,
            vips_refused: 0,
            announcements: 0,
            announcements_paced: false,
            packet: match flight.awaits_packet {
                true => Packet::Awaited,
                false => Packet::Unknown,
            },
        };
        record.measure();
        record
    }

    pub fn take(&mut self, done: &Done) {
        match done {
            Done::Advert(at) => {
                self.stamps.advert.get_or_insert(at.nanos());
            }
            Done::Carried(Carried {
                at,
                done,
                refused,
                burst,
                paced,
            }) => {
                self.stamps.addresses = at.map(KernelTime::nanos);
                self.vips = *done;
                self.vips_refused = *refused;
                self.stamps.first_announcement = burst.first.map(KernelTime::nanos);
                self.stamps.last_announcement = burst.last.map(KernelTime::nanos);
                self.announcements = burst.frames;
                self.announcements_paced = *paced;
            }
        }
        self.measure();
    }

    /// The first packet came then, or none in time.
    pub fn packet(&mut self, at: Option<KernelTime>) {
        self.stamps.first_packet = at.map(KernelTime::nanos);
        self.packet = match at {
            Some(_) => Packet::Seen,
            None => Packet::None,
        };
        self.measure();
    }

    /// When the predecessor was last known to serve; of one that is preempted
    /// nobody asks.
    pub fn sign_of_life(&self) -> Option<u64> {
        let Stamps {
            last_advert,
            last_up,
            released,
            ..
        } = self.stamps;
        match self.cause.is_take_over() {
            true => last_advert.max(last_up).max(released),
            false => None,
        }
    }

    /// The kernel added, or removed, not one of the VIPs.
    pub const fn is_refused(&self) -> bool {
        self.vips == 0 && self.vips_refused > 0
    }

    /// What the steps are counted from.
    pub fn origin(&self) -> u64 {
        self.sign_of_life().unwrap_or(self.stamps.woke)
    }

    fn measure(&mut self) {
        let Stamps {
            deadline,
            woke,
            advert,
            addresses,
            first_announcement,
            first_packet,
            ..
        } = self.stamps;
        let sign = self.sign_of_life();
        let served = sign.filter(|_| !self.is_refused());
        // One that left later is no part of the way there.
        let after = [addresses, first_announcement];
        let in_time = |at: &u64| after.iter().flatten().all(|after| at <= after);
        let mut before = sign.or(Some(woke));
        let mut next = |at: Option<u64>| {
            let step = at.zip(before).map(|(at, before)| span_us(before, at));
            before = at.or(before);
            step
        };
        let detection = next(deadline.filter(|_| sign.is_some()));
        let decision = next(sign.map(|_| woke));
        self.steps_us = Steps {
            detection,
            decision,
            send: next(advert.filter(in_time)),
            addresses: next(addresses),
            announcement: next(first_announcement),
            blackout: from(served, first_announcement.or(addresses)),
            blackout_to_packet: from(served, first_packet),
        };
    }
}

fn span_us(from: u64, to: u64) -> u64 {
    to.saturating_sub(from) / 1000
}

fn from(sign: Option<u64>, at: Option<u64>) -> Option<u64> {
    sign.zip(at).map(|(sign, at)| span_us(sign, at))
}

/// What a record belongs to, while something of it is still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    pub id: InstanceId,
    pub serial: u32,
}
