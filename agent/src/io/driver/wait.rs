//! What wakes the fast lane: a timer on kernel time, and its descriptors.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
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
use crate::io::{hands::Grip, lane::FastEnd};

const TIMER: u64 = 1;
const COMMANDS: u64 = 2;
const MONITOR: u64 = 3;
const ADVERTS: u64 = 4;
const HANDS: u64 = 5;

/// What has something to read. Adverts and deadlines are looked at always.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub commands: bool,
    pub monitor: bool,
    pub hands: bool,
}

#[derive(Debug)]
pub(super) struct Waiter {
    epoll: OwnedFd,
    alarm: Alarm,
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
            add(&maps.ring_fd(), ADVERTS, EventFlags::IN | EventFlags::ET)?;
        }
        for receiver in &sockets.slow {
            add(receiver, ADVERTS, EventFlags::IN)?;
        }
        Ok(Self { epoll, alarm })
    }

    pub(super) fn add(&self, fd: &impl AsFd) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            fd.as_fd(),
            EventData::new_u64(ADVERTS),
            EventFlags::IN,
        )?)
    }

    pub(super) fn remove(&self, fd: &impl AsFd) {
        // Fails only for a descriptor that was never added.
        let _ = epoll::delete(&self.epoll, fd.as_fd());
    }

    /// Waits until something is to be read or `deadline` has come.
    pub(super) fn wait(&mut self, deadline: Option<KernelTime>) -> Ready {
        self.alarm.arm(deadline);
        let mut events = [epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }; 16];
        // An error can only be EINTR: look around and wait again.
        let count = epoll::wait(&self.epoll, &mut events[..], None).unwrap_or(0);
        let mut ready = Ready::default();
        for event in events.iter().take(count) {
            match event.data.u64() {
                TIMER => self.alarm.armed = None,
                COMMANDS => ready.commands = true,
                MONITOR => ready.monitor = true,
                HANDS => ready.hands = true,
                _ => {}
            }
        }
        ready
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
}
