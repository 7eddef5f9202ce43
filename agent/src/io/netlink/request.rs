//! A netlink socket of the slow lane whose requests are answered at once.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd},
};

use rtnetlink::sys::{Socket, SocketAddr};

use super::build::Builder;
use crate::io::sys;

/// The kernel handles a request inside `send`, so that its answers are there
/// when it returns.
#[derive(Debug)]
pub struct RequestSocket {
    socket: Socket,
    buffer: Vec<u8>,
}

impl RequestSocket {
    /// # Errors
    ///
    /// Where the kernel has no such protocol.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        let size: u32 = 8 << 20;
        let fd = socket.as_fd();
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &size);
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &size);
        Ok(Self {
            socket,
            buffer: vec![0; 64 << 10],
        })
    }

    /// One that was opened by another process.
    pub fn inherit(fd: OwnedFd) -> Self {
        // SAFETY: the descriptor is owned, and from here on by the socket alone.
        let socket = unsafe { Socket::from_raw_fd(fd.into_raw_fd()) };
        Self {
            socket,
            buffer: vec![0; 64 << 10],
        }
    }

    pub fn into_fd(self) -> OwnedFd {
        // SAFETY: the socket gives its descriptor up, which is open.
        unsafe { OwnedFd::from_raw_fd(self.socket.into_raw_fd()) }
    }

    /// Sends all messages at once. One of them asks for an ACK; `last` is its
    /// sequence number.
    ///
    /// # Errors
    ///
    /// The first refusal, as errno.
    pub fn submit(&mut self, request: &Builder, last: u32) -> io::Result<()> {
        self.drain();
        self.socket.send(request.as_bytes(), 0)?;
        let mut acknowledged = false;
        let mut refusal = None;
        while let Some(len) = self.receive()? {
            for answer in super::monitor::messages(self.buffer.get(..len).unwrap_or_default()) {
                if answer.kind != libc::NLMSG_ERROR as u16 {
                    continue;
                }
                match answer.i32_at(0).unwrap_or(0).saturating_neg() {
                    0 => acknowledged |= answer.sequence == last,
                    errno => drop(refusal.get_or_insert(errno)),
                }
            }
        }
        match (refusal, acknowledged) {
            (Some(errno), _) => Err(io::Error::from_raw_os_error(errno)),
            (None, true) => Ok(()),
            (None, false) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// What an earlier request left unread.
    fn drain(&mut self) {
        while let Ok(Some(_)) = self.receive() {}
    }

    fn receive(&mut self) -> io::Result<Option<usize>> {
        let mut window = &mut self.buffer[..];
        match self.socket.recv(&mut window, libc::MSG_DONTWAIT) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
