//! Between the fast lane and the hands.
//!
//! Jobs come by a queue that cannot overflow, as each instance has one under
//! way at most. What became of them is a bit for each instance and not a
//! queue: hands that are interrupted by the fast lane in the middle of telling
//! it must not keep it waiting, also where both run on one processor.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

use agent_common::{KernelTime, record::SLOTS};
use crossbeam_queue::ArrayQueue;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::wish::Job;
use crate::{core::InstanceId, io::clock};

/// One of each instance, and those that concern all.
const JOBS: usize = SLOTS + 8;

/// How long the hands look for a job that is about to come: more than an advert
/// takes to leave.
const LOOK_OUT: Duration = Duration::from_micros(300);

/// How late the fast lane may be before nothing is announced any more: less than
/// the two intervals after which another router may take over, by the shortest
/// that can be configured.
const SLACK: Duration = Duration::from_millis(10);

/// Between two looks at a fast lane that is late.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

const WORDS: usize = SLOTS.div_ceil(64);

/// Instances whose job was carried out, a bit for each id.
pub type Landed = [u64; WORDS];

/// What became of the links with virtual MAC addresses of an instance.
const NOT_TRIED: u8 = 0;
const REFUSED: u8 = 1;
const UP: u8 = 2;

/// What both sides share.
#[derive(Debug)]
pub struct Desk {
    jobs: ArrayQueue<Job>,
    /// The hands wait for a wake-up.
    asleep: AtomicBool,
    /// A job is about to come.
    expected: AtomicBool,
    wake_hands: OwnedFd,
    wake_fast: OwnedFd,
    landed: [AtomicU64; WORDS],
    raised: Vec<AtomicU8>,
    /// Instances that are Active by now, whatever the job says.
    active: Vec<AtomicBool>,
    /// When the fast lane decides next; 0 where it need not.
    due: AtomicU64,
    /// Announcements that wait for their pace; noted while held.
    left: Vec<AtomicU8>,
    held: AtomicBool,
    /// Since when one job is being carried out; 0 without one.
    since: AtomicU64,
    pub(super) addresses_refused: AtomicU64,
    pub(super) paths_refused: AtomicU64,
    pub(super) announce_failed: AtomicU64,
}

/// Refusals counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub addresses_refused: u64,
    pub paths_refused: u64,
    pub announce_failed: u64,
}

/// A slot for each id, made once.
fn slots<T: Default>() -> Vec<T> {
    (0..SLOTS).map(|_| T::default()).collect()
}

impl Desk {
    pub(super) fn new() -> io::Result<Self> {
        let wake = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self {
            jobs: ArrayQueue::new(JOBS),
            asleep: AtomicBool::new(false),
            expected: AtomicBool::new(false),
            wake_hands: wake()?,
            wake_fast: wake()?,
            landed: [const { AtomicU64::new(0) }; WORDS],
            raised: slots(),
            active: slots(),
            due: AtomicU64::new(0),
            left: slots(),
            held: AtomicBool::new(false),
            since: AtomicU64::new(0),
            addresses_refused: AtomicU64::new(0),
            paths_refused: AtomicU64::new(0),
            announce_failed: AtomicU64::new(0),
        })
    }

    /// Gives the job back where there is no room.
    pub(super) fn put(&self, job: Job) -> Result<(), Job> {
        let result = self.jobs.push(job);
        // The hands look for jobs once more after they have said that they
        // sleep, so one side sees the other.
        if self.asleep.swap(false, Ordering::SeqCst) {
            signal(&self.wake_hands);
        }
        result
    }

    /// A job is about to come: hands that sleep are awake by then.
    pub fn prepare(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.expected.store(true, Ordering::SeqCst);
            signal(&self.wake_hands);
        }
    }

    pub(super) fn take(&self) -> Option<Job> {
        self.jobs.pop()
    }

    /// The hands' wait for a job, `patience` at most.
    pub(super) fn sleep(&self, patience: Option<Duration>) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.jobs.is_empty() {
            let patience = patience.and_then(|span| Timespec::try_from(span).ok());
            let mut fds = [PollFd::new(&self.wake_hands, PollFlags::IN)];
            // Whatever ends it: look for jobs and wait again.
            let _ = poll(&mut fds, patience.as_ref());
        }
        self.asleep.store(false, Ordering::SeqCst);
        // Also where no wake-up was seen: one that was decided on and came
        // after our last look would end every wait from here on.
        clear(&self.wake_hands);
        if self.expected.swap(false, Ordering::SeqCst) {
            let until = clock::now().after(LOOK_OUT);
            while self.jobs.is_empty() && clock::now() < until {
                std::hint::spin_loop();
            }
        }
    }

    pub fn begin(&self, at: KernelTime) {
        self.since.store(at.nanos().max(1), Ordering::Release);
    }

    /// `raised`: whether the links are up, where that was asked for.
    pub fn land(&self, id: InstanceId, raised: Option<bool>) {
        self.since.store(0, Ordering::Release);
        let at = usize::from(id.0);
        if let Some(slot) = self.raised.get(at) {
            let raised = raised.map_or(NOT_TRIED, |up| if up { UP } else { REFUSED });
            slot.store(raised, Ordering::Release);
        }
        if let Some(word) = self.landed.get(at / 64) {
            word.fetch_or(1 << (at % 64), Ordering::AcqRel);
        }
        signal(&self.wake_fast);
    }

    /// What was carried out since the last call.
    pub fn landed(&self) -> Landed {
        clear(&self.wake_fast);
        std::array::from_fn(|at| match self.landed.get(at) {
            Some(word) => word.swap(0, Ordering::AcqRel),
            None => 0,
        })
    }

    /// Whether the links of an instance are up; `None` where its last job did
    /// not try.
    pub fn raised(&self, id: InstanceId) -> Option<bool> {
        let raised = self.raised.get(usize::from(id.0));
        match raised.map_or(NOT_TRIED, |raised| raised.load(Ordering::Acquire)) {
            UP => Some(true),
            REFUSED => Some(false),
            _ => None,
        }
    }

    /// Counts at once, also for what is being carried out.
    pub fn set_active(&self, id: InstanceId, active: bool) {
        if let Some(slot) = self.active.get(usize::from(id.0)) {
            slot.store(active, Ordering::SeqCst);
        }
    }

    pub(super) fn is_active(&self, id: InstanceId) -> bool {
        let slot = self.active.get(usize::from(id.0));
        slot.is_some_and(|slot| slot.load(Ordering::SeqCst))
    }

    /// What is known of who is Active holds until then.
    pub fn set_due(&self, due: Option<KernelTime>) {
        let due = due.map_or(0, |due| due.nanos().max(1));
        self.due.store(due, Ordering::SeqCst);
    }

    /// The fast lane has not decided when it should have, as in a process that
    /// was stopped: another router may be Active by now.
    pub(super) fn is_late(&self, now: KernelTime) -> bool {
        let due = self.due.load(Ordering::SeqCst);
        due > 0 && KernelTime(due).after(SLACK) < now
    }

    /// Whether the instance is Active, where that is known; else waits until it
    /// is.
    pub(super) fn may_announce(&self, id: InstanceId) -> bool {
        loop {
            // Asked for first: what the fast lane decided on its return is seen.
            let late = self.is_late(clock::now());
            if !self.is_active(id) {
                return false;
            }
            if !late {
                return true;
            }
            let _ = poll(&mut [], Timespec::try_from(PAUSE).ok().as_ref());
        }
    }

    pub(super) fn note_left(&self, id: InstanceId, left: u8) {
        if let Some(slot) = self.left.get(usize::from(id.0)) {
            slot.store(left, Ordering::Release);
        }
    }

    /// How often announcements that wait for their pace are still to be sent;
    /// true while [held](Self::is_held).
    pub fn left(&self, id: InstanceId) -> u8 {
        let slot = self.left.get(usize::from(id.0));
        slot.map_or(0, |slot| slot.load(Ordering::Acquire))
    }

    pub(super) fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Release);
        signal(&self.wake_fast);
    }

    /// No announcement is sent by itself.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Since when the job in hand is being carried out.
    pub fn since(&self) -> Option<KernelTime> {
        let since = self.since.load(Ordering::Acquire);
        (since > 0).then_some(KernelTime(since))
    }

    pub fn counts(&self) -> Counts {
        Counts {
            addresses_refused: self.addresses_refused.load(Ordering::Relaxed),
            paths_refused: self.paths_refused.load(Ordering::Relaxed),
            announce_failed: self.announce_failed.load(Ordering::Relaxed),
        }
    }

    /// Readable for the fast lane when a job was carried out.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake_fast.as_fd()
    }
}

