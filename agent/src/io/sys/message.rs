//! IP messages with a source address and an interface of our choice.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd},
};

use super::{Control, check};

/// Sends one VRRP message from `source` out of `ifindex`; both addresses are
/// of one family. `ttl` is the TTL or hop limit, 1..=255, where it is not the
/// socket's.
pub fn send_message(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    source: IpAddr,
    destination: IpAddr,
    ifindex: u32,
    ttl: Option<u8>,
) -> io::Result<()> {
    let port = 0;
    send_to(fd, payload, (source, destination, port), ifindex, ttl, 0)
}

/// Sends one datagram from `source` out of `ifindex`; both addresses are of
/// one family. `confirm`: the neighbour is known to answer, and need not be
/// looked for again (MSG_CONFIRM).
pub fn send_datagram(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    source: IpAddr,
    destination: SocketAddr,
    ifindex: u32,
    confirm: bool,
) -> io::Result<()> {
    let ends = (source, destination.ip(), destination.port());
    let flags = if confirm { libc::MSG_CONFIRM } else { 0 };
    send_to(fd, payload, ends, ifindex, None, flags)
}

/// `ends`: source, destination, and the port there.
fn send_to(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    ends: (IpAddr, IpAddr, u16),
    ifindex: u32,
    ttl: Option<u8>,
    flags: i32,
) -> io::Result<()> {
    match (ends.0, ends.1) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            // SAFETY: plain data for which all zeroes is a value.
            let mut name: libc::sockaddr_in = unsafe { zeroed() };
            name.sin_family = libc::AF_INET as u16;
            name.sin_port = ends.2.to_be();
            name.sin_addr.s_addr = u32::from_ne_bytes(destination.octets());
            let info = libc::in_pktinfo {
                ipi_ifindex: ifindex as i32,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(source.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            send_with(fd, payload, &name, &V4, info, (ttl, flags))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            // SAFETY: plain data for which all zeroes is a value.
            let mut name: libc::sockaddr_in6 = unsafe { zeroed() };
            name.sin6_family = libc::AF_INET6 as u16;
            name.sin6_port = ends.2.to_be();
            name.sin6_addr.s6_addr = destination.octets();
            name.sin6_scope_id = ifindex;
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: source.octets(),
                },
                ipi6_ifindex: ifindex,
            };
            send_with(fd, payload, &name, &V6, info, (ttl, flags))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

/// The control messages of a family.
struct Ancillary {
    level: i32,
    info: i32,
    ttl: i32,
}

const V4: Ancillary = Ancillary {
    level: libc::IPPROTO_IP,
    info: libc::IP_PKTINFO,
    ttl: libc::IP_TTL,
};
const V6: Ancillary = Ancillary {
    level: libc::IPPROTO_IPV6,
    info: libc::IPV6_PKTINFO,
    ttl: libc::IPV6_HOPLIMIT,
};

fn send_with<N, I: Copy>(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    name: &N,
    kinds: &Ancillary,
    info: I,
    (ttl, flags): (Option<u8>, i32),
) -> io::Result<()> {
    let mut control = Control([0; 256]);
    let mut vector = libc::iovec {
        iov_base: payload.as_ptr().cast_mut().cast(),
        iov_len: payload.len(),
    };
    // SAFETY: plain data for which all zeroes is a value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = std::ptr::from_ref(name).cast_mut().cast();
    header.msg_namelen = size_of::<N>() as u32;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: CMSG_SPACE only computes; both fit in Control together.
    let (info_space, ttl_space) = unsafe {
        let info = libc::CMSG_SPACE(size_of::<I>() as u32);
        (
            info as usize,
            libc::CMSG_SPACE(size_of::<i32>() as u32) as usize,
        )
    };
    header.msg_controllen = info_space + ttl.map_or(0, |_| ttl_space);
    // SAFETY: the control buffer is zeroed, aligned, and large enough for both
    // messages, and `msg_controllen` covers each that is written, so neither
    // pointer is null and the writes stay inside.
    unsafe {
        let cmsg = libc::CMSG_FIRSTHDR(&raw const header);
        (*cmsg).cmsg_level = kinds.level;
        (*cmsg).cmsg_type = kinds.info;
        (*cmsg).cmsg_len = libc::CMSG_LEN(size_of::<I>() as u32) as usize;
        std::ptr::write_unaligned(libc::CMSG_DATA(cmsg).cast::<I>(), info);
        if let Some(ttl) = ttl {
            let cmsg = libc::CMSG_NXTHDR(&raw const header, cmsg);
            (*cmsg).cmsg_level = kinds.level;
            (*cmsg).cmsg_type = kinds.ttl;
            (*cmsg).cmsg_len = libc::CMSG_LEN(size_of::<i32>() as u32) as usize;
            std::ptr::write_unaligned(libc::CMSG_DATA(cmsg).cast::<i32>(), i32::from(ttl));
        }
    }
    let flags = libc::MSG_DONTWAIT | flags;
    // SAFETY: every pointer in `header` is to a local or to an argument.
    let result = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) };
    match check(result)? {
        sent if sent == payload.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}
