//! The stream of events for programs: `failoverd events`.
//!
//! Every reader has a place in one ring. Whoever is slower than the ring loses
//! the oldest events and is told how many; the agent never waits for a reader.

use std::{sync::Arc, time::Duration};

use agent_common::KernelTime;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, broadcast::error::RecvError},
    time::timeout,
};

use crate::io::clock;

/// Events that a reader may be behind.
pub const BEHIND: usize = 1024;
/// Readers at a time.
pub const READERS: usize = 8;

/// A state as the status has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Initialize,
    Backup,
    Active,
    Fault,
    /// Of a group whose agent ends.
    Stopped,
}

impl State {
    /// As people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initialize => "INITIALIZE",
            Self::Backup => "BACKUP",
            Self::Active => "ACTIVE",
            Self::Fault => "FAULT",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What has happened. An interface: fields are added, never renamed, and
/// readers skip events that they do not know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The first one: from here on nothing is missed.
    Begin { version: String, pid: u32 },
    /// An instance is in another state.
    Transition {
        instance: String,
        from: State,
        to: State,
        /// A short name of the reason.
        cause: String,
        /// The reason as the log has it.
        text: String,
    },
    /// All members of a sync group are in this state now.
    Group { group: String, to: State },
    /// The priority in force is another one.
    Priority { instance: String, from: u8, to: u8 },
    /// Something that an operator should hear of.
    Notice {
        instance: String,
        /// A short name of it.
        notice: String,
        text: String,
    },
    /// An interface that an instance needs went or came.
    Link { interface: String, usable: bool },
    /// The configuration was read again.
    Reload {
        /// What was changed, a line each; empty when nothing was.
        changes: Vec<String>,
        /// Why it was refused, if it was.
        error: Option<String>,
    },
    /// This reader was too slow for so many events.
    Lost { count: u64 },
    /// Another agent goes on, at the same control socket. The last one.
    HandedOver { pid: u32 },
    /// The agent ends. The last one.
    Stopped,
}

/// One line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since 1970.
    pub time: f64,
    /// CLOCK_MONOTONIC nanoseconds.
    pub at_ns: u64,
    #[serde(flatten)]
    pub what: What,
}

impl Record {
    /// Of `at`, which was a moment ago.
    pub fn new(what: What, at: KernelTime) -> Self {
        let age = clock::now().since(at).as_nanos();
        let wall = u128::from(clock::wall_nanos()).saturating_sub(age);
        let micros = wall / 1000;
        Self {
            time: micros as f64 / 1e6,
            at_ns: at.nanos(),
            what,
        }
    }

    pub fn now(what: What) -> Self {
        Self::new(what, clock::now())
    }

    /// With its end.
    pub fn line(&self) -> String {
        // No map with other keys than strings, so it cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

#[derive(Clone, Debug)]
struct Item {
    line: Arc<str>,
    last: bool,
}

/// The agent's end of the stream; copies are the same.
#[derive(Clone, Debug)]
pub struct Feed {
    items: broadcast::Sender<Item>,
    places: Arc<Semaphore>,
}

impl Feed {
    pub fn new() -> Self {
        Self {
            items: broadcast::Sender::new(BEHIND),
            places: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Tells all readers.
    pub fn publish(&self, what: What, at: KernelTime) {
        if self.items.receiver_count() == 0 {
            return;
        }
        let last = matches!(what, What::HandedOver { .. } | What::Stopped);
        let line = Record::new(what, at).line().into();
        // Without a reader by now there is nobody to tell.
        let _ = self.items.send(Item { line, last });
    }

    /// A place for one more reader; none where there are too many.
    pub fn subscribe(&self) -> Option<Subscription> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        Some(Subscription {
            items: self.items.subscribe(),
            ended: false,
            _place: place,
        })
    }

    pub fn readers(&self) -> usize {
        READERS.saturating_sub(self.places.available_permits())
    }

    /// Waits until all readers have read the last event, or for so long.
    pub async fn finish(&self, within: Duration) {
        let all = u32::try_from(READERS).unwrap_or(u32::MAX);
        let _ = timeout(within, self.places.acquire_many(all)).await;
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

/// A reader's place.
#[derive(Debug)]
pub struct Subscription {
    items: broadcast::Receiver<Item>,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Subscription {
    /// The next line; none after the last one. Can be dropped and called again.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        if self.ended {
            return None;
        }
        match self.items.recv().await {
            Ok(Item { line, last }) => {
                self.ended = last;
                Some(line)
            }
            Err(RecvError::Lagged(count)) => Some(Record::now(What::Lost { count }).line().into()),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(to: u8) -> What {
        What::Priority {
            instance: "VI_1".to_owned(),
            from: 100,
            to,
        }
    }

    fn read(line: &str) -> What {
        serde_json::from_str::<Record>(line).expect(line).what
    }

    #[test]
    fn a_line_is_an_object_with_two_clocks() {
        let record = Record {
            time: 1_795_169_472.25,
            at_ns: 17,
            what: What::Transition {
                instance: "VI_1".to_owned(),
                from: State::Backup,
                to: State::Active,
                cause: "active_silent".to_owned(),
                text: "Receive advertisement timeout".to_owned(),
            },
        };
        let expected = "{\"time\":1795169472.25,\"at_ns\":17,\"event\":\"transition\",\
                        \"instance\":\"VI_1\",\"from\":\"backup\",\"to\":\"active\",\
                        \"cause\":\"active_silent\",\"text\":\"Receive advertisement timeout\"}\n";
        assert_eq!(record.line(), expected);
        assert_eq!(serde_json::from_str::<Record>(expected).ok(), Some(record));
    }

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
        let feed = Feed::new();
        let mut reader = feed.subscribe().expect("a place");
        for _ in 0..BEHIND {
            feed.publish(priority(1), clock::now());
        }
        for _ in 0..5 {
            feed.publish(priority(2), clock::now());
        }
        let first = reader.next().await.expect("a line");
        assert_eq!(read(&first), What::Lost { count: 5 });
        let mut rest = Vec::new();
        feed.publish(What::Stopped, clock::now());
        // One more was lost by that, which is told where it happened.
        while let Some(line) = reader.next().await {
            rest.push(read(&line));
        }
        assert_eq!(rest.first(), Some(&What::Lost { count: 1 }));
        assert_eq!(rest.len(), BEHIND + 1);
        assert_eq!(rest.last(), Some(&What::Stopped));
        let tail = rest.get(BEHIND - 5..BEHIND).expect("five");
        assert!(tail.iter().all(|what| *what == priority(2)), "{tail:?}");
    }

    #[tokio::test]
    async fn readers_are_bounded_and_end_with_the_agent() {
        let feed = Feed::new();
        let readers: Vec<_> = (0..READERS).map(|_| feed.subscribe()).collect();
        assert!(readers.iter().all(Option::is_some));
        assert!(feed.subscribe().is_none());
        assert_eq!(feed.readers(), READERS);
        feed.publish(What::HandedOver { pid: 1 }, clock::now());
        for reader in readers.into_iter().flatten() {
            let mut reader = reader;
            assert!(reader.next().await.is_some());
            assert_eq!(reader.next().await, None);
        }
        feed.finish(Duration::from_secs(5)).await;
        assert_eq!(feed.readers(), 0);
    }
}
