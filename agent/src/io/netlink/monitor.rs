//! The kernel's announcements about links and addresses, read in place.
//!
//! This is the fast lane's view, so nothing is allocated: a fixed buffer and
//! checked reads at offsets. A message that is shorter than it says is skipped.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::io::sys;

const HEADER: usize = 16;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const RULE_HEADER: usize = 12;
const FRA_PROTOCOL: u16 = 21;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// One netlink message in a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub kind: u16,
    pub sequence: u32,
    /// Port of the socket whose request caused this.
    pub port: u32,
    pub payload: &'a [u8],
}

impl Message<'_> {
    pub fn i32_at(&self, at: usize) -> Option<i32> {
        array(self.payload, at).map(i32::from_ne_bytes)
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        array(self.payload, at).map(u32::from_ne_bytes)
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.get(..N)?.try_into().ok()
}

/// The messages of one datagram; ends at the first that does not fit.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let len = u32::from_ne_bytes(array(rest, 0)?) as usize;
        let whole = rest.get(..len)?;
        let message = Message {
            kind: u16::from_ne_bytes(array(whole, 4)?),
            sequence: u32::from_ne_bytes(array(whole, 8)?),
            port: u32::from_ne_bytes(array(whole, 12)?),
            payload: whole.get(HEADER..)?,
        };
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes of one level; ends at the first that does not fit.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = usize::from(u16::from_ne_bytes(array(rest, 0)?));
        let kind = u16::from_ne_bytes(array(rest, 2)?) & 0x3fff;
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A link is new or changed. `usable`: up and with a carrier.
    Link {
        ifindex: u32,
        usable: bool,
    },
    LinkGone {
        ifindex: u32,
    },
    /// An address appeared, changed or, with `gone`, went. `port`: the netlink
    /// port of who asked for it.
    Address {
        ifindex: u32,
        address: IpAddr,
        gone: bool,
        port: u32,
    },
    /// A route or a rule went. `protocol`: who had set it.
    PathGone {
        protocol: u8,
    },
    /// The kernel had more to say than the socket could hold: everything may
    /// have changed.
    Overrun,
}

