//! One agent per virtual router and network namespace (FAILURES P15).
//!
//! Abstract sockets belong to the network namespace and vanish with their
//! holder, however it ends: no stale lock file can keep an agent from starting.

use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use agent_common::Family;

use crate::config::Instance;

/// The locks that this agent holds, by name.
#[derive(Debug, Default)]
pub struct Locks(BTreeMap<String, UnixListener>);

impl Locks {
    /// Takes the locks of all these instances that are not held yet, or none.
    ///
    /// # Errors
    ///
    /// The name of the instance that another agent holds, or that the lock
    /// could not be made for.
    pub fn take(&mut self, instances: &[Instance]) -> Result<(), (String, io::Error)> {
        let mut taken = BTreeMap::new();
        for instance in instances {
            let name = name(instance);
            if self.0.contains_key(&name) || taken.contains_key(&name) {
                continue;
            }
            let listener = SocketAddr::from_abstract_name(name.as_bytes())
                .and_then(|address| UnixListener::bind_addr(&address))
                .map_err(|error| (instance.name.clone(), error))?;
            taken.insert(name, listener);
        }
        self.0.append(&mut taken);
        Ok(())
    }

    /// Takes over what a predecessor held.
    pub fn adopt(&mut self, locks: BTreeMap<String, OwnedFd>) {
        let locks = locks.into_iter();
        self.0
            .extend(locks.map(|(name, fd)| (name, UnixListener::from(fd))));
    }

    /// All names and descriptors.
    pub fn all(&self) -> impl Iterator<Item = (String, BorrowedFd<'_>)> {
        self.0
            .iter()
            .map(|(name, lock)| (name.clone(), lock.as_fd()))
    }

    /// Lets go of all that these instances do not need.
    pub fn keep_only<'a>(&mut self, instances: impl Iterator<Item = &'a Instance>) {
        let needed: Vec<String> = instances.map(name).collect();
        self.0.retain(|name, _| needed.contains(name));
    }
}

fn name(instance: &Instance) -> String {
    let family = match instance.family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let (interface, vrid) = (&instance.interface, instance.vrid);
    format!("failoverd/{interface}/{family}/{vrid}")
}
