//! Group membership that receives nothing: it keeps snooping switches
//! forwarding adverts to this port (FAILURES N9) and the NIC's filter open.

use std::{io, net::IpAddr};

use agent_common::Family;
use socket2::{InterfaceIndexOrAddress, Socket};

use crate::io::advert;

/// Held for as long as it lives.
#[derive(Debug)]
pub struct Membership {
    _socket: Socket,
}

impl Membership {
    /// # Errors
    ///
    /// When the link is gone or the kernel refuses another membership.
    pub fn join(group: IpAddr, ifindex: u32) -> io::Result<Self> {
        let socket = match group {
            IpAddr::V4(group) => {
                let socket = advert::raw_socket(Family::V4)?;
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(ifindex))?;
                socket
            }
            IpAddr::V6(group) => {
                let socket = advert::raw_socket(Family::V6)?;
                socket.join_multicast_v6(&group, ifindex)?;
                socket
            }
        };
        Ok(Self { _socket: socket })
    }
}
