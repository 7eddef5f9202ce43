//! The validated configuration: types that cannot be wrong, whatever they were read from.
//!
//! Made by [`super::lower`] from a keepalived.conf or by the command line from
//! its flags; everything behind it takes it on trust.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr};

use agent_common::{AdvertInterval, Family, Priority, Version, Vrid};

mod fast;
mod lvs;
mod packets;
mod route;
mod tell;
mod track;
mod virtual_mac;

pub use self::fast::FastDetect;
pub use self::lvs::{
    FlushOnStop, Front, Granularity, GroupEntry, Lvs, RealServer, ServerGroup, Sorry, SyncDaemon,
    Unused, VirtualServer,
};
pub use self::packets::{
    Interval, OldChecksum, Pace, PaceGroup, Pacing, PacketPolicy, PeerTtl, StartDelay,
};
pub use self::route::{
    Hop, MAIN_TABLE, Metric, Network, Paths, Place, ROUTE_PROTOCOL, Route, RouteKind, Rule,
    RuleAction,
};
pub use self::tell::{Deleted, FifoSpec, Hook, MailSpec, Notify, Tell, Waited};
pub use self::track::{
    FileSpec, InitFile, ParamMatch, ProcessSpec, RunAs, ScriptSpec, Track, Trackers, Weight,
};
pub use self::virtual_mac::{VipMac, VirtualLink, VirtualMac, mac_text};
pub use super::address::{AddressOptions, Firewall, StaticAddress};
use super::machine::{Interfaces, Process};
pub use crate::core::AnnouncePolicy;

/// A network interface name: 1..=15 bytes, no `/`, no white space.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct IfName(String);

impl IfName {
    /// `None` where the kernel would refuse the name.
    pub fn new(name: &str) -> Option<Self> {
        let ok = !name.is_empty()
            && name.len() < libc::IFNAMSIZ
            && name != "."
            && name != ".."
            && !name
                .bytes()
                .any(|b| b == b'/' || b == b':' || b == 0 || b.is_ascii_whitespace());
        ok.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for IfName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A virtual IP address as it is put on an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vip {
    pub address: IpAddr,
    /// 0..=32 or 0..=128; a VIP without `/LEN` is a host address.
    pub prefix: u8,
    /// Where it goes when that is not the instance's interface.
    pub device: Option<IfName>,
    pub broadcast: Option<Ipv4Addr>,
    /// Interface label, IPv4 only.
    pub label: Option<String>,
    /// rtnetlink scope, 0 = global, 253 = link, 254 = host.
    pub scope: u8,
    pub options: AddressOptions,
    /// False for `virtual_ipaddress_excluded`: held, but not in the advert.
    pub advertised: bool,
}

/// How adverts travel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// To 224.0.0.18 or ff02::12. `source` overrides the primary address.
    Multicast { source: Option<IpAddr> },
    /// To each peer. Without `source` the interface's primary address is used.
    Unicast {
        source: Option<IpAddr>,
        peers: Vec<IpAddr>,
        check_source: bool,
    },
}

/// v2 authentication type 1: the first 8 bytes, zero padded (F-27).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password(pub [u8; 8]);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The checksum form of v3/IPv4 adverts that we send (K-05). Both are accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum V3Checksum {
    /// RFC 5798 as deployed: keepalived's default.
    PseudoHeader,
    /// RFC 9568: the message only.
    MessageOnly,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    /// The name of the `vrrp_instance` block, `VI_1` where there is no file.
    pub name: String,
    pub interface: IfName,
    pub vrid: Vrid,
    pub version: Version,
    pub family: Family,
    pub priority: Priority,
    pub interval: AdvertInterval,
    pub preempt: bool,
    pub preempt_delay: Duration,
    pub down_factor: u8,
    pub assert_on_lower: bool,
    pub higher_prio_send_advert: bool,
    pub owner_ignores: bool,
    pub transport: Transport,
    pub password: Option<Password>,
    pub v3_checksum: V3Checksum,
    pub announce: AnnouncePolicy,
    pub packets: PacketPolicy,
    /// Limits of announcements, of the interfaces that have one.
    pub paces: Vec<Pace>,
    /// Never empty of advertised addresses in v3 (F-17), empty in v2 with
    /// `no_virtual_ipaddress` only.
    pub vips: Vec<Vip>,
    /// There while Active.
    pub paths: Paths,
    /// Whether traffic to the VIPs is taken while Active (Accept_Mode, RFC 9568
    /// 6.1); always for the owner.
    pub accept: bool,
    /// The removal of a VIP leaves the others of its subnet (IPv4).
    pub promote_secondaries: bool,
    /// Static addresses whose loss is a fault of this instance.
    pub tracked_addresses: Vec<StaticAddress>,
    /// Interfaces whose loss is a fault of this instance.
    pub track_interfaces: Vec<IfName>,
    /// The loss of the instance's own interface is a fault as well: false for
    /// `dont_track_primary`.
    pub track_primary: bool,
    /// Everything else that it tracks, its own and its group's.
    pub tracks: Vec<Track>,
    /// The `vrrp_sync_group` that it moves with.
    pub group: Option<String>,
    pub fast_detect: Option<FastDetect>,
    /// VIPs are on an interface of their own, with the virtual MAC address.
    pub virtual_mac: Option<VirtualMac>,
    /// Others that VIPs are on, by link and family.
    pub vip_macs: Vec<VipMac>,
    pub notify: Notify,
}

