//! What watches: scripts that are run, files, processes.
//!
//! All of it is in the slow lane, each script in a task of its own, files and
//! processes in one task each. They tell what they found by one bounded
//! channel, and wait where nobody takes it.

pub mod file;
pub mod health;
pub mod process;
mod script;

use std::collections::BTreeMap;

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{Reading, Spec, TrackerId, Wanted};
use crate::{
    config::model::{FileSpec, ProcessSpec, ScriptSpec},
    script::{Lane, Runner},
};

/// Scripts that may begin at the same moment; of more, the first runs are
/// spread.
const AT_ONCE: usize = 8;

/// Something to be watched by a task for many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<S> {
    pub tracker: TrackerId,
    /// To be given back with each reading.
    pub epoch: u32,
    pub spec: S,
}

/// All sources that run. They end when this is dropped, and so do the scripts
/// that run just now.
#[derive(Debug)]
pub struct Sources {
    runner: Runner,
    readings: mpsc::Sender<Reading>,
    scripts: BTreeMap<TrackerId, Script>,
    files: Option<Shared<FileSpec>>,
    processes: Option<Shared<ProcessSpec>>,
}

#[derive(Debug)]
struct Script {
    epoch: u32,
    /// Also of a definition that replaces this one, so that its first run
    /// waits until the last one of this is over.
    lane: Lane,
    _task: Task,
}

/// A task that watches many and is told which.
#[derive(Debug)]
struct Shared<S> {
    list: watch::Sender<Vec<Entry<S>>>,
    _task: Task,
}

/// A task that ends when this is dropped.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sources {
    /// Nothing is watched yet. `readings`: where to tell what is found.
    pub fn new(runner: Runner, readings: mpsc::Sender<Reading>) -> Self {
        Self {
            runner,
            readings,
            scripts: BTreeMap::new(),
            files: None,
            processes: None,
        }
    }

    /// Makes what runs equal to `wanted`: sources of a tracker and epoch that
    /// run go on untouched, those that are missing in it end, the others begin.
    ///
    /// To be called on the runtime of the slow lane.
    pub fn apply(&mut self, wanted: &[Wanted]) {
        let (mut scripts, mut files, mut processes) = (Vec::new(), Vec::new(), Vec::new());
        for Wanted {
            tracker,
            epoch,
            spec,
        } in wanted
        {
            let (tracker, epoch) = (tracker.clone(), *epoch);
            match spec.clone() {
                Spec::Script(spec) => scripts.push(Entry {
                    tracker,
                    epoch,
                    spec,
                }),
                Spec::File(spec) => files.push(Entry {
                    tracker,
                    epoch,
                    spec,
                }),
                Spec::Process(spec) => processes.push(Entry {
                    tracker,
                    epoch,
                    spec,
                }),
            }
        }
        self.apply_scripts(scripts);
        let readings = &self.readings;
        share(&mut self.files, files, |list| {
            tokio::spawn(file::watch(list, readings.clone()))
        });
        share(&mut self.processes, processes, |list| {
            tokio::spawn(process::watch(list, readings.clone()))
        });
    }

    fn apply_scripts(&mut self, wanted: Vec<Entry<ScriptSpec>>) {
        let mut old = std::mem::take(&mut self.scripts);
        let mut new = Vec::new();
        for entry in wanted {
            match old.remove(&entry.tracker) {
                Some(script) if script.epoch == entry.epoch => {
                    self.scripts.insert(entry.tracker, script);
                }
                Some(script) => new.push((entry, script.lane)),
                None => new.push((entry, Lane::new())),
            }
        }
        drop(old);
        let count = new.len();
        for (index, (entry, lane)) in new.into_iter().enumerate() {
            let (tracker, epoch) = (entry.tracker.clone(), entry.epoch);
            let phase = phase(index, count, entry.spec.interval);
            let task = script::watch(
                entry,
                phase,
                lane.clone(),
                self.runner.clone(),
                self.readings.clone(),
            );
            let _task = Task(tokio::spawn(task));
            self.scripts.insert(tracker, Script { epoch, lane, _task });
        }
    }
}

/// Gives the task of one kind its list; there is none while there is nothing
/// to watch.
fn share<S: PartialEq>(
    shared: &mut Option<Shared<S>>,
    list: Vec<Entry<S>>,
    start: impl FnOnce(watch::Receiver<Vec<Entry<S>>>) -> JoinHandle<()>,
) {
    if list.is_empty() {
        *shared = None;
        return;
    }
    match shared {
        Some(shared) => {
            shared.list.send_if_modified(|now| {
                let changed = *now != list;
                *now = list;
                changed
            });
        }
        None => {
            let (sender, receiver) = watch::channel(list);
            let _task = Task(start(receiver));
            *shared = Some(Shared {
                list: sender,
                _task,
            });
        }
    }
}

/// How long the first run of script `index` of `count` is put off: many that
/// begin together do not all run in the same moment of each interval.
fn phase(index: usize, count: usize, interval: std::time::Duration) -> std::time::Duration {
    if count <= AT_ONCE {
        return std::time::Duration::ZERO;
    }
    let window = interval.min(std::time::Duration::from_secs(1));
    let (index, count) = (
        u32::try_from(index).unwrap_or(u32::MAX),
        u32::try_from(count).unwrap_or(u32::MAX),
    );
    (window / count.max(1)).saturating_mul(index).min(window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn many_first_runs_are_spread_over_an_interval_and_a_second_at_most() {
        let second = Duration::from_secs(1);
        assert!((0..8).all(|index| phase(index, 8, second).is_zero()));
        assert_eq!(phase(0, 200, second), Duration::ZERO);
        assert_eq!(phase(100, 200, second), second / 2);
        assert!(phase(199, 200, second * 60) < second);
        assert!(phase(9, 10, Duration::from_millis(10)) < Duration::from_millis(10));
    }
}
