//! Entering a network namespace, before anything else.

use std::{fs::File, io, path::Path};

use rustix::{
    fd::AsFd,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

/// Where iproute2 keeps the named ones.
const DIRECTORY: &str = "/run/netns";

/// Why it was not entered.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    #[error(
        "network namespace {name} cannot be opened: {source}; make it with `ip netns add {name}`"
    )]
    Missing { name: String, source: io::Error },
    #[error("not permitted to enter network namespace {name}: CAP_SYS_ADMIN is needed")]
    Permission { name: String },
    #[error("network namespace {name} cannot be entered: {source}")]
    Refused { name: String, source: io::Error },
}

/// Moves this thread, and all that it starts later, into a named namespace.
/// To be called while it is the only thread.
///
/// # Errors
///
/// When there is none of that name, or it is not permitted.
pub fn enter(name: &str) -> Result<(), NamespaceError> {
    let file = File::open(Path::new(DIRECTORY).join(name));
    let name = name.to_owned();
    let file = match file {
        Ok(file) => file,
        Err(source) => return Err(NamespaceError::Missing { name, source }),
    };
    match move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::PERM) => Err(NamespaceError::Permission { name }),
        Err(error) => Err(NamespaceError::Refused {
            name,
            source: error.into(),
        }),
    }
}
