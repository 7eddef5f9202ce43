//! What processes take of the machine: processor time, memory, wake-ups.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// A process and everything that it started, in that order.
pub fn family(pid: i32) -> Vec<i32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&pid) = family.get(next) {
        family.extend(children(pid));
        next += 1;
    }
    family
}

/// Direct children of a process, of all its threads.
fn children(pid: i32) -> Vec<i32> {
    let lists = threads(pid)
        .into_iter()
        .filter_map(|thread| fs::read_to_string(format!("{thread}/children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Directories of the threads of a process, none when it is gone.
fn threads(pid: i32) -> Vec<String> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .map(|thread| thread.path().display().to_string())
        .collect()
}

/// The threads of a process by their numbers.
pub fn thread_ids(pid: i32) -> Vec<i32> {
    let threads = threads(pid).into_iter();
    threads
        .filter_map(|path| path.rsplit('/').next()?.parse().ok())
        .collect()
}

/// What a group of processes has used so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Usage {
    /// On a processor, of all threads.
    pub processor: Duration,
    /// How often a thread gave the processor up of its own will, which is how
    /// often one has woken up.
    pub wakes: u64,
    /// Resident memory in bytes; what several processes share counts once for
    /// each share (PSS).
    pub memory: u64,
}

impl Usage {
    /// Of these processes together. Those that are gone count nothing.
    pub fn of(pids: &[i32]) -> Self {
        let mut usage = Self::default();
        for &pid in pids {
            for thread in threads(pid) {
                usage.processor += on_processor(&thread).unwrap_or_default();
                usage.wakes += number(&format!("{thread}/status"), "voluntary_ctxt_switches:");
            }
            usage.memory += number(&format!("/proc/{pid}/smaps_rollup"), "Pss:") << 10;
        }
        usage
    }

    /// Processor time since `before`, as a share of one processor.
    pub fn load_since(&self, before: &Self, span: Duration) -> f64 {
        let used = self.processor.saturating_sub(before.processor);
        used.as_secs_f64() / span.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

fn on_processor(thread: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("{thread}/schedstat")).ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// The number behind `name` at the start of a line, 0 when there is none.
fn number(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    named(&text, name).unwrap_or(0)
}

fn named(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Wake-ups so far of the threads of that name alone.
pub fn wakes_of(pids: &[i32], name: &str) -> u64 {
    let threads = pids.iter().flat_map(|pid| threads(*pid));
    let named = threads.filter(|thread| {
        fs::read_to_string(format!("{thread}/comm")).is_ok_and(|comm| comm.trim() == name)
    });
    named
        .map(|thread| number(&format!("{thread}/status"), "voluntary_ctxt_switches:"))
        .sum()
}

/// Time that the hypervisor gave to others while we wanted it, since boot, of
/// all processors.
///
/// # Errors
/// When /proc/stat is not what it was.
pub fn steal() -> Result<Duration> {
    // Ticks of USER_HZ, which is 100 on every architecture that we build for.
    const TICK: Duration = Duration::from_millis(10);
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: u32 = line
        .split_whitespace()
        .nth(8)
        .and_then(|ticks| ticks.parse().ok())
        .context("no steal time in /proc/stat")?;
    Ok(TICK * ticks)
}

/// The load of the last minute: how many threads wanted a processor.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Memory that can be had without swapping, in bytes.
pub fn memory_available() -> u64 {
    number("/proc/meminfo", "MemAvailable:") << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_the_start_of_its_line() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t42\nPss:  12 kB\n";
        assert_eq!(named(text, "voluntary_ctxt_switches:"), Some(42));
        assert_eq!(named(text, "Pss:"), Some(12));
        assert_eq!(named(text, "Rss:"), None);
    }

    #[test]
    fn this_process_uses_something() -> Result<()> {
        let own = i32::try_from(std::process::id())?;
        assert_eq!(family(own).first(), Some(&own));
        let usage = Usage::of(&[own]);
        assert!(usage.memory > 0 && usage.processor > Duration::ZERO);
        let later = Usage {
            processor: usage.processor + Duration::from_millis(250),
            ..usage
        };
        let load = later.load_since(&usage, Duration::from_secs(1));
        assert!((load - 0.25).abs() < 1e-9, "{load}");
        Ok(())
    }
}
