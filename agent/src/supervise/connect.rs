//! The agent's connections to its supervisor.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::Signal,
    time::Timespec,
};

use super::{
    guard::{GUARD_FD, GuardPipe},
    notify,
    requests::REQUEST_FD,
};
use crate::io::sys;

/// The agent's connections to its supervisor.
#[derive(Debug)]
pub struct Supervisor {
    pub guard: GuardPipe,
    /// Where a successor is asked for.
    pub requests: Option<OwnedFd>,
}

/// The agent's side, at its start: the connections to the supervisor, if it has one.
/// From here on the agent ends when its supervisor does.
pub fn connect() -> Option<Supervisor> {
    let pipe = inherited(GUARD_FD)?;
    let requests = inherited(REQUEST_FD);
    sys::unblock_signals();
    sys::set_name(c"failoverd");
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).ok()?;
    if rustix::process::getppid() != parent {
        // It died before we asked to be told.
        std::process::exit(1);
    }
    let mut reader = [PollFd::new(&pipe, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if poll(&mut reader, Some(&now)).is_ok() && reader[0].revents().contains(PollFlags::ERR) {
        // It died before we knew its name: nobody reads the list.
        std::process::exit(1);
    }
    if let Some(requests) = &requests {
        rustix::io::fcntl_setfd(requests, rustix::io::FdFlags::CLOEXEC).ok()?;
    }
    if let Some(requests) = &requests {
        notify::connect(requests);
    }
    let guard = GuardPipe::new(pipe).ok()?;
    Some(Supervisor { guard, requests })
}

/// The descriptor whose number a variable of the environment has. To be called
/// once for each.
pub fn inherited(variable: &str) -> Option<OwnedFd> {
    let number: i32 = std::env::var(variable)
        .ok()?
        .parse()
        .ok()
        .filter(|fd| *fd > 2 && sys::is_open(*fd))?;
    // SAFETY: the supervisor made this descriptor for us and passed its
    // number; nothing else in this process knows it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether this process was started by a supervisor.
pub fn is_supervised() -> bool {
    std::env::var_os(GUARD_FD).is_some()
}
