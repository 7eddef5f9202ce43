//! Memory, descriptors and threads of each process, for as long as it lives.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::world::World;

/// Samples of one process below which nothing is said of its growth.
const ENOUGH: usize = 30;
/// The first ones, while a process is getting ready.
const WARM: usize = 5;
/// KiB of memory that a median may grow by: pages that are touched for the
/// first time by a rare fault.
const MEMORY: u64 = 768;
/// Descriptors or threads: those of a question that is being answered.
const FEW: u64 = 2;

/// At one time.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// RssAnon in KiB: what is its own. Pages of files come and go as the kernel
    /// likes.
    memory: u64,
    descriptors: u64,
    threads: u64,
}

/// Which process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Who {
    machine: usize,
    parent: bool,
    pid: i32,
    /// A parent that exchanges itself keeps its pid.
    upgrades: usize,
}

/// What was seen of each process.
#[derive(Clone, Debug, Default)]
pub struct Vitals(BTreeMap<Who, Vec<Sample>>);

/// The medians of the first and of the last third of a life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    pub machine: usize,
    pub parent: bool,
    pub samples: usize,
    /// KiB.
    pub memory: (u64, u64),
    pub descriptors: (u64, u64),
    pub threads: (u64, u64),
}

impl Life {
    pub fn is_flat(&self) -> bool {
        self.memory.1 <= self.memory.0 + MEMORY
            && self.descriptors.1 <= self.descriptors.0 + FEW
            && self.threads.1 <= self.threads.0 + FEW
    }

    pub fn as_json(&self) -> Value {
        json!({
            "machine": self.machine,
            "process": self.name(),
            "samples": self.samples,
            "memory_kib": [self.memory.0, self.memory.1],
            "descriptors": [self.descriptors.0, self.descriptors.1],
            "threads": [self.threads.0, self.threads.1],
        })
    }

    pub const fn name(&self) -> &'static str {
        if self.parent { "parent" } else { "agent" }
    }
}

impl Vitals {
    /// Looks at all of them once.
    pub fn sample(&mut self, world: &World) {
        for (index, machine) in world.machines.iter().enumerate() {
            let parent = machine.agent.as_ref().map(|agent| {
                use crate::router::Router;
                agent.process().pid()
            });
            for (pid, parent) in [(Some(machine.pid), false), (parent, true)] {
                let Some((pid, sample)) = pid.and_then(|pid| Some((pid, sample(pid)?))) else {
                    continue;
                };
                let who = Who {
                    machine: index,
                    parent,
                    pid,
                    upgrades: machine.upgrades,
                };
                self.0.entry(who).or_default().push(sample);
            }
        }
    }

    /// Those that lived for long enough to say something.
    pub fn lives(&self) -> Vec<Life> {
        let long = self.0.iter().filter(|(_, samples)| samples.len() >= ENOUGH);
        long.map(|(who, samples)| life(*who, samples)).collect()
    }
}

fn life(who: Who, samples: &[Sample]) -> Life {
    let samples = samples.get(WARM..).unwrap_or_default();
    let third = samples.len() / 3;
    let (first, last) = (&samples[..third], &samples[samples.len() - third..]);
    let medians = |of: fn(&Sample) -> u64| (median(first, of), median(last, of));
    Life {
        machine: who.machine,
        parent: who.parent,
        samples: samples.len(),
        memory: medians(|sample| sample.memory),
        descriptors: medians(|sample| sample.descriptors),
        threads: medians(|sample| sample.threads),
    }
}

fn median(samples: &[Sample], of: fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// `None` for a process that is gone.
fn sample(pid: i32) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Sample {
        memory: field("RssAnon:")?,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64,
        threads: field("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(memory: impl Fn(u64) -> u64) -> Life {
        let samples: Vec<_> = (0..90)
            .map(|number| Sample {
                memory: memory(number),
                descriptors: 20,
                threads: 5,
            })
            .collect();
        let who = Who {
            machine: 0,
            parent: false,
            pid: 1,
            upgrades: 0,
        };
        life(who, &samples)
    }

    #[test]
    fn what_grows_is_not_flat_and_what_wavers_is() {
        assert!(of(|number| 30_000 + number % 7 * 100).is_flat());
        // What is taken at the start is not growth.
        assert!(of(|number| if number < 4 { 1000 } else { 30_000 }).is_flat());
        assert!(!of(|number| 30_000 + number * 40).is_flat());
    }
}
