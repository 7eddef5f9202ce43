//! What can be said of an address besides where it goes, and the addresses of
//! the machine itself.

use std::net::IpAddr;

use super::model::Vip;

/// The options of a line of `virtual_ipaddress`, `virtual_ipaddress_excluded`
/// or `static_ipaddress`. What the kernel has for one family only is not set
/// for the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AddressOptions {
    /// The other end of a point-to-point link; the prefix is this one's then.
    pub peer: Option<IpAddr>,
    /// IPv6: a home address (RFC 6275).
    pub home: bool,
    /// IPv6: the kernel looks for duplicates before it uses the address. Off
    /// unless asked for: a VIP does not wait (RFC 9568 8.2.2).
    pub detect_duplicates: bool,
    /// IPv6 with a /64: the kernel makes temporary addresses of it.
    pub manage_temporary: bool,
    /// No route to the address's network is made.
    pub no_prefix_route: bool,
    /// A multicast address: its group is joined.
    pub autojoin: bool,
    /// A VIP: it is on an interface of its own with a virtual MAC address, on
    /// the link where it would be otherwise.
    pub use_vmac: bool,
    /// Not put back when somebody removes it.
    pub untracked: bool,
    /// IPv6: how long it is a source for new connections, in seconds; then it
    /// is deprecated. [`FOREVER`] without end. `None`: deprecated at once with
    /// a /128, as keepalived does, and else without end.
    pub preferred_lifetime: Option<u32>,
}

/// As the kernel has it.
pub const FOREVER: u32 = u32::MAX;

impl AddressOptions {
    /// An address as its line begins: with its prefix, or its peer's.
    pub fn beginning(&self, address: IpAddr, prefix: u8) -> String {
        match self.peer {
            Some(peer) => format!("{address} peer {peer}/{prefix}"),
            None => format!("{address}/{prefix}"),
        }
    }

    /// As words behind [`Self::beginning`], each with a space in front.
    pub fn words(&self) -> String {
        // A field that is added must not be forgotten here.
        let Self {
            // Said at the beginning.
            peer: _,
            home,
            detect_duplicates,
            manage_temporary,
            no_prefix_route,
            autojoin,
            use_vmac,
            untracked,
            preferred_lifetime,
        } = self;
        let mut text = String::new();
        for (set, word) in [
            (home, " home"),
            (detect_duplicates, " -nodad"),
            (manage_temporary, " mngtmpaddr"),
            (no_prefix_route, " noprefixroute"),
            (autojoin, " autojoin"),
            (use_vmac, " use_vmac"),
            (untracked, " no_track"),
        ] {
            if *set {
                text.push_str(word);
            }
        }
        match preferred_lifetime {
            Some(FOREVER) => text.push_str(" preferred_lft forever"),
            Some(seconds) => text.push_str(&format!(" preferred_lft {seconds}")),
            None => {}
        }
        text
    }
}

/// A line of `static_ipaddress`: an address of this machine alone, which no
/// instance moves. Its device is always set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticAddress(pub Vip);

/// The nftables rules that drop traffic to the VIPs of instances with
/// `no_accept`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Firewall {
    /// A table of the inet family that is ours alone.
    pub table: String,
    /// Of our chain on the input hook.
    pub priority: i32,
    /// Link-local VIPs are bound to the index of their interface, not its name.
    pub by_index: bool,
    pub counters: bool,
}

impl Firewall {
    pub const DEFAULT_TABLE: &str = "failoverd";
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            table: Self::DEFAULT_TABLE.to_owned(),
            priority: -1,
            by_index: false,
            counters: false,
        }
    }
}
