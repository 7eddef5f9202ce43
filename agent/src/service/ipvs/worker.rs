//! The thread that has the kernel do what is wanted, and says what it refuses.

use std::io;

use tracing::{info, warn};

use super::{Desk, Order};
use crate::{
    io::netlink::ipvs::{Ipvs, IpvsError},
    ipvs::{
        Picture,
        encode::Command,
        reconcile::{Others, Wanted, describe, foreign, plan},
    },
};

/// Somebody else may change entries while we look: it is tried once more.
const ROUNDS: usize = 2;

/// What this thread knows.
#[derive(Debug, Default)]
struct Worker {
    kernel: Option<Ipvs>,
    /// What was asked for last: it is ours to remove.
    before: Wanted,
    /// The last complaint, which is not repeated.
    told: Option<String>,
    /// Entries of others, as last told.
    foreign: (usize, usize),
}

pub(super) fn run(desk: &Desk) {
    let mut worker = Worker::default();
    loop {
        match desk.take() {
            Order::Make { wanted, others } => worker.make(*wanted, others),
            Order::End { others, done } => {
                worker.make(Wanted::default(), others);
                // Nobody who waits any more is no harm.
                let _ = done.send(());
                return;
            }
        }
    }
}

impl Worker {
    fn make(&mut self, wanted: Wanted, others: Others) {
        match self.reconcile(&wanted, others) {
            Ok(()) => {
                self.before = wanted;
                self.told = None;
            }
            Err(error) => {
                self.kernel = None;
                let line = error.to_string();
                if self.told.as_ref() != Some(&line) {
                    warn!("virtual servers are not set up, all else goes on: {line}");
                    self.told = Some(line);
                }
            }
        }
    }

    fn reconcile(&mut self, wanted: &Wanted, others: Others) -> Result<(), IpvsError> {
        let kernel = match &mut self.kernel {
            Some(kernel) => kernel,
            none => none.insert(Ipvs::open()?),
        };
        let mut done = Counts::default();
        for round in 1..=ROUNDS {
            let present = kernel.picture()?;
            let steps = plan(wanted, &self.before, &present, others);
            if round == 1 && others == Others::Stay {
                tell_foreign(&mut self.foreign, wanted, &self.before, &present);
            }
            if steps.is_empty() {
                break;
            }
            let outcome = kernel.carry_out(&steps)?;
            steps.iter().for_each(|step| done.count(step));
            done.refused = outcome.refused;
            if outcome.refused == 0 {
                break;
            }
            if round == ROUNDS {
                for (at, errno) in &outcome.first {
                    if let Some(step) = steps.get(*at) {
                        warn!("IPVS: {}: {}", describe(step), why(*errno));
                    }
                }
                let more = outcome.refused.saturating_sub(outcome.first.len());
                if more > 0 {
                    warn!("IPVS: {more} more changes were refused");
                }
            }
        }
        done.tell(wanted);
        Ok(())
    }
}

/// What the kernel means here by some numbers.
fn why(errno: i32) -> String {
    let text = match errno {
        libc::ENOENT => "the kernel does not have its scheduler, or the entry is gone",
        libc::ESRCH => "there is no such virtual server",
        libc::EEXIST => "somebody else has just added it",
        libc::ENODEV => "there is no such interface",
        _ => return io::Error::from_raw_os_error(errno).to_string(),
    };
    text.to_owned()
}

fn tell_foreign(told: &mut (usize, usize), wanted: &Wanted, before: &Wanted, present: &Picture) {
    let found = foreign(wanted, before, present);
    let (services, servers) = found;
    if found != *told && found != (0, 0) {
        info!(
            "IPVS: left alone, since they are not in the file: {services} virtual servers, and \
             {servers} real servers of others (lvs_flush removes them at the start)"
        );
    }
    *told = found;
}

/// How many steps of each kind.
#[derive(Debug, Default)]
struct Counts {
    added: usize,
    changed: usize,
    removed: usize,
    refused: usize,
}

impl Counts {
    fn count(&mut self, step: &Command<'_>) {
        let slot = match step {
            Command::NewService(_) | Command::NewDestination(..) | Command::NewDaemon(_) => {
                &mut self.added
            }
            Command::SetService(_) | Command::SetDestination(..) | Command::SetTimeouts(_) => {
                &mut self.changed
            }
            Command::DelService(_) | Command::DelDestination(..) | Command::DelDaemon(_) => {
                &mut self.removed
            }
        };
        *slot = slot.saturating_add(1);
    }

    fn tell(&self, wanted: &Wanted) {
        let Self {
            added,
            changed,
            removed,
            refused,
        } = self;
        if [added, changed, removed].iter().all(|count| **count == 0) {
            return;
        }
        let servers: usize = wanted.table.values().map(|pool| pool.servers.len()).sum();
        info!(
            "IPVS: {} virtual services with {servers} real servers: {added} entries added, \
             {changed} changed, {removed} removed, {refused} refused",
            wanted.table.len()
        );
    }
}
