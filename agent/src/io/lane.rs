//! Between the lanes: what the slow lane asks of the fast one, and what it hears back.
//!
//! Bounded queues made at start; the shape of each states its policy. Commands
//! are few; the sender is given one back that found no room and tries again
//! later. Reports are dropped and counted
//! when the slow lane does not keep up: the fast lane never waits. Boxes that
//! the fast lane has no more use for travel back, so that it neither allocates
//! nor frees.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use agent_common::{KernelTime, Priority, outcome::OutcomeCounters, record::SLOTS};
use crossbeam_queue::ArrayQueue;
use rustix::event::{EventfdFlags, eventfd};

use super::{
    advert::FamilySockets,
    asker::Asker,
    driver::HandOver,
    hands::Works,
    plan::Port,
    receive::{raw::RawReceiver, refusal::Refusal},
    sched::Entered,
};
use crate::{
    core::{Cause, Fault, GroupId, InstanceConfig, InstanceId, Notice, Snapshot, State},
    flight::{Flight, Step},
    heart::{self, News},
};

/// One for each instance and some to spare.
const COMMANDS: usize = 2048;
const REPORTS: usize = 8192;

/// What the slow lane asks of the fast lane.
#[derive(Debug)]
pub enum Command {
    /// The instance can take part, on these links and with the configuration
    /// that the port carries; replaces an earlier port.
    Install(Box<Port>),
    /// The instance is configured so, but has no links to take part on.
    Configure(Box<InstanceConfig>),
    /// The instance is not wanted any more: it leaves, and its id is free.
    Retire {
        id: InstanceId,
    },
    /// Sockets for a family that was not in use before.
    AddFamily(Box<FamilySockets>),
    /// A socket for probes of a family that had none.
    AddAsker(Box<Asker>),
    /// Comes back when every command before it has been carried out.
    Mark(u32),
    /// Trackers changed the priority in force.
    Priority {
        id: InstanceId,
        priority: Priority,
    },
    /// The instance cannot take part.
    Fault {
        id: InstanceId,
        fault: Fault,
    },
    /// Read adverts of a link through a raw socket.
    AddReceiver(Box<RawReceiver>),
    RemoveReceiver {
        ifindex: u32,
    },
    /// A resync found a VIP of the instance missing in the kernel.
    AddressMissing {
        id: InstanceId,
        vip: u16,
    },
    /// Another machine says that it has a VIP of the instance.
    AddressClaimed {
        id: InstanceId,
    },
    /// Put back routes and rules of the instance that are missing, if it is
    /// Active.
    EnsurePaths {
        id: InstanceId,
    },
    /// A resync found a VIP in the kernel; wrong unless Active.
    AddressPresent {
        id: InstanceId,
    },
    /// Fill in the picture and send it back.
    Inspect(Box<Picture>),
    /// A successor is about to receive our adverts: see [`crate::core::Machine::hold`].
    Hold,
    /// Hand everything over, then end without giving anything up.
    HandOver(Box<HandOver>),
    /// The successor has ended: go on.
    Resume,
    /// As a successor: what came so far is for the predecessor.
    ForgetBacklog,
    /// Leave: release what is Active, then end the thread.
    Shutdown,
}

/// What the fast lane tells, for logs, notifications and status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    Transition {
        id: InstanceId,
        from: State,
        to: State,
        cause: Cause,
        at: KernelTime,
    },
    /// All members of a sync group are in this state now.
    GroupTransition {
        group: GroupId,
        to: State,
        at: KernelTime,
    },
    /// Trackers or a reload changed the priority in force.
    PriorityChanged {
        id: InstanceId,
        from: Priority,
        to: Priority,
    },
    /// The same transition for the flight recorder, right behind it.
    Flight(Flight),
    /// What came after a transition.
    Step(Step),
    Notice {
        id: InstanceId,
        notice: Notice,
    },
    /// What became of the heartbeat towards an Active.
    Heart {
        id: InstanceId,
        active: IpAddr,
        news: News,
    },
    /// A fault that the fast lane saw itself: a new port is wanted when it ends.
    WentDown {
        id: InstanceId,
        fault: Fault,
    },
    /// A link ceased to exist, and all that was attached to it.
    LinkGone {
        ifindex: u32,
    },
    /// Somebody put a VIP on this machine while the instance was not Active.
    StrayRemoved {
        id: InstanceId,
        address: IpAddr,
    },
    /// An advert could not be sent. Positive errno, 0 without one.
    AdvertFailed {
        id: InstanceId,
        priority: Priority,
        errno: i32,
    },
    /// The kernel refused address changes.
    AddressesRefused {
        id: InstanceId,
        failed: u32,
        errno: i32,
    },
    /// The kernel refused routes or rules; `path` is the number of the first,
    /// routes counted before rules.
    PathsRefused {
        id: InstanceId,
        path: Option<u16>,
        failed: u32,
        errno: i32,
    },
    /// This many routes and rules were gone, and are there again.
    PathsRestored {
        id: InstanceId,
        count: u32,
    },
    /// GARP or NA could not be sent.
    AnnounceFailed {
        id: InstanceId,
        errno: i32,
    },
    /// What the machine allows the fast lane.
    Privileges(Entered),
    /// An instance was Active for this long with nothing to vouch for it: the
    /// fast lane did not run, or nobody could be sent to.
    LeaseLapsed {
        id: InstanceId,
        span: Duration,
    },
    /// What it allows the thread that changes addresses.
    HandsPrivileges(Entered),
    /// The kernel has not carried out a change of addresses for this long, and
    /// is still at it.
    HandsWait {
        span: Duration,
    },
    /// It has now, after this long.
    HandsGoOn {
        span: Duration,
    },
    /// Priority 0 went out.
    Released {
        id: InstanceId,
    },
    /// A socket backend refused an advert; few of many.
    Refused(Refusal),
    /// Announcements were lost: ask the kernel for everything.
    Overrun,
    /// The state of a predecessor was taken over.
    TookOver,
}

