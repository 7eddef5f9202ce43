//! A netlink socket of the slow lane whose requests are answered at once.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, IntoRawFd, OwnedFd},
};

use rtnetlink::sys::{Socket, SocketAddr};

use super::{
    build::Builder,
    monitor::{Message, messages},
};
use crate::io::sys;

const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;

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
            for answer in messages(self.buffer.get(..len).unwrap_or_default()) {
                if answer.kind != ERROR {
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

    /// As [`Self::submit`], of requests that are independent of each other:
    /// each refusal goes to `refused` with the sequence number of the message
    /// and its errno, and does not keep the others from being carried out.
    ///
    /// # Errors
    ///
    /// Where what became of them cannot be told.
    pub fn submit_each(
        &mut self,
        request: &Builder,
        last: u32,
        mut refused: impl FnMut(u32, i32),
    ) -> io::Result<()> {
        let mut ended = false;
        self.exchange(request, |answer| {
            if answer.kind == ERROR {
                ended |= answer.sequence == last;
                match answer.i32_at(0).unwrap_or(0).saturating_neg() {
                    0 => {}
                    errno => refused(answer.sequence, errno),
                }
            }
        })?;
        match ended {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Asks one question; `answer` gets the payload of each answer.
    ///
    /// # Errors
    ///
    /// What the kernel says against it, as errno.
    pub fn ask(&mut self, request: &Builder, mut answer: impl FnMut(&[u8])) -> io::Result<()> {
        let mut end = None;
        self.exchange(request, |message| match message.kind {
            ERROR | DONE => {
                let errno = message.i32_at(0).unwrap_or(0).saturating_neg();
                let _first = end.get_or_insert(errno);
            }
            _ => answer(message.payload),
        })?;
        match end {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn exchange(
        &mut self,
        request: &Builder,
        mut answer: impl FnMut(&Message<'_>),
    ) -> io::Result<()> {
        self.drain();
        self.socket.send(request.as_bytes(), 0)?;
        while let Some(len) = self.receive()? {
            for message in messages(self.buffer.get(..len).unwrap_or_default()) {
                answer(&message);
            }
        }
        Ok(())
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