/// Listens for link and address changes.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Monitor {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in [
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
        ] {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        let size: u32 = 4 << 20;
        let _ = sys::set_option(
            socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            &size,
        );
        Ok(Self {
            socket,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Hear of routes and rules that go as well.
    pub fn join_paths(&mut self) -> io::Result<()> {
        for group in [
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV4_RULE,
            libc::RTNLGRP_IPV6_ROUTE,
            libc::RTNLGRP_IPV6_RULE,
        ] {
            self.socket.add_membership(group)?;
        }
        Ok(())
    }

    /// Reads one datagram and calls `each` for its events; false when there
    /// was none to read.
    pub fn read(&mut self, mut each: impl FnMut(Event)) -> io::Result<bool> {
        let mut window = &mut self.buffer[..];
        let (len, from) = match self.socket.recv_from(&mut window, libc::MSG_DONTWAIT) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                each(Event::Overrun);
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        // Only the kernel may tell us about the kernel (FAILURES I13).
        if from.port_number() == 0 {
            events(self.buffer.get(..len).unwrap_or_default()).for_each(each);
        }
        Ok(true)
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What the kernel tells with one datagram; whatever else there is in it is
/// passed over.
pub fn events(datagram: &[u8]) -> impl Iterator<Item = Event> {
    messages(datagram).filter_map(event)
}

fn event(message: Message<'_>) -> Option<Event> {
    match message.kind {
        libc::RTM_NEWLINK | libc::RTM_DELLINK => link_event(message),
        // rtm_protocol.
        libc::RTM_DELROUTE => Some(Event::PathGone {
            protocol: *message.payload.get(5)?,
        }),
        libc::RTM_DELRULE => {
            let found = attributes(message.payload.get(RULE_HEADER..)?)
                .find(|(kind, _)| *kind == FRA_PROTOCOL);
            let protocol = found.and_then(|(_, value)| value.first().copied());
            Some(Event::PathGone {
                protocol: protocol.unwrap_or(0),
            })
        }
        libc::RTM_NEWADDR | libc::RTM_DELADDR => address_event(message),
        _ => None,
    }
}

fn link_event(message: Message<'_>) -> Option<Event> {
    let family = *message.payload.first()?;
    // AF_BRIDGE announces a link's life as a bridge port, not the link's.
    if i32::from(family) != libc::AF_UNSPEC {
        return None;
    }
    let ifindex = message.u32_at(4)?;
    let flags = message.u32_at(8)?;
    // The attributes are of no interest here, but a message without room for
    // its own header is not one.
    message.payload.get(..LINK_HEADER)?;
    Some(match message.kind {
        libc::RTM_DELLINK => Event::LinkGone { ifindex },
        _ => Event::Link {
            ifindex,
            usable: usable(flags),
        },
    })
}

/// Up, and with a carrier.
pub fn usable(flags: u32) -> bool {
    let wanted = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
    flags & wanted == wanted
}

fn address_event(message: Message<'_>) -> Option<Event> {
    let family = i32::from(*message.payload.first()?);
    let ifindex = message.u32_at(4)?;
    let mut found = None;
    for (kind, value) in attributes(message.payload.get(ADDRESS_HEADER..)?) {
        let address = match family {
            libc::AF_INET => array::<4>(value, 0).map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
            libc::AF_INET6 => {
                array::<16>(value, 0).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)))
            }
            _ => None,
        };
        // IFA_ADDRESS is the peer's on a point-to-point address: LOCAL wins.
        if kind == IFA_LOCAL || (kind == IFA_ADDRESS && found.is_none()) {
            found = address.or(found);
        }
    }
    let gone = message.kind == libc::RTM_DELADDR;
    Some(Event::Address {
        ifindex,
        address: found?,
        gone,
        port: message.port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(kind: u16, port: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(16 + payload.len() as u32).to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&0u16.to_ne_bytes());
        bytes.extend_from_slice(&7u32.to_ne_bytes());
        bytes.extend_from_slice(&port.to_ne_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn removed_vip() -> Vec<u8> {
        let mut payload = vec![libc::AF_INET as u8, 24, 0, 0];
        payload.extend_from_slice(&3u32.to_ne_bytes());
        for kind in [IFA_ADDRESS, IFA_LOCAL] {
            payload.extend_from_slice(&8u16.to_ne_bytes());
            payload.extend_from_slice(&kind.to_ne_bytes());
            payload.extend_from_slice(&[192, 0, 2, kind as u8]);
        }
        datagram(libc::RTM_DELADDR, 99, &payload)
    }

    #[test]
    fn local_address_wins_and_the_remover_is_known() {
        let bytes = removed_vip();
        let events: Vec<_> = messages(&bytes).filter_map(event).collect();
        let address = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(
            events,
            [Event::Address {
                ifindex: 3,
                address,
                gone: true,
                port: 99
            }]
        );
    }

    #[test]
    fn a_link_is_usable_with_carrier_only() {
        for (flags, expected) in [
            (libc::IFF_UP | libc::IFF_RUNNING, true),
            (libc::IFF_UP, false),
            (libc::IFF_RUNNING, false),
        ] {
            let mut payload = vec![0; LINK_HEADER];
            payload[4..8].copy_from_slice(&5u32.to_ne_bytes());
            payload[8..12].copy_from_slice(&(flags as u32).to_ne_bytes());
            let bytes = datagram(libc::RTM_NEWLINK, 0, &payload);
            let events: Vec<_> = messages(&bytes).filter_map(event).collect();
            assert_eq!(
                events,
                [Event::Link {
                    ifindex: 5,
                    usable: expected
                }]
            );
        }
    }

    #[test]
    fn bridge_port_messages_are_not_about_the_link() {
        let mut payload = vec![0; LINK_HEADER];
        payload[0] = libc::AF_BRIDGE as u8;
        let bytes = datagram(libc::RTM_DELLINK, 0, &payload);
        assert_eq!(messages(&bytes).filter_map(event).count(), 0);
    }

    #[test]
    fn every_truncation_and_every_length_is_survived() {
        let whole = removed_vip();
        for len in 0..whole.len() {
            let _ = messages(&whole[..len]).filter_map(event).count();
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                assert!(messages(&bytes).filter_map(event).count() <= whole.len());
            }
        }
    }
}