/// Boxes on their way home.
#[derive(Debug)]
pub enum Returned {
    Port(Box<Port>),
    Works(Box<Works>),
    Receiver(Box<RawReceiver>),
    Picture(Box<Picture>),
    Config(Box<InstanceConfig>),
    Family(Box<FamilySockets>),
    Asker(Box<Asker>),
    HandedOver(Box<HandOver>),
    /// No box: see [`Command::Mark`].
    Mark(u32),
}

/// What the fast lane knows, copied for the status command.
#[derive(Debug, Default)]
pub struct Picture {
    pub at: KernelTime,
    /// In the order of their ids. Capacity set by the asker.
    pub instances: Vec<Snapshot>,
    /// Heartbeats of those that have one, as `instances`.
    pub hearts: Vec<heart::Snapshot>,
    /// Verdicts of the raw-socket backend and the slow path, by slot.
    pub outcomes: Vec<OutcomeCounters>,
    pub lane: LaneCounters,
}

impl Picture {
    /// Verdicts on the frames of one slot.
    pub fn slot(&self, slot: u16) -> Option<OutcomeCounters> {
        self.outcomes.get(usize::from(slot)).copied()
    }
}

/// What the fast lane counts of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct LaneCounters {
    /// Returns from the wait, for whatever reason.
    pub wakeups: u64,
    /// Adverts handed to the core.
    pub adverts: u64,
    /// Adverts that only LATEST had: the ring was full.
    pub from_latest: u64,
    pub adverts_failed: u64,
    pub announce_failed: u64,
    pub addresses_refused: u64,
    /// Batches of routes and rules of which the kernel refused some.
    pub paths_refused: u64,
    pub receive_errors: u64,
    /// Datagrams to our probes' ports that answer nothing that was asked.
    pub stray_answers: u64,
    /// The kernel side could not be told whom to watch: more wake-ups, no harm.
    pub watch_errors: u64,
}

/// What both ends share.
#[derive(Debug)]
struct Shared {
    commands: ArrayQueue<Command>,
    /// Commands that are in the queue whole, and those taken out, since the
    /// start.
    sent: AtomicU64,
    taken: AtomicU64,
    reports: ArrayQueue<Report>,
    returned: ArrayQueue<Returned>,
    dropped: AtomicU64,
    surroundings: AtomicBool,
    /// By slot: until when the instance may be said to be served, 0 for not.
    leases: Box<[AtomicU64]>,
    wake_fast: OwnedFd,
    wake_slow: OwnedFd,
}

/// The slow lane's end.
#[derive(Clone, Debug)]
pub struct SlowEnd(Arc<Shared>);

/// The fast lane's end.
#[derive(Debug)]
pub struct FastEnd(Arc<Shared>);

/// Makes both ends.
///
/// # Errors
///
/// When no descriptor can be had.
pub fn pair() -> io::Result<(SlowEnd, FastEnd)> {
    let wake = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
    let shared = Arc::new(Shared {
        commands: ArrayQueue::new(COMMANDS),
        sent: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        reports: ArrayQueue::new(REPORTS),
        // A port and its works come back apart.
        returned: ArrayQueue::new(2 * COMMANDS),
        dropped: AtomicU64::new(0),
        surroundings: AtomicBool::new(false),
        leases: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        wake_fast: wake()?,
        wake_slow: wake()?,
    });
    Ok((SlowEnd(shared.clone()), FastEnd(shared)))
}

fn signal(fd: &OwnedFd) {
    // EAGAIN means that the counter is full, so a wake-up is pending anyway.
    let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
}

fn clear(fd: &OwnedFd) {
    let _ = rustix::io::read(fd, &mut [0; 8]);
}

