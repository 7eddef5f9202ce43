//! The sockets that probes of the heartbeat go out by, and answers come in by
//! (RFC 7881): one UDP socket for each family, for all links.
//!
//! They wake nobody: the fast lane reads them when it has something to judge.
//! A filter passes only what comes from a reflector's port on the link itself
//! (TTL or hop limit 255), so that nobody farther away can fill them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use agent_common::{
    Family,
    wire::{
        bfd::{LENGTH, REFLECTOR_PORT},
        probe,
    },
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::sys;
use crate::heart::{Answer, Probe};

/// Internet control, as adverts.
const TOS: u32 = 0xC0;

/// Answers of many Actives that may come at once while the fast lane waits for
/// a processor: some thousands.
const RECEIVE_BUFFER: i32 = 1 << 20;

/// Answers read from one socket in one go: more than it holds.
const AT_ONCE: usize = 4096;

/// Sends probes of one family and receives their answers.
#[derive(Debug)]
pub struct Asker {
    family: Family,
    /// Until the fast lane has taken it.
    socket: Option<Socket>,
}

impl Asker {
    /// # Errors
    ///
    /// For IPv6 where the kernel has none; otherwise without descriptors.
    pub fn open(family: Family) -> io::Result<Self> {
        let (domain, any) = match family {
            Family::V4 => (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            Family::V6 => (Domain::IPV6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.attach_filter(&filter(family))?;
        socket.set_nonblocking(true)?;
        let on: i32 = 1;
        // Without the privilege the usual size has to do.
        let fd = socket.as_fd();
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER);
        let set = |level, name| sys::set_option(socket.as_fd(), level, name, &on);
        match family {
            Family::V4 => {
                socket.set_ttl_v4(255)?;
                socket.set_tos_v4(TOS)?;
                set(libc::IPPROTO_IP, libc::IP_PKTINFO)?;
                set(libc::IPPROTO_IP, libc::IP_RECVTTL)?;
            }
            Family::V6 => {
                socket.set_only_v6(true)?;
                socket.set_unicast_hops_v6(255)?;
                socket.set_tclass_v6(TOS)?;
                set(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
                set(libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT)?;
            }
        }
        // A Backup that fills its own uplink must not find its Active silent.
        sys::send_first(fd)?;
        socket.bind(&SocketAddr::new(any, 0).into())?;
        Ok(Self {
            family,
            socket: Some(socket),
        })
    }
}

/// The source port is that of reflectors, and the TTL or hop limit is 255. The
/// packet begins with the UDP header here, and SKF_NET_OFF is where the IP
/// header begins.
fn filter(family: Family) -> [SockFilter; 6] {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// linux/filter.h: -0x100000.
    const NETWORK: u32 = 0xFFF0_0000;
    let ttl_at = match family {
        Family::V4 => 8,
        Family::V6 => 7,
    };
    [
        SockFilter::new(LOAD_HALF, 0, 0, 0),
        SockFilter::new(EQUAL, 0, 3, u32::from(REFLECTOR_PORT)),
        SockFilter::new(LOAD_BYTE, 0, 0, NETWORK + ttl_at),
        SockFilter::new(EQUAL, 0, 1, 255),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// The sockets of the families that are asked in.
#[derive(Debug, Default)]
pub struct Askers {
    v4: Option<Socket>,
    v6: Option<Socket>,
    strays: u64,
}

impl Askers {
    /// Takes the socket out of `asker`, unless there is one of its family.
    pub fn add(&mut self, asker: &mut Asker) {
        let mine = match asker.family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        if mine.is_none() {
            *mine = asker.socket.take();
        }
    }

    /// Sends a probe.
    ///
    /// # Errors
    ///
    /// What the kernel says, where it was not sent for certain.
    pub fn send(&self, probe: &Probe) -> io::Result<()> {
        let socket = match probe.place.remote {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        let socket = socket.as_ref().ok_or(io::ErrorKind::AddrNotAvailable)?;
        sys::send_datagram(
            socket.as_fd(),
            &probe::question(&probe.question),
            probe.source,
            SocketAddr::new(probe.place.remote, REFLECTOR_PORT),
            probe.place.ifindex,
            probe.is_confirmed,
        )
    }

    /// Whether the link is up and has a carrier, as the kernel has it at this
    /// moment; `None` where nobody is asked, or the name is another link's.
    pub fn is_running(&self, name: &str, ifindex: u32) -> Option<bool> {
        let socket = self.v4.as_ref().or(self.v6.as_ref())?;
        sys::is_running(socket.as_fd(), name, ifindex).ok()
    }

    /// Reads what is there and calls `each` with what may be an answer.
    ///
    /// # Errors
    ///
    /// What a socket reports; the other one is read all the same.
    pub fn drain(&mut self, mut each: impl FnMut(Answer)) -> io::Result<()> {
        let mut result = Ok(());
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            match drain(socket, &mut each) {
                Ok(strays) => self.strays = self.strays.saturating_add(strays),
                Err(error) => result = Err(error),
            }
        }
        result
    }

    /// Datagrams that were no answer of a reflector on the link.
    pub fn strays(&self) -> u64 {
        self.strays
    }
}

/// Gives how many datagrams were no answers. One system call where there are few.
fn drain(socket: &Socket, mut each: impl FnMut(Answer)) -> io::Result<u64> {
    let mut strays: u64 = 0;
    for _ in 0..AT_ONCE / sys::AT_ONCE {
        let count = sys::receive_many::<{ LENGTH + 8 }>(socket.as_fd(), |bytes, received| {
            let near = received.port == REFLECTOR_PORT && received.hop_limit == Some(255);
            match (probe::answer(bytes), received.source) {
                (Ok(said), Some(from)) if near => each(Answer {
                    ifindex: received.ifindex,
                    from,
                    said,
                }),
                (Ok(_) | Err(_), _) => strays += 1,
            }
        })?;
        if count < sys::AT_ONCE {
            break;
        }
    }
    Ok(strays)
}
