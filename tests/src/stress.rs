//! Stress that a machine may be under, in classes. Bounded in time, ended by
//! pid, and made of nothing but system calls, so that it is the same
//! everywhere.

use std::{fmt, time::Duration};

use anyhow::{Context, Result};

use crate::{
    sys::{
        self,
        child::{Child, Manner, Toil, churn},
    },
    usage::{memory_available, thread_ids},
};

/// Processes for each processor.
const CROWD: usize = 4;
/// Between two wake-ups of one process of a timer storm.
const TICK: Duration = Duration::from_micros(50);
/// The most that one process of memory pressure writes to in one go.
const MEMORY_MAX: u64 = 2 << 30;

/// What kind of stress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Ordinary processes that compute, four for each processor.
    Hogs,
    /// Pairs of processes that wake each other.
    Churn,
    /// Processes that wake up each 50 us.
    Timers,
    /// One process with SCHED_FIFO 50 that computes, on one processor.
    Fifo { processor: usize },
    /// Processes that take a quarter of the free memory each, write to all of
    /// it, and give it back.
    Memory,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hogs => f.write_str("CPU hogs"),
            Self::Churn => f.write_str("context switches"),
            Self::Timers => f.write_str("timer storm"),
            Self::Fifo { processor } => write!(f, "FIFO-50 hog on CPU {processor}"),
            Self::Memory => f.write_str("memory pressure"),
        }
    }
}

/// Stress that lasts until this is dropped, or its limit has passed.
#[derive(Debug)]
pub struct Stress(Vec<Child>);

impl Stress {
    /// # Errors
    /// When processes cannot be started.
    pub fn start(class: Class, limit: Duration) -> Result<Self> {
        let processors = std::thread::available_parallelism().context("counting processors")?;
        let crowd = CROWD * processors.get();
        let manner = Manner {
            processor: None,
            fifo: None,
            limit,
        };
        let many = |toil| (0..crowd).map(|_| Child::start(toil, manner)).collect();
        let children: std::io::Result<Vec<Child>> = match class {
            Class::Hogs => many(Toil::Spin),
            Class::Timers => many(Toil::Tick(TICK)),
            Class::Churn => (0..crowd / 2)
                .map(|_| churn(manner))
                .collect::<std::io::Result<Vec<_>>>()
                .map(|pairs| pairs.into_iter().flatten().collect()),
            Class::Fifo { processor } => Child::start(
                Toil::Spin,
                Manner {
                    processor: Some(processor),
                    fifo: Some(50),
                    ..manner
                },
            )
            .map(|child| vec![child]),
            Class::Memory => {
                let bytes = (memory_available() / 4).min(MEMORY_MAX);
                let toil = Toil::Touch(usize::try_from(bytes)?);
                (0..2).map(|_| Child::start(toil, manner)).collect()
            }
        };
        Ok(Self(children.with_context(|| class.to_string())?))
    }

    /// The processes that make it.
    pub fn pids(&self) -> Vec<i32> {
        self.0.iter().map(Child::pid).collect()
    }
}

/// Keeps all threads of these processes on one processor; those that they
/// start later too. A thread that is gone, or a processor that is not there,
/// changes nothing.
pub fn pin(pids: &[i32], processor: usize) {
    for thread in pids.iter().flat_map(|pid| thread_ids(*pid)) {
        let _gone = sys::keep_on(thread, processor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{usage::Usage, wait::eventually};

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn stress_takes_the_processor_and_ends_with_its_guard() -> Result<()> {
        for class in [Class::Hogs, Class::Churn, Class::Timers, Class::Memory] {
            let stress = Stress::start(class, SOON)?;
            let pids = stress.pids();
            eventually(SOON, &class.to_string(), || {
                let used = Usage::of(&pids).processor;
                (used > Duration::from_millis(20)).then_some(())
            })?;
            drop(stress);
            assert!(pids.iter().all(|pid| !sys::exists(*pid)), "{class}");
        }
        Ok(())
    }
}
