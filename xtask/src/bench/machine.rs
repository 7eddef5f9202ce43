//! What a run took place on, and what the machine did meanwhile.

use std::{fs, process::Command};

use anyhow::Result;
use failoverd_tests::{
    agent,
    clock::monotonic,
    privilege,
    stalls::Stalls,
    sys,
    usage::{load_average, steal},
};

use super::{
    context::milliseconds,
    data::{Disturbance, Machine},
};
use crate::shell;

/// Looks at the machine before anything is measured.
pub fn look() -> Machine {
    Machine {
        kernel: first_line("/proc/sys/kernel/osrelease"),
        processor: field("/proc/cpuinfo", "model name"),
        processors: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: field("/proc/meminfo", "MemTotal")
            .trim_end_matches(" kB")
            .parse::<u64>()
            .unwrap_or(0)
            >> 10,
        started: sys::clock_ns(libc::CLOCK_REALTIME) / 1_000_000_000,
        failoverd: agent::binary()
            .ok()
            .and_then(|path| privilege::version_of(&path.to_string_lossy(), "--version"))
            .unwrap_or_default(),
        keepalived: privilege::version_of("keepalived", "--version").unwrap_or_default(),
        commit: commit(),
        optimised: optimised(),
        load_before: load_average(),
    }
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

fn commit() -> String {
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        shell::quiet(command.current_dir(shell::root()).args(words))
    };
    let Ok(mut commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return String::new();
    };
    commit.truncate(commit.trim_end().len());
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_ok_and(|changed| !changed.trim().is_empty()) {
        commit.push_str("-dirty");
    }
    commit
}

/// By where cargo puts it: a binary does not say how it was built.
fn optimised() -> bool {
    let Ok(path) = agent::binary() else {
        return false;
    };
    !path.components().any(|part| part.as_os_str() == "debug")
}

/// What to compare with later.
pub struct Watch {
    steal_ms: f64,
    from: u64,
}

impl Watch {
    pub fn start() -> Result<Self> {
        Ok(Self {
            steal_ms: milliseconds(steal()?),
            from: monotonic(),
        })
    }

    pub fn seconds(&self) -> f64 {
        monotonic().saturating_sub(self.from) as f64 / 1e9
    }

    pub fn end(&self, stalls: Option<&Stalls>) -> Result<Disturbance> {
        let now = monotonic();
        let count = |stalls: &Stalls| stalls.count_within(self.from, now);
        let longest = |stalls: &Stalls| stalls.longest_within(self.from, now);
        Ok(Disturbance {
            steal_ms: milliseconds(steal()?) - self.steal_ms,
            stalls: stalls.map(count).unwrap_or_default(),
            longest_stall_ms: milliseconds(stalls.map(longest).unwrap_or_default()),
            load: load_average(),
        })
    }
}
