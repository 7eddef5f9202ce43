//! What the agent asks of the scheduler and of memory management, and what it got.
//!
//! Everything goes by thread id, so that a reload can change it from the slow
//! lane. A refusal is an errno: the agent works all the same and is later under
//! load.

use std::{fs, io};

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{Resource, Rlimit, getpriority_process, getrlimit, setpriority_process, setrlimit},
    thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity},
};

use super::sys;
use crate::{config::machine::Process, sandbox::Confined};

/// Above threaded interrupts, which run at 50: an advert that arrived must not
/// wait behind the interrupt of a disk.
pub const FIFO_PRIORITY: u8 = 60;

/// How the fast lane's thread was received, as errno: 0 is granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entered {
    /// Thread id, for later changes.
    pub tid: i32,
    pub fifo_errno: i32,
    pub lock_errno: i32,
    pub cpus_errno: i32,
    pub confined: Confined,
}

/// A thread of ours that comes before others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    FastLane,
    /// One behind it: it never keeps an advert waiting.
    Hands,
}

impl Rank {
    /// SCHED_FIFO priority: 2 at least for the fast lane, as the hands have one
    /// as well.
    fn priority(self, process: &Process) -> u8 {
        let first = process.realtime.unwrap_or(FIFO_PRIORITY).max(2);
        match self {
            Self::FastLane => first,
            Self::Hands => first.saturating_sub(1),
        }
    }
}

/// Takes SCHED_FIFO, the processors it is to run on, and locks memory, for the
/// calling thread (memory: its process).
pub fn enter(rank: Rank, process: &Process) -> Entered {
    sys::no_timer_slack();
    let tid = gettid();
    Entered {
        tid: tid.as_raw_nonzero().get(),
        fifo_errno: errno(set_fifo(tid, rank.priority(process))),
        lock_errno: errno(lock_memory()),
        // Only where it is asked for: the mask of the start is right otherwise.
        cpus_errno: match process.cpus.is_empty() {
            true => 0,
            false => errno(set_cpus(tid, &process.cpus)),
        },
        confined: Confined::default(),
    }
}

/// Pages stay in memory once touched; stacks that are never used cost nothing.
pub fn lock_memory() -> io::Result<()> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?;
    Ok(())
}

fn set_fifo(thread: Pid, priority: u8) -> io::Result<()> {
    sys::set_fifo(thread.as_raw_nonzero().get(), i32::from(priority))
}

fn set_cpus(thread: Pid, cpus: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        if usize::from(*cpu) < CpuSet::MAX_CPU {
            set.set(usize::from(*cpu));
        }
    }
    Ok(sched_setaffinity(Some(thread), &set)?)
}

/// What the process had when it was started, for settings that are taken back.
#[derive(Clone, Debug)]
pub struct Inherited {
    cpus: Vec<u16>,
    nice: i8,
    rttime: Rlimit,
    umask: u16,
}

impl Inherited {
    /// To be read before anything is changed.
    pub fn read() -> Self {
        Self {
            cpus: cpus_of(None),
            nice: nice_of(None),
            rttime: getrlimit(Resource::Rttime),
            umask: from_status("Umask:", 8)
                .and_then(|umask| u16::try_from(umask).ok())
                .unwrap_or(0o022),
        }
    }
}

/// A setting that the kernel refused.
#[derive(Debug)]
pub struct Refused {
    pub keyword: &'static str,
    pub error: io::Error,
}

/// Applies what belongs to the process and its ordinary threads: to the calling
/// thread, and those that it starts from now on.
pub fn place_process(process: &Process, inherited: &Inherited) -> Vec<Refused> {
    let mask = process.umask.unwrap_or(inherited.umask);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(u32::from(mask)));
    let nice = i32::from(process.nice.unwrap_or(inherited.nice));
    // The soft limit alone, which ends a process as well (SIGXCPU): a hard one
    // could not be taken back without privileges.
    let rttime = Rlimit {
        current: process.rttime.or(inherited.rttime.current),
        maximum: inherited.rttime.maximum,
    };
    let nice = setpriority_process(None, nice).map_err(io::Error::from);
    let rttime = match getrlimit(Resource::Rttime) == rttime {
        true => Ok(()),
        false => setrlimit(Resource::Rttime, rttime).map_err(io::Error::from),
    };
    refusals([("vrrp_priority", nice), ("vrrp_rlimit_rttime", rttime)])
}