impl Instance {
    /// The addresses that adverts carry, in configured order (F-24).
    pub fn advertised(&self) -> impl Iterator<Item = IpAddr> {
        self.vips
            .iter()
            .filter(|vip| vip.advertised)
            .map(|vip| vip.address)
    }

    /// The interface that a VIP is put on: its own `dev`, else that of the
    /// instance, or an interface with a virtual MAC address on it. That of the
    /// instance is for VIPs of its family alone (RFC 9568 7.3).
    pub fn home<'a>(&'a self, vip: &'a Vip) -> &'a IfName {
        let family = match vip.address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        };
        let base = vip.device.as_ref().unwrap_or(&self.interface);
        if vip.options.use_vmac {
            let mut links = self.vip_macs.iter();
            let link = links.find(|link| link.serves(base, family));
            return link.map_or(base, |link| &link.name);
        }
        let own = self.virtual_mac.as_ref();
        let own = own.filter(|_| family == self.family && *base == self.interface);
        own.map_or(base, |own| &own.name)
    }

    /// The interfaces with virtual MAC addresses, its own one first.
    pub fn virtual_links(&self) -> impl Iterator<Item = VirtualLink<'_>> {
        let own = self.virtual_mac.iter().map(|own| VirtualLink {
            name: &own.name,
            mac: own.mac,
            base: &self.interface,
            family: self.family,
            group: own.group,
        });
        own.chain(self.vip_macs.iter().map(|link| VirtualLink {
            name: &link.name,
            mac: link.mac,
            base: &link.base,
            family: link.family,
            group: 0,
        }))
    }
}

/// A whole configuration. Instances are unique by (interface, family, VRID)
/// and by name; there are at most 510.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    pub router_id: Option<String>,
    pub pacing: Pacing,
    pub start_delay: StartDelay,
    /// Log adverts of virtual routers that are not configured here.
    pub log_unknown_vrids: bool,
    /// Reports of membership in 224.0.0.0/24 are switched off in the kernel.
    pub disable_local_igmp: bool,
    pub files: super::files::Files,
    pub instances: Vec<Instance>,
    pub trackers: Trackers,
    pub process: Process,
    pub interfaces: Interfaces,
    pub static_addresses: Vec<StaticAddress>,
    /// `static_routes` and `static_rules`.
    pub static_paths: Paths,
    /// How the names of interfaces for VIPs begin, where that is not `vrrp`.
    pub vmac_addr_prefix: Option<String>,
    pub firewall: Firewall,
    pub tell: Tell,
    /// Virtual servers.
    pub lvs: Lvs,
}
