//! The flight recorder: what each change of state was for, and when each step
//! of it was done.
//!
//! The fast lane says what it knows with the transition ([`Flight`]), and it
//! and its hands say what comes after ([`Step`]); neither keeps anything. The
//! slow lane joins both ([`book::Book`]) and keeps the last ones.

pub mod book;
mod cause;
mod record;
pub mod table;

use std::net::IpAddr;

use agent_common::{KernelTime, Priority};

pub use self::{
    cause::Why,
    record::{Names, Packet, Record, Stamps, Steps},
};
use crate::core::{Cause, InstanceId, State};

/// What is known of a transition when it happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flight {
    pub id: InstanceId,
    /// Counts the transitions of the instance in this process, from 1.
    pub serial: u32,
    pub from: State,
    pub to: State,
    pub cause: Cause,
    /// Who was accepted as Active before.
    pub active: Option<IpAddr>,
    /// A router of less priority that still sends: it is preempted.
    pub rival: Option<(IpAddr, Priority)>,
    /// Another configuration brought it about.
    pub configured: bool,
    /// The hands change addresses for it, and say when they have.
    pub awaits_hands: bool,
    /// The kernel side waits for the first packet.
    pub awaits_packet: bool,
    pub times: Times,
}

/// When, in CLOCK_MONOTONIC nanoseconds; 0 for what was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// The last accepted advert reached the hook.
    pub last_advert: u64,
    /// The last answer of the heartbeat that said Up was read.
    pub last_up: u64,
    /// A priority 0 reached the hook.
    pub released: u64,
    /// When the Active was to be given up.
    pub deadline: u64,
    /// The beginning of the round that decided.
    pub woke: u64,
    /// The first advert, or the farewell, was sent.
    pub advert: u64,
}

/// What came after a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub id: InstanceId,
    /// Of the transition.
    pub serial: u32,
    pub done: Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// The first advert was sent later: by a link that had to come up first.
    Advert(KernelTime),
    /// The hands are done.
    Carried(Carried),
}

/// What the hands did for a transition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Carried {
    /// When the kernel had answered; `None` where nothing was asked of it.
    pub at: Option<KernelTime>,
    /// VIPs that it added, or removed.
    pub done: u32,
    /// VIPs that it refused.
    pub refused: u32,
    pub burst: Burst,
    /// Announcements wait for the pace that their links are allowed.
    pub paced: bool,
}

/// Announcements that were sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Burst {
    /// When the first ones were with the driver.
    pub first: Option<KernelTime>,
    pub last: Option<KernelTime>,
    pub frames: u32,
}

impl Burst {
    /// This many more have left.
    pub fn note(&mut self, frames: usize, now: KernelTime) {
        if frames > 0 {
            self.first.get_or_insert(now);
            self.last = Some(now);
            let frames = u32::try_from(frames).unwrap_or(u32::MAX);
            self.frames = self.frames.saturating_add(frames);
        }
    }
}

#[cfg(test)]
mod tests;
