//! What wakes the fast lane: a timer on kernel time, and its descriptors.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use agent_common::KernelTime;
use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    },
};

use super::Sockets;
use crate::io::{clock, hands::Grip, lane::FastEnd, sys};

const TIMER: u64 = 1;
const COMMANDS: u64 = 2;
const MONITOR: u64 = 3;
const RING: u64 = 4;
const HANDS: u64 = 5;
const SOCKETS: u64 = 6;

/// What has something to read. The ring and deadlines are looked at always,
/// which costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub commands: bool,
    pub monitor: bool,
    pub hands: bool,
    /// A socket that adverts come through.
    pub sockets: bool,
}

#[derive(Debug)]
pub(super) struct Waiter {
    epoll: OwnedFd,
    alarm: Alarm,
    /// The kernel takes a time to wait for (Linux 5.11).
    takes_ticks: bool,
}

/// The timer, and what it was last set to.
#[derive(Debug)]
struct Alarm {
    timer: OwnedFd,
    /// `None` after it went off: it stays readable until it is set again, be
    /// it to the same time or to none, and would end every wait until then.
    armed: Option<Option<KernelTime>>,
}

impl Waiter {
    pub(super) fn new(sockets: &Sockets, hands: &Grip, lane: &FastEnd) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let alarm = Alarm::new()?;
        let add = |fd: &dyn AsFd, data, flags| {
            epoll::add(&epoll, fd.as_fd(), EventData::new_u64(data), flags)
        };
        add(&alarm.timer, TIMER, EventFlags::IN)?;
        add(&lane.wake_fd(), COMMANDS, EventFlags::IN)?;
        add(&sockets.monitor, MONITOR, EventFlags::IN)?;
        add(&hands.wake_fd(), HANDS, EventFlags::IN)?;
        if let Some(maps) = &sockets.maps {
            // By edge: only a submission that asks for a wake-up counts. By
            // level, a steady advert that came during a round would end the
            // next wait.
            add(&maps.ring_fd(), RING, EventFlags::IN | EventFlags::ET)?;
        }
        for receiver in &sockets.slow {
            add(receiver, SOCKETS, EventFlags::IN)?;
        }
        Ok(Self {
            epoll,
            alarm,
            takes_ticks: true,
        })
    }

    pub(super) fn add(&self, fd: &impl AsFd) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd.as_fd(),
            EventData::new_u64(SOCKETS),
            EventFlags::IN,
        )?)
    }

    pub(super) fn remove(&self, fd: &impl AsFd) {
        // Fails only for a descriptor that was never added.
        let _ = epoll::delete(&self.epoll, fd.as_fd());
    }

    /// Waits until something is to be read, `deadline` has come, or `tick`.
    ///
    /// The deadline is the core's: a timer on kernel time, which nothing between
    /// two system calls can make late. Ticks are the heartbeat's, often a
    /// thousand in a second, and cost no more than the wait itself; they count
    /// from the moment that the kernel takes the call.
    pub(super) fn wait(&mut self, deadline: Option<KernelTime>, tick: Option<KernelTime>) -> Ready {
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }; 16];
        let tick = tick.filter(|tick| deadline.is_none_or(|deadline| *tick < deadline));
        let count = match tick {
            Some(tick) if self.takes_ticks => self.wait_for(deadline, tick, &mut events),
            Some(_) | None => None,
        };
        let count = count.unwrap_or_else(|| {
            self.alarm.arm(tick.or(deadline));
            // An error can only be EINTR: look around and wait again.
            epoll::wait(&self.epoll, &mut events[..], None).unwrap_or(0)
        });
        let mut ready = Ready::default();
        for event in events.iter().take(count) {
            match event.data.u64() {
                TIMER => self.alarm.armed = None,
                COMMANDS => ready.commands = true,
                MONITOR => ready.monitor = true,
                HANDS => ready.hands = true,
                SOCKETS => ready.sockets = true,
                _ => {}
            }
        }
        ready
    }

    /// `None` where the kernel cannot, or somebody who filters its calls will
    /// not have it: from then on the timer is for both.
    fn wait_for(
        &mut self,
        deadline: Option<KernelTime>,
        tick: KernelTime,
        events: &mut [epoll::Event],
    ) -> Option<usize> {
        self.alarm.arm(deadline);
        let now = clock::now();
        let left = match tick > now {
            true => tick.since(now),
            false => Duration::ZERO,
        };
        match sys::epoll_wait(self.epoll.as_fd(), events, left) {
            Ok(count) => Some(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(0),
            Err(_) => {
                self.takes_ticks = false;
                None
            }
        }
    }
}

