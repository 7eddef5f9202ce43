//! The process and its threads: scheduling, signals, names.

use std::{
    io,
    mem::{size_of, zeroed},
    os::fd::{BorrowedFd, FromRawFd, OwnedFd},
};

use super::check;

/// Makes a thread SCHED_FIFO, 0 for the calling one; children and threads it
/// starts later begin at ordinary priority again.
pub fn set_fifo(tid: i32, priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: a thread that is gone is an error; the pointer is to a local.
    let result = unsafe { libc::sched_setscheduler(tid, policy, &raw const parameter) };
    check(result as libc::ssize_t).map(|_| ())
}

/// The priority of a thread that is SCHED_FIFO.
pub fn fifo_priority(tid: i32) -> Option<u8> {
    let mut parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: a thread that is gone is an error; the pointer is to a local.
    let (policy, result) = unsafe {
        (
            libc::sched_getscheduler(tid),
            libc::sched_getparam(tid, &raw mut parameter),
        )
    };
    let fifo = policy >= 0 && policy & !libc::SCHED_RESET_ON_FORK == libc::SCHED_FIFO;
    (fifo && result == 0)
        .then(|| u8::try_from(parameter.sched_priority).ok())
        .flatten()
}

/// Asks for 1 ns of timer slack for this thread: FIFO threads have none, but
/// an unprivileged fast lane would be late by 50 us otherwise.
pub fn no_timer_slack() {
    // SAFETY: no pointers involved; a failure leaves the default slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Blocks signals for this process and makes them readable instead.
pub fn block_signals(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is plain data; sigemptyset makes it a valid empty set
    // before it is used, and all pointers are to that local.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) as isize)?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = libc::signalfd(-1, &raw const set, flags);
        check(fd as libc::ssize_t)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Blocks no signal any more: what a supervisor blocks, its child inherits.
pub fn unblock_signals() {
    // SAFETY: as in `block_signals`; an empty set is always accepted.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// The next signal that came, if any.
pub fn next_signal(fd: BorrowedFd<'_>) -> Option<i32> {
    let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
    let len = rustix::io::read(fd, &mut buffer[..]).ok()?;
    // ssi_signo is the first field.
    let first = buffer.get(..len)?.first_chunk::<4>()?;
    i32::try_from(u32::from_ne_bytes(*first)).ok()
}

/// Names the calling process, as `ps` and `pkill` see it.
pub fn set_name(name: &std::ffi::CStr) {
    // A failure leaves the old name, which is no reason not to run.
    let _ = rustix::thread::set_name(name);
}

/// Whether this process has such a descriptor.
pub fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD only asks; no pointers involved.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Lets go of the standard streams, and with them of the terminal or pipe that
/// we were started from: they lead to /dev/null from here on.
pub fn leave_terminal() -> io::Result<()> {
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Closes every descriptor above standard error but those of `keep`. To be
/// called before this process has opened any itself.
pub fn close_others(keep: &std::collections::BTreeSet<u32>) {
    let mut first: u32 = 3;
    for end in keep.range(first..).copied().chain([u32::MAX]) {
        if let Some(last) = end.checked_sub(1).filter(|last| *last >= first) {
            // SAFETY: plain numbers. By contract nobody in this process owns any
            // of these descriptors. Without the call (Linux 5.9) they stay open.
            let _ = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) };
        }
        first = end.saturating_add(1);
    }
}

/// Which side of a [`fork`] this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fork {
    Parent,
    Child,
}

/// Makes a copy of this process. To be called while it has one thread: of
/// others, only the locks that they hold would be copied.
///
/// # Errors
///
/// When there are more threads, or no process can be had.
pub fn fork() -> io::Result<Fork> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(io::Error::other("there are threads already"));
    }
    // SAFETY: with one thread no lock is held by a thread that the copy lacks.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        pid => check(pid as libc::ssize_t).map(|_| Fork::Parent),
    }
}

/// Sends a signal, a real-time one too, which the crates' types do not have.
pub fn kill(pid: rustix::process::Pid, signal: i32) {
    // SAFETY: no pointers involved; nothing of ours depends on the outcome.
    unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) };
}
