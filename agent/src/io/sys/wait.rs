//! epoll with a time to wait in nanoseconds.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    time::Duration,
};

use rustix::event::epoll;

use super::check;

/// Waits until something is ready, for `left` at most; gives the number of
/// events (Linux 5.11). By its number, because older C libraries do not have it,
/// and rustix rounds up to milliseconds.
///
/// # Errors
///
/// ENOSYS on an older kernel; EINTR.
pub fn epoll_wait(
    epoll: BorrowedFd<'_>,
    events: &mut [epoll::Event],
    left: Duration,
) -> io::Result<usize> {
    // struct __kernel_timespec, 64 bits everywhere.
    let left: [i64; 2] = [
        i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        i64::from(left.subsec_nanos()),
    ];
    let room = libc::c_int::try_from(events.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: rustix's Event is the kernel's epoll_event, of which there is
    // room for as many as are told; the time outlives the call, and no signal
    // mask is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            room,
            left.as_ptr(),
            ptr::null::<libc::c_void>(),
            0_usize,
        )
    };
    check(result as libc::ssize_t)
}
