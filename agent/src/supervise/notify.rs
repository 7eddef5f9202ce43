//! What the agent has for the service manager, which its main process says.
//!
//! A service manager that listens to the main process alone
//! (`NotifyAccess=main`) hears nothing from others that run in the service: no
//! script can say that all is well. The main process is the supervisor, so the
//! agent hands it what is to be said, by the socket that it has anyway.

use std::{
    env,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::OnceLock,
};

use sd_notify::NotifyState;

use crate::upgrade::channel;

/// Name of the environment variable that tells an agent that its supervisor
/// passes things on; an earlier version of it does not.
pub const RELAY: &str = "FAILOVERD_NOTIFY_RELAY";
/// Where the service manager listens.
pub(super) const SOCKET: &str = "NOTIFY_SOCKET";
/// How such a message to the supervisor begins.
pub(super) const PREFIX: &[u8] = b"notify\n";

/// The agent's end.
static CHANNEL: OnceLock<OwnedFd> = OnceLock::new();

/// The agent's side, at its start.
pub(super) fn connect(requests: &OwnedFd) {
    if env::var_os(RELAY).is_some()
        && let Ok(requests) = requests.try_clone()
    {
        // Once in a process.
        let _ = CHANNEL.set(requests);
    }
}

/// Tells the service manager, if there is one. Never waits for anybody.
pub fn tell(states: &[NotifyState<'_>]) {
    let Some(channel) = CHANNEL.get() else {
        // Nobody can be told that nobody is told.
        let _ = sd_notify::notify(states);
        return;
    };
    let mut message = PREFIX.to_vec();
    for state in states {
        message.extend_from_slice(state.to_string().as_bytes());
        message.push(b'\n');
    }
    let _ = channel::send(channel.as_fd(), &message, &[]);
}

/// The supervisor's side: says `text`, once and without waiting.
pub(super) fn pass_on(text: &[u8]) {
    let Some(name) = env::var_os(SOCKET) else {
        return;
    };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&name),
    };
    let sent = address.and_then(|address| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(text, &address)
    });
    // A watchdog that goes unfed says it louder than we could.
    drop(sent);
}
