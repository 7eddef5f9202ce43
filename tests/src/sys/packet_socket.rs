//! AF_PACKET: whole frames in and out, with the kernel's time of arrival.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::{check, interface_index, timespec_ns};

/// Every protocol.
pub const ETH_P_ALL: u16 = 0x0003;
pub const ETH_P_ARP: u16 = 0x0806;
pub const ETH_P_IPV6: u16 = 0x86dd;

/// A packet socket bound to one interface, non-blocking.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// What came with a received frame.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    pub length: usize,
    /// CLOCK_REALTIME nanoseconds from the kernel.
    pub realtime: u64,
    /// Sent by this machine rather than received.
    pub outgoing: bool,
    /// The tag that the kernel took out of the frame, if it took one.
    pub vlan: Option<u16>,
}

/// Control data buffer, aligned as `cmsghdr` wants it.
#[repr(C, align(8))]
struct Control([u8; 256]);

impl PacketSocket {
    /// Opens in the namespace of the calling thread. `protocol` in host order.
    pub fn open(interface: &str, protocol: u16) -> io::Result<Self> {
        let index = interface_index(interface)?;
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0 receives nothing until bind names the interface.
        // SAFETY: socket takes no pointers.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.option(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        socket.option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 8 << 20)?;
        socket.option(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: `address` is a sockaddr_ll of exactly the length passed.
        check(unsafe {
            libc::bind(
                socket.0.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        })?;
        Ok(socket)
    }

    fn option(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        // SAFETY: `value` is an int, as these options take, of the length passed.
        check(unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                level,
                name,
                (&raw const value).cast(),
                mem::size_of_val(&value) as libc::socklen_t,
            )
        })
        .map(drop)
    }

    /// Sends one whole frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length are those of `frame`.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Sends whole frames by one system call; how many the kernel has taken.
    pub fn send_many(&self, frames: &[&[u8]]) -> io::Result<usize> {
        let mut parts: Vec<libc::iovec> = frames
            .iter()
            .map(|frame| libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = parts
            .iter_mut()
            .map(|part| {
                // SAFETY: all-zero is a valid mmsghdr, with null pointers.
                let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
                message.msg_hdr.msg_iov = part;
                message.msg_hdr.msg_iovlen = 1;
                message
            })
            .collect();
        let count = libc::c_uint::try_from(messages.len()).unwrap_or(0);
        // SAFETY: `count` messages whose parts live through the call, and which
        // the kernel only reads.
        let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        check(sent).map(|sent| usize::try_from(sent).unwrap_or(0))
    }

    /// The next frame, `None` when there is none at the moment.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = Control([0; 256]);
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut from: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: all-zero is a valid msghdr, with null pointers and lengths of 0.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = mem::size_of_val(&from) as libc::socklen_t;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len();
        // SAFETY: every pointer of `message` is to a live buffer of the stated length.
        let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        if length < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock {
                Ok(None)
            } else {
                Err(error)
            };
        }
        let mut received = Received {
            length: length as usize,
            realtime: 0,
            outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
            vlan: None,
        };
        read_control(&message, &mut received);
        Ok(Some(received))
    }
}

/// Takes the time stamp and the removed VLAN tag out of the control data.
fn read_control(message: &libc::msghdr, received: &mut Received) {
    // SAFETY: the kernel filled `message`; its control buffer is still live.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: non-null results of CMSG_FIRSTHDR and CMSG_NXTHDR point to a whole header.
        let (level, kind) = unsafe { ((*header).cmsg_level, (*header).cmsg_type) };
        // SAFETY: as above; the data follows the header.
        let data = unsafe { libc::CMSG_DATA(header) };
        if level == libc::SOL_SOCKET && kind == libc::SO_TIMESTAMPNS {
            // SAFETY: this message carries one timespec, perhaps unaligned.
            let time: libc::timespec = unsafe { data.cast::<libc::timespec>().read_unaligned() };
            received.realtime = timespec_ns(time);
        } else if level == libc::SOL_PACKET && kind == libc::PACKET_AUXDATA {
            // SAFETY: this message carries one tpacket_auxdata, perhaps unaligned.
            let aux = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
            if aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                received.vlan = Some(aux.tp_vlan_tci & 0x0fff);
            }
        }
        // SAFETY: `header` is a valid header of `message`.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
