//! One instance: whom it follows, and what that one's machine has said of it.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::KernelTime;

use super::{Counters, Plan};
use crate::core::Lost;

/// Probes that an Active gets in a row before it is asked once in a while.
pub(super) const EAGER: u8 = 4;

/// How often an Active is asked that does not say Up.
pub(super) const SELDOM: Duration = Duration::from_secs(1);

/// Attempts that an Active gets to answer in time before people are told.
pub(super) const ATTEMPTS: u8 = 4;

/// A verdict that may still prove wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Downed {
    pub active: IpAddr,
    pub why: Lost,
    pub at: KernelTime,
    pub until: KernelTime,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub plan: Plan,
    pub active: Option<IpAddr>,
    pub stream: Option<u16>,
    /// The next member of the stream, in a ring.
    pub next: u16,
    /// Up was heard: what comes after counts.
    pub armed: bool,
    /// That it answers, or does not, was told.
    pub told_answers: bool,
    pub told_silent: bool,
    pub told_late: bool,
    /// Answers of AdminDown in a row.
    pub refusals: u8,
    /// When the first of the probes was sent that were refused.
    pub refused_since: KernelTime,
    /// When the newest probe was sent that was answered by Up, and by nothing
    /// else since.
    pub up_sent: Option<KernelTime>,
    pub last_up: Option<KernelTime>,
    /// Probes for this member after that one, whether the kernel took them or not.
    pub since_up: u8,
    /// Since it was not armed.
    pub tries: u8,
    /// Probes that the kernel has sent, as far as it can be counted.
    pub asked: u8,
    /// How often it was asked at full pace in vain: it said Up, but too late.
    pub late: u8,
    /// When to ask again, unless armed.
    pub retry_at: KernelTime,
    /// A take-over is being held back.
    pub vouching: bool,
    pub downed: Option<Downed>,
    pub counters: Counters,
}

impl Member {
    pub(super) const fn new(plan: Plan, counters: Counters) -> Self {
        Self {
            plan,
            active: None,
            stream: None,
            next: 0,
            armed: false,
            told_answers: false,
            told_silent: false,
            told_late: false,
            refusals: 0,
            refused_since: KernelTime(0),
            up_sent: None,
            last_up: None,
            since_up: 0,
            tries: 0,
            asked: 0,
            late: 0,
            retry_at: KernelTime(0),
            vouching: false,
            downed: None,
            counters,
        }
    }

    /// Another Active: all that was said is of no use. A verdict on an earlier
    /// one may still prove wrong.
    pub(super) fn forget(&mut self, active: Option<IpAddr>, now: KernelTime) {
        *self = Self {
            active,
            retry_at: now,
            downed: self.downed,
            ..Self::new(self.plan, self.counters)
        };
    }

    /// Up, to a probe that was sent then, and that so many followed since.
    pub(super) fn arm(&mut self, sent: KernelTime, followed: u8, now: KernelTime) {
        if self.up_sent.is_none_or(|newest| newest <= sent) {
            self.since_up = followed;
        }
        self.armed = true;
        self.refusals = 0;
        self.tries = 0;
        self.late = 0;
        self.up_sent = self.up_sent.max(Some(sent));
        self.last_up = Some(now);
    }

    /// Up is good until `multiplier` probes for it, and one more, have followed:
    /// whatever time lies between them, and however many of others.
    pub(super) fn is_fresh(&self) -> bool {
        self.since_up <= self.plan.multiplier
    }

    /// It said Up, but so late that it would be found down for that: perhaps
    /// only because it is asked seldom, and its answers are read as seldom. So
    /// it is asked at full pace once more. True when it is to be told.
    pub(super) fn too_late(&mut self, now: KernelTime) -> bool {
        self.last_up = Some(now);
        if self.tries < EAGER {
            return false;
        }
        self.tries = 0;
        self.retry_at = now;
        self.late = self.late.saturating_add(1);
        self.late == ATTEMPTS
    }

    /// Asked anew, at first often: it may be back in a moment.
    pub(super) fn disarm(&mut self, now: KernelTime) {
        self.armed = false;
        self.refusals = 0;
        self.up_sent = None;
        self.vouching = false;
        self.tries = 0;
        self.retry_at = now;
    }

    /// Asked although it has not said Up.
    pub(super) fn tried(&mut self, now: KernelTime) {
        self.tries = self.tries.saturating_add(1);
        if self.tries >= EAGER {
            self.retry_at = now.after(SELDOM.max(self.plan.interval));
        }
    }
}
