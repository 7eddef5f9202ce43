//! Which processes are of which tracker.

use std::collections::BTreeMap;

use agent_common::KernelTime;

use super::{
    connector::Event,
    matching::{Called, matches, wants_cmdline},
    quorum::Quorum,
};
use crate::{
    config::model::ProcessSpec,
    track::{Reading, TrackerId, Value, sources::Entry},
};

/// One tracker and its verdict.
struct Tracked {
    entry: Entry<ProcessSpec>,
    quorum: Quorum,
}

/// All trackers, and the processes that are of at least one of them.
#[derive(Default)]
pub struct Table {
    tracked: Vec<Tracked>,
    /// By process: the places in `tracked`.
    members: BTreeMap<u32, Vec<usize>>,
    /// Whether any tracker needs command lines.
    cmdline: bool,
}

impl Table {
    /// Takes another list; those that stay keep their verdict and delays. A
    /// look at all processes has to follow.
    pub fn change(&mut self, wanted: Vec<Entry<ProcessSpec>>) {
        let mut old: BTreeMap<TrackerId, Tracked> = std::mem::take(&mut self.tracked)
            .into_iter()
            .map(|tracked| (tracked.entry.tracker.clone(), tracked))
            .collect();
        self.members.clear();
        self.cmdline = wanted.iter().any(|entry| wants_cmdline(&entry.spec));
        self.tracked = wanted
            .into_iter()
            .map(|entry| match old.remove(&entry.tracker) {
                Some(same) if same.entry.epoch == entry.epoch => same,
                Some(_) | None => Tracked {
                    quorum: Quorum::new(&entry.spec),
                    entry,
                },
            })
            .collect();
    }

    /// Whether [`Called::cmdline`] is needed.
    pub const fn wants_cmdline(&self) -> bool {
        self.cmdline
    }

    /// All processes that there are, and what they are called.
    pub fn replace(&mut self, all: impl Iterator<Item = (u32, Called)>, now: KernelTime) {
        self.members.clear();
        for (process, called) in all {
            self.assign(process, &called);
        }
        self.count(now);
    }

    /// One event; `called` looks a process up.
    pub fn event(
        &mut self,
        event: Event,
        now: KernelTime,
        called: impl FnOnce(u32) -> Option<Called>,
    ) {
        let before = self.members.len();
        match event {
            Event::Answer(_) => return,
            // It is what its parent is until it runs something else.
            Event::Fork { parent, child } => {
                let Some(same) = self.members.get(&parent).cloned() else {
                    return;
                };
                self.members.insert(child, same);
            }
            Event::Renamed { process } => {
                let was = self.members.remove(&process);
                if let Some(called) = called(process) {
                    self.assign(process, &called);
                }
                if was.as_ref() == self.members.get(&process) {
                    return;
                }
            }
            Event::Exit { process } => {
                self.members.remove(&process);
                if self.members.len() == before {
                    return;
                }
            }
        }
        self.count(now);
    }

    fn assign(&mut self, process: u32, called: &Called) {
        let of: Vec<usize> = self
            .tracked
            .iter()
            .enumerate()
            .filter(|(_, tracked)| matches(&tracked.entry.spec, called))
            .map(|(index, _)| index)
            .collect();
        if !of.is_empty() {
            self.members.insert(process, of);
        }
    }

    fn count(&mut self, now: KernelTime) {
        for (index, tracked) in self.tracked.iter_mut().enumerate() {
            let of = self.members.values().filter(|of| of.contains(&index));
            let count = u32::try_from(of.count()).unwrap_or(u32::MAX);
            tracked.quorum.set(count, now);
        }
    }

    /// When the next delay is over.
    pub fn due(&self) -> Option<KernelTime> {
        self.tracked
            .iter()
            .filter_map(|tracked| tracked.quorum.due())
            .min()
    }

    /// A verdict that is new by now.
    pub fn news(&mut self, now: KernelTime) -> Option<Reading> {
        self.tracked.iter_mut().find_map(|tracked| {
            let value = tracked.quorum.take(now)?;
            let count = tracked.quorum.count();
            Some(Reading {
                tracker: tracked.entry.tracker.clone(),
                epoch: tracked.entry.epoch,
                value,
                detail: detail(count, &tracked.entry.spec, value),
            })
        })
    }
}

fn detail(count: u32, spec: &ProcessSpec, value: Value) -> String {
    let processes = match count {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    match (value, spec.quorum_max) {
        (Value::Up | Value::Number(_), _) => processes,
        (Value::Down, Some(most)) if count > most => format!("{processes}, {most} at most"),
        (Value::Down, _) => format!("{processes}, {} needed", spec.quorum),
    }
}
