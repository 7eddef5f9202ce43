//! Probes (S-BFD) from a packet socket, for links where the kernel has no
//! program that answers them: by the same parser, but by a process that has to
//! run for each answer.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use agent_common::wire::{
    Bytes, Frame, Link,
    bfd::{FrameMut, Probe, REFLECTOR_PORT, SessionState, Unanswered, locate_probe},
};
use socket2::{SockFilter, Socket};

use crate::io::sys;

/// Longer than any probe: Ethernet, IPv6, UDP and a control packet.
const BUFFER: usize = 256;
/// What initiators are told: no faster than this, because a busy machine may
/// keep a process waiting. Microseconds.
const REQUIRED_MIN_RX_US: u32 = 100_000;

/// What probes of one link are answered by.
#[derive(Debug)]
pub struct ProbeSocket {
    socket: Socket,
    ifindex: u32,
}

struct Buffer<'a>(&'a mut [u8]);

impl Bytes for Buffer<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }
}

impl Frame for Buffer<'_> {
    fn received(&self) -> usize {
        self.0.len()
    }
}

impl FrameMut for Buffer<'_> {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let place = self.0.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(place) = place {
            *place = bytes;
        }
    }
}

impl ProbeSocket {
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the link is gone.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        let socket = Socket::from(sys::packet_receiver()?);
        socket.attach_filter(&filter())?;
        let on: i32 = 1;
        let fd = socket.as_fd();
        sys::set_option(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        let _ = sys::set_option(fd, libc::SOL_PACKET, sys::PACKET_IGNORE_OUTGOING, &on);
        // Answers must not wait behind what this machine sends besides.
        sys::send_first(fd)?;
        sys::bind_packet(fd, ifindex)?;
        Ok(Self { socket, ifindex })
    }

    /// Takes at most `limit` probes, and answers each by what `say` makes of
    /// it; `say` gets what was no probe too. True when there may be more.
    ///
    /// # Errors
    ///
    /// What the socket reports, ENETDOWN for one; it can be used on later.
    pub fn answer(
        &self,
        limit: usize,
        mut say: impl FnMut(Result<&Probe, Unanswered>) -> Option<SessionState>,
    ) -> io::Result<bool> {
        let mut buffer = [0; BUFFER];
        for _ in 0..limit {
            let Some(received) = sys::receive(self.socket.as_fd(), &mut buffer)? else {
                return Ok(false);
            };
            let Some(frame) = buffer
                .get_mut(..received.len)
                .filter(|_| !received.outgoing)
            else {
                continue;
            };
            let mut frame = Buffer(frame);
            let link = Link {
                ifindex: self.ifindex,
                vlan: received.vlan,
            };
            let located = locate_probe(&frame, link);
            let state = say(located.as_ref().map_err(|why| *why));
            if let (Ok(probe), Some(state)) = (located, state)
                && let Some(length) = probe.answer_at(&mut frame, state, REQUIRED_MIN_RX_US)
                && let Some(answer) = frame.0.get(..length)
            {
                // One that is lost is asked for again.
                let _ = sys::send_frames(self.socket.as_fd(), &[(self.ifindex, answer)]);
            }
        }
        Ok(true)
    }
}

impl AsFd for ProbeSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for ProbeSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Passes UDP to the reflector's port, over IPv4 without options and IPv6
/// without extension headers.
fn filter() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const PORT: u32 = REFLECTOR_PORT as u32;
    vec![
        /* 0 */ SockFilter::new(LOAD_HALF, 0, 0, 12),
        /* 1 */ SockFilter::new(EQUAL, 0, 4, 0x0800),
        /* 2 */ SockFilter::new(LOAD_BYTE, 0, 0, 23),
        /* 3 */ SockFilter::new(EQUAL, 0, 8, 17),
        /* 4 */ SockFilter::new(LOAD_HALF, 0, 0, 36),
        /* 5 */ SockFilter::new(EQUAL, 5, 6, PORT),
        /* 6 */ SockFilter::new(EQUAL, 0, 5, 0x86DD),
        /* 7 */ SockFilter::new(LOAD_BYTE, 0, 0, 20),
        /* 8 */ SockFilter::new(EQUAL, 0, 3, 17),
        /* 9 */ SockFilter::new(LOAD_HALF, 0, 0, 56),
        /* 10 */ SockFilter::new(EQUAL, 0, 1, PORT),
        /* 11 */ SockFilter::new(RETURN, 0, 0, u32::MAX),
        /* 12 */ SockFilter::new(RETURN, 0, 0, 0),
    ]
}
