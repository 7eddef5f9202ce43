//! Sees who else says by ARP that it has one of our addresses (RFC 5227 2.4).
//!
//! The filter passes nothing but ARP packets whose sender address is one of a
//! list, so on a link where all is well this socket never wakes anybody.

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
};

use agent_common::wire::Bytes as _;
use socket2::{SockFilter, Socket};

use crate::io::sys;

/// Addresses that are looked for; a filter has no more than 4096 instructions.
pub const MAX_WATCHED: usize = 1000;

/// Of an Ethernet frame with an ARP packet in it (RFC 826).
const SENDER_MAC: usize = 22;
const SENDER_ADDRESS: usize = 28;
const ARP_END: usize = 42;

/// Somebody says that it has an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    pub address: Ipv4Addr,
    pub mac: [u8; 6],
}

/// Readable when one of the addresses was claimed.
#[derive(Debug)]
pub struct ClaimSocket(Socket);

impl ClaimSocket {
    /// Looks for the first [`MAX_WATCHED`] of `addresses`.
    ///
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the link is gone.
    pub fn open(ifindex: u32, addresses: &[Ipv4Addr]) -> io::Result<Self> {
        let socket = Socket::from(sys::packet_receiver()?);
        socket.attach_filter(&filter(addresses))?;
        // Bound to one protocol it does not see what this machine sends.
        sys::bind_packet_to(socket.as_fd(), ifindex, libc::ETH_P_ARP as u16)?;
        Ok(Self(socket))
    }

    /// The next claim; `None` when there is none at the moment. What is no whole
    /// ARP packet is passed over.
    ///
    /// # Errors
    ///
    /// Of the link, when it goes down or away.
    pub fn read(&mut self) -> io::Result<Option<Claim>> {
        use std::io::Read as _;
        let mut frame = [0; ARP_END];
        loop {
            match self.0.read(&mut frame) {
                Ok(length) => {
                    let claim = frame.get(..length).and_then(claim);
                    if claim.is_some() {
                        return Ok(claim);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn claim(frame: &[u8]) -> Option<Claim> {
    Some(Claim {
        address: frame.bytes::<4>(SENDER_ADDRESS)?.into(),
        mac: frame.bytes(SENDER_MAC)?,
    })
}

impl AsFd for ClaimSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ClaimSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A comparison and a return for each address: no jump is far.
fn filter(addresses: &[Ipv4Addr]) -> Vec<SockFilter> {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut filter = vec![SockFilter::new(LOAD_WORD, 0, 0, SENDER_ADDRESS as u32)];
    for address in addresses.iter().take(MAX_WATCHED) {
        filter.push(SockFilter::new(EQUAL, 0, 1, address.to_bits()));
        filter.push(SockFilter::new(RETURN, 0, 0, ARP_END as u32));
    }
    filter.push(SockFilter::new(RETURN, 0, 0, 0));
    filter
}
