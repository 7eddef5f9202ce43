//! The virtual MAC address of a virtual router (`use_vmac`).

use agent_common::{Family, Vrid};

use super::IfName;

/// The macvlan interface that an instance has its VIPs on, and sends from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VirtualMac {
    /// Name of the interface; no other instance has it.
    pub name: IfName,
    pub mac: [u8; 6],
    /// Adverts come from the interface below, with its own MAC address.
    pub xmit_base: bool,
    /// Interface group (`ip link show group N`), 0 for the default one.
    pub group: u32,
}

/// An interface for VIPs of one family on one link, where those are not on the
/// instance's own (`use_vmac_addr`, and `use_vmac` behind a VIP).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VipMac {
    /// As [`VirtualMac::name`].
    pub name: IfName,
    pub mac: [u8; 6],
    /// The interface below.
    pub base: IfName,
    pub family: Family,
}

impl VipMac {
    /// Whether it is for VIPs of that family on that link.
    pub fn serves(&self, base: &IfName, family: Family) -> bool {
        (&self.base, self.family) == (base, family)
    }
}

/// Any interface with a virtual MAC address that an instance needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VirtualLink<'a> {
    pub name: &'a IfName,
    pub mac: [u8; 6],
    pub base: &'a IfName,
    pub family: Family,
    pub group: u32,
}

impl VirtualMac {
    /// 00-00-5E-00-01-VRID or 00-00-5E-00-02-VRID (RFC 9568 7.3).
    pub const fn standard(family: Family, vrid: Vrid) -> [u8; 6] {
        let kind = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        [0, 0, 0x5e, 0, kind, vrid.get()]
    }
}

/// Octets as two hexadecimal digits each, with colons between them.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
