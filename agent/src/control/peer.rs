//! Who asks at the control socket, and what that lets him ask for.

use std::{os::fd::AsFd, os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;
use tokio::net::UnixStream;

use super::{NOT_PERMITTED, Refusal, Request};
use crate::io::sys;

/// Permission bit: the group of the socket may write to it, so connect.
const GROUP_WRITE: u32 = 0o020;

/// What a client may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rights {
    /// Everything: root, whoever the agent runs as, and members of the group
    /// that the socket belongs to.
    All,
    /// What goes on, and no more: whoever else is let in by the permissions of
    /// the socket, which somebody must have widened.
    Look,
}

impl Rights {
    /// Of whoever is at the other end, by what the kernel says of it; `path`
    /// is the socket's.
    pub fn of(stream: &UnixStream, path: &Path) -> Self {
        let Ok(peer) = stream.peer_cred() else {
            return Self::Look;
        };
        if peer.uid() == 0 || peer.uid() == geteuid().as_raw() {
            return Self::All;
        }
        let Ok(socket) = std::fs::symlink_metadata(path) else {
            return Self::Look;
        };
        let member = || {
            peer.gid() == socket.gid() || sys::peer_groups(stream.as_fd()).contains(&socket.gid())
        };
        match socket.mode() & GROUP_WRITE != 0 && member() {
            true => Self::All,
            false => Self::Look,
        }
    }

    /// # Errors
    ///
    /// What the client is answered.
    pub fn check(self, request: &Request) -> Result<(), Refusal> {
        let name = match (self, request) {
            (Self::All, _)
            | (Self::Look, Request::Status | Request::Events | Request::History(_)) => {
                return Ok(());
            }
            (Self::Look, Request::Reload) => "reload",
            (Self::Look, Request::Upgrade { .. }) => "upgrade",
            // It has a fingerprint of each password.
            (Self::Look, Request::Config) => "config",
        };
        Err(Refusal {
            error: format!(
                "{NOT_PERMITTED}: {name} is for root and for the group of the control socket"
            ),
        })
    }
}
