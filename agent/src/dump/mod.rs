//! keepalived's dump files, as exporters and scripts parse them: `.data`, `.stats`, `.json`.
//!
//! Pure: from what is known of each instance at one time to text. Fields and
//! their order are those of keepalived 2.2.7; what has no counterpart here has
//! the value that keepalived gives a configuration without it.

pub mod calendar;
mod data;
mod json;
mod stats;
mod tracked;
mod vip;

use agent_common::{KernelTime, Outcome, outcome::OutcomeCounters};

use crate::{
    config::{Instance, JsonVersion, model::Trackers},
    core::{Snapshot, State},
    io::netlink::survey::World,
};

pub use self::stats::Stats;

/// What dumps have in the place of a password.
const NOT_SHOWN: &str = "(not shown)";

/// Which of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Data,
    Stats,
    Json,
}

/// All that goes into a dump.
#[derive(Debug)]
pub struct Facts<'a> {
    pub router_id: Option<&'a str>,
    pub namespace: Option<&'a str>,
    /// When the picture was taken, on both clocks.
    pub at: KernelTime,
    /// Nanoseconds since 1970.
    pub wall: u64,
    pub world: &'a World,
    pub trackers: &'a Trackers,
    pub instances: Vec<InstanceFacts<'a>>,
}

/// One instance.
#[derive(Debug)]
pub struct InstanceFacts<'a> {
    pub config: &'a Instance,
    pub snapshot: &'a Snapshot,
    pub stats: Stats,
}

impl Facts<'_> {
    pub fn text(&self, kind: Kind, version: JsonVersion) -> Result<String, serde_json::Error> {
        match kind {
            Kind::Data => Ok(data::text(self)),
            Kind::Stats => Ok(stats::text(self)),
            Kind::Json => json::text(self, version),
        }
    }

    /// Microseconds since 1970.
    fn wall_micros(&self, time: KernelTime) -> u64 {
        let (time, at) = (time.nanos(), self.at.nanos());
        let wall = match time.checked_sub(at) {
            Some(ahead) => self.wall.saturating_add(ahead),
            None => self.wall.saturating_sub(at.saturating_sub(time)),
        };
        wall / 1000
    }
}

impl InstanceFacts<'_> {
    /// keepalived's name and number of the state.
    fn state(&self) -> (&'static str, u8) {
        match (self.snapshot.state, self.snapshot.fault) {
            (State::Backup, _) => ("BACKUP", 1),
            (State::Active, _) => ("MASTER", 2),
            // Whatever it is that keeps it down.
            (State::Initialize, Some(_)) => ("FAULT", 3),
            (State::Initialize, None) => ("INIT", 0),
        }
    }

    fn is_active(&self) -> bool {
        self.snapshot.state == State::Active
    }

    /// In Backup the priority of the Active as last accepted, else 0.
    fn master_priority(&self) -> u8 {
        match self.snapshot.state {
            State::Backup => self.snapshot.active_priority.map_or(0, |p| p.get()),
            State::Active | State::Initialize => 0,
        }
    }
}

/// The count of some outcomes.
fn sum(counters: &OutcomeCounters, outcomes: &[Outcome]) -> u64 {
    let counts = outcomes.iter().filter_map(|outcome| {
        let index = usize::try_from(outcome.index()).ok()?;
        counters.get(index)
    });
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests;
