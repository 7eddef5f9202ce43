//! The signals that the agent acts on: keepalived's.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{dump::Kind, io::sys::realtime};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Stop,
    Reload,
    Dump(Kind),
    /// The statistics, which count from 0 again.
    StatsAndClear,
    /// A line in the log for each thread.
    Threads,
}

/// The signals that the agent acts on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    data: Signal,
    stats: Signal,
    json: Signal,
    stats_clear: Signal,
    threads: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let raw = |number| signal(SignalKind::from_raw(number));
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            data: signal(SignalKind::user_defined1())?,
            stats: signal(SignalKind::user_defined2())?,
            json: raw(realtime::json())?,
            stats_clear: raw(realtime::stats_clear())?,
            threads: raw(realtime::threads())?,
        })
    }

    /// Leaves all others for [`Self::wish`].
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }

    pub(super) async fn wish(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.quit.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Reload,
            _ = self.data.recv() => Wish::Dump(Kind::Data),
            _ = self.stats.recv() => Wish::Dump(Kind::Stats),
            _ = self.json.recv() => Wish::Dump(Kind::Json),
            _ = self.stats_clear.recv() => Wish::StatsAndClear,
            _ = self.threads.recv() => Wish::Threads,
        }
    }
}
