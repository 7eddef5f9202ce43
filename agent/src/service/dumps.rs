//! Dump files: from a picture of the fast lane to keepalived's files.

use std::{fs, path::PathBuf};

use agent_common::{KernelTime, Outcome, outcome::OutcomeCounters};
use tracing::{error, info};

use super::Service;
use crate::{
    core::InstanceId,
    dump::{Facts, InstanceFacts, Kind, Stats},
    io::{clock, lane::Picture, netlink::survey::World},
    runtime::{Places, atomic},
};

/// Where dumps go, and who may read them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dumps {
    pub places: Places,
    /// Permission bits: they say a lot of the machine.
    pub mode: u32,
}

impl Dumps {
    /// Readable for us alone.
    pub const PRIVATE: u32 = 0o600;
}

/// A dump that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Order {
    pub kind: Kind,
    /// Count from 0 afterwards.
    pub clear: bool,
}

/// Counts at the last `STATS_CLEAR`, by instance: an id that another instance
/// got has another name, or a younger one with lower counts.
pub(super) type Cleared = std::collections::BTreeMap<InstanceId, (String, Stats)>;

impl Service {
    pub(super) fn dump(&mut self, order: Order) {
        if !self.pending.order(order, &self.lane) {
            error!("no dump: the fast lane does not answer");
        }
    }

    pub(super) fn write_dump(&mut self, order: Order, picture: &Picture, world: &World) {
        let path = self.dumps.places.dump(&self.config.files, order.kind);
        let written = self.render(order.kind, picture, world).and_then(|text| {
            atomic::write(&path, text.as_bytes(), self.dumps.mode)
                .map_err(|error| error.to_string())
        });
        let path = path.display();
        match written {
            Ok(()) => info!("wrote {path}"),
            Err(reason) => error!("cannot write {path}: {reason}"),
        }
        if order.clear {
            self.clear(picture);
        }
    }

    fn render(&self, kind: Kind, picture: &Picture, world: &World) -> Result<String, String> {
        let seated = self.config.instances.iter().zip(&self.seats);
        let instances = seated.filter_map(|(config, seat)| {
            let mut found = picture.instances.iter();
            let snapshot = found.find(|snapshot| snapshot.id == seat.id)?;
            let stats = Stats::new(&snapshot.counters, &self.pictured_counts(picture, seat.id));
            let cleared = self.cleared.get(&seat.id);
            let cleared = cleared.filter(|(name, _)| *name == config.name);
            Some(InstanceFacts {
                config,
                snapshot,
                stats: cleared.map_or(stats, |(_, cleared)| stats.since(cleared)),
            })
        });
        let facts = Facts {
            router_id: self.config.router_id.as_deref(),
            namespace: self.config.files.namespace.as_deref(),
            at: picture.at,
            wall: wall_at(picture.at),
            world,
            trackers: &self.config.trackers,
            instances: instances.collect(),
        };
        let version = self.config.files.json_version;
        facts.text(kind, version).map_err(|error| error.to_string())
    }

    fn clear(&mut self, picture: &Picture) {
        let seated = self.config.instances.iter().zip(&self.seats);
        let counts = seated.filter_map(|(config, seat)| {
            let mut found = picture.instances.iter();
            let snapshot = found.find(|snapshot| snapshot.id == seat.id)?;
            let outcomes = self.pictured_counts(picture, seat.id);
            let stats = Stats::new(&snapshot.counters, &outcomes);
            Some((seat.id, (config.name.clone(), stats)))
        });
        self.cleared = counts.collect();
    }

    /// Counts of instances that have left say nothing of their successors.
    pub(super) fn forget_cleared(&mut self) {
        let seats = &self.seats;
        self.cleared
            .retain(|id, _| seats.iter().any(|seat| seat.id == *id));
    }

    /// Makes the file of `reload_file`, or empties it.
    pub(super) fn begin_reading(&self) -> Option<Reading> {
        let path = self.dumps.places.reload_file(&self.config.files)?;
        match atomic::write(&path, &[], 0o644) {
            Ok(()) => Some(Reading(path)),
            Err(error) => {
                error!("cannot write {}: {error}", path.display());
                None
            }
        }
    }
}

/// The file of `reload_file`, while it is there.
#[derive(Debug)]
pub(super) struct Reading(PathBuf);

impl Drop for Reading {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The wall clock at a time that has just been.
fn wall_at(at: KernelTime) -> u64 {
    let ago = clock::now().since(at).as_nanos();
    let ago = u64::try_from(ago).unwrap_or(0);
    clock::wall_nanos().saturating_sub(ago)
}

/// What each thread of this process is doing, in the log.
pub(super) fn log_threads() {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        error!("the threads cannot be read from /proc");
        return;
    };
    for thread in threads.flatten() {
        let of = |what: &str| fs::read_to_string(thread.path().join(what)).unwrap_or_default();
        let (name, status) = (of("comm"), of("status"));
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        info!(
            "thread {} {}: {}",
            thread.file_name().display(),
            name.trim(),
            state.unwrap_or("?").trim()
        );
    }
}

/// The sum of two sides' counters, less what was counted before.
pub(super) fn add_counts(
    sum: &mut OutcomeCounters,
    counters: OutcomeCounters,
    before: Option<OutcomeCounters>,
) {
    let before = before.unwrap_or([0; Outcome::COUNT]);
    for ((sum, count), before) in sum.iter_mut().zip(counters).zip(before) {
        *sum = sum.saturating_add(count.saturating_sub(before));
    }
}
