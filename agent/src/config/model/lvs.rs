//! Virtual servers and their real servers, and the settings of IPVS.

use std::net::IpAddr;

use agent_common::Family;

use super::IfName;
use crate::ipvs::{Forward, Protocol, Timeouts};

/// What the file says of LVS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lvs {
    pub groups: Vec<ServerGroup>,
    pub virtual_servers: Vec<VirtualServer>,
    /// `lvs_timeouts`.
    pub timeouts: Timeouts,
    /// `lvs_flush`: entries of others are removed at the start.
    pub flush: bool,
    pub flush_on_stop: FlushOnStop,
    /// `lvs_sync_daemon`.
    pub sync_daemon: Option<SyncDaemon>,
}

impl Lvs {
    /// Nothing is asked of the kernel.
    pub fn is_empty(&self) -> bool {
        let Self {
            groups: _,
            virtual_servers,
            timeouts,
            flush,
            flush_on_stop: _,
            sync_daemon,
        } = self;
        virtual_servers.is_empty()
            && *timeouts == Timeouts::default()
            && !flush
            && sync_daemon.is_none()
    }
}

/// What is removed at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FlushOnStop {
    /// The virtual servers of the file.
    #[default]
    No,
    /// As `No`: a virtual server takes its real servers along in any case.
    Services,
    /// Those of others too.
    All,
}

/// A named set of services that share their real servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerGroup {
    pub name: String,
    pub entries: Vec<GroupEntry>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupEntry {
    /// Of one family, `first` not behind `last`.
    Range {
        first: IpAddr,
        last: IpAddr,
        /// Zero for all.
        port: u16,
    },
    Mark {
        mark: u32,
        /// Where it is not that of the real servers.
        v6: Option<bool>,
    },
}

impl GroupEntry {
    /// How many services it is.
    pub fn count(&self) -> u128 {
        match self {
            Self::Mark { .. } => 1,
            Self::Range { first, last, .. } => {
                let bits = |address: &IpAddr| match address {
                    IpAddr::V4(v4) => u128::from(v4.to_bits()),
                    IpAddr::V6(v6) => v6.to_bits(),
                };
                bits(last).saturating_sub(bits(first)).saturating_add(1)
            }
        }
    }
}

/// What a virtual server is reached by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Front {
    /// Port zero: all ports.
    Address(IpAddr, u16),
    Mark(u32),
    /// Every entry of the [`ServerGroup`] of that name.
    Group(String),
}

/// A `virtual_server`. It has at least one real server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualServer {
    pub front: Front,
    pub protocol: Protocol,
    /// `ip_family`, of marks.
    pub v6: Option<bool>,
    pub scheduler: String,
    /// `flag-1` to `flag-3`.
    pub flags: [bool; 3],
    /// `ops`.
    pub one_packet: bool,
    /// Seconds.
    pub persistence: Option<u32>,
    pub engine: Option<String>,
    pub granularity: Option<Granularity>,
    /// Of real servers without a way of their own.
    pub forward: Forward,
    pub sorry: Option<Sorry>,
    pub servers: Vec<RealServer>,
    /// What is not carried out yet: how servers are checked, and who hears.
    pub checks: Vec<Unused>,
}

impl VirtualServer {
    /// Of marks: as told, else as its servers are.
    pub fn mark_family(&self) -> Family {
        let v6 = self.v6.unwrap_or_else(|| {
            let mut servers = self.servers.iter();
            servers.all(|one| one.address.is_ipv6())
        });
        if v6 { Family::V6 } else { Family::V4 }
    }
}

impl RealServer {
    /// The file has a checker for it.
    pub fn is_to_be_checked(&self) -> bool {
        let names = self.checks.iter().filter_map(|one| one.words.first());
        let mut names = names.filter(|name| name.ends_with("_CHECK") || name.ends_with("_GET"));
        names.next().is_some()
    }
}

/// Which clients are taken for one, as a prefix length of their family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Granularity {
    /// 0..=32, written as a mask.
    V4(u8),
    /// 1..=128
    V6(u8),
}

/// Where requests go while there is no real server. Not used yet: all are
/// taken as alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sorry {
    pub address: IpAddr,
    pub port: u16,
    pub forward: Forward,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RealServer {
    pub address: IpAddr,
    /// Zero: the virtual server's.
    pub port: u16,
    /// 0..=2147483647
    pub weight: u32,
    pub forward: Forward,
    /// Connections; see [`crate::ipvs::Destination`].
    pub upper: u32,
    pub lower: u32,
    /// As in [`VirtualServer::checks`].
    pub checks: Vec<Unused>,
}

/// A statement that is read, checked and kept, and nothing more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unused {
    /// With the keyword.
    pub words: Vec<String>,
    pub block: Option<Vec<Unused>>,
}

/// The synchronisation of connections between directors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncDaemon {
    pub interface: IfName,
    /// While it is Active, connections are sent, otherwise taken; without an
    /// instance both all the time.
    pub instance: Option<String>,
    /// Without: the VRID of the instance, or 0.
    pub id: Option<u8>,
    pub max_length: Option<u16>,
    pub port: Option<u16>,
    pub ttl: Option<u8>,
    /// Multicast.
    pub group: Option<IpAddr>,
}
