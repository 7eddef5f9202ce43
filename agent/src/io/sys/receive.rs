//! Packets with what the kernel says about them.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, BorrowedFd},
};

use super::{Control, check};

/// What came with a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    pub len: usize,
    /// SO_TIMESTAMPNS: nanoseconds since 1970.
    pub wall: Option<u64>,
    /// PACKET_AUXDATA: the VLAN tag that was taken out of the frame.
    pub vlan: Option<u16>,
    /// IP_PKTINFO, IPV6_PKTINFO.
    pub ifindex: u32,
    pub destination: Option<IpAddr>,
    /// Sender of an IP packet.
    pub source: Option<IpAddr>,
    /// Its port, of a UDP socket; 0 of a raw one.
    pub port: u16,
    /// IP_RECVTTL, IPV6_RECVHOPLIMIT.
    pub hop_limit: Option<u8>,
    /// IP_RECVFRAGSIZE, IPV6_RECVFRAGSIZE: the packet came in fragments.
    pub reassembled: bool,
    /// AF_PACKET: this machine sent the frame.
    pub outgoing: bool,
}

/// IP_RECVFRAGSIZE and IPV6_RECVFRAGSIZE of linux/in.h and linux/in6.h.
pub const IP_RECVFRAGSIZE: i32 = 25;
pub const IPV6_RECVFRAGSIZE: i32 = 77;

/// Takes one packet off a socket; `Ok(None)` when there is none.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Received>> {
    let mut control = Control([0; 256]);
    // SAFETY: plain data for which all zeroes is a value.
    let mut name: libc::sockaddr_storage = unsafe { zeroed() };
    let mut vector = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut header = header(&mut name, &mut vector, &mut control.0);
    // SAFETY: every pointer in `header` is to a local or to `buffer`, with
    // its true length, and outlives the call.
    let result = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let len = match check(result) {
        Ok(len) => len,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(received(&header, &name, len)))
}

/// Packets that [`receive_many`] takes at once.
pub const AT_ONCE: usize = 8;

/// Room for the control messages of a datagram: IPV6_PKTINFO and the hop limit
/// are 64 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct SmallControl([u8; 96]);

/// Takes up to [`AT_ONCE`] packets off a socket in one system call, each cut
/// after `LEN` bytes, and calls `each` with them. Gives how many there were:
/// fewer than [`AT_ONCE`] are all that had come.
///
/// # Errors
///
/// What the socket reports; to have nothing is none.
pub fn receive_many<const LEN: usize>(
    fd: BorrowedFd<'_>,
    mut each: impl FnMut(&[u8], &Received),
) -> io::Result<usize> {
    let mut buffers = [[0; LEN]; AT_ONCE];
    let mut controls = [SmallControl([0; 96]); AT_ONCE];
    // SAFETY: plain data for which all zeroes is a value.
    let mut names: [libc::sockaddr_storage; AT_ONCE] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut vectors: [libc::iovec; AT_ONCE] = unsafe { zeroed() };
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; AT_ONCE] = unsafe { zeroed() };
    let parts = names.iter_mut().zip(&mut controls).zip(&mut vectors);
    for (((name, control), vector), (buffer, message)) in
        parts.zip(buffers.iter_mut().zip(&mut headers))
    {
        vector.iov_base = buffer.as_mut_ptr().cast();
        vector.iov_len = LEN;
        message.msg_hdr = header(name, vector, &mut control.0);
    }
    // SAFETY: every pointer in the headers is to a local, with its true length,
    // and outlives the call; no time limit is given.
    let result = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            AT_ONCE as u32,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let count = match check(result as libc::ssize_t) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
        Err(error) => return Err(error),
    };
    for ((message, name), buffer) in headers.iter().zip(&names).zip(&buffers).take(count) {
        let len = (message.msg_len as usize).min(LEN);
        let received = received(&message.msg_hdr, name, len);
        each(buffer.get(..len).unwrap_or_default(), &received);
    }
    Ok(count)
}

/// What a packet is to be received with; the pointers are to the arguments.
fn header(
    name: &mut libc::sockaddr_storage,
    vector: &mut libc::iovec,
    control: &mut [u8],
) -> libc::msghdr {
    // SAFETY: plain data for which all zeroes is a value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = std::ptr::from_mut(name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = control.len() as _;
    header
}

