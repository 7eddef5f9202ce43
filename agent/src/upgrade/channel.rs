//! A socket pair that carries messages and descriptors, each wait bounded.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    time::Timespec,
};

use super::message::Message;
use crate::io::{clock, sys};

/// An instance in JSON has about two kilobytes.
pub const MAX_MESSAGE: usize = 64 << 10;
/// Room for all messages of 510 instances, so that no sender has to wait.
const BUFFER: u32 = 16 << 20;

/// Why the other side was not understood.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("it has ended")]
    Closed,
    #[error("no answer in {0:?}")]
    TimedOut(Duration),
    #[error("it said something that this version does not understand: {0}")]
    Garbled(#[from] serde_json::Error),
    #[error("{0}")]
    System(#[from] io::Error),
}

impl From<Errno> for ChannelError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Closed,
            errno => Self::System(errno.into()),
        }
    }
}

/// A pair of connected sockets that keep messages apart.
///
/// # Errors
///
/// When no descriptors can be had.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    for end in [&one, &other] {
        // Without the permission the default is enough for some 50 instances.
        let _ = sys::set_option(end.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER);
    }
    Ok((one, other))
}

/// Sends one message, at once or not at all.
///
/// # Errors
///
/// [`ChannelError::Closed`], or what the kernel says.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<(), ChannelError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?;
    Ok(())
}

/// Takes one message that is there; its length and up to two descriptors.
///
/// # Errors
///
/// [`ChannelError::Closed`] when nothing can come any more; `WouldBlock` when
/// there is nothing yet.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, [Option<OwnedFd>; 2]), ChannelError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let mut vectors = [IoSliceMut::new(buffer)];
    let message = recvmsg(socket, &mut vectors, &mut control, flags)?;
    let mut fds = [None, None];
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            for (place, fd) in fds.iter_mut().zip(received) {
                *place = Some(fd);
            }
        }
    }
    match message.bytes {
        0 => Err(ChannelError::Closed),
        len => Ok((len, fds)),
    }
}

/// Waits until one of the descriptors has something to read, or its other end
/// has gone; false after `within`.
pub fn wait<const N: usize>(fds: [BorrowedFd<'_>; N], within: Duration) -> bool {
    let until = clock::now().after(within);
    loop {
        let mut polled = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let left = until.since(clock::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

/// One end, for the slow lanes.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self(socket))
    }

    /// # Errors
    ///
    /// As [`send`].
    pub fn send(&self, message: &Message, fd: Option<BorrowedFd<'_>>) -> Result<(), ChannelError> {
        let bytes = serde_json::to_vec(message)?;
        send(self.0.as_fd(), &bytes, fd.as_slice())
    }

    /// # Errors
    ///
    /// See [`ChannelError`].
    pub fn receive(&self, within: Duration) -> Result<(Message, Option<OwnedFd>), ChannelError> {
        if !wait([self.0.as_fd()], within) {
            return Err(ChannelError::TimedOut(within));
        }
        let mut buffer = vec![0; MAX_MESSAGE];
        let (len, [fd, _]) = receive(self.0.as_fd(), &mut buffer)?;
        let message = serde_json::from_slice(buffer.get(..len).unwrap_or_default())?;
        Ok((message, fd))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
