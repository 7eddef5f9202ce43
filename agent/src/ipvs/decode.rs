//! The kernel's answers. Any bytes may come: what is short, or says what no
//! kernel says, is `None`.

use std::net::IpAddr;

use agent_common::Family;

use super::{
    Checksum, Connections, Daemon, Destination, DestinationKey, Forward, Protocol, Role, Service,
    ServiceKey, Timeouts, Traffic, Tunnel, attribute as a,
    encode::{ONE_PACKET, PERSISTENT, SCHEDULER},
    method,
};
use crate::io::netlink::monitor::attributes;

/// Of a generic netlink message, in front of its attributes.
const HEADER: usize = 4;
/// Bytes of names, with the NUL.
const NAME: usize = 16;

/// The attributes of one level, of which the last of a kind counts.
#[derive(Clone, Copy)]
struct Level<'a>(&'a [u8]);

impl<'a> Level<'a> {
    fn of_message(payload: &'a [u8]) -> Option<Self> {
        payload.get(HEADER..).map(Self)
    }

    fn get(self, wanted: u16) -> Option<&'a [u8]> {
        let of_kind = attributes(self.0).filter(|(kind, _)| *kind == wanted);
        of_kind.last().map(|(_, value)| value)
    }

    fn inside(self, wanted: u16) -> Option<Self> {
        self.get(wanted).map(Self)
    }

    /// Its first bytes.
    fn bytes<const N: usize>(self, wanted: u16) -> Option<[u8; N]> {
        self.get(wanted)?.get(..N)?.try_into().ok()
    }

    fn u8(self, wanted: u16) -> Option<u8> {
        self.bytes(wanted).map(u8::from_ne_bytes)
    }

    fn u16(self, wanted: u16) -> Option<u16> {
        self.bytes(wanted).map(u16::from_ne_bytes)
    }

    fn port(self, wanted: u16) -> Option<u16> {
        self.bytes(wanted).map(u16::from_be_bytes)
    }

    fn u32(self, wanted: u16) -> Option<u32> {
        self.bytes(wanted).map(u32::from_ne_bytes)
    }

    fn u64(self, wanted: u16) -> Option<u64> {
        self.bytes(wanted).map(u64::from_ne_bytes)
    }

    fn name(self, wanted: u16) -> Option<String> {
        let bytes = self.get(wanted)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = bytes.get(..end.unwrap_or(bytes.len()))?;
        (text.len() < NAME).then(|| String::from_utf8_lossy(text).into_owned())
    }

    fn address(self, wanted: u16, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.bytes::<4>(wanted).map(IpAddr::from),
            Family::V6 => self.bytes::<16>(wanted).map(IpAddr::from),
        }
    }

    fn family(self, wanted: u16) -> Option<Family> {
        match i32::from(self.u16(wanted)?) {
            libc::AF_INET => Some(Family::V4),
            libc::AF_INET6 => Some(Family::V6),
            _ => None,
        }
    }

    fn traffic(self, wanted: u16) -> Traffic {
        let Some(inside) = self.inside(wanted) else {
            return Traffic::default();
        };
        let of = |kind| inside.u64(kind).unwrap_or(0);
        Traffic {
            connections: of(a::traffic::CONNECTIONS),
            packets_in: of(a::traffic::PACKETS_IN),
            packets_out: of(a::traffic::PACKETS_OUT),
            bytes_in: of(a::traffic::BYTES_IN),
            bytes_out: of(a::traffic::BYTES_OUT),
        }
    }
}

/// An answer to [`super::encode::Question::Services`].
pub fn service(payload: &[u8]) -> Option<(Service, Traffic)> {
    let m = Level::of_message(payload)?.inside(a::message::SERVICE)?;
    let family = m.family(a::service::FAMILY)?;
    let key = match m.u32(a::service::MARK) {
        Some(mark) => ServiceKey::Mark {
            v6: family == Family::V6,
            mark,
        },
        None => ServiceKey::Address {
            protocol: Protocol::from_number(m.u16(a::service::PROTOCOL)?)?,
            address: m.address(a::service::ADDRESS, family)?,
            port: m.port(a::service::PORT)?,
        },
    };
    let bits = m.u32(a::service::FLAGS)?;
    let has = |bit| bits & bit != 0;
    let timeout = m.u32(a::service::TIMEOUT)?;
    let service = Service {
        key,
        scheduler: m.name(a::service::SCHEDULER)?,
        one_packet: has(ONE_PACKET),
        flags: [has(SCHEDULER), has(SCHEDULER << 1), has(SCHEDULER << 2)],
        persistence: has(PERSISTENT).then_some(timeout),
        engine: m.name(a::service::ENGINE),
        netmask: m.bytes(a::service::NETMASK)?,
    };
    Some((service, m.traffic(a::service::TRAFFIC)))
}

