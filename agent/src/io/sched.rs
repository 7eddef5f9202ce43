//! What the fast lane asks of the scheduler and of memory management.

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};

use super::sys;

/// Above threaded interrupts, which run at 50: an advert that arrived must not
/// wait behind the interrupt of a disk.
pub const FIFO_PRIORITY: i32 = 60;

/// Takes SCHED_FIFO and locks memory for the calling thread's process.
///
/// Returns the errno of each, 0 where granted. Without them the agent works
/// all the same and is later under load.
pub fn enter_fast_lane() -> (i32, i32) {
    sys::no_timer_slack();
    let fifo = errno(sys::set_fifo(FIFO_PRIORITY));
    (fifo, errno(lock_memory()))
}

/// Pages stay in memory once touched; stacks that are never used cost nothing.
pub fn lock_memory() -> io::Result<()> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    Ok(())
}

fn errno(result: io::Result<()>) -> i32 {
    result
        .err()
        .map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO))
}
