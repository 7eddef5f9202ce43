//! A port of a bridge, switched by one system call: the moment of a cut is
//! known to microseconds, and no process is started beside what is measured.

use std::{io, os::fd::OwnedFd};

use super::netlink;

/// One port, by a socket in the bridge's namespace.
#[derive(Debug)]
pub struct BridgePort {
    socket: OwnedFd,
    ifindex: u32,
}

/// States of IEEE 802.1D as the bridge numbers them.
const DISABLED: u8 = 0;
const FORWARDING: u8 = 3;

impl BridgePort {
    /// Opens in the namespace of the calling thread, which is the bridge's.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        Ok(Self {
            socket: netlink::open(0)?,
            ifindex,
        })
    }

    /// Lets frames pass, or loses them both ways; the carrier stays.
    pub fn forward(&self, forward: bool) -> io::Result<()> {
        let state = if forward { FORWARDING } else { DISABLED };
        netlink::ask(&self.socket, &request(self.ifindex, state))
    }
}

/// RTM_SETLINK of AF_BRIDGE with IFLA_PROTINFO { IFLA_BRPORT_STATE }.
fn request(ifindex: u32, state: u8) -> Vec<u8> {
    const RTM_SETLINK: u16 = 19;
    const NLM_F_REQUEST_ACK: u16 = 0x5;
    const AF_BRIDGE: u8 = 7;
    const IFLA_PROTINFO_NESTED: u16 = 12 | 0x8000;
    const IFLA_BRPORT_STATE: u16 = 1;
    let mut request = Vec::new();
    request.extend(44_u32.to_ne_bytes());
    request.extend(RTM_SETLINK.to_ne_bytes());
    request.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    request.extend([0; 8]);
    // ifinfomsg: family, padding, type, index, flags, change.
    request.extend([AF_BRIDGE, 0, 0, 0]);
    request.extend(ifindex.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(12_u16.to_ne_bytes());
    request.extend(IFLA_PROTINFO_NESTED.to_ne_bytes());
    request.extend(5_u16.to_ne_bytes());
    request.extend(IFLA_BRPORT_STATE.to_ne_bytes());
    request.extend([state, 0, 0, 0]);
    request
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_request_is_as_long_as_it_says() {
        let request = super::request(7, 3);
        assert_eq!(request.len(), 44);
        assert_eq!(request[..4], 44_u32.to_ne_bytes());
    }
}
