//! Logs that lose lines where their reader does not keep up, and say how many
//! with the next line, or at the end of the process.

use std::{
    os::fd::AsFd,
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{event::poll, time::Timespec};

use crate::io::sys;

/// What lines that nobody has read yet may take, in bytes: those of a fail-over
/// of all instances at once.
const BUFFER: libc::c_int = 8 << 20;
/// How often the last count is tried, and the pause between.
const TRIES: u32 = 15;
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Those of this process.
static OPEN: Mutex<Vec<Arc<dyn Lossy>>> = Mutex::new(Vec::new());

pub(super) trait Lossy: Send + Sync {
    /// Says how many lines were lost since it was said last, if any; false
    /// where there was no room for that either.
    fn confess(&self) -> bool;
}

/// Is asked at the end of the process.
pub(super) fn register(log: Arc<dyn Lossy>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.push(log);
}

/// Says what was lost, and waits a moment for room for it.
pub(super) fn finish() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..TRIES {
        // Each of them, whatever another one says.
        let left = open.iter().filter(|log| !log.confess()).count();
        if left == 0 {
            return;
        }
        let _ = poll(&mut [], Some(&PAUSE));
    }
}

/// A socket for datagrams that are not waited for.
pub(super) fn socket() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let set = |name| sys::set_option(socket.as_fd(), libc::SOL_SOCKET, name, &BUFFER);
    // Without CAP_NET_ADMIN as much as the machine allows.
    let _ = set(libc::SO_SNDBUFFORCE).or_else(|_| set(libc::SO_SNDBUF));
    Ok(socket)
}
