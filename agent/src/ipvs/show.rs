//! What the kernel has, for people and for programs.

use std::fmt::{self, Write};

use agent_common::Family;
use serde::Serialize;

use super::{
    Checksum, Connections, Daemon, Destination, Forward, Picture, ServiceKey, Traffic, Tunnel,
    prefix_of,
};

/// All services and servers, in the form of `failoverd ipvs --json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shown {
    pub services: Vec<ShownService>,
    /// Seconds.
    pub timeouts: ShownTimeouts,
    pub sync_daemons: Vec<ShownDaemon>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownService {
    /// `TCP`, `UDP` or `SCTP`; none of a mark.
    pub protocol: Option<String>,
    pub address: Option<String>,
    /// Zero for all ports.
    pub port: Option<u16>,
    pub fwmark: Option<u32>,
    /// `inet` or `inet6`.
    pub family: String,
    pub scheduler: String,
    /// `ops`, `flag-1` to `flag-3`.
    pub flags: Vec<String>,
    /// Seconds.
    pub persistence_timeout: Option<u32>,
    pub persistence_engine: Option<String>,
    /// Prefix length; none where all of the address counts.
    pub persistence_granularity: Option<u8>,
    pub traffic: Traffic,
    pub servers: Vec<ShownServer>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownServer {
    pub address: String,
    pub port: u16,
    /// As `lvs_method` has it.
    pub method: String,
    pub weight: u32,
    pub uthreshold: u32,
    pub lthreshold: u32,
    pub connections: Connections,
    pub traffic: Traffic,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ShownTimeouts {
    pub tcp: u32,
    pub tcpfin: u32,
    pub udp: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShownDaemon {
    pub role: String,
    pub interface: String,
    pub id: u8,
    pub maxlen: Option<u16>,
    pub group: Option<String>,
    pub port: Option<u16>,
    pub ttl: Option<u8>,
}

impl From<&Picture> for Shown {
    fn from(picture: &Picture) -> Self {
        Self {
            services: picture
                .table
                .keys()
                .filter_map(|key| service(*key, picture))
                .collect(),
            timeouts: ShownTimeouts {
                tcp: picture.timeouts.tcp,
                tcpfin: picture.timeouts.tcp_fin,
                udp: picture.timeouts.udp,
            },
            sync_daemons: picture.daemons.iter().map(daemon).collect(),
        }
    }
}

fn service(key: ServiceKey, picture: &Picture) -> Option<ShownService> {
    let pool = picture.table.get(&key)?;
    let service = &pool.service;
    let (protocol, address, port, fwmark) = match key {
        ServiceKey::Address {
            protocol,
            address,
            port,
        } => (
            Some(protocol.name().to_owned()),
            Some(address.to_string()),
            Some(port),
            None,
        ),
        ServiceKey::Mark { v6: _, mark } => (None, None, None, Some(mark)),
    };
    let named = [
        ("ops", service.one_packet),
        ("flag-1", service.flags[0]),
        ("flag-2", service.flags[1]),
        ("flag-3", service.flags[2]),
    ];
    let flags = named.into_iter().filter(|(_, on)| *on);
    let (family, whole) = match key.family() {
        Family::V4 => ("inet", 32),
        Family::V6 => ("inet6", 128),
    };
    Some(ShownService {
        protocol,
        address,
        port,
        fwmark,
        family: family.to_owned(),
        scheduler: service.scheduler.clone(),
        flags: flags.map(|(name, _)| name.to_owned()).collect(),
        persistence_timeout: service.persistence,
        persistence_engine: service.engine.clone(),
        persistence_granularity: prefix_of(key.family(), service.netmask)
            .filter(|length| *length != whole),
        traffic: picture
            .traffic
            .get(&(key, None))
            .copied()
            .unwrap_or_default(),
        servers: pool
            .servers
            .values()
            .map(|one| server(key, one, picture))
            .collect(),
    })
}

fn server(service: ServiceKey, one: &Destination, picture: &Picture) -> ShownServer {
    let traffic = picture.traffic.get(&(service, Some(one.key)));
    let connections = picture.connections.get(&(service, one.key));
    ShownServer {
        address: one.key.address.to_string(),
        port: one.key.port,
        method: method(one.forward),
        weight: one.weight,
        uthreshold: one.upper,
        lthreshold: one.lower,
        connections: connections.copied().unwrap_or_default(),
        traffic: traffic.copied().unwrap_or_default(),
    }
}

/// As the words of `lvs_method`.
pub fn method(forward: Forward) -> String {
    let sum = |checksum| match checksum {
        Checksum::None => " nocsum",
        Checksum::Full => " csum",
        Checksum::Remote => " remcsum",
    };
    match forward {
        Forward::Tunnel(Tunnel::Gue { port, checksum }) => {
            format!("TUN type gue port {port}{}", sum(checksum))
        }
        Forward::Tunnel(Tunnel::Gre { checksum }) => format!("TUN type gre{}", sum(checksum)),
        Forward::Tunnel(Tunnel::Ipip)
        | Forward::Masquerade
        | Forward::Route
        | Forward::Local
        | Forward::Bypass => forward.name().to_owned(),
    }
}

fn daemon(one: &Daemon) -> ShownDaemon {
    ShownDaemon {
        role: one.role.name().to_owned(),
        interface: one.interface.clone(),
        id: one.sync_id,
        maxlen: one.max_length,
        group: one.group.map(|group| group.to_string()),
        port: one.port,
        ttl: one.ttl,
    }
}

impl ShownService {
    fn title(&self) -> String {
        match (&self.protocol, &self.address, self.port, self.fwmark) {
            (Some(protocol), Some(address), Some(port), _) if address.contains(':') => {
                format!("{protocol} [{address}]:{port}")
            }
            (Some(protocol), Some(address), Some(port), _) => {
                format!("{protocol} {address}:{port}")
            }
            (_, _, _, mark) => format!("fwmark {} {}", mark.unwrap_or(0), self.family),
        }
    }
}

impl fmt::Display for Shown {
    /// A line for each service, and one for each of its servers below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.services.is_empty() {
            writeln!(f, "no virtual servers")?;
        }
        for service in &self.services {
            write!(f, "{} {}", service.title(), service.scheduler)?;
            service
                .flags
                .iter()
                .try_for_each(|flag| write!(f, " {flag}"))?;
            if let Some(seconds) = service.persistence_timeout {
                write!(f, " persistent {seconds} s")?;
            }
            if let Some(length) = service.persistence_granularity {
                write!(f, " by /{length}")?;
            }
            if let Some(engine) = &service.persistence_engine {
                write!(f, " engine {engine}")?;
            }
            writeln!(f)?;
            for server in &service.servers {
                let mut place = String::new();
                match server.address.contains(':') {
                    true => write!(place, "[{}]:{}", server.address, server.port)?,
                    false => write!(place, "{}:{}", server.address, server.port)?,
                }
                writeln!(
                    f,
                    "  {place:<24} {:<8} weight {:<5} active {:<6} inactive {:<6} total {}",
                    server.method,
                    server.weight,
                    server.connections.active,
                    server.connections.inactive,
                    server.traffic.connections,
                )?;
            }
        }
        let ShownTimeouts { tcp, tcpfin, udp } = self.timeouts;
        writeln!(f, "timeouts: tcp {tcp} s, tcpfin {tcpfin} s, udp {udp} s")?;
        for daemon in &self.sync_daemons {
            let ShownDaemon {
                role,
                interface,
                id,
                ..
            } = daemon;
            writeln!(f, "sync daemon: {role} on {interface}, id {id}")?;
        }
        Ok(())
    }
}
