//! Requests to the kernel's IPVS family, byte by byte.
//!
//! Addresses and ports of services and destinations are big-endian, all other
//! numbers in the machine's order, the port of a sync daemon among them.

use std::net::IpAddr;

use agent_common::Family;

use super::{
    Checksum, Daemon, Destination, DestinationKey, Forward, Role, Service, ServiceKey, Timeouts,
    Tunnel, attribute as a, method,
};
use crate::io::netlink::build::Builder;

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
const DUMP: u16 = libc::NLM_F_DUMP as u16;
const VERSION: u8 = 1;
/// IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_ONEPACKET and IP_VS_SVC_F_SCHED1.
pub(super) const PERSISTENT: u32 = 1;
pub(super) const ONE_PACKET: u32 = 4;
pub(super) const SCHEDULER: u32 = 8;

/// IPVS_CMD_*: what is asked of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Verb {
    NewService = 1,
    SetService = 2,
    DelService = 3,
    GetService = 4,
    NewDestination = 5,
    SetDestination = 6,
    DelDestination = 7,
    GetDestination = 8,
    NewDaemon = 9,
    DelDaemon = 10,
    GetDaemon = 11,
    SetConfig = 12,
    GetConfig = 13,
}

/// A change, or a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    NewService(&'a Service),
    /// Everything but its key.
    SetService(&'a Service),
    /// With its destinations.
    DelService(ServiceKey),
    NewDestination(ServiceKey, &'a Destination),
    /// Everything but its key: connections stay.
    SetDestination(ServiceKey, &'a Destination),
    DelDestination(ServiceKey, DestinationKey),
    NewDaemon(&'a Daemon),
    DelDaemon(Role),
    SetTimeouts(Timeouts),
}

/// A question that is answered by any number of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    Services,
    Destinations(ServiceKey),
    Daemons,
}

impl Command<'_> {
    /// Appends the message; `last` asks for an acknowledgement.
    pub fn write(&self, family: u16, last: bool, request: &mut Builder) {
        let flags = REQUEST | if last { ACK } else { 0 };
        let verb = match self {
            Self::NewService(_) => Verb::NewService,
            Self::SetService(_) => Verb::SetService,
            Self::DelService(_) => Verb::DelService,
            Self::NewDestination(..) => Verb::NewDestination,
            Self::SetDestination(..) => Verb::SetDestination,
            Self::DelDestination(..) => Verb::DelDestination,
            Self::NewDaemon(_) => Verb::NewDaemon,
            Self::DelDaemon(_) => Verb::DelDaemon,
            Self::SetTimeouts(_) => Verb::SetConfig,
        };
        message(request, family, flags, verb, |m| match self {
            Self::NewService(service) | Self::SetService(service) => whole_service(m, service),
            Self::DelService(service) => named_service(m, *service),
            Self::NewDestination(service, one) | Self::SetDestination(service, one) => {
                named_service(m, *service);
                m.nested(a::message::DESTINATION, |m| {
                    destination_key(m, one.key);
                    destination(m, one);
                });
            }
            Self::DelDestination(service, one) => {
                named_service(m, *service);
                m.nested(a::message::DESTINATION, |m| destination_key(m, *one));
            }
            Self::NewDaemon(one) => m.nested(a::message::DAEMON, |m| daemon(m, one)),
            Self::DelDaemon(role) => {
                m.nested(a::message::DAEMON, |m| {
                    number(m, a::daemon::ROLE, role.number())
                });
            }
            Self::SetTimeouts(Timeouts { tcp, tcp_fin, udp }) => {
                number(m, a::message::TIMEOUT_TCP, *tcp);
                number(m, a::message::TIMEOUT_TCP_FIN, *tcp_fin);
                number(m, a::message::TIMEOUT_UDP, *udp);
            }
        });
    }
}

impl Question {
    pub fn write(self, family: u16, request: &mut Builder) {
        let verb = match self {
            Self::Services => Verb::GetService,
            Self::Destinations(_) => Verb::GetDestination,
            Self::Daemons => Verb::GetDaemon,
        };
        message(request, family, REQUEST | DUMP, verb, |m| match self {
            Self::Services | Self::Daemons => {}
            Self::Destinations(service) => named_service(m, service),
        });
    }
}

/// Asks for the time-outs, which are one message.
pub fn timeouts(family: u16, request: &mut Builder) {
    message(request, family, REQUEST | ACK, Verb::GetConfig, |_| {});
}

fn message(
    request: &mut Builder,
    family: u16,
    flags: u16,
    verb: Verb,
    body: impl FnOnce(&mut Builder),
) {
    request.message(family, flags, |m| {
        m.header(&[verb as u8, VERSION, 0, 0]);
        body(m);
    });
}

fn number(m: &mut Builder, kind: u16, value: u32) {
    m.attribute(kind, &value.to_ne_bytes());
}

fn family_number(family: Family) -> [u8; 2] {
    let number = match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    u16::try_from(number).unwrap_or(0).to_ne_bytes()
}

/// The kernel's union of both families: always 16 bytes.
fn address(m: &mut Builder, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            let [one, two, three, four] = v4.octets();
            m.attribute(
                kind,
                &[one, two, three, four, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            );
        }
        IpAddr::V6(v6) => m.attribute(kind, &v6.octets()),
    }
}

