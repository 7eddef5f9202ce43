//! The system calls of the lab: every `unsafe` block of this crate is here and
//! in the modules below.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

use crate::clock::nanos;

pub mod bpf;
pub mod bpf_time;
pub mod bridge;
pub mod child;
pub mod netlink;
pub mod packet_socket;
pub mod rtnl;
pub mod unix;

pub use packet_socket::{PacketSocket, Received};

/// Turns the -1 convention into a `Result`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The time of `clock` in nanoseconds.
pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the duration of the call.
    let result = unsafe { libc::clock_gettime(clock, &raw mut now) };
    assert_eq!(result, 0, "clock_gettime fails only for an unknown clock");
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Moves the calling thread, and only it, into a network namespace.
pub fn enter_netns(namespace: &File) -> io::Result<()> {
    // SAFETY: setns takes no pointers; the descriptor lives through the call.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

pub fn is_root() -> bool {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends `signal` to the process `pid`; to its whole group when `pid` is
/// negative. A process that is gone already is no error.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // 0 and -1 would reach processes that are not the lab's.
    assert!(
        pid != 0 && pid != -1,
        "a signal goes to one process or one group"
    );
    // SAFETY: kill takes no pointers.
    match check(unsafe { libc::kill(pid, signal) }) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}

/// Whether a process with this pid exists (as a zombie too).
pub fn exists(pid: i32) -> bool {
    // SAFETY: signal 0 only checks, no pointers.
    pid > 0 && unsafe { libc::kill(pid, 0) } == 0
}

/// The index of an interface of the calling thread's namespace.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name).map_err(io::Error::other)?;
    // SAFETY: `name` is NUL-terminated and lives through the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Waits until `fd` is readable or `timeout` has passed; true when readable.
pub fn wait_readable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().min(3600) as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: one pollfd and one timespec, both live through the call; no signal mask.
    let ready = unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
    match check(ready) {
        Ok(count) => Ok(count > 0),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until one of two is readable or `timeout` has passed.
pub fn wait_either(fds: [BorrowedFd<'_>; 2], timeout: Duration) -> io::Result<()> {
    let mut polls = fds.map(|fd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: two pollfds that live through the call.
    check(unsafe { libc::poll(polls.as_mut_ptr(), 2, millis) }).map(drop)
}

/// Lets the calling thread run before all ordinary ones (SCHED_FIFO, lowest
/// priority), where that is permitted. For threads that measure and mostly wait.
pub fn prefer_this_thread() {
    prefer_this_thread_at(1);
}

/// The same with a priority of 1 to 99.
pub fn prefer_this_thread_at(priority: i32) {
    // SAFETY: all-zero is a valid sched_param.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: 0 names the calling thread; the parameters live through the call.
    let _denied = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}

/// Keeps the calling thread on one processor.
pub fn stay_on(processor: usize) -> io::Result<()> {
    // 0 names the calling thread.
    keep_on(0, processor)
}

/// Keeps a thread on one processor.
pub fn keep_on(thread: i32, processor: usize) -> io::Result<()> {
    // SAFETY: all-zero is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    assert!(processor < libc::CPU_SETSIZE as usize, "no such processor");
    // SAFETY: within the set, as just seen.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: the set lives through the call.
    check(unsafe { libc::sched_setaffinity(thread, size_of_val(&set), &raw const set) }).map(drop)
}

/// Waits until CLOCK_MONOTONIC shows `time`, in nanoseconds.
pub fn sleep_until(time: u64) {
    let time = libc::timespec {
        tv_sec: (time / 1_000_000_000) as libc::time_t,
        tv_nsec: (time % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: the time lives through the call, and nothing is written for an
    // absolute one. Woken early is no error.
    let _early = unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        )
    };
}

/// The TTL or hop limit of what a socket sends.
pub fn set_hops(socket: &std::net::UdpSocket, ipv6: bool, hops: libc::c_int) -> io::Result<()> {
    let (level, option) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS)
    } else {
        (libc::IPPROTO_IP, libc::IP_TTL)
    };
    // SAFETY: the option takes one integer, of the size given.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const hops).cast(),
            size_of_val(&hops) as libc::socklen_t,
        )
    })
    .map(drop)
}

/// Runs `handler` on SIGINT and SIGTERM. It may only do what is
/// async-signal-safe, such as storing to an atomic.
pub fn on_interrupt(handler: extern "C" fn(libc::c_int)) {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: `handler` has the signature that signal(2) asks for.
        unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    }
}

/// A timespec of the kernel in nanoseconds.
fn timespec_ns(time: libc::timespec) -> u64 {
    nanos(Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    ))
}
