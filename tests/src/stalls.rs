//! Times at which the machine itself stood still.
//!
//! A virtual machine whose processor is lent to another guest runs nobody, the
//! thread with the highest priority included. What is late at such a moment
//! says nothing about the agent, so a test that asserts that nothing is late
//! watches each processor by a thread that comes before all others.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    clock::monotonic,
    netns::Netns,
    sys::{netlink::RtnlQueue, prefer_this_thread_at, sleep_until, stay_on},
};

/// How often each processor is asked for.
const PERIOD: u64 = 1_000_000;

/// How often the kernel's RTNL lock is asked for.
const RTNL_PERIOD: u64 = 4_000_000;

/// Shorter ones are not kept.
const SHORTEST: u64 = 2_000_000;

/// Stalls kept: more than any test has.
const MAX: usize = 100_000;

/// Above threaded interrupts, the agents, and all that a test starts.
const PRIORITY: i32 = 99;

/// Watches until dropped; one of [`Stalls::default`] watches nothing.
#[derive(Debug, Default)]
pub struct Stalls {
    stop: Arc<AtomicBool>,
    /// From when to when, CLOCK_MONOTONIC nanoseconds.
    seen: Arc<Mutex<Vec<(u64, u64)>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Stalls {
    /// # Errors
    ///
    /// When the processors cannot be counted.
    pub fn watch() -> Result<Self> {
        Self::watch_at(PRIORITY)
    }

    /// Watches by threads of another real-time priority, to see as well what
    /// comes before those: with the priority of the fast lanes, other agents on
    /// the same processors.
    ///
    /// # Errors
    ///
    /// As [`Self::watch`].
    pub fn watch_at(priority: i32) -> Result<Self> {
        let processors = std::thread::available_parallelism().context("counting processors")?;
        let mut watch = Self {
            stop: Arc::default(),
            seen: Arc::default(),
            threads: Vec::new(),
        };
        for processor in 0..processors.get() {
            let (stop, seen) = (watch.stop.clone(), watch.seen.clone());
            watch.threads.push(std::thread::spawn(move || {
                // One that may not stay there watches as well, less exactly.
                let _elsewhere = stay_on(processor);
                prefer_this_thread_at(priority);
                watch_one(&stop, &seen);
            }));
        }
        Ok(watch)
    }

    /// How many there were in that span.
    pub fn count_within(&self, from: u64, to: u64) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .filter(|(began, ended)| *began < to && *ended > from)
            .count()
    }

    /// Also notes how long others hold the RTNL lock, of which a machine has one
    /// for all namespaces: whoever changes an address waits for it.
    ///
    /// # Errors
    ///
    /// When `ns`, in which it is asked for, cannot be entered.
    pub fn watch_rtnl(&mut self, ns: &Netns) -> Result<()> {
        let queue = ns.enter(|| RtnlQueue::open().context("route netlink"))?;
        let (stop, seen) = (self.stop.clone(), self.seen.clone());
        self.threads.push(std::thread::spawn(move || {
            prefer_this_thread_at(PRIORITY);
            watch_lock(&queue, &stop, &seen);
        }));
        Ok(())
    }

    /// How much of that span was stalled.
    pub fn time_within(&self, from: u64, to: u64) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut within: Vec<(u64, u64)> = seen
            .iter()
            .map(|(began, ended)| ((*began).max(from), (*ended).min(to)))
            .filter(|(began, ended)| began < ended)
            .collect();
        within.sort_unstable();
        let mut total = 0;
        let mut until = 0;
        for (began, ended) in within {
            total += ended.saturating_sub(began.max(until));
            until = until.max(ended);
        }
        Duration::from_nanos(total)
    }

    /// Adds what somebody else saw, from when to when.
    pub fn note(&self, spans: &[(u64, u64)]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX.saturating_sub(seen.len());
        seen.extend(spans.iter().take(room));
    }

    /// Forgets what ended before that time.
    pub fn forget(&self, before: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(_, ended)| *ended >= before);
    }

    /// The longest stall that had a part in that span.
    pub fn longest_within(&self, from: u64, to: u64) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let within = seen
            .iter()
            .filter(|(began, ended)| *began < to && *ended > from);
        let longest = within.map(|(began, ended)| ended.saturating_sub(*began));
        Duration::from_nanos(longest.max().unwrap_or(0))
    }
}

fn watch_one(stop: &AtomicBool, seen: &Mutex<Vec<(u64, u64)>>) {
    let mut due = monotonic() + PERIOD;
    while !stop.load(Ordering::Relaxed) {
        sleep_until(due);
        let now = monotonic();
        if now.saturating_sub(due) >= SHORTEST {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() < MAX {
                seen.push((due, now));
            }
        }
        due = now + PERIOD;
    }
}

fn watch_lock(queue: &RtnlQueue, stop: &AtomicBool, seen: &Mutex<Vec<(u64, u64)>>) {
    while !stop.load(Ordering::Relaxed) {
        let asked = monotonic();
        // Without the lock there is nothing to note.
        let _refused = queue.pass();
        let had = monotonic();
        if had.saturating_sub(asked) >= SHORTEST {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() < MAX {
                seen.push((asked, had));
            }
        }
        sleep_until(had + RTNL_PERIOD);
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}
