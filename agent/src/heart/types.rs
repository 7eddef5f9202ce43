//! What goes into the heartbeat, and what comes out.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{
    KernelTime,
    wire::probe::{Question, Said},
};

use crate::core::{InstanceId, Lost};

/// How an instance asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The link that it asks on.
    pub ifindex: u32,
    /// The address that it asks from.
    pub source: IpAddr,
    /// What the reflector knows it by.
    pub discriminator: u32,
    /// Between two probes.
    pub interval: Duration,
    /// How many of them are missed before the Active is found down.
    pub multiplier: u8,
}

/// For how long the first of the probes that are missed is waited for: the last
/// of them has a quarter interval. With the interval that is in force.
pub(super) fn patience(interval: Duration, multiplier: u8) -> Duration {
    let whole = interval.saturating_mul(u32::from(multiplier).saturating_sub(1));
    whole.saturating_add(interval / 4)
}

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub ifindex: u32,
    pub remote: IpAddr,
}

/// A probe that is to be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    pub(super) stream: u16,
    pub(super) member: u16,
    /// Of whom it asks, and out of which link.
    pub place: Place,
    pub source: IpAddr,
    pub question: Question,
    /// It has answered lately: its MAC address need not be asked for.
    pub is_confirmed: bool,
}

/// What is to be told, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The core: the Active of this instance is down.
    Down {
        id: InstanceId,
        active: IpAddr,
        why: Lost,
        /// When the first of the probes was sent that say so.
        since: KernelTime,
        /// Of the probes, which Skew_Time is computed from.
        interval: Duration,
    },
    /// The core: it serves after all.
    Up { id: InstanceId, active: IpAddr },
    /// People.
    News {
        id: InstanceId,
        active: IpAddr,
        news: News,
    },
}

/// What people are told of the heartbeat of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// The Active answers: from here on the heartbeat counts.
    Answers,
    /// It does not: adverts alone decide.
    NoAnswer,
    /// It does, but so late that it would be found down for that: adverts alone
    /// decide.
    TooLate {
        /// What it has from a probe to its answer.
        within: Duration,
    },
    /// It was found down, and was heard again as if nothing had been.
    Disproved {
        /// From the verdict to the sign of life.
        after: Duration,
        /// How long adverts alone decide.
        pause: Duration,
    },
}

/// What the heartbeat of an instance does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// There is no Active to ask.
    Idle,
    /// The Active has not said Up yet: adverts alone decide.
    Asking,
    /// It has, too late each time: adverts alone decide.
    Late,
    /// It has: the heartbeat counts.
    Armed,
    /// After a false alarm.
    Paused { until: KernelTime },
}

/// Counters of one instance; they saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub sent: u64,
    pub answered: u64,
    /// Given up for lost.
    pub unanswered: u64,
    /// The kernel would not send it.
    pub unsent: u64,
    /// Times that the Active was found down.
    pub downs: u64,
    /// Of those, how often it was heard again at once.
    pub false_alarms: u64,
    /// Take-overs that were held back, because the Active said Up.
    pub vetoes: u64,
}

/// The heartbeat of one instance at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub id: InstanceId,
    pub active: Option<IpAddr>,
    pub phase: Phase,
    /// In force: longer than asked for where the reflector wants that, or where
    /// there are many streams.
    pub interval: Duration,
    pub multiplier: u8,
    /// When the newest Up was read.
    pub last_up: Option<KernelTime>,
    pub counters: Counters,
}

/// An answer, as it came off the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    pub ifindex: u32,
    pub from: IpAddr,
    pub said: Said,
}
