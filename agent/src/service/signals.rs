//! The signals that the agent acts on.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// What a signal asks for.
pub(super) enum Wish {
    Stop,
    Reload,
}

/// The signals that the agent acts on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// What people send to keepalived for data; not handled, they would kill.
    user1: Signal,
    user2: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
        })
    }

    pub(super) async fn wish(&mut self) -> Wish {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Wish::Stop,
                _ = self.interrupt.recv() => return Wish::Stop,
                _ = self.hangup.recv() => return Wish::Reload,
                _ = self.user1.recv() => warn!("SIGUSR1: ask `failoverd status` for data"),
                _ = self.user2.recv() => warn!("SIGUSR2: ask `failoverd status` for statistics"),
            }
        }
    }
}
