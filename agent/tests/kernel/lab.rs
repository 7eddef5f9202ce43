//! What the tests share: the kernel half or a reason to skip, and a watch on
//! the ring.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use failoverd::io::bpf::{BpfError, Kernel};

/// Test runs come in on the loopback interface.
pub const LOOPBACK: u32 = 1;

/// The kernel half, or `None` with a line that says why not. In CI there is
/// no why not.
pub fn kernel() -> Option<Kernel> {
    match Kernel::load() {
        Ok(kernel) => Some(kernel),
        Err(error @ (BpfError::NoPermission | BpfError::NoBpf)) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Says why a test does not run; fails where it is required to.
pub fn skip(why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "cannot run here: {why}"
    );
    eprintln!("skipped: {why}");
}

/// Notices wake-ups as a sleeping agent would: poll(2) would look for data.
pub struct Wakeups(OwnedFd);

impl Wakeups {
    /// The ring must be empty.
    pub fn of(ring: BorrowedFd<'_>) -> Self {
        // SAFETY: takes no pointer, returns a new descriptor.
        let epoll = unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) };
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        // SAFETY: `event` is live and only read.
        let added = unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                ring.as_raw_fd(),
                &raw mut event,
            )
        };
        assert_eq!(added, 0, "{}", io::Error::last_os_error());
        Self(epoll)
    }

    /// Whether a wake-up came, waiting for one up to `timeout_ms`.
    pub fn came(&self, timeout_ms: i32) -> bool {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for the one event that is asked for.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, timeout_ms) };
        assert!(count >= 0, "{}", io::Error::last_os_error());
        count > 0
    }
}