fn signal(fd: &OwnedFd) {
    // EAGAIN means that the counter is full, so a wake-up is pending anyway.
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

fn clear(fd: &OwnedFd) {
    let _ = rustix::io::read(fd, &mut [0; 8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_signalled(fd: &OwnedFd) -> bool {
        let now = Timespec::try_from(Duration::ZERO).unwrap();
        poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    /// The fast lane is interrupted between its look at who sleeps and the
    /// wake-up, and the hands have found the job by themselves meanwhile.
    #[test]
    fn a_wake_up_that_comes_late_ends_one_wait() {
        let desk = Desk::new().unwrap();
        signal(&desk.wake_hands);
        desk.sleep(Some(Duration::from_millis(200)));
        assert!(!is_signalled(&desk.wake_hands));
        assert!(!desk.asleep.load(Ordering::SeqCst));
    }
    #[test]
    fn hands_that_are_expected_are_not_woken_twice() {
        let desk = Desk::new().unwrap();
        desk.asleep.store(true, Ordering::SeqCst);
        desk.prepare();
        assert!(is_signalled(&desk.wake_hands));
        clear(&desk.wake_hands);
        desk.put(Job::Hold).unwrap();
        assert!(!is_signalled(&desk.wake_hands));
        // The job is found, and nobody is waited for after it.
        desk.sleep(None);
        assert!(!desk.expected.load(Ordering::SeqCst));
        assert!(matches!(desk.take(), Some(Job::Hold)));
    }
    /// The process was stopped, and goes on: the hands may be the first to run.
    #[test]
    fn announcements_wait_for_a_fast_lane_that_is_late() {
        const A: InstanceId = InstanceId(1);
        let desk = &Desk::new().unwrap();
        desk.set_active(A, true);
        assert!(desk.may_announce(A), "nothing is due");
        let now = clock::now();
        desk.set_due(Some(now.after(Duration::from_secs(3600))));
        assert!(desk.may_announce(A));
        desk.set_due(Some(now));
        assert!(!desk.is_late(now.after(SLACK)));
        assert!(desk.is_late(now.after(SLACK + PAUSE)));
        desk.set_due(Some(KernelTime(1)));
        std::thread::scope(|scope| {
            let (asks, asked) = std::sync::mpsc::channel();
            let hands = scope.spawn(move || {
                asks.send(()).unwrap();
                desk.may_announce(A)
            });
            asked.recv().unwrap();
            // Before it says that it has decided.
            desk.set_active(A, false);
            desk.set_due(None);
            assert!(!hands.join().unwrap());
        });
    }
}
