//! The process settings of the configuration, applied at the start and by reloads.

use tracing::warn;

use crate::{
    config::machine::Process,
    control::status,
    io::sched::{self, Entered, Inherited, Rank, Refused},
};

/// Where the agent stands with the scheduler.
#[derive(Debug)]
pub(super) struct Placement {
    inherited: Inherited,
    pub entered: Entered,
    /// The thread that changes addresses.
    pub hands: Entered,
}

impl Placement {
    /// Applies what concerns the whole process. Threads started later begin
    /// with it.
    pub fn new(process: &Process) -> Self {
        let inherited = Inherited::read();
        tell(sched::place_process(process, &inherited));
        Self {
            inherited,
            entered: Entered::default(),
            hands: Entered::default(),
        }
    }

    /// As a reload has it; what did not change is asked for again, which does
    /// no harm.
    pub fn change(&self, process: &Process) {
        let place =
            |rank, entered: Entered| sched::place(rank, entered.tid, process, &self.inherited);
        let mut refused = place(Rank::FastLane, self.entered);
        let others = place(Rank::Hands, self.hands).into_iter();
        for other in others.chain(sched::place_process(process, &self.inherited)) {
            if refused.iter().all(|one| one.keyword != other.keyword) {
                refused.push(other);
            }
        }
        tell(refused);
    }

    /// As the kernel has it.
    pub fn status(&self) -> status::Scheduling {
        let sched::InForce {
            fifo,
            fast_nice,
            nice,
            cpus,
            rttime,
            locked_kib,
            umask,
        } = sched::in_force(self.entered.tid);
        status::Scheduling {
            fifo_priority: fifo,
            fast_lane_nice: fast_nice,
            nice,
            fast_lane_cpus: sched::list_of(&cpus),
            rttime_limit_us: rttime,
            locked_kib,
            umask: format!("{umask:04o}"),
        }
    }
}

fn tell(refused: Vec<Refused>) {
    for Refused { keyword, error } in refused {
        warn_refused(keyword, &error.to_string());
    }
}

/// The one line for a setting that the kernel does not grant.
pub(super) fn warn_refused(keyword: &str, error: &str) {
    warn!("{keyword} is not in force, the kernel refused it: {error}");
}
