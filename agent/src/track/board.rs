//! All that is tracked, and what was read of it last.

use std::collections::BTreeMap;

use super::reading::{Kind, Reading, Spec, TrackerId, Value, Wanted};
use crate::config::model::{Track, Trackers};

/// The trackers in use and their readings. What a reload does not change keeps
/// its reading.
#[derive(Debug, Default)]
pub struct Board {
    entries: BTreeMap<TrackerId, Entry>,
    epoch: u32,
    /// A configuration is in force already.
    running: bool,
}

#[derive(Debug)]
struct Entry {
    /// None for an interface, which needs no source.
    wanted: Option<Wanted>,
    value: Option<Value>,
    detail: String,
    /// Came with a reload: nothing is to be given up before its first reading.
    late: bool,
}

impl Board {
    /// Takes a configuration over: its definitions, and what its instances
    /// track. The sources that are to run from now on.
    pub fn set<'a>(
        &mut self,
        trackers: &Trackers,
        tracks: impl Iterator<Item = &'a Track>,
    ) -> Vec<Wanted> {
        let mut before = std::mem::take(&mut self.entries);
        for Track { tracker, weight: _ } in tracks {
            if self.entries.contains_key(tracker) {
                continue;
            }
            let spec = definition(tracker, trackers);
            if spec.is_none() && tracker.kind != Kind::Interface {
                continue;
            }
            let before = before.remove(tracker);
            let same =
                |entry: &Entry| entry.wanted.as_ref().map(|wanted| &wanted.spec) == spec.as_ref();
            let (known, changed) = match before {
                Some(entry) if same(&entry) => (Some(entry), None),
                other => (None, other),
            };
            let late = self.running;
            let entry = known.unwrap_or_else(|| {
                // What it was by its old definition counts until the new one
                // has been read.
                let (value, detail) = changed
                    .map(|entry| (entry.value, entry.detail))
                    .unwrap_or_default();
                self.epoch = self.epoch.wrapping_add(1);
                let epoch = self.epoch;
                let tracker = tracker.clone();
                Entry {
                    wanted: spec.map(|spec| Wanted {
                        tracker,
                        epoch,
                        spec,
                    }),
                    value,
                    detail,
                    late,
                }
            });
            self.entries.insert(tracker.clone(), entry);
        }
        self.running = true;
        self.wanted()
    }

    /// The sources that are to run.
    pub fn wanted(&self) -> Vec<Wanted> {
        let wanted = self.entries.values();
        wanted.filter_map(|entry| entry.wanted.clone()).collect()
    }

    /// Takes a reading; true when the tracker is something else than before.
    /// One of a definition that is no more is not counted.
    pub fn take(&mut self, reading: Reading) -> bool {
        let Reading {
            tracker,
            epoch,
            value,
            detail,
        } = reading;
        let Some(entry) = self.entries.get_mut(&tracker) else {
            return false;
        };
        if entry.wanted.as_ref().map(|wanted| wanted.epoch) != Some(epoch) {
            return false;
        }
        entry.detail = detail;
        entry.value.replace(value) != Some(value)
    }

    /// Looks at every tracked interface; true when one is not as it was.
    pub fn look(&mut self, link: impl Fn(&str) -> Value) -> bool {
        let mut changed = false;
        for (tracker, entry) in &mut self.entries {
            if tracker.kind == Kind::Interface {
                let value = link(&tracker.name);
                changed |= entry.value.replace(value) != Some(value);
            }
        }
        changed
    }

    /// What sources have found out, with what they say about it.
    pub fn readings(&self) -> impl Iterator<Item = (&TrackerId, Value, &str)> {
        let read = self.entries.iter();
        read.filter(|(tracker, _)| tracker.kind != Kind::Interface)
            .filter_map(|(tracker, entry)| Some((tracker, entry.value?, entry.detail.as_str())))
    }

    /// Of a predecessor with the same definitions: counts until the source has
    /// found out for itself.
    pub fn inherit(&mut self, tracker: &TrackerId, value: Value, detail: String) {
        if let Some(entry) = self.entries.get_mut(tracker) {
            entry.value.get_or_insert(value);
            entry.detail = detail;
        }
    }

    /// What was read last; `None` before the first reading.
    pub fn value(&self, tracker: &TrackerId) -> Option<Value> {
        self.entries.get(tracker)?.value
    }

    /// What counts: until its first reading a tracker that came with a reload
    /// neither adds to a priority nor is a fault.
    pub fn counts(&self, tracker: &TrackerId) -> Option<Value> {
        let entry = self.entries.get(tracker)?;
        entry.value.or(entry.late.then_some(Value::Number(0)))
    }

    /// What the source says about it, for people.
    pub fn detail(&self, tracker: &TrackerId) -> &str {
        let entry = self.entries.get(tracker);
        entry.map_or("", |entry| entry.detail.as_str())
    }
}

fn definition(tracker: &TrackerId, trackers: &Trackers) -> Option<Spec> {
    let name = &*tracker.name;
    match tracker.kind {
        Kind::Interface => None,
        Kind::Script => {
            let found = trackers.scripts.iter().find(|spec| spec.name == name);
            found.cloned().map(Spec::Script)
        }
        Kind::File => {
            let found = trackers.files.iter().find(|spec| spec.name == name);
            found.cloned().map(Spec::File)
        }
        Kind::Process => {
            let found = trackers.processes.iter().find(|spec| spec.name == name);
            found.cloned().map(Spec::Process)
        }
    }
}