/// As [`enter`], of a thread that runs, after a reload.
pub fn place(rank: Rank, tid: i32, process: &Process, inherited: &Inherited) -> Vec<Refused> {
    let Some(thread) = Pid::from_raw(tid) else {
        return Vec::new();
    };
    let cpus = match process.cpus.is_empty() {
        true => &inherited.cpus,
        false => &process.cpus,
    };
    // Of use where SCHED_FIFO is refused.
    let nice = i32::from(process.nice.unwrap_or(inherited.nice));
    let nice = setpriority_process(Some(thread), nice).map_err(io::Error::from);
    refusals([
        ("vrrp_priority", nice),
        ("vrrp_rt_priority", set_fifo(thread, rank.priority(process))),
        ("vrrp_cpu_affinity", set_cpus(thread, cpus)),
    ])
}

fn refusals<const N: usize>(results: [(&'static str, io::Result<()>); N]) -> Vec<Refused> {
    let refused = results.into_iter().filter_map(|(keyword, result)| {
        let error = result.err()?;
        Some(Refused { keyword, error })
    });
    refused.collect()
}

/// What the kernel says is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// SCHED_FIFO priority of the fast lane; `None` when it is an ordinary thread.
    pub fifo: Option<u8>,
    pub fast_nice: i8,
    pub nice: i8,
    /// Processors that the fast lane may run on.
    pub cpus: Vec<u16>,
    /// Microseconds; `None` without a limit.
    pub rttime: Option<u64>,
    pub locked_kib: u64,
    pub umask: u16,
}

/// Asks the kernel; the calling thread stands for all ordinary ones.
pub fn in_force(tid: i32) -> InForce {
    let thread = Pid::from_raw(tid);
    InForce {
        fifo: sys::fifo_priority(tid),
        fast_nice: nice_of(thread),
        nice: nice_of(None),
        cpus: cpus_of(thread),
        rttime: getrlimit(Resource::Rttime).current,
        locked_kib: from_status("VmLck:", 10).unwrap_or(0),
        umask: from_status("Umask:", 8)
            .and_then(|umask| u16::try_from(umask).ok())
            .unwrap_or(0),
    }
}

fn nice_of(thread: Option<Pid>) -> i8 {
    let nice = getpriority_process(thread).unwrap_or(0);
    i8::try_from(nice).unwrap_or(0)
}

fn cpus_of(thread: Option<Pid>) -> Vec<u16> {
    let Ok(set) = sched_getaffinity(thread) else {
        return Vec::new();
    };
    let all = 0..u16::try_from(CpuSet::MAX_CPU).unwrap_or(u16::MAX);
    all.filter(|cpu| set.is_set(usize::from(*cpu))).collect()
}

/// A number of /proc/self/status.
fn from_status(label: &str, radix: u32) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(label))?;
    u64::from_str_radix(value.split_whitespace().next()?, radix).ok()
}

/// As the kernel writes lists of processors: `0-3,7`.
pub fn list_of(cpus: &[u16]) -> String {
    let mut parts: Vec<(u16, u16)> = Vec::new();
    for cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*cpu) => *last = *cpu,
            Some(_) | None => parts.push((*cpu, *cpu)),
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    parts.join(",")
}

fn errno(result: io::Result<()>) -> i32 {
    result
        .err()
        .map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_lane_comes_before_the_hands() {
        for realtime in [None, Some(1), Some(2), Some(99)] {
            let process = Process {
                realtime,
                ..Process::default()
            };
            let [fast, hands] = [Rank::FastLane, Rank::Hands].map(|rank| rank.priority(&process));
            assert!(hands > 0 && fast > hands, "{realtime:?}");
        }
    }

    #[test]
    fn processors_are_listed_as_the_kernel_does() {
        assert_eq!(list_of(&[]), "");
        assert_eq!(list_of(&[0, 1, 2, 3, 7]), "0-3,7");
        assert_eq!(list_of(&[1, 3, 4]), "1,3-4");
    }

    #[test]
    fn what_is_in_force_is_what_the_kernel_says() {
        let found = in_force(gettid().as_raw_nonzero().get());
        assert!(!found.cpus.is_empty());
        assert_eq!(
            (found.nice, found.fast_nice),
            (nice_of(None), nice_of(None))
        );
        assert!(found.umask <= 0o777);
    }
}