impl SlowEnd {
    /// Hands a command over; gives it back when the fast lane is so far
    /// behind that the queue is full. Only one thread sends.
    pub fn send(&self, command: Command) -> Result<(), Command> {
        let result = self.0.commands.push(command);
        if result.is_ok() {
            self.0.sent.fetch_add(1, Ordering::Release);
        }
        signal(&self.0.wake_fast);
        result
    }

    pub fn report(&self) -> Option<Report> {
        self.0.reports.pop()
    }

    pub fn returned(&self) -> Option<Returned> {
        self.0.returned.pop()
    }

    /// Whether links or addresses changed since the last call.
    pub fn surroundings_changed(&self) -> bool {
        self.0.surroundings.swap(false, Ordering::AcqRel)
    }

    /// Reports that were dropped because nobody read them.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// What the fast lane said with [`FastEnd::lease`] last, 0 for not served.
    pub fn lease(&self, slot: u32) -> u64 {
        let lease = self.0.leases.get(slot as usize);
        lease.map_or(0, |lease| lease.load(Ordering::Relaxed))
    }

    /// What a predecessor said, until the fast lane does.
    pub fn set_lease(&self, slot: u32, until_ns: u64) {
        if let Some(lease) = self.0.leases.get(slot as usize) {
            lease.store(until_ns, Ordering::Relaxed);
        }
    }

    /// Readable when there is something to take.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.0.wake_slow.as_fd()
    }

    pub fn clear_wake(&self) {
        clear(&self.0.wake_slow);
    }
}

/// What the hands of the fast lane may say to the slow lane.
#[derive(Debug)]
pub struct Teller(FastEnd);

impl Teller {
    /// As [`FastEnd::report`].
    pub fn report(&self, report: Report) {
        self.0.report(report);
    }

    /// As [`FastEnd::give_back`].
    pub fn give_back(&self, returned: Returned) {
        self.0.give_back(returned);
    }
}

impl FastEnd {
    pub fn teller(&self) -> Teller {
        Teller(Self(self.0.clone()))
    }

    /// The queue waits for a push that is half done, and whoever was
    /// interrupted in it may get no processor before we let go of it: what was
    /// not counted is not there.
    pub fn command(&self) -> Option<Command> {
        let Shared { sent, taken, .. } = &*self.0;
        if sent.load(Ordering::Acquire) == taken.load(Ordering::Relaxed) {
            return None;
        }
        let command = self.0.commands.pop()?;
        taken.fetch_add(1, Ordering::Relaxed);
        Some(command)
    }

    /// Until when a slot may be said to be served here (CLOCK_MONOTONIC
    /// nanoseconds), for whoever answers where the kernel side does not.
    pub fn lease(&self, slot: u32, until_ns: u64) {
        if let Some(lease) = self.0.leases.get(slot as usize) {
            lease.store(until_ns, Ordering::Relaxed);
        }
    }

    /// Never waits: a report that finds no room is counted instead. The last
    /// place stays empty: a full queue waits for who is taking something out.
    pub fn report(&self, report: Report) {
        let reports = &self.0.reports;
        let full = reports.len().saturating_add(1) >= REPORTS;
        if full || reports.push(report).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        signal(&self.0.wake_slow);
    }

    /// Sends a box home. There is room for every box that can be under way;
    /// should there not be, it is freed here.
    pub fn give_back(&self, returned: Returned) {
        drop(self.0.returned.push(returned));
        signal(&self.0.wake_slow);
    }

    /// Links or addresses changed; many changes are one wake-up.
    pub fn surroundings_changed(&self) {
        if !self.0.surroundings.swap(true, Ordering::AcqRel) {
            signal(&self.0.wake_slow);
        }
    }

    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.0.wake_fast.as_fd()
    }

    pub fn clear_wake(&self) {
        clear(&self.0.wake_fast);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where the slow lane is interrupted in the middle of a push.
    #[test]
    fn a_command_is_not_there_before_it_is_counted() {
        let (slow, fast) = pair().unwrap();
        slow.0.commands.push(Command::Hold).unwrap();
        assert!(fast.command().is_none());
        slow.0.sent.fetch_add(1, Ordering::Release);
        assert!(matches!(fast.command(), Some(Command::Hold)));
        assert!(fast.command().is_none());
        for _ in 0..COMMANDS {
            slow.send(Command::Resume).unwrap();
        }
        assert!(slow.send(Command::Resume).is_err());
        for _ in 0..COMMANDS {
            assert!(fast.command().is_some());
        }
        assert!(fast.command().is_none());
    }

    /// A queue that is full would wait for the slow lane, if that is
    /// interrupted while it takes something out.
    #[test]
    fn reports_leave_a_place_empty() {
        let (slow, fast) = pair().unwrap();
        for _ in 0..REPORTS {
            fast.report(Report::Overrun);
        }
        assert_eq!(slow.dropped(), 1);
        assert!(!slow.0.reports.is_full());
    }
}