impl Alarm {
    fn new() -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        Ok(Self {
            timer,
            armed: Some(None),
        })
    }

    fn arm(&mut self, deadline: Option<KernelTime>) {
        if self.armed == Some(deadline) {
            return;
        }
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // Zero would disarm: a deadline at boot is one nanosecond later.
        let it_value = deadline.map_or(zero, |deadline| {
            let nanos = deadline.nanos().max(1);
            Timespec {
                tv_sec: (nanos / 1_000_000_000).min(i64::MAX as u64) as i64,
                tv_nsec: (nanos % 1_000_000_000) as i64,
            }
        });
        let value = Itimerspec {
            it_interval: zero,
            it_value,
        };
        // The arguments are valid by construction.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value);
        self.armed = Some(deadline);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::io::clock;

    fn is_readable(alarm: &Alarm, millis: i64) -> bool {
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: millis * 1_000_000,
        };
        let mut fds = [PollFd::new(&alarm.timer, PollFlags::IN)];
        poll(&mut fds, Some(&patience)).unwrap() > 0
    }

    /// By the clock of [`clock::now`] it lies an hour ahead.
    // proves: T-13
    #[test]
    fn t13_an_alarm_is_of_the_monotonic_clock() {
        let mut alarm = Alarm::new().unwrap();
        alarm.arm(Some(clock::now().after(Duration::from_secs(3600))));
        assert!(!is_readable(&alarm, 0));
        alarm.arm(Some(clock::now()));
        assert!(is_readable(&alarm, 900));
    }

    #[test]
    fn an_alarm_that_went_off_is_silent_without_a_new_deadline() {
        let mut alarm = Alarm::new().unwrap();
        alarm.arm(Some(KernelTime(1)));
        assert!(is_readable(&alarm, 900));
        // As when the instance lost its link in the same round.
        alarm.armed = None;
        alarm.arm(None);
        assert!(!is_readable(&alarm, 0));
        alarm.arm(Some(KernelTime(1)));
        assert!(is_readable(&alarm, 900));
    }

    fn waiter(takes_ticks: bool) -> Waiter {
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let alarm = Alarm::new().unwrap();
        let data = EventData::new_u64(TIMER);
        epoll::add(&epoll, alarm.timer.as_fd(), data, EventFlags::IN).unwrap();
        Waiter {
            epoll,
            alarm,
            takes_ticks,
        }
    }

    #[test]
    fn whatever_comes_first_ends_the_wait_and_never_too_soon() {
        let (soon, late) = (Duration::from_millis(2), Duration::from_secs(3600));
        for takes_ticks in [true, false] {
            let mut waiter = waiter(takes_ticks);
            for (deadline, tick) in [
                (None, Some(soon)),
                (Some(late), Some(soon)),
                (Some(soon), Some(late)),
                (Some(soon), None),
                (Some(soon), Some(soon)),
            ] {
                let now = clock::now();
                waiter.wait(deadline.map(|d| now.after(d)), tick.map(|d| now.after(d)));
                let woken = clock::now();
                assert!(woken >= now.after(soon), "{deadline:?} {tick:?}");
                assert!(woken < now.after(late), "{deadline:?} {tick:?}");
            }
            // One that is over already.
            waiter.wait(None, Some(KernelTime(1)));
            assert_eq!(waiter.takes_ticks, takes_ticks);
        }
    }

    #[test]
    fn ticks_leave_the_timer_of_the_deadline_alone() {
        let mut waiter = waiter(true);
        let deadline = clock::now().after(Duration::from_secs(3600));
        for _ in 0..3 {
            let tick = clock::now().after(Duration::from_micros(100));
            waiter.wait(Some(deadline), Some(tick));
            assert_eq!(waiter.alarm.armed, Some(Some(deadline)));
        }
    }
}
