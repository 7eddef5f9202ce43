//! macvlan interfaces: how a virtual MAC address gets onto a link.

use std::io;

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::{build::Builder, request::RequestSocket};
use crate::io::sys;

const ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// linux/if_link.h.
const IFLA_IFALIAS: u16 = 20;
const IFLA_GROUP: u16 = 27;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
const MACVLAN_MODE_PRIVATE: u32 = 1;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// How the alias of every interface begins that an agent made.
pub const MARK: &str = "failoverd/";

/// An interface to be made.
#[derive(Clone, Copy, Debug)]
pub struct Macvlan<'a> {
    pub name: &'a str,
    /// Index of the interface below.
    pub base: u32,
    pub mac: [u8; 6],
    /// The VRF device that the interface below belongs to.
    pub vrf: Option<u32>,
    /// Interface group.
    pub group: u32,
    /// Text that marks it, shown by `ip link`.
    pub alias: &'a str,
}

/// Makes the interface; it is down. Private mode: what this machine sends on
/// other interfaces of the same link does not come to it, nor the reverse.
///
/// # Errors
///
/// EEXIST where the name is taken, EOPNOTSUPP where the kernel has no macvlan
/// interfaces; without CAP_NET_ADMIN.
pub fn create(wanted: &Macvlan<'_>) -> io::Result<()> {
    let mut request = Builder::default();
    request.message(libc::RTM_NEWLINK, ACK | CREATE, |message| {
        header(message, 0, 0, 0);
        message.attribute(libc::IFLA_LINK, &wanted.base.to_ne_bytes());
        message.text(libc::IFLA_IFNAME, wanted.name);
        message.attribute(libc::IFLA_ADDRESS, &wanted.mac);
        message.attribute(IFLA_GROUP, &wanted.group.to_ne_bytes());
        if let Some(vrf) = wanted.vrf {
            message.attribute(libc::IFLA_MASTER, &vrf.to_ne_bytes());
        }
        message.nested(libc::IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "macvlan");
            info.nested(IFLA_INFO_DATA, |data| {
                data.attribute(IFLA_MACVLAN_MODE, &MACVLAN_MODE_PRIVATE.to_ne_bytes());
            });
        });
    });
    submit(&request)?;
    // Not taken in the same message. Without the mark nobody would remove it.
    let mut mark = Builder::default();
    mark.message(libc::RTM_SETLINK, ACK, |message| {
        header(message, 0, 0, 0);
        message.text(libc::IFLA_IFNAME, wanted.name);
        message.attribute(IFLA_IFALIAS, wanted.alias.as_bytes());
    });
    submit(&mark).inspect_err(|_| drop(index(wanted.name).and_then(remove)))
}

/// The index of the interface with this name.
///
/// # Errors
///
/// ENODEV where there is none.
pub fn index(name: &str) -> io::Result<u32> {
    let links = sys::interfaces()?.into_iter();
    let found = links
        .filter(|(_, found)| found == name)
        .map(|(index, _)| index)
        .next();
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}

/// Removes an interface, and its addresses with it.
///
/// # Errors
///
/// ENODEV where it is gone; without CAP_NET_ADMIN.
pub fn remove(ifindex: u32) -> io::Result<()> {
    let mut request = Builder::default();
    request.message(libc::RTM_DELLINK, ACK, |message| {
        header(message, ifindex, 0, 0);
    });
    submit(&request)
}

/// Takes an interface down.
///
/// # Errors
///
/// As [`remove`].
pub fn take_down(ifindex: u32) -> io::Result<()> {
    let mut request = Builder::default();
    request.message(libc::RTM_SETLINK, ACK, |message| {
        header(message, ifindex, 0, libc::IFF_UP as u32);
    });
    submit(&request)
}

/// The kernel makes no link-local address of the MAC address (D-19).
///
/// # Errors
///
/// As [`remove`]; EAFNOSUPPORT where the kernel has no IPv6.
pub fn no_generated_addresses(ifindex: u32) -> io::Result<()> {
    let mut request = Builder::default();
    request.message(libc::RTM_SETLINK, ACK, |message| {
        header(message, ifindex, 0, 0);
        message.nested(IFLA_AF_SPEC, |families| {
            families.nested(libc::AF_INET6 as u16, |inet6| {
                inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
    });
    submit(&request)
}

/// struct ifinfomsg: family, padding, type, index, flags, change.
fn header(message: &mut Builder, ifindex: u32, flags: u32, change: u32) {
    message.header(&[libc::AF_UNSPEC as u8, 0, 0, 0]);
    message.header(&ifindex.to_ne_bytes());
    message.header(&flags.to_ne_bytes());
    message.header(&change.to_ne_bytes());
}

fn submit(request: &Builder) -> io::Result<()> {
    RequestSocket::open(NETLINK_ROUTE)?.submit(request, request.count())
}