/// An answer to [`super::encode::Question::Destinations`] of a service of
/// `family`.
pub fn destination(payload: &[u8], family: Family) -> Option<(Destination, Connections, Traffic)> {
    let m = Level::of_message(payload)?.inside(a::message::DESTINATION)?;
    // Kernels before 3.18 know no other than the service's.
    let family = m.family(a::destination::FAMILY).unwrap_or(family);
    let forward = match m.u32(a::destination::METHOD)? & method::MASK {
        method::MASQUERADE => Forward::Masquerade,
        method::LOCAL => Forward::Local,
        method::TUNNEL => Forward::Tunnel(tunnel(m)?),
        method::ROUTE => Forward::Route,
        method::BYPASS => Forward::Bypass,
        _ => return None,
    };
    let destination = Destination {
        key: DestinationKey {
            address: m.address(a::destination::ADDRESS, family)?,
            port: m.port(a::destination::PORT)?,
        },
        forward,
        weight: m.u32(a::destination::WEIGHT)?,
        upper: m.u32(a::destination::UPPER)?,
        lower: m.u32(a::destination::LOWER)?,
    };
    let count = |kind| m.u32(kind).unwrap_or(0);
    let connections = Connections {
        active: count(a::destination::ACTIVE),
        inactive: count(a::destination::INACTIVE),
        persistent: count(a::destination::PERSISTENT),
    };
    let traffic = m.traffic(a::destination::TRAFFIC);
    Some((destination, connections, traffic))
}

/// Kernels before 5.2 have one kind, and do not name it.
fn tunnel(m: Level<'_>) -> Option<Tunnel> {
    let checksum = match m.u16(a::destination::TUNNEL_FLAGS).unwrap_or(0) & 3 {
        0 => Checksum::None,
        1 => Checksum::Full,
        _ => Checksum::Remote,
    };
    match m.u8(a::destination::TUNNEL).unwrap_or(0) {
        0 => Some(Tunnel::Ipip),
        1 => Some(Tunnel::Gue {
            port: m.port(a::destination::TUNNEL_PORT)?,
            checksum,
        }),
        2 => Some(Tunnel::Gre { checksum }),
        _ => None,
    }
}

/// An answer to [`super::encode::Question::Daemons`].
pub fn daemon(payload: &[u8]) -> Option<Daemon> {
    let m = Level::of_message(payload)?.inside(a::message::DAEMON)?;
    let role = match m.u32(a::daemon::ROLE)? {
        1 => Role::Master,
        2 => Role::Backup,
        _ => return None,
    };
    let v4 = m.address(a::daemon::GROUP, Family::V4);
    Some(Daemon {
        role,
        interface: m.name(a::daemon::INTERFACE)?,
        sync_id: u8::try_from(m.u32(a::daemon::SYNC_ID)?).ok()?,
        max_length: m.u16(a::daemon::MAX_LENGTH),
        group: v4.or_else(|| m.address(a::daemon::GROUP6, Family::V6)),
        port: m.u16(a::daemon::PORT),
        ttl: m.u8(a::daemon::TTL),
    })
}

/// The answer to [`super::encode::timeouts`].
pub fn timeouts(payload: &[u8]) -> Option<Timeouts> {
    let m = Level::of_message(payload)?;
    Some(Timeouts {
        tcp: m.u32(a::message::TIMEOUT_TCP)?,
        tcp_fin: m.u32(a::message::TIMEOUT_TCP_FIN)?,
        udp: m.u32(a::message::TIMEOUT_UDP)?,
    })
}
