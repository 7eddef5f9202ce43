//! How an agent has its supervisor start its successor.
//!
//! One datagram with two descriptors, the binary and the successor's end of
//! the channel; the answer is the pid with a descriptor of the process, or why
//! there is none. What the supervisor is to pass on (`notify`) comes the same
//! way and has no answer.

use std::{
    ffi::OsString,
    fs::File,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use rustix::process::{PidfdFlags, pidfd_open};

use super::{notify, ward::Ward};
use crate::upgrade::channel;

/// Name of the environment variable that carries the descriptor number.
pub const REQUEST_FD: &str = "FAILOVERD_REQUEST_FD";

/// The supervisor has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(5);
const START: &[u8] = b"start a successor";

/// A successor that runs.
#[derive(Debug)]
pub struct Started {
    pub pid: u32,
    pub pidfd: OwnedFd,
}

/// The agent's side: has `binary` started with `heir` as its channel.
///
/// # Errors
///
/// Why it does not run.
pub fn start_successor(
    requests: &OwnedFd,
    binary: &File,
    heir: OwnedFd,
) -> Result<Started, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the supervising parent: {error}");
    let fds = [binary.as_fd(), heir.as_fd()];
    channel::send(requests.as_fd(), START, &fds).map_err(|error| failed(&error))?;
    // Ours must be closed, or the end of the successor would go unnoticed.
    drop(heir);
    if !channel::wait([requests.as_fd()], PATIENCE) {
        return Err(failed(&"no answer"));
    }
    let mut answer = [0; 512];
    let (len, [pidfd, _]) =
        channel::receive(requests.as_fd(), &mut answer).map_err(|error| failed(&error))?;
    let answer = String::from_utf8_lossy(answer.get(..len).unwrap_or_default());
    match (answer.parse(), pidfd) {
        (Ok(pid), Some(pidfd)) => Ok(Started { pid, pidfd }),
        (Ok(_) | Err(_), _) => Err(failed(&answer)),
    }
}

/// A request as the supervisor got it.
pub(super) struct Request {
    pub binary: File,
    pub heir: OwnedFd,
}

/// What an agent wants.
pub(super) enum Asked {
    Successor(Request),
    /// Something for the service manager.
    PassOn(Vec<u8>),
    /// Of another version, perhaps.
    Unknown,
}

/// The next message; an error when there is none, or none can come any more.
pub(super) fn receive(requests: &OwnedFd) -> Result<Asked, channel::ChannelError> {
    let mut buffer = [0; 512];
    let (len, fds) = channel::receive(requests.as_fd(), &mut buffer)?;
    let message = buffer.get(..len).unwrap_or_default();
    if let Some(text) = message.strip_prefix(notify::PREFIX) {
        return Ok(Asked::PassOn(text.to_vec()));
    }
    Ok(match (message, fds) {
        (START, [Some(binary), Some(heir)]) => Asked::Successor(Request {
            binary: binary.into(),
            heir,
        }),
        (_, _) => Asked::Unknown,
    })
}

impl Request {
    /// Starts the successor and says so; the binary that it runs.
    pub(super) fn grant(
        self,
        arguments: &[OsString],
        requests: &OwnedFd,
    ) -> Result<(Ward, File), String> {
        let program = program(&self.binary);
        let ward = Ward::start(&program, arguments, Some(self.heir))
            .map_err(|error| format!("cannot start it: {error}"))?;
        // The agent need not be trusted to end it: we do when it ends itself.
        if let Ok(pidfd) = pidfd_open(ward.pid, PidfdFlags::empty()) {
            let pid = ward.pid.as_raw_nonzero().to_string();
            let _ = channel::send(requests.as_fd(), pid.as_bytes(), &[pidfd.as_fd()]);
        }
        Ok((ward, self.binary))
    }
}

/// An agent that asks for nothing hears of it too.
pub(super) fn refuse(requests: &OwnedFd, reason: &str) {
    let _ = channel::send(requests.as_fd(), reason.as_bytes(), &[]);
}

/// A path by which an open binary can be run.
pub(super) fn program(binary: &File) -> String {
    format!("/proc/self/fd/{}", binary.as_raw_fd())
}
