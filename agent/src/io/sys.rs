//! System calls that no crate wraps: the agent's `unsafe` edge towards sockets and the scheduler.
//!
//! Each function takes and returns safe types and never keeps a pointer.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Room for the control messages of one packet, aligned as the kernel wants.
#[repr(C, align(8))]
struct Control([u8; 256]);

fn check(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Sets a plain-data socket option.
pub fn set_option<T: bytemuck::NoUninit>(
    fd: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    check(result as libc::ssize_t).map(|_| ())
}

/// An AF_PACKET socket that sends whole Ethernet frames and receives nothing.
pub fn packet_sender() -> io::Result<OwnedFd> {
    open_packet(0)
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
    let address = link_address(ifindex, libc::ETH_P_ALL as u16);
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
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
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

/// Sends one VRRP message from `source` out of `ifindex`; both addresses are
/// of one family.
pub fn send_message(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    source: IpAddr,
    destination: IpAddr,
    ifindex: u32,
) -> io::Result<()> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            // SAFETY: plain data for which all zeroes is a value.
            let mut name: libc::sockaddr_in = unsafe { zeroed() };
            name.sin_family = libc::AF_INET as u16;
            name.sin_addr.s_addr = u32::from_ne_bytes(destination.octets());
            let info = libc::in_pktinfo {
                ipi_ifindex: ifindex as i32,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from_ne_bytes(source.octets()),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            send_with(fd, payload, &name, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            // SAFETY: plain data for which all zeroes is a value.
            let mut name: libc::sockaddr_in6 = unsafe { zeroed() };
            name.sin6_family = libc::AF_INET6 as u16;
            name.sin6_addr.s6_addr = destination.octets();
            name.sin6_scope_id = ifindex;
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: source.octets(),
                },
                ipi6_ifindex: ifindex,
            };
            send_with(
                fd,
                payload,
                &name,
                libc::IPPROTO_IPV6,
                libc::IPV6_PKTINFO,
                info,
            )
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }
}

fn send_with<N, I: Copy>(
    fd: BorrowedFd<'_>,
    payload: &[u8],
    name: &N,
    level: i32,
    kind: i32,
    info: I,
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
    // SAFETY: CMSG_SPACE only computes; both pktinfo structures fit in Control.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<I>() as u32) } as usize;
    // SAFETY: the control buffer is large and aligned enough for one header
    // and `info`, so CMSG_FIRSTHDR is not null and the write stays inside.
    unsafe {
        let cmsg = libc::CMSG_FIRSTHDR(&raw const header);
        (*cmsg).cmsg_level = level;
        (*cmsg).cmsg_type = kind;
        (*cmsg).cmsg_len = libc::CMSG_LEN(size_of::<I>() as u32) as usize;
        std::ptr::write_unaligned(libc::CMSG_DATA(cmsg).cast::<I>(), info);
    }
    // SAFETY: every pointer in `header` is to a local or to an argument.
    let result = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    match check(result)? {
        sent if sent == payload.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

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
    /// IPV6_RECVHOPLIMIT.
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
    // SAFETY: plain data for which all zeroes is a value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: every pointer in `header` is to a local or to `buffer`, with
    // its true length, and outlives the call.
    let result = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT) };
    let len = match check(result) {
        Ok(len) => len,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut received = Received {
        len,
        source: ip_of(&name),
        outgoing: is_outgoing(&name),
        ..Received::default()
    };
    read_control(&header, &mut received);
    Ok(Some(received))
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
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
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

/// Names and indices of all network interfaces.
pub fn interfaces() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: no arguments; the result is checked before it is used.
    let list = unsafe { libc::if_nameindex() };
    if list.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    // SAFETY: if_nameindex returns an array that an entry with index 0 ends;
    // every name before it is a C string, and the array is freed once, after
    // the names were copied.
    unsafe {
        let mut entry = list;
        while (*entry).if_index != 0 {
            let name = std::ffi::CStr::from_ptr((*entry).if_name);
            found.push(((*entry).if_index, name.to_string_lossy().into_owned()));
            entry = entry.add(1);
        }
        libc::if_freenameindex(list);
    }
    Ok(found)
}

/// IFF_ flags of an interface; the 16 bits that fit the old request.
pub fn interface_flags(name: &str) -> io::Result<u32> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request is a live ifreq, and SIOCGIFFLAGS writes only its flags.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    check(result as libc::ssize_t)?;
    // SAFETY: a successful SIOCGIFFLAGS filled the flags, an integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(u32::from(flags as u16))
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

/// Makes the calling thread SCHED_FIFO; children and threads it starts later
/// begin at ordinary priority again.
pub fn set_fifo(priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; the pointer is to a local.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) };
    check(result as libc::ssize_t).map(|_| ())
}

/// Asks for 1 ns of timer slack for this thread: FIFO threads have none, but
/// an unprivileged fast lane would be late by 50 us otherwise.
pub fn no_timer_slack() {
    // SAFETY: no pointers involved; a failure leaves the default slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

/// Blocks signals for this process and makes them readable instead.
pub fn block_signals(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is plain data; sigemptyset makes it a valid empty set
    // before it is used, and all pointers are to that local.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) as isize)?;
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let fd = libc::signalfd(-1, &raw const set, flags);
        check(fd as libc::ssize_t)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Blocks no signal any more: what a supervisor blocks, its child inherits.
pub fn unblock_signals() {
    // SAFETY: as in `block_signals`; an empty set is always accepted.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// The next signal that came, if any.
pub fn next_signal(fd: BorrowedFd<'_>) -> Option<i32> {
    let mut buffer = [0; size_of::<libc::signalfd_siginfo>()];
    let len = rustix::io::read(fd, &mut buffer[..]).ok()?;
    // ssi_signo is the first field.
    let first = buffer.get(..len)?.first_chunk::<4>()?;
    i32::try_from(u32::from_ne_bytes(*first)).ok()
}

/// Names the calling process, as `ps` and `pkill` see it.
pub fn set_name(name: &std::ffi::CStr) {
    // A failure leaves the old name, which is no reason not to run.
    let _ = rustix::thread::set_name(name);
}
