//! What sources find out: the only thing that they tell the rest of the agent.

use std::{fmt, sync::Arc};

use crate::config::model::{FileSpec, ProcessSpec, ScriptSpec};

/// What sort of thing is tracked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    Interface,
    Script,
    File,
    Process,
}

impl Kind {
    /// The kind of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Interface, Self::Script, Self::File, Self::Process]
            .into_iter()
            .find(|kind| kind.word() == word)
    }

    /// As in the configuration, without its `track_`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
        }
    }
}

/// A tracker, by the name that the configuration gives it. It stays the same
/// over a reload.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackerId {
    pub kind: Kind,
    pub name: Arc<str>,
}

impl TrackerId {
    pub fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

impl fmt::Display for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// What a tracker is found to be, after `rise`, `fall` and delays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A script that succeeds, processes in their quorum, a usable link.
    Up,
    Down,
    /// What a file says; 0 for one that is not there or holds no number.
    Number(i64),
}

impl Value {
    /// What [`fmt::Display`] writes.
    pub fn of_text(text: &str) -> Option<Self> {
        match text {
            "up" => Some(Self::Up),
            "down" => Some(Self::Down),
            number => number.parse().ok().map(Self::Number),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down => f.write_str("down"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A change of a tracker. The same value again does no harm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reading {
    pub tracker: TrackerId,
    /// Of the definition that it was read by: a source gives back what it was
    /// started with, and what comes late from the one before is not counted.
    pub epoch: u32,
    pub value: Value,
    /// For people, in the status: `exit status 1`, `timed out after 2 s`,
    /// `3 processes`. Empty where the value says all.
    pub detail: String,
}

/// A definition that a source works by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spec {
    Script(ScriptSpec),
    File(FileSpec),
    Process(ProcessSpec),
}

/// One source that has to run. The sources are given all of them at once, at
/// the start and after a reload: those of a tracker and epoch that they have
/// go on untouched, those that are missing end, the others begin. Interfaces
/// need no source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub tracker: TrackerId,
    /// To be given back with each [`Reading`].
    pub epoch: u32,
    pub spec: Spec,
}
