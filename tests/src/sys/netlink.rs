//! Route netlink: addresses that come and go, and foreign XDP programs.

use std::{
    io, mem,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::check;

/// Legacy group bits of linux/rtnetlink.h.
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;

/// IFA_F_NODAD and IFA_F_TENTATIVE of linux/if_addr.h.
pub const NODAD: u32 = 0x02;
pub const TENTATIVE: u32 = 0x40;

/// An address that was added, changed or removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressEvent {
    pub ifindex: u32,
    pub address: IpAddr,
    pub gone: bool,
    /// IFA_F_*.
    pub flags: u32,
}

/// Hears every change of addresses in the namespace where it was opened.
#[derive(Debug)]
pub struct AddressWatch(OwnedFd);

impl AddressWatch {
    pub fn open() -> io::Result<Self> {
        open(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR).map(Self)
    }

    /// Hands every change that is waiting to `each`; does not wait.
    pub fn drain(&self, mut each: impl FnMut(AddressEvent)) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        loop {
            let length = match receive(&self.0, &mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                other => other?,
            };
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((kind, body, next)) = message(rest) {
                if let Some(event) = address_event(kind, body) {
                    each(event);
                }
                rest = next;
            }
        }
    }
}

impl AsFd for AddressWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Attaches an XDP program as `ip link set ... xdp` does: not by a link of
/// BPF, so that another may replace it who does not take care. `flags` are
/// XDP_FLAGS_*.
pub fn attach_xdp(ifindex: u32, program: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
    const RTM_SETLINK: u16 = 19;
    const NLM_F_REQUEST_ACK: u16 = 0x5;
    const IFLA_XDP_NESTED: u16 = 43 | 0x8000;
    const IFLA_XDP_FD: u16 = 1;
    const IFLA_XDP_FLAGS: u16 = 3;
    let mut request = Vec::new();
    request.extend(52_u32.to_ne_bytes());
    request.extend(RTM_SETLINK.to_ne_bytes());
    request.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    request.extend([0; 8]);
    // ifinfomsg: family, padding, type, index, flags, change.
    request.extend([0; 4]);
    request.extend(ifindex.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(20_u16.to_ne_bytes());
    request.extend(IFLA_XDP_NESTED.to_ne_bytes());
    for (kind, value) in [
        (IFLA_XDP_FD, program.as_raw_fd().cast_unsigned()),
        (IFLA_XDP_FLAGS, flags),
    ] {
        request.extend(8_u16.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(value.to_ne_bytes());
    }
    ask(&open(0)?, &request)
}

/// Sends one request that asks for an acknowledgement, and reads it.
pub(super) fn ask(socket: &OwnedFd, request: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of `request`.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            request.as_ptr().cast(),
            request.len(),
            0,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    // The kernel answers before send returns.
    let mut buffer = [0; 4096];
    let length = receive(socket, &mut buffer)?;
    let errno = message(buffer.get(..length).unwrap_or_default())
        .and_then(|(_, body, _)| body.first_chunk())
        .map_or(libc::EPROTO, |code| -i32::from_ne_bytes(*code));
    match errno {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Asks the kernel for a change that changes nothing, which has to wait for its
/// RTNL lock as every change of an address does.
#[derive(Debug)]
pub struct RtnlQueue(OwnedFd);

impl RtnlQueue {
    /// In the namespace of the calling thread.
    pub fn open() -> io::Result<Self> {
        open(0).map(Self)
    }

    /// Returns when the lock was had.
    pub fn pass(&self) -> io::Result<()> {
        const RTM_SETLINK: u16 = 19;
        const NLM_F_REQUEST_ACK: u16 = 0x5;
        const LOOPBACK: u32 = 1;
        let mut request = Vec::new();
        request.extend(32_u32.to_ne_bytes());
        request.extend(RTM_SETLINK.to_ne_bytes());
        request.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
        request.extend([0; 12]);
        request.extend(LOOPBACK.to_ne_bytes());
        request.extend([0; 8]);
        // SAFETY: pointer and length are those of `request`.
        let sent = unsafe {
            libc::send(
                self.0.as_raw_fd(),
                request.as_ptr().cast(),
                request.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        // The kernel answers before send returns.
        receive(&self.0, &mut [0; 4096]).map(drop)
    }
}

/// The ports of other sockets of route netlink in a table like /proc/net/netlink.
pub fn ports(table: &str) -> Vec<u32> {
    let rows = table.lines().skip(1).map(str::split_whitespace);
    rows.filter_map(|mut row| {
        let protocol = row.nth(1)?;
        let port = row.next()?.parse().ok()?;
        (protocol == "0" && port != 0).then_some(port)
    })
    .collect()
}

/// Sends a message to the socket of another process, as only the kernel should.
///
/// # Errors
/// When the socket is connected to the kernel, which then is the only one that
/// it hears.
pub fn forge(port: u32, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 16).map_err(io::Error::other)?;
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend([0; 10]);
    message.extend(body);
    // SAFETY: all-zero is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_pid = port;
    let socket = open(0)?;
    // SAFETY: pointers and lengths are those of `message` and `address`.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            message.as_ptr().cast(),
            message.len(),
            0,
            (&raw const address).cast(),
            mem::size_of_val(&address) as libc::socklen_t,
        )
    };
    usize::try_from(sent)
        .map(drop)
        .map_err(|_| io::Error::last_os_error())
}

pub(super) fn open(groups: u32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: `fd` was just opened and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all-zero is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    // SAFETY: `address` is a sockaddr_nl of exactly the length passed.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            mem::size_of_val(&address) as libc::socklen_t,
        )
    })?;
    Ok(socket)
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of `buffer`.
    let length = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    usize::try_from(length).map_err(|_| io::Error::last_os_error())
}

/// Type and body of the first netlink message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(16..length)?, next))
}

fn address_event(kind: u16, body: &[u8]) -> Option<AddressEvent> {
    const RTM_NEWADDR: u16 = 20;
    const RTM_DELADDR: u16 = 21;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_FLAGS: u16 = 8;
    if kind != RTM_NEWADDR && kind != RTM_DELADDR {
        return None;
    }
    let ifindex = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let mut rest = body.get(8..)?;
    let (mut local, mut address, mut flags) = (None, None, 0);
    while let Some(length) = rest.first_chunk().map(|length| u16::from_ne_bytes(*length)) {
        let length = usize::from(length);
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(4..length)?;
        match kind {
            IFA_ADDRESS => address = ip(value),
            IFA_LOCAL => local = ip(value),
            IFA_FLAGS => flags = u32::from_ne_bytes(*value.first_chunk()?),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(AddressEvent {
        ifindex,
        address: local.or(address)?,
        gone: kind == RTM_DELADDR,
        flags,
    })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|bytes| (*bytes).into()),
        16 => bytes.first_chunk::<16>().map(|bytes| (*bytes).into()),
        _ => None,
    }
}