/// What the kernel said of a packet of `len` bytes.
fn received(header: &libc::msghdr, name: &libc::sockaddr_storage, len: usize) -> Received {
    let mut received = Received {
        len,
        source: ip_of(name),
        port: port_of(name),
        outgoing: is_outgoing(name),
        ..Received::default()
    };
    read_control(header, &mut received);
    received
}

fn read_control(header: &libc::msghdr, received: &mut Received) {
    // SAFETY: the kernel filled the control buffer and set msg_controllen;
    // the CMSG macros stay within it, and each read below is of no more than
    // the bytes that cmsg_len says are there.
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(header);
        while !cmsg.is_null() {
            let data = libc::CMSG_DATA(cmsg);
            let len = (*cmsg).cmsg_len.saturating_sub(libc::CMSG_LEN(0) as usize);
            match ((*cmsg).cmsg_level, (*cmsg).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    if let Some(time) = read_as::<libc::timespec>(data, len) {
                        received.wall = Some(
                            (time.tv_sec as u64)
                                .saturating_mul(1_000_000_000)
                                .saturating_add(time.tv_nsec as u64),
                        );
                    }
                }
                (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                    if let Some(aux) = read_as::<libc::tpacket_auxdata>(data, len)
                        && aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0
                    {
                        received.vlan = Some(aux.tp_vlan_tci & 0x0fff);
                    }
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    if let Some(info) = read_as::<libc::in_pktinfo>(data, len) {
                        received.ifindex = info.ipi_ifindex as u32;
                        let address = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                        received.destination = Some(address.into());
                    }
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    if let Some(info) = read_as::<libc::in6_pktinfo>(data, len) {
                        received.ifindex = info.ipi6_ifindex;
                        received.destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                    }
                }
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    received.hop_limit =
                        read_as::<i32>(data, len).and_then(|limit| u8::try_from(limit).ok());
                }
                (libc::IPPROTO_IP, IP_RECVFRAGSIZE) | (libc::IPPROTO_IPV6, IPV6_RECVFRAGSIZE) => {
                    received.reassembled = read_as::<i32>(data, len).is_some_and(|size| size > 0);
                }
                _ => {}
            }
            cmsg = libc::CMSG_NXTHDR(header, cmsg);
        }
    }
}

/// # Safety
/// `data` must be readable for `len` bytes and `T` must be plain data.
unsafe fn read_as<T: Copy>(data: *const u8, len: usize) -> Option<T> {
    // SAFETY: checked against `len`, which the caller vouches for.
    (len >= size_of::<T>()).then(|| unsafe { std::ptr::read_unaligned(data.cast::<T>()) })
}

fn is_outgoing(name: &libc::sockaddr_storage) -> bool {
    if i32::from(name.ss_family) != libc::AF_PACKET {
        return false;
    }
    // SAFETY: the family says so, and sockaddr_storage is large and aligned enough.
    let link = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_ll>() };
    link.sll_pkttype == libc::PACKET_OUTGOING
}

/// sockaddr_in and sockaddr_in6 have the port at the same place.
fn port_of(name: &libc::sockaddr_storage) -> u16 {
    match i32::from(name.ss_family) {
        libc::AF_INET | libc::AF_INET6 => {
            // SAFETY: the family says so, and sockaddr_storage is large and aligned enough.
            let name = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            u16::from_be(name.sin_port)
        }
        _ => 0,
    }
}

fn ip_of(name: &libc::sockaddr_storage) -> Option<IpAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says so, and sockaddr_storage is large and aligned enough.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            Some(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsFd as _, unix::net::UnixDatagram};

    use super::*;

    #[test]
    fn many_are_taken_in_order_and_fewer_are_all() {
        let (to, from) = UnixDatagram::pair().unwrap();
        let take = || {
            let mut taken = vec![];
            let count = receive_many::<4>(from.as_fd(), |bytes, _| taken.push(bytes.to_vec()));
            assert_eq!(count.unwrap(), taken.len());
            taken
        };
        assert_eq!(take(), Vec::<Vec<u8>>::new());
        for byte in 0..AT_ONCE as u8 + 1 {
            to.send(&[byte, 1, 2, 3, 4]).unwrap();
        }
        let first = take();
        assert_eq!(first.len(), AT_ONCE);
        assert_eq!(first[7], [7, 1, 2, 3], "cut");
        assert_eq!(take(), [[8, 1, 2, 3]]);
        to.send(&[]).unwrap();
        assert_eq!(take(), [Vec::<u8>::new()]);
    }
}
