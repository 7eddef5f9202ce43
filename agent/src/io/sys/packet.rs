//! AF_PACKET sockets: whole Ethernet frames in and out.

use std::{
    io,
    mem::{size_of, zeroed},
    os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::{check, send_first};

/// linux/if_packet.h: frames that this machine sends are not received.
pub const PACKET_IGNORE_OUTGOING: i32 = 23;

/// An AF_PACKET socket that sends whole Ethernet frames, before bulk, and
/// receives nothing.
pub fn packet_sender() -> io::Result<OwnedFd> {
    let socket = open_packet(0)?;
    send_first(socket.as_fd())?;
    Ok(socket)
}

/// An AF_PACKET socket for whole frames; it receives once [`bind_packet`] is called.
pub fn packet_receiver() -> io::Result<OwnedFd> {
    open_packet(0)
}

fn open_packet(protocol: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers involved.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, protocol) };
    check(fd as libc::ssize_t)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn link_address(ifindex: u32, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: sockaddr_ll is plain data for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = ifindex as i32;
    address
}

/// Starts to receive every frame of `ifindex` that the socket's filter passes.
pub fn bind_packet(fd: BorrowedFd<'_>, ifindex: u32) -> io::Result<()> {
    bind_packet_to(fd, ifindex, libc::ETH_P_ALL as u16)
}

/// As [`bind_packet`], of one EtherType in host order: nothing else reaches the
/// filter, nor does what this machine sends.
pub fn bind_packet_to(fd: BorrowedFd<'_>, ifindex: u32, protocol: u16) -> io::Result<()> {
    let address = link_address(ifindex, protocol);
    // SAFETY: the pointer and the length describe `address`.
    let result = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    check(result as libc::ssize_t).map(|_| ())
}

/// Frames that found a packet socket's buffer full since the last call.
pub fn packet_drops(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the pointers are to locals, and `length` is that of `statistics`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    check(result as libc::ssize_t).map(|_| statistics.tp_drops)
}

/// Sends whole frames in as few system calls as possible.
///
/// Returns how many were sent; on an error of the first one, that error.
pub fn send_frames(fd: BorrowedFd<'_>, frames: &[(u32, &[u8])]) -> io::Result<usize> {
    const BATCH: usize = 64;
    let mut sent = 0;
    for chunk in frames.chunks(BATCH) {
        let mut addresses = [link_address(0, 0); BATCH];
        // SAFETY: iovec and mmsghdr are plain data for which all zeroes is a value.
        let (mut vectors, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for (i, (ifindex, frame)) in chunk.iter().enumerate() {
            addresses[i] = link_address(*ifindex, 0);
            vectors[i].iov_base = frame.as_ptr().cast_mut().cast();
            vectors[i].iov_len = frame.len();
            messages[i].msg_hdr.msg_name = (&raw mut addresses[i]).cast();
            messages[i].msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
            messages[i].msg_hdr.msg_iov = &raw mut vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the first `chunk.len()` headers point into `addresses`,
        // `vectors` and `frames`, all of which outlive the call; the kernel
        // only reads what the vectors point to.
        let result =
            unsafe { libc::sendmmsg(fd.as_raw_fd(), messages.as_mut_ptr(), chunk.len() as u32, 0) };
        match check(result as libc::ssize_t) {
            Ok(count) => {
                sent += count;
                if count < chunk.len() {
                    return Ok(sent);
                }
            }
            Err(error) if sent == 0 => return Err(error),
            Err(_) => return Ok(sent),
        }
    }
    Ok(sent)
}
