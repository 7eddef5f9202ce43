//! The slow lane's part of the heartbeat: its sockets, and what status says.

use agent_common::{Family, KernelTime};
use tracing::warn;

use super::Service;
use crate::{
    config::{Config, model::FastDetect},
    control::status,
    heart::{Counters, Phase, Snapshot},
    io::{
        asker::Asker,
        lane::{Command, SlowEnd},
    },
};

/// Families that the fast lane has a socket to ask in, and those that there was
/// none for, which was said.
#[derive(Debug, Default)]
pub(super) struct Provided {
    known: Vec<Family>,
    refused: Vec<Family>,
}

impl Provided {
    /// Gives the fast lane a socket to ask with, once for each family. Without
    /// one adverts alone decide.
    fn provide(&mut self, family: Family, lane: &SlowEnd) {
        if self.known.contains(&family) {
            return;
        }
        match Asker::open(family) {
            Ok(asker) => {
                if lane.send(Command::AddAsker(Box::new(asker))).is_ok() {
                    self.known.push(family);
                }
            }
            Err(error) if !self.refused.contains(&family) => {
                self.refused.push(family);
                warn!("fast_detect: no socket for probes, adverts alone decide: {error}");
            }
            Err(_) => {}
        }
    }
}

impl Service {
    /// What could not be opened or handed over is tried again each time.
    pub(super) fn provide_askers(&mut self) {
        for instance in &self.config.instances {
            if instance.fast_detect.is_some_and(|fast| fast.asks) {
                self.askers.provide(instance.family, &self.lane);
            }
        }
    }

    /// An Active that `fast_detect` is taken off would fall silent to those who
    /// count on its answers, as if it were dead. So it goes on answering, until
    /// a reload finds it Active no more.
    pub(super) fn keep_answering(&self, config: &mut Config) {
        for instance in &mut config.instances {
            let mut former = self.config.instances.iter().zip(&self.seats);
            let former = former.find(|(old, seat)| {
                let same = (&old.name, &old.interface, old.family, old.vrid)
                    == (
                        &instance.name,
                        &instance.interface,
                        instance.family,
                        instance.vrid,
                    );
                same && self.lane.lease(u32::from(seat.id.0)) > 0
            });
            if instance.fast_detect.is_none()
                && let Some((old, _)) = former
            {
                let asks = false;
                instance.fast_detect = old.fast_detect.map(|fast| FastDetect { asks, ..fast });
            }
        }
    }
}

/// The heartbeat of an instance, as status shows it.
pub(super) fn status(snapshot: &Snapshot, now: KernelTime) -> status::Heartbeat {
    let Snapshot {
        id: _,
        active,
        phase,
        interval,
        multiplier,
        last_up,
        counters,
    } = snapshot;
    let Counters {
        sent,
        answered,
        unanswered,
        unsent,
        downs,
        false_alarms,
        vetoes,
    } = *counters;
    let (state, paused_ms) = match phase {
        Phase::Idle => ("idle", None),
        Phase::Asking => ("unanswered", None),
        Phase::Late => ("late", None),
        Phase::Armed => ("armed", None),
        Phase::Paused { until } => ("paused", Some(until.since(now).as_millis() as u64)),
    };
    status::Heartbeat {
        state: state.to_owned(),
        towards: *active,
        interval_us: interval.as_micros() as u64,
        multiplier: *multiplier,
        paused_ms,
        last_up_ms_ago: last_up.map(|at| now.since(at).as_secs_f64() * 1e3),
        sent,
        answered,
        unanswered,
        unsent,
        downs,
        false_alarms,
        vetoes,
    }
}
