//! The raw-socket backend: whole frames from AF_PACKET.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use agent_common::{
    KernelTime,
    wire::{Link, locate},
};
use socket2::{SockFilter, Socket};

use super::{BUFFER, Filters, RECEIVE_BUFFER, Verdict};
use crate::io::{clock::StampConverter, sys};

/// Receives every frame of one link that may hold an advert.
#[derive(Debug)]
pub struct RawReceiver {
    socket: Socket,
    ifindex: u32,
    stamps: StampConverter,
    buffer: Vec<u8>,
}

/// A frame as it came off the socket.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    pub frame: &'a [u8],
    pub link: Link,
    pub stamp: KernelTime,
    /// Sent by this machine; only where they were asked for.
    pub outgoing: bool,
}

impl RawReceiver {
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the link is gone.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        let receiver = Self::open_with_outgoing(ifindex)?;
        // Linux 4.20; without it our own adverts come back and are known by
        // their source address.
        let on: i32 = 1;
        let fd = receiver.as_fd();
        let _ = sys::set_option(fd, libc::SOL_PACKET, sys::PACKET_IGNORE_OUTGOING, &on);
        Ok(receiver)
    }

    /// As [`Self::open`], with the frames that this machine sends.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_with_outgoing(ifindex: u32) -> io::Result<Self> {
        let socket = Socket::from(sys::packet_receiver()?);
        let on: i32 = 1;
        socket.attach_filter(&filter())?;
        let fd = socket.as_fd();
        sys::set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)?;
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER);
        sys::bind_packet(fd, ifindex)?;
        let stamps = StampConverter::new();
        Ok(Self {
            socket,
            ifindex,
            stamps,
            buffer: vec![0; BUFFER],
        })
    }

    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Frames that found the socket's buffer full since the last call.
    pub fn lost(&self) -> u32 {
        sys::packet_drops(self.socket.as_fd()).unwrap_or(0)
    }

    /// Reads at most `limit` packets and calls `each` with every verdict; true
    /// when there may be more.
    ///
    /// # Errors
    ///
    /// What the socket reports, ENETDOWN for one; it can be read on later.
    pub fn drain(
        &mut self,
        filters: &impl Filters,
        limit: usize,
        mut each: impl FnMut(Verdict),
    ) -> io::Result<bool> {
        self.drain_frames(limit, |arrival| {
            let located = locate(arrival.frame, arrival.link);
            let stamp = arrival.stamp.nanos();
            each(Verdict::judge(arrival.frame, located, filters, stamp));
        })
    }

    /// As [`Self::drain`], with the frames themselves.
    ///
    /// # Errors
    ///
    /// As [`Self::drain`].
    pub fn drain_frames(
        &mut self,
        limit: usize,
        mut each: impl FnMut(Arrival<'_>),
    ) -> io::Result<bool> {
        self.stamps.begin();
        for _ in 0..limit {
            let Some(received) = sys::receive(self.socket.as_fd(), &mut self.buffer)? else {
                self.stamps.emptied();
                return Ok(false);
            };
            each(Arrival {
                frame: self.buffer.get(..received.len).unwrap_or_default(),
                link: Link {
                    ifindex: self.ifindex,
                    vlan: received.vlan,
                },
                stamp: self.stamps.convert(received.wall),
                outgoing: received.outgoing,
            });
        }
        Ok(true)
    }
}

impl AsRawFd for RawReceiver {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for RawReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Passes protocol 112 over IPv4 and IPv6, IPv6 with an extension header that
/// may hide it, and frames that still carry a VLAN tag; the parser decides.
fn filter() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    vec![
        /* 0 */ SockFilter::new(LOAD_HALF, 0, 0, 12),
        /* 1 */ SockFilter::new(EQUAL, 4, 0, 0x0800),
        /* 2 */ SockFilter::new(EQUAL, 5, 0, 0x86DD),
        /* 3 */ SockFilter::new(EQUAL, 10, 0, 0x8100),
        /* 4 */ SockFilter::new(EQUAL, 9, 0, 0x88A8),
        /* 5 */ SockFilter::new(RETURN, 0, 0, 0),
        // IPv4: the protocol.
        /* 6 */ SockFilter::new(LOAD_BYTE, 0, 0, 23),
        /* 7 */ SockFilter::new(EQUAL, 6, 7, 112),
        // IPv6: the next header, or one that leads on.
        /* 8 */
        SockFilter::new(LOAD_BYTE, 0, 0, 20),
        /* 9 */ SockFilter::new(EQUAL, 4, 0, 112),
        /* 10 */ SockFilter::new(EQUAL, 3, 0, 0),
        /* 11 */ SockFilter::new(EQUAL, 2, 0, 43),
        /* 12 */ SockFilter::new(EQUAL, 1, 0, 44),
        /* 13 */ SockFilter::new(EQUAL, 0, 1, 60),
        /* 14 */ SockFilter::new(RETURN, 0, 0, u32::MAX),
        /* 15 */ SockFilter::new(RETURN, 0, 0, 0),
    ]
}
