//! Settings of a link that are sysctls as well.
//!
//! Set over netlink: where a service manager has made /proc/sys read-only, the
//! capability to configure the network still suffices.

use std::io;

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::{build::Builder, request::RequestSocket};

const REQUEST_ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
/// linux/if_link.h and linux/ip.h.
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET_CONF: u16 = 1;
const IPV4_DEVCONF_PROMOTE_SECONDARIES: u16 = 20;

/// net.ipv4.conf.IF.promote_secondaries: whether the removal of an address
/// leaves the others of its subnet on the link.
///
/// # Errors
///
/// Without CAP_NET_ADMIN, or when the link is gone.
pub fn promote_secondaries(ifindex: u32, on: bool) -> io::Result<()> {
    let request = request(ifindex, on);
    RequestSocket::open(NETLINK_ROUTE)?.submit(&request, request.count())
}

fn request(ifindex: u32, on: bool) -> Builder {
    let mut request = Builder::default();
    request.message(libc::RTM_SETLINK, REQUEST_ACK, |message| {
        // struct ifinfomsg: family, padding, type, index, flags, change.
        message.header(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        message.header(&ifindex.to_ne_bytes());
        message.header(&[0; 8]);
        message.nested(IFLA_AF_SPEC, |families| {
            families.nested(libc::AF_INET as u16, |inet| {
                inet.nested(IFLA_INET_CONF, |conf| {
                    let value = u32::from(on).to_ne_bytes();
                    conf.attribute(IPV4_DEVCONF_PROMOTE_SECONDARIES, &value);
                });
            });
        });
    });
    request
}
