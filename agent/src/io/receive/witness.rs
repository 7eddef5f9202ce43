//! Sees what XDP cannot: adverts whose VLAN tag was taken out of the frame.
//!
//! A NIC with RX VLAN offload, or the sending end of a veth, carries the tag
//! beside the frame, where XDP does not look: an advert of another VLAN would
//! count as untagged. A packet socket knows the tag. This one passes
//! nothing but tagged adverts, so that it never wakes anybody on a link where
//! all is well.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use socket2::{SockFilter, Socket};

use crate::io::sys;

/// linux/filter.h: data about the packet instead of in it.
const SKF_AD_OFF: i32 = -0x1000;
const SKF_AD_VLAN_TAG_PRESENT: i32 = 48;

/// Readable when a tagged advert has come in.
#[derive(Debug)]
pub struct TagWitness(Socket);

impl TagWitness {
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the link is gone.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        let socket = Socket::from(sys::packet_receiver()?);
        socket.attach_filter(&filter())?;
        let on: i32 = 1;
        let ignore = (libc::SOL_PACKET, sys::PACKET_IGNORE_OUTGOING);
        let _ = sys::set_option(socket.as_fd(), ignore.0, ignore.1, &on);
        sys::bind_packet(socket.as_fd(), ifindex)?;
        Ok(Self(socket))
    }
}

impl AsFd for TagWitness {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for TagWitness {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn filter() -> Vec<SockFilter> {
    const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const TAGGED: u32 = (SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT) as u32;
    vec![
        /* 0 */ SockFilter::new(LOAD_BYTE, 0, 0, TAGGED),
        /* 1 */ SockFilter::new(EQUAL, 8, 0, 0),
        /* 2 */ SockFilter::new(LOAD_HALF, 0, 0, 12),
        /* 3 */ SockFilter::new(EQUAL, 0, 2, 0x0800),
        /* 4 */ SockFilter::new(LOAD_BYTE, 0, 0, 23),
        /* 5 */ SockFilter::new(EQUAL, 3, 4, 112),
        /* 6 */ SockFilter::new(EQUAL, 0, 3, 0x86DD),
        /* 7 */ SockFilter::new(LOAD_BYTE, 0, 0, 20),
        /* 8 */ SockFilter::new(EQUAL, 0, 1, 112),
        /* 9 */ SockFilter::new(RETURN, 0, 0, u32::MAX),
        /* 10 */ SockFilter::new(RETURN, 0, 0, 0),
    ]
}
