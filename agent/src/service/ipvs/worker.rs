//! The thread that has the kernel do what is wanted, and says what it refuses.

use std::io;

use tracing::{info, warn};

use super::{Desk, Order};
use crate::{
    io::netlink::ipvs::{Ipvs, IpvsError},
    ipvs::{
        Daemon, Picture,
        encode::Command,
        reconcile::{self, Drift, Others, Wanted, describe, foreign, plan},
    },
};

/// Somebody else may change entries while we look: it is tried once more.
const ROUNDS: usize = 2;

/// What this thread knows.
#[derive(Debug)]
struct Worker {
    kernel: Option<Ipvs>,
    /// What was asked for last, and before that until the kernel took all of
    /// it: it is ours to remove.
    before: Wanted,
    /// Mended until the kernel has had all that was asked for.
    drift: Drift,
    /// The last complaint, which is not repeated.
    told: Option<String>,
    /// Entries of others, as last told.
    foreign: (usize, usize),
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            kernel: None,
            before: Wanted::default(),
            drift: Drift::Mended,
            told: None,
            foreign: (0, 0),
        }
    }
}

pub(super) fn run(desk: &Desk) {
    let mut worker = Worker::default();
    loop {
        match desk.take() {
            Order::Make { wanted, others } => worker.make(*wanted, others),
            Order::Daemons(daemons) => worker.change_sides(daemons),
            Order::End { others, done } => {
                worker.make(Wanted::default(), others);
                // Nobody who waits any more is no harm.
                let _ = done.send(());
                return;
            }
        }
    }
}

/// The connection, opened where it is not there.
fn open(kernel: &mut Option<Ipvs>) -> Result<&mut Ipvs, IpvsError> {
    match kernel {
        Some(kernel) => Ok(kernel),
        none => Ok(none.insert(Ipvs::open()?)),
    }
}

impl Worker {
    fn make(&mut self, wanted: Wanted, others: Others) {
        let result = self.reconcile(&wanted, others);
        self.remember(wanted, result);
    }

    /// The daemons only. Until all else was made, that is still to come.
    fn change_sides(&mut self, daemons: Option<Vec<Daemon>>) {
        let result = self.reconcile_daemons(daemons.as_deref());
        match result {
            Ok(0) => self.before.daemons = daemons,
            Ok(_) => self.before.join_daemons(daemons.as_deref()),
            Err(error) => {
                self.before.join_daemons(daemons.as_deref());
                self.fail(&error);
            }
        }
    }

    /// What is ours after a run that ended so.
    fn remember(&mut self, wanted: Wanted, result: Result<usize, IpvsError>) {
        match result {
            Ok(0) => {
                self.before = wanted;
                self.drift = Drift::Left;
                self.told = None;
            }
            Ok(_) => {
                self.before.join(&wanted);
                self.drift = Drift::Mended;
                self.told = None;
            }
            Err(error) => {
                // Without a connection nothing was done.
                if self.kernel.is_some() {
                    self.before.join(&wanted);
                }
                self.drift = Drift::Mended;
                self.fail(&error);
            }
        }
    }

    fn fail(&mut self, error: &IpvsError) {
        self.kernel = None;
        let line = error.to_string();
        if self.told.as_ref() != Some(&line) {
            warn!("virtual servers are not set up, all else goes on: {line}");
            self.told = Some(line);
        }
    }

    /// How many changes the kernel refused in the end.
    fn reconcile(&mut self, wanted: &Wanted, others: Others) -> Result<usize, IpvsError> {
        let first = self.kernel.is_none();
        let kernel = open(&mut self.kernel)?;
        let mut done = Counts::default();
        for round in 1..=ROUNDS {
            let present = kernel.picture()?;
            if self.drift == Drift::Mended {
                // Nothing is remembered for ever, however often it goes wrong.
                self.before.keep_present(&present);
            }
            let steps = plan(wanted, &self.before, &present, others, self.drift);
            if round == 1 && others == Others::Stay {
                tell_foreign(&mut self.foreign, wanted, &self.before, &present);
            }
            let refused = carry_out(kernel, &steps, round, &mut done)?;
            done.refused = refused;
            if done.refused == 0 {
                break;
            }
        }
        done.tell(wanted);
        let is_new = first || done.servers > 0;
        if let Some(warning) = wanted.checked.warning().filter(|_| is_new) {
            warn!("IPVS: {warning}");
        }
        Ok(done.refused)
    }

    fn reconcile_daemons(&mut self, daemons: Option<&[Daemon]>) -> Result<usize, IpvsError> {
        let kernel = open(&mut self.kernel)?;
        let mut refused = 0;
        for round in 1..=ROUNDS {
            let present = Picture {
                daemons: kernel.daemons()?,
                ..Picture::default()
            };
            let steps = reconcile::daemons(daemons, &self.before, &present);
            refused = carry_out(kernel, &steps, round, &mut Counts::default())?;
            if refused == 0 {
                break;
            }
        }
        Ok(refused)
    }
}

/// How many were refused, which the last round tells.
fn carry_out(
    kernel: &mut Ipvs,
    steps: &[Command<'_>],
    round: usize,
    done: &mut Counts,
) -> Result<usize, IpvsError> {
    if steps.is_empty() {
        return Ok(0);
    }
    let outcome = kernel.carry_out(steps)?;
    steps.iter().for_each(|step| done.count(step));
    if outcome.refused > 0 && round == ROUNDS {
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
    Ok(outcome.refused)
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
    /// Of `added`.
    servers: usize,
}

impl Counts {
    fn count(&mut self, step: &Command<'_>) {
        if let Command::NewDestination(..) = step {
            self.servers = self.servers.saturating_add(1);
        }
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
            servers: _,
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
