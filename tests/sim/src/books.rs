//! What the checkers know of one instance of one agent: kept from what went
//! in and came out, never from the core's own books.

use std::collections::VecDeque;

use agent_common::{KernelTime, Priority};
use failoverd::core::Advert;

use crate::time::At;

/// What an Active has heard since it last sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owes {
    /// A worse router's advert: the answer leaves Adver_Timer alone (S-42).
    Assert,
    /// Priority 0: the answer begins a new interval (S-39).
    Release,
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    /// The newest advert of an acceptable Active that reached the hook, and
    /// the newest priority 0.
    pub life_sign: Option<Advert>,
    pub release: Option<KernelTime>,
    /// What was accepted before the configuration changed says nothing.
    pub configured: KernelTime,
    /// Adverts that the parser has let through.
    pub accepted: u64,
    /// How the next advert that is not the regular one counts: see S-39.
    pub owes: Option<Owes>,
    /// Adverts that found no room in the ring.
    pub dropped: u64,
    /// When adverts went out lately, priority 0 not counted, and the
    /// Advertisement_Interval of then.
    pub sends: VecDeque<(At, u64)>,
    pub last_send: Option<At>,
    /// Since when the process gets to run and nothing holds it up.
    pub runnable_since: At,
    /// Overslept as often when the timer was last set by an advert.
    pub overslept: u64,
    /// VIPs may be missing: the kernel refused, or lost its word.
    pub unsure_until: At,
}

impl Book {
    pub fn hear(&mut self, advert: &Advert, own: Priority, preempt: bool) {
        if advert.priority.is_release() {
            self.release = Some(advert.stamp);
        } else if advert.priority >= own || !(preempt || own.is_owner()) {
            self.life_sign = Some(*advert);
        }
    }

    /// A process that starts knows nothing.
    pub fn restart(&mut self, at: At) {
        *self = Self {
            runnable_since: at,
            ..Self::default()
        };
    }
}
