//! One agent per virtual router, and per VIP, of a network namespace
//! (FAILURES P15).
//!
//! Abstract sockets belong to the network namespace and vanish with their
//! holder, however it ends: no stale lock file can keep an agent from starting.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    sync::Arc,
};

use agent_common::Family;
use rustix::{
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tracing::warn;

use super::Failure;
use crate::config::Instance;

const PREFIX: &str = "failoverd/";
/// Descriptors that are left for everything else.
const OTHERS: usize = 512;

/// The locks that this agent holds, by name.
#[derive(Debug, Default)]
pub struct Locks(BTreeMap<String, Arc<OwnedFd>>);

/// What a lock keeps others from.
struct Wanted<'a> {
    name: String,
    instance: &'a Instance,
    /// `None` for the virtual router itself.
    vip: Option<IpAddr>,
}

impl Locks {
    /// Takes the locks of all these instances that are not held yet, or none.
    ///
    /// # Errors
    ///
    /// What another agent holds, or that a virtual router could not be locked.
    pub fn take(&mut self, instances: &[Instance]) -> Result<(), Failure> {
        let wanted: Vec<Wanted<'_>> = instances
            .iter()
            .flat_map(wanted)
            .filter(|wanted| !self.0.contains_key(&wanted.name))
            .collect();
        let room = room(self.0.len().saturating_add(wanted.len()));
        let mut taken = BTreeMap::new();
        for wanted in wanted {
            if taken.contains_key(&wanted.name) {
                continue;
            }
            if wanted.vip.is_some() && self.0.len().saturating_add(taken.len()) >= room {
                warn!(
                    "({}) VIP {} and others are not locked, for want of file descriptors: \
                     raise LimitNOFILE",
                    wanted.instance.name,
                    wanted.vip.map_or_else(String::new, |vip| vip.to_string())
                );
                break;
            }
            let listener = SocketAddr::from_abstract_name(wanted.name.as_bytes())
                .and_then(|address| UnixListener::bind_addr(&address))
                .map_err(|error| wanted.failure(error))?;
            taken.insert(wanted.name, Arc::new(OwnedFd::from(listener)));
        }
        self.0.append(&mut taken);
        Ok(())
    }

    /// Takes over what a predecessor held.
    pub fn adopt(&mut self, locks: BTreeMap<String, OwnedFd>) {
        let locks = locks.into_iter();
        self.0.extend(locks.map(|(name, fd)| (name, Arc::new(fd))));
    }

    /// All of them by name, for a successor. A lock is held for as long as
    /// anybody has its descriptor.
    pub fn all(&self) -> &BTreeMap<String, Arc<OwnedFd>> {
        &self.0
    }

    /// Lets go of all that these instances do not need.
    pub fn keep_only<'a>(&mut self, instances: impl Iterator<Item = &'a Instance>) {
        let needed: std::collections::BTreeSet<String> = instances
            .flat_map(wanted)
            .map(|wanted| wanted.name)
            .collect();
        self.0.retain(|name, _| needed.contains(name));
    }
}

/// Virtual routers first: their VIPs are taken along with them.
fn wanted(instance: &Instance) -> impl Iterator<Item = Wanted<'_>> {
    let router = Wanted {
        name: router_name(instance),
        instance,
        vip: None,
    };
    let vips = instance.vips.iter().map(move |vip| {
        let home = vip.device.as_ref().unwrap_or(&instance.interface);
        Wanted {
            name: format!("{PREFIX}{home}/vip/{}", vip.address),
            instance,
            vip: Some(vip.address),
        }
    });
    std::iter::once(router).chain(vips)
}

/// The name of the lock of a virtual router on this machine.
pub fn router_name(instance: &Instance) -> String {
    let family = match instance.family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let (interface, vrid) = (&instance.interface, instance.vrid);
    format!("{PREFIX}{interface}/{family}/{vrid}")
}

/// No agent holds this lock. It is not tried, which would keep one from
/// starting that wants it in this moment.
pub fn is_free(name: &str) -> bool {
    let held = |line: &str| {
        let last = line.split_whitespace().last();
        last.and_then(|last| last.strip_prefix('@')) == Some(name)
    };
    fs::read_to_string("/proc/net/unix").is_ok_and(|sockets| !sockets.lines().any(held))
}

/// How many locks there may be; the limit of descriptors is raised as far as
/// that many need and as it may be.
pub(super) fn room(count: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = count.saturating_add(OTHERS) as u64;
    let mut soft = limit.current.unwrap_or(u64::MAX);
    if soft < wanted {
        let raised = limit.maximum.map_or(wanted, |hard| hard.min(wanted));
        let new = Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, new).is_ok() {
            soft = raised;
        }
    }
    usize::try_from(soft)
        .unwrap_or(usize::MAX)
        .saturating_sub(OTHERS)
}

impl Wanted<'_> {
    fn failure(&self, error: io::Error) -> Failure {
        let instance = self.instance.name.clone();
        match (error.kind(), self.vip) {
            (io::ErrorKind::AddrInUse, None) => Failure::AlreadyRunning { instance },
            (io::ErrorKind::AddrInUse, Some(vip)) => Failure::VipTaken {
                instance,
                vip,
                holder: holder(&self.name),
            },
            _ => Failure::Runtime {
                what: format!("({instance}) cannot lock the instance"),
                source: error,
            },
        }
    }
}

/// The agent that holds a lock, as far as it can be told.
fn holder(name: &str) -> String {
    let Some(pid) = holder_pid(name) else {
        return "another failoverd".to_owned();
    };
    let routers: Vec<String> = routers()
        .into_iter()
        .filter(|router| holder_pid(router) == Some(pid))
        .filter_map(|router| {
            let mut parts = router.strip_prefix(PREFIX)?.split('/');
            let (interface, _, vrid) = (parts.next()?, parts.next()?, parts.next()?);
            Some(format!("VRID {vrid} on {interface}"))
        })
        .take(5)
        .collect();
    match routers.is_empty() {
        true => format!("another failoverd (pid {pid})"),
        false => format!("another failoverd (pid {pid}, {})", routers.join(", ")),
    }
}

/// Names of the locks of virtual routers in this network namespace.
fn routers() -> Vec<String> {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let names = sockets.lines().filter_map(|line| {
        let name = line.split_whitespace().last()?.strip_prefix('@')?;
        let ours = name.starts_with(PREFIX) && !name.contains("/vip/");
        ours.then(|| name.to_owned())
    });
    names.collect()
}

/// Never waits: a holder does not take connections, they only tell who it is.
fn holder_pid(name: &str) -> Option<i32> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).ok()?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    connect(&socket, &address).ok()?;
    let peer = sockopt::socket_peercred(&socket).ok()?;
    Some(peer.pid.as_raw_nonzero().get())
}
