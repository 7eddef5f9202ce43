//! Rate limits of what others can make us do, in kernel time and fixed memory.

use core::time::Duration;

use agent_common::KernelTime;

use super::effect::Notice;

/// At most `N` events in any window, exactly: the times of the last `N`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlidingLog<const N: usize> {
    times: [KernelTime; N],
    used: usize,
    oldest: usize,
}

impl<const N: usize> SlidingLog<N> {
    pub(super) const fn new() -> Self {
        Self {
            times: [KernelTime(0); N],
            used: 0,
            oldest: 0,
        }
    }

    /// Takes one event at `now` if fewer than `N` lie within `window` before it.
    pub(super) fn allow(&mut self, now: KernelTime, window: Duration) -> bool {
        if self.used < N {
            self.used += 1;
        } else if now.since(self.times[self.oldest]) < window {
            return false;
        }
        self.times[self.oldest] = now;
        self.oldest = (self.oldest + 1) % N;
        true
    }

    /// The times that count, oldest first.
    pub(super) fn save(&self) -> [Option<KernelTime>; N] {
        let start = if self.used < N { 0 } else { self.oldest };
        std::array::from_fn(|i| (i < self.used).then(|| self.times[(start + i) % N]))
    }

    pub(super) fn restore(&mut self, times: [Option<KernelTime>; N]) {
        *self = Self::new();
        for time in times.into_iter().flatten() {
            self.used = (self.used + 1).min(N);
            self.times[self.oldest] = time;
            self.oldest = (self.oldest + 1) % N;
        }
    }
}

/// Notices of one instance: the first of a kind at once, then one per 10 s.
///
/// By kind alone: changing sources do not get round it (L-08).
#[derive(Clone, Copy, Debug)]
pub(super) struct NoticeGate {
    last: [Option<KernelTime>; NOTICE_KINDS],
}

pub(super) const NOTICE_KINDS: usize = 13;
const NOTICE_PERIOD: Duration = Duration::from_secs(10);

impl NoticeGate {
    pub(super) const fn new() -> Self {
        Self {
            last: [None; NOTICE_KINDS],
        }
    }

    pub(super) fn allow(&mut self, notice: &Notice, now: KernelTime) -> bool {
        let last = &mut self.last[kind(notice)];
        if last.is_some_and(|last| now.since(last) < NOTICE_PERIOD) {
            return false;
        }
        *last = Some(now);
        true
    }

    pub(super) const fn save(&self) -> [Option<KernelTime>; NOTICE_KINDS] {
        self.last
    }

    pub(super) const fn restore(&mut self, last: [Option<KernelTime>; NOTICE_KINDS]) {
        self.last = last;
    }
}

const fn kind(notice: &Notice) -> usize {
    match notice {
        Notice::LowerPriorityDiscarded { .. } => 0,
        Notice::LowerPriorityAsserted { .. } | Notice::LowerPriorityHeard { .. } => 1,
        Notice::OwnAddressHeard { .. } => 2,
        Notice::ReleaseHeard { .. } => 3,
        Notice::IntervalDiffers { .. } => 4,
        Notice::AddressesDiffer { .. } => 5,
        Notice::Overslept { .. } => 6,
        Notice::AdvertLate { .. } => 7,
        Notice::AddressRestored { .. } => 8,
        Notice::TwoOwners { .. } => 9,
        // Of one kind: no router is both.
        Notice::IntervalLong { .. } | Notice::IntervalLimited { .. } => 10,
        Notice::UnknownWinner { .. } => 11,
        Notice::AdvertsMissing { .. } => 12,
    }
}

/// How often VIPs may be taken from us before we give up: 10 times a minute.
///
/// One time is a round in which each VIP vanishes at most once within a second:
/// a flush of an interface with 300 VIPs is one incident, not 300. A VIP
/// that goes again, or later, opens the next round.
#[derive(Clone, Debug)]
pub(super) struct LossRounds {
    rounds: SlidingLog<LOSS_ROUNDS>,
    started: Option<KernelTime>,
    /// VIPs that vanished in this round, one bit each.
    seen: [u64; SEEN_WORDS],
}

/// VIPs beyond these 512 are limited by the rounds alone: 10 s of taking them
/// away again and again.
const SEEN_WORDS: usize = 8;

pub(super) const LOSS_ROUNDS: usize = 10;
const LOSS_PERIOD: Duration = Duration::from_secs(60);
const ROUND_LENGTH: Duration = Duration::from_secs(1);

impl LossRounds {
    pub(super) const fn new() -> Self {
        Self {
            rounds: SlidingLog::new(),
            started: None,
            seen: [0; SEEN_WORDS],
        }
    }

    /// The numbers are those of other VIPs from now on. The rounds go on:
    /// a new configuration is no reason to be more patient.
    pub(super) fn renumber(&mut self) {
        self.seen = [0; SEEN_WORDS];
    }

    pub(super) fn save(&self) -> [Option<KernelTime>; LOSS_ROUNDS] {
        self.rounds.save()
    }

    /// A round that was going on has ended: the next loss opens one.
    pub(super) fn restore(&mut self, rounds: [Option<KernelTime>; LOSS_ROUNDS]) {
        *self = Self::new();
        self.rounds.restore(rounds);
    }

    /// Whether the loss of `vip` may be repaired once more.
    pub(super) fn allow(&mut self, vip: u16, now: KernelTime) -> bool {
        let (index, bit) = (usize::from(vip / 64), 1u64 << (vip % 64));
        let repeated = self.seen.get(index).is_some_and(|word| word & bit != 0);
        let running = self
            .started
            .is_some_and(|start| now.since(start) < ROUND_LENGTH);
        if repeated || !running {
            if !self.rounds.allow(now, LOSS_PERIOD) {
                return false;
            }
            self.started = Some(now);
            self.seen = [0; SEEN_WORDS];
        }
        if let Some(word) = self.seen.get_mut(index) {
            *word |= bit;
        }
        true
    }
}
