//! Services, destinations and the sync daemon, as the kernel knows them.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use agent_common::Family;

/// What IPVS balances.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// Of an IP header.
    pub const fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            132 => Some(Self::Sctp),
            _ => None,
        }
    }

    /// As keepalived.conf writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// What a packet has to be to belong to a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServiceKey {
    Address {
        protocol: Protocol,
        address: IpAddr,
        /// Zero: every port that no other service has.
        port: u16,
    },
    /// Marked by the firewall.
    Mark { v6: bool, mark: u32 },
}

impl ServiceKey {
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } if address.is_ipv4() => Family::V4,
            Self::Mark { v6: false, .. } => Family::V4,
            Self::Address { .. } | Self::Mark { v6: true, .. } => Family::V6,
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                protocol,
                address,
                port,
            } => write!(
                f,
                "{} {}",
                protocol.name(),
                SocketAddr::new(*address, *port)
            ),
            Self::Mark { v6: false, mark } => write!(f, "fwmark {mark}"),
            Self::Mark { v6: true, mark } => write!(f, "fwmark {mark} inet6"),
        }
    }
}

/// A service without its destinations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    pub key: ServiceKey,
    /// 1..=15 bytes.
    pub scheduler: String,
    pub one_packet: bool,
    /// `flag-1` to `flag-3`; what they mean is the scheduler's own.
    pub flags: [bool; 3],
    /// Seconds that a client stays with its server; none without persistence.
    pub persistence: Option<u32>,
    /// The name of the persistence engine, 1..=15 bytes.
    pub engine: Option<String>,
    /// Which clients are one: as on the wire, see [`granularity`].
    pub netmask: [u8; 4],
}

/// The netmask of a prefix length: of IPv4 a mask in network order, of IPv6
/// the length in host order.
pub fn granularity(family: Family, length: u8) -> [u8; 4] {
    match family {
        Family::V4 => {
            let unused = 32_u32.saturating_sub(length.into());
            u32::MAX.checked_shl(unused).unwrap_or(0).to_be_bytes()
        }
        Family::V6 => u32::from(length).to_ne_bytes(),
    }
}

/// The prefix length of a netmask; `None` for one that is none.
pub fn prefix_of(family: Family, netmask: [u8; 4]) -> Option<u8> {
    let length = match family {
        Family::V4 => u32::from_be_bytes(netmask).leading_ones(),
        Family::V6 => u32::from_ne_bytes(netmask),
    };
    let length = u8::try_from(length).ok().filter(|length| *length <= 128)?;
    (granularity(family, length) == netmask).then_some(length)
}

/// What a destination is known by within its service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DestinationKey {
    pub address: IpAddr,
    /// Zero with a service of all ports.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

/// The checksum of a tunnel's outer header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Checksum {
    #[default]
    None,
    Full,
    /// Remote checksum offload, of GUE only.
    Remote,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Tunnel {
    #[default]
    Ipip,
    Gue {
        /// UDP, 1..=65535.
        port: u16,
        checksum: Checksum,
    },
    Gre {
        checksum: Checksum,
    },
}

/// How packets get to a destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Forward {
    /// keepalived's NAT.
    #[default]
    Masquerade,
    /// keepalived's DR.
    Route,
    /// keepalived's TUN.
    Tunnel(Tunnel),
    /// This machine; never asked for, the kernel may show it.
    Local,
    /// Past all services; never asked for, the kernel may show it.
    Bypass,
}

impl Forward {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Masquerade => "NAT",
            Self::Route => "DR",
            Self::Tunnel(_) => "TUN",
            Self::Local => "local",
            Self::Bypass => "bypass",
        }
    }
}

/// A real server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Destination {
    pub key: DestinationKey,
    pub forward: Forward,
    /// 0..=2147483647; zero: no new connections.
    pub weight: u32,
    /// Connections above which it gets no new ones; zero for any number.
    pub upper: u32,
    /// Connections below which it gets new ones again; zero for three quarters
    /// of `upper`.
    pub lower: u32,
}

/// A service with its destinations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    pub service: Service,
    pub servers: BTreeMap<DestinationKey, Destination>,
}

pub type Table = BTreeMap<ServiceKey, Pool>;

/// How many connections a destination has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Connections {
    pub active: u32,
    pub inactive: u32,
    pub persistent: u32,
}

/// What the kernel has counted since the entry was made, or was last zeroed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Traffic {
    pub connections: u64,
    pub packets_in: u64,
    pub packets_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// How long the kernel keeps connections that are silent, in seconds. Zero:
/// as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timeouts {
    pub tcp: u32,
    pub tcp_fin: u32,
    pub udp: u32,
}

impl Timeouts {
    /// With what `self` leaves as it is.
    pub fn over(self, present: Self) -> Self {
        let or = |wanted: u32, present: u32| if wanted == 0 { present } else { wanted };
        Self {
            tcp: or(self.tcp, present.tcp),
            tcp_fin: or(self.tcp_fin, present.tcp_fin),
            udp: or(self.udp, present.udp),
        }
    }
}

/// Which end of the synchronisation of connections a daemon is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Sends them.
    Master,
    /// Takes them.
    Backup,
}

impl Role {
    pub const fn number(self) -> u32 {
        match self {
            Self::Master => 1,
            Self::Backup => 2,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// A sync daemon of the kernel, which has one of each role at most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Daemon {
    pub role: Role,
    /// 1..=15 bytes.
    pub interface: String,
    pub sync_id: u8,
    /// Bytes of a datagram; none for what the interface carries.
    pub max_length: Option<u16>,
    /// Multicast; 224.0.0.81 without.
    pub group: Option<IpAddr>,
    /// UDP; 8848 without.
    pub port: Option<u16>,
    /// 1 without.
    pub ttl: Option<u8>,
}

impl Daemon {
    pub const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    pub const PORT: u16 = 8848;
}

/// All that the kernel has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picture {
    pub table: Table,
    pub connections: BTreeMap<(ServiceKey, DestinationKey), Connections>,
    /// Of services, and of destinations.
    pub traffic: BTreeMap<(ServiceKey, Option<DestinationKey>), Traffic>,
    pub timeouts: Timeouts,
    pub daemons: Vec<Daemon>,
    /// Messages that could not be read.
    pub unknown: u32,
}
