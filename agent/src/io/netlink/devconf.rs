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

/// A setting of IPv4 on a link, by its number in linux/ip.h.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Ipv4Conf {
    Forwarding = 1,
    RpFilter = 8,
    ArpAnnounce = 18,
    ArpIgnore = 19,
    PromoteSecondaries = 20,
}

impl Ipv4Conf {
    const ALL: [Self; 5] = [
        Self::Forwarding,
        Self::RpFilter,
        Self::ArpAnnounce,
        Self::ArpIgnore,
        Self::PromoteSecondaries,
    ];

    /// By its number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|conf| conf.number() == number)
    }

    /// See [`Self::of`].
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name in /proc/sys/net/ipv4/conf/IF.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::RpFilter => "rp_filter",
            Self::ArpAnnounce => "arp_announce",
            Self::ArpIgnore => "arp_ignore",
            Self::PromoteSecondaries => "promote_secondaries",
        }
    }
}

/// A setting of a link, and what it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Before {
    pub ifindex: u32,
    pub setting: Ipv4Conf,
    pub value: u32,
}

/// Sets net.ipv4.conf.IF.`conf`.
///
/// # Errors
///
/// As [`promote_secondaries`].
pub fn set(ifindex: u32, conf: Ipv4Conf, value: u32) -> io::Result<()> {
    let request = request(ifindex, conf, value);
    RequestSocket::open(NETLINK_ROUTE)?.submit(&request, request.count())
}

/// Sets it to what it was.
///
/// # Errors
///
/// As [`promote_secondaries`].
pub fn put_back(before: Before) -> io::Result<()> {
    set(before.ifindex, before.setting, before.value)
}

/// net.ipv4.conf.IF.promote_secondaries: whether the removal of an address
/// leaves the others of its subnet on the link.
///
/// # Errors
///
/// Without CAP_NET_ADMIN, or when the link is gone.
pub fn promote_secondaries(ifindex: u32, on: bool) -> io::Result<()> {
    set(ifindex, Ipv4Conf::PromoteSecondaries, on.into())
}

fn request(ifindex: u32, setting: Ipv4Conf, value: u32) -> Builder {
    let mut request = Builder::default();
    request.message(libc::RTM_SETLINK, REQUEST_ACK, |message| {
        // struct ifinfomsg: family, padding, type, index, flags, change.
        message.header(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
        message.header(&ifindex.to_ne_bytes());
        message.header(&[0; 8]);
        message.nested(IFLA_AF_SPEC, |families| {
            families.nested(libc::AF_INET as u16, |inet| {
                inet.nested(IFLA_INET_CONF, |conf| {
                    conf.attribute(setting.number().into(), &value.to_ne_bytes());
                });
            });
        });
    });
    request
}