fn service_key(m: &mut Builder, key: ServiceKey) {
    m.attribute(a::service::FAMILY, &family_number(key.family()));
    match key {
        ServiceKey::Mark { v6: _, mark } => number(m, a::service::MARK, mark),
        ServiceKey::Address {
            protocol,
            address: of,
            port,
        } => {
            m.attribute(a::service::PROTOCOL, &protocol.number().to_ne_bytes());
            address(m, a::service::ADDRESS, of);
            m.attribute(a::service::PORT, &port.to_be_bytes());
        }
    }
}

fn named_service(m: &mut Builder, key: ServiceKey) {
    m.nested(a::message::SERVICE, |m| service_key(m, key));
}

fn whole_service(m: &mut Builder, service: &Service) {
    let Service {
        key,
        scheduler,
        one_packet,
        flags,
        persistence,
        engine,
        netmask,
    } = service;
    let mut bits = 0;
    for (on, bit) in [
        (persistence.is_some(), PERSISTENT),
        (*one_packet, ONE_PACKET),
        (flags[0], SCHEDULER),
        (flags[1], SCHEDULER << 1),
        (flags[2], SCHEDULER << 2),
    ] {
        bits |= if on { bit } else { 0_u32 };
    }
    m.nested(a::message::SERVICE, |m| {
        service_key(m, *key);
        m.text(a::service::SCHEDULER, scheduler);
        if let Some(engine) = engine {
            m.text(a::service::ENGINE, engine);
        }
        // The bits, and which of them count.
        let [bits, mask] = [bits.to_ne_bytes(), u32::MAX.to_ne_bytes()];
        m.attribute(a::service::FLAGS, &[bits, mask].concat());
        number(m, a::service::TIMEOUT, persistence.unwrap_or(0));
        m.attribute(a::service::NETMASK, netmask);
    });
}

fn destination_key(m: &mut Builder, key: DestinationKey) {
    let DestinationKey { address: of, port } = key;
    let family = match of {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    m.attribute(a::destination::FAMILY, &family_number(family));
    address(m, a::destination::ADDRESS, of);
    m.attribute(a::destination::PORT, &port.to_be_bytes());
}

fn destination(m: &mut Builder, one: &Destination) {
    let Destination {
        key: _,
        forward,
        weight,
        upper,
        lower,
    } = one;
    let way = match forward {
        Forward::Masquerade => method::MASQUERADE,
        Forward::Local => method::LOCAL,
        Forward::Tunnel(_) => method::TUNNEL,
        Forward::Route => method::ROUTE,
        Forward::Bypass => method::BYPASS,
    };
    number(m, a::destination::METHOD, way);
    number(m, a::destination::WEIGHT, *weight);
    number(m, a::destination::UPPER, *upper);
    number(m, a::destination::LOWER, *lower);
    if let Forward::Tunnel(tunnel) = forward {
        let (kind, port, checksum) = match tunnel {
            Tunnel::Ipip => (0_u8, 0, Checksum::None),
            Tunnel::Gue { port, checksum } => (1, *port, *checksum),
            Tunnel::Gre { checksum } => (2, 0, *checksum),
        };
        m.attribute(a::destination::TUNNEL, &[kind]);
        m.attribute(a::destination::TUNNEL_PORT, &port.to_be_bytes());
        m.attribute(
            a::destination::TUNNEL_FLAGS,
            &checksum_bits(checksum).to_ne_bytes(),
        );
    }
}

pub(super) const fn checksum_bits(checksum: Checksum) -> u16 {
    match checksum {
        Checksum::None => 0,
        Checksum::Full => 1,
        Checksum::Remote => 2,
    }
}

fn daemon(m: &mut Builder, one: &Daemon) {
    let Daemon {
        role,
        interface,
        sync_id,
        max_length,
        group,
        port,
        ttl,
    } = one;
    number(m, a::daemon::ROLE, role.number());
    m.text(a::daemon::INTERFACE, interface);
    number(m, a::daemon::SYNC_ID, u32::from(*sync_id));
    if let Some(length) = max_length {
        m.attribute(a::daemon::MAX_LENGTH, &length.to_ne_bytes());
    }
    match group {
        Some(IpAddr::V4(group)) => m.attribute(a::daemon::GROUP, &group.octets()),
        Some(IpAddr::V6(group)) => m.attribute(a::daemon::GROUP6, &group.octets()),
        None => {}
    }
    if let Some(port) = port {
        m.attribute(a::daemon::PORT, &port.to_ne_bytes());
    }
    if let Some(ttl) = ttl {
        m.attribute(a::daemon::TTL, &[*ttl]);
    }
}
