//! The kernel's announcements of processes (include/uapi/linux/cn_proc.h).
//!
//! Everything is in the byte order of the machine. What is shorter than it
//! should be is skipped.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use rtnetlink::sys::{Socket, SocketAddr};

use crate::io::{netlink::monitor::messages, sys};

const NETLINK_CONNECTOR: isize = 11;
const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
/// Header of a connector message: index, value, sequence, ack, length, flags.
const CN_HEADER: usize = 20;
/// Kind of event, CPU, time stamp.
const EVENT_HEADER: usize = 16;
/// One datagram holds one event of some 80 bytes.
const BUFFER: usize = 4096;

/// Something happened to a process, not only to a thread of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The kernel's answer to our request: 0 or an errno.
    Answer(u32),
    Fork {
        parent: u32,
        child: u32,
    },
    /// It runs another program, or calls itself otherwise.
    Renamed {
        process: u32,
    },
    Exit {
        process: u32,
    },
}

/// The event of one connector message, without its netlink header. `None` for
/// what does not matter here.
pub fn event(payload: &[u8]) -> Option<Event> {
    let u32_at = |at: usize| {
        let bytes = payload.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    if u32_at(0)? != CN_IDX_PROC || u32_at(4)? != CN_VAL_PROC {
        return None;
    }
    let data = |index: usize| u32_at(CN_HEADER + EVENT_HEADER + 4 * index);
    match u32_at(CN_HEADER)? {
        0 => Some(Event::Answer(data(0)?)),
        // Parent's thread and process, child's thread and process.
        1 => {
            let (parent, thread, child) = (data(1)?, data(2)?, data(3)?);
            (thread == child).then_some(Event::Fork { parent, child })
        }
        // EXEC and COMM: thread and process.
        0x2 | 0x200 => {
            let (thread, process) = (data(0)?, data(1)?);
            (thread == process).then_some(Event::Renamed { process })
        }
        0x8000_0000 => {
            let (thread, process) = (data(0)?, data(1)?);
            (thread == process).then_some(Event::Exit { process })
        }
        _ => None,
    }
}

/// The request to be told.
pub fn listen_request() -> Vec<u8> {
    let mut message = Vec::with_capacity(40);
    let length: u32 = 16 + 20 + 4;
    message.extend(length.to_ne_bytes());
    message.extend((libc::NLMSG_DONE as u16).to_ne_bytes());
    message.extend([0; 10]);
    for word in [CN_IDX_PROC, CN_VAL_PROC, 0, 0] {
        message.extend(word.to_ne_bytes());
    }
    message.extend(4_u16.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message.extend(PROC_CN_MCAST_LISTEN.to_ne_bytes());
    message
}

/// A socket on which the kernel tells of every process of the machine.
#[derive(Debug)]
pub struct Connector(Socket);

impl AsRawFd for Connector {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Connector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a look at the socket brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    Events(Vec<Event>),
    Nothing,
    /// Some were lost: everything may be different.
    Overrun,
}

impl Connector {
    /// Asks to be told. The kernel refuses at once, answers with
    /// [`Event::Answer`], or, to those in a namespace of their own, never.
    ///
    /// # Errors
    ///
    /// When the kernel does not have it, or not for us.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, CN_IDX_PROC))?;
        socket.set_non_blocking(true)?;
        // Best effort: an overrun costs a look at all processes.
        let size: u32 = 1 << 20;
        let _ = sys::set_option(
            socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            &size,
        );
        socket.send_to(&listen_request(), &SocketAddr::new(0, 0), 0)?;
        Ok(Self(socket))
    }

    /// Takes one datagram.
    ///
    /// # Errors
    ///
    /// When the socket is of no more use.
    pub fn hear(&self) -> io::Result<Heard> {
        let mut buffer = Vec::with_capacity(BUFFER);
        let sender = match self.0.recv_from(&mut buffer, libc::MSG_DONTWAIT) {
            Ok((_, sender)) => sender,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Nothing),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Heard::Overrun),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(Heard::Events(Vec::new()));
            }
            Err(error) => return Err(error),
        };
        // Others may send to the group as well; the kernel has number 0.
        if sender.port_number() != 0 {
            return Ok(Heard::Events(Vec::new()));
        }
        let events = messages(&buffer).filter_map(|message| event(message.payload));
        Ok(Heard::Events(events.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(what: u32, data: &[u32]) -> Vec<u8> {
        let mut message: Vec<u8> = Vec::new();
        let words = [CN_IDX_PROC, CN_VAL_PROC, 7, 0, 0];
        words
            .iter()
            .chain(&[what, 0, 1, 2])
            .chain(data)
            .for_each(|word| message.extend(word.to_ne_bytes()));
        message
    }

    #[test]
    fn each_event_is_known_and_threads_do_not_count() {
        let of = |what, data: &[u32]| event(&bytes(what, data));
        assert_eq!(of(0, &[0]), Some(Event::Answer(0)));
        assert_eq!(
            of(1, &[11, 10, 20, 20]),
            Some(Event::Fork {
                parent: 10,
                child: 20
            })
        );
        assert_eq!(of(1, &[10, 10, 21, 10]), None, "a thread");
        assert_eq!(of(2, &[20, 20]), Some(Event::Renamed { process: 20 }));
        assert_eq!(
            of(0x200, &[20, 20, 0, 0, 0, 0]),
            Some(Event::Renamed { process: 20 })
        );
        assert_eq!(of(0x200, &[21, 20, 0, 0, 0, 0]), None);
        assert_eq!(
            of(0x8000_0000, &[20, 20, 0, 0]),
            Some(Event::Exit { process: 20 })
        );
        assert_eq!(of(0x8000_0000, &[21, 20, 0, 0]), None);
        assert_eq!(of(4, &[20, 20, 0, 0]), None, "a change of user");
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_skipped() {
        let whole = bytes(1, &[11, 10, 20, 20]);
        for len in 0..whole.len() {
            assert_eq!(event(&whole[..len]), None, "{len} bytes");
        }
        let mut foreign = whole;
        foreign[0] = 9;
        assert_eq!(event(&foreign), None);
    }

    #[test]
    fn the_request_is_one_whole_message() {
        let request = listen_request();
        let found: Vec<_> = messages(&request).collect();
        assert_eq!((request.len(), found.len()), (40, 1));
        assert_eq!(found[0].payload.len(), 24);
    }
}
