//! The slow path: adverts that the kernel reassembled from fragments.
//!
//! A raw socket sees every advert that passes XDP, so that each would be
//! handled twice; only what the frame backends leave to us is taken here, and
//! a BPF socket filter keeps the rest from waking the agent at all.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
};

use agent_common::{
    Family,
    wire::{SlowPath, locate_ipv4, locate_ipv6},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{BUFFER, Filters, RECEIVE_BUFFER, Verdict};
use crate::io::{
    clock::StampConverter,
    sys::{self, Received},
};

const PROTOCOL: i32 = 112;

/// Receives reassembled adverts of one family on all links.
#[derive(Debug)]
pub struct SlowReceiver {
    socket: Socket,
    family: Family,
    stamps: StampConverter,
    buffer: Vec<u8>,
}

impl SlowReceiver {
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or for IPv6 where the kernel has none.
    pub fn open(family: Family) -> io::Result<Self> {
        let domain = match family {
            Family::V4 => Domain::IPV4,
            Family::V6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(PROTOCOL)))?;
        socket.set_nonblocking(true)?;
        let on: i32 = 1;
        let set = |level, name| sys::set_option(socket.as_fd(), level, name, &on);
        set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)?;
        // Without the privilege the usual size has to do.
        let fd = socket.as_fd();
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER);
        match family {
            Family::V4 => {
                set(libc::IPPROTO_IP, libc::IP_PKTINFO)?;
                set(libc::IPPROTO_IP, sys::IP_RECVFRAGSIZE)?;
            }
            Family::V6 => {
                set(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
                set(libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT)?;
                set(libc::IPPROTO_IPV6, sys::IPV6_RECVFRAGSIZE)?;
            }
        }
        Ok(Self {
            socket,
            family,
            stamps: StampConverter::new(),
            buffer: vec![0; BUFFER],
        })
    }

    /// Takes every packet from now on: for links that no BPF program reads,
    /// which cannot say when something was left to the slow path.
    pub fn unfilter(&self) {
        // ENOENT without a filter.
        let none: i32 = 0;
        let fd = self.socket.as_fd();
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &none);
    }

    /// Reads at most `limit` packets and calls `each` with the verdict on those
    /// that the frame backends left to the slow path; true when there may be
    /// more.
    ///
    /// # Errors
    ///
    /// What the socket reports.
    pub fn drain(
        &mut self,
        filters: &impl Filters,
        limit: usize,
        mut each: impl FnMut(Verdict),
    ) -> io::Result<bool> {
        self.stamps.begin();
        for _ in 0..limit {
            let Some(received) = sys::receive(self.socket.as_fd(), &mut self.buffer)? else {
                self.stamps.emptied();
                return Ok(false);
            };
            let packet = self.buffer.get(..received.len).unwrap_or_default();
            if !received.reassembled {
                continue;
            }
            let stamp = self.stamps.convert(received.wall).nanos();
            let located = match self.family {
                Family::V4 => locate_ipv4(packet, received.ifindex, 0),
                Family::V6 => match slow_path(&received) {
                    Some(from) => locate_ipv6(packet, from),
                    None => continue,
                },
            };
            each(Verdict::judge(packet, located, filters, stamp));
        }
        Ok(true)
    }
}

/// `None` where the kernel did not say what it was asked to.
fn slow_path(received: &Received) -> Option<SlowPath> {
    match (received.source, received.destination) {
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => Some(SlowPath {
            ifindex: received.ifindex,
            vlan: 0,
            source: source.octets(),
            destination: destination.octets(),
            hop_limit: received.hop_limit?,
        }),
        _ => None,
    }
}

impl AsFd for SlowReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
