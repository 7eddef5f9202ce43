//! `vrrp_track_process`: how many processes of a name there are.
//!
//! The kernel tells of every process that begins, changes its name or ends.
//! /proc is looked through once at the start and whenever the kernel had more
//! to tell than we could take; each second where the kernel does not tell us
//! (in a container, or in another network namespace than the first).

mod connector;
mod matching;
mod proc;
mod quorum;
mod table;

use std::{io, time::Duration};

use agent_common::KernelTime;
use tokio::{
    io::unix::AsyncFd,
    sync::{mpsc, watch},
    time::sleep,
};
use tracing::{info, warn};

use self::{
    connector::{Connector, Event, Heard},
    table::Table,
};
use super::Entry;
use crate::{
    config::model::ProcessSpec,
    io::{clock, ready::readable},
    track::{Reading, Value},
};

/// How often /proc is looked through where the kernel does not tell.
const POLL: Duration = Duration::from_secs(1);
/// What the kernel has to answer a request; it does so before it returns.
const ANSWER: Duration = Duration::from_secs(1);
/// Events taken in one go, before others have their turn.
const BURST: usize = 128;

/// Watches the processes of `list` for as long as somebody wants to know.
pub(super) async fn watch(
    mut list: watch::Receiver<Vec<Entry<ProcessSpec>>>,
    readings: mpsc::Sender<Reading>,
) {
    let mut ears = Ears::open();
    let mut table = Table::default();
    table.change(list.borrow_and_update().clone());
    look(&mut table).await;
    loop {
        while let Some(reading) = table.news(clock::now()) {
            tell(&reading);
            if readings.send(reading).await.is_err() {
                return;
            }
        }
        let left = table.due().map(|due| due.since(clock::now()));
        tokio::select! {
            changed = list.changed() => {
                if changed.is_err() {
                    return;
                }
                table.change(list.borrow_and_update().clone());
                look(&mut table).await;
            }
            () = sleep(left.unwrap_or(POLL)), if left.is_some() => {}
            heard = ears.hear() => match heard {
                News::Events(events) => take(&mut table, &events),
                News::Look => look(&mut table).await,
            }
        }
        // A host that starts processes without end must not keep others waiting.
        tokio::task::yield_now().await;
    }
}

fn take(table: &mut Table, events: &[Event]) {
    let cmdline = table.wants_cmdline();
    for event in events {
        table.event(*event, clock::now(), |process| {
            proc::called(process, cmdline)
        });
    }
}

/// Looks at all processes, off the slow lane's thread: there may be many.
async fn look(table: &mut Table) {
    let cmdline = table.wants_cmdline();
    let all = tokio::task::spawn_blocking(move || {
        crate::sandbox::follow();
        let found = proc::all().into_iter();
        let called = found.filter_map(|pid| Some((pid, proc::called(pid, cmdline)?)));
        called.collect::<Vec<_>>()
    });
    if let Ok(all) = all.await {
        let now: KernelTime = clock::now();
        table.replace(all.into_iter(), now);
    }
}

/// The words of keepalived, which people look for.
fn tell(reading: &Reading) {
    let change = match reading.value {
        Value::Up => "gained",
        Value::Down | Value::Number(_) => "lost",
    };
    let (name, detail) = (&reading.tracker.name, &reading.detail);
    info!("Quorum {change} for tracked process {name} ({detail})");
}

enum News {
    Events(Vec<Event>),
    /// Whatever happened is not known: look at all.
    Look,
}

/// How we hear of processes.
enum Ears {
    /// Asked; false until the kernel has answered.
    Kernel(AsyncFd<Connector>, bool),
    Polling,
}

impl Ears {
    fn open() -> Self {
        match Connector::open().and_then(readable) {
            Ok(connector) => Self::Kernel(connector, false),
            Err(error) => Self::poll(&error),
        }
    }

    fn poll(why: &io::Error) -> Self {
        warn!(
            "tracked processes are looked for in /proc each second: the kernel does not tell \
             of processes here ({why})"
        );
        Self::Polling
    }

    /// Waits for something to happen. Can be dropped and called again, so that
    /// whoever does that too often hears nothing of the kernel's silence.
    async fn hear(&mut self) -> News {
        let (connector, answered) = match self {
            Self::Polling => {
                sleep(POLL).await;
                return News::Look;
            }
            Self::Kernel(connector, answered) => (connector, answered),
        };
        let waited = if *answered {
            Ok(connector.readable().await)
        } else {
            tokio::time::timeout(ANSWER, connector.readable()).await
        };
        let refused = match waited {
            Ok(Ok(mut ready)) => match drain(ready.get_inner()) {
                Ok((mut events, drained)) => {
                    if drained {
                        ready.clear_ready();
                    }
                    match answer(&mut events) {
                        Some(0) => *answered = true,
                        Some(errno) => {
                            let errno = i32::try_from(errno).unwrap_or(libc::EIO);
                            *self = Self::poll(&io::Error::from_raw_os_error(errno));
                            return News::Look;
                        }
                        None => {}
                    }
                    return News::Events(events);
                }
                Err(Lost::Overrun) => return News::Look,
                Err(Lost::Broken(error)) => error,
            },
            Ok(Err(error)) => error,
            Err(_) => io::Error::other("it does not answer"),
        };
        *self = Self::poll(&refused);
        News::Look
    }
}

fn answer(events: &mut Vec<Event>) -> Option<u32> {
    let mut found = None;
    events.retain(|event| match event {
        Event::Answer(errno) => {
            found = Some(*errno);
            false
        }
        Event::Fork { .. } | Event::Renamed { .. } | Event::Exit { .. } => true,
    });
    found
}

enum Lost {
    Overrun,
    Broken(io::Error),
}

/// A burst of events, and whether there are no more.
fn drain(connector: &Connector) -> Result<(Vec<Event>, bool), Lost> {
    let mut events = Vec::new();
    for _ in 0..BURST {
        match connector.hear().map_err(Lost::Broken)? {
            Heard::Events(more) => events.extend(more),
            Heard::Nothing => return Ok((events, true)),
            Heard::Overrun => return Err(Lost::Overrun),
        }
    }
    Ok((events, false))
}
