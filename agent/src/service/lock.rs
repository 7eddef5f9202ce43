//! One agent per virtual router and network namespace (FAILURES P15).
//!
//! Abstract sockets belong to the network namespace and vanish with their
//! holder, however it ends: no stale lock file can keep an agent from starting.

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use agent_common::Family;

use crate::config::Instance;

/// Held for as long as it lives.
#[derive(Debug)]
pub struct InstanceLock {
    _listener: UnixListener,
}

/// Takes the locks of all instances, or none.
///
/// # Errors
///
/// The name of the instance that another agent holds, or that the lock could
/// not be made for.
pub fn take(instances: &[Instance]) -> Result<Vec<InstanceLock>, (String, io::Error)> {
    instances
        .iter()
        .map(|instance| {
            let family = match instance.family {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            };
            let name = format!(
                "failoverd/{}/{family}/{}",
                instance.interface, instance.vrid
            );
            let address = SocketAddr::from_abstract_name(name.as_bytes());
            let listener = address.and_then(|address| UnixListener::bind_addr(&address));
            match listener {
                Ok(listener) => Ok(InstanceLock {
                    _listener: listener,
                }),
                Err(error) => Err((instance.name.clone(), error)),
            }
        })
        .collect()
}
