//! Waiting for a descriptor in the slow lane.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Makes `fd` awaitable; it has to be in non-blocking mode for reads.
///
/// # Errors
///
/// When the kernel has no room for it.
pub fn readable<T: AsFd + AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what implements AsFd owns or borrows a descriptor that is open
    // for as long as it lives and always the same; the AsyncFd owns it from
    // here on.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(io::Error::from)
}
