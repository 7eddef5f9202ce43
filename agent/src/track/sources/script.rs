//! `vrrp_script`: a program that is run again and again.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tracing::{debug, info, warn};

use super::{Entry, health::Health};
use crate::{
    config::model::{RunAs, ScriptSpec},
    io::clock,
    script::{Ended, Identity, Lane, Outcome, Program, Rest, Runner},
    track::{Reading, Value},
};

/// Runs the script at each multiple of its interval from now and `phase` on. A
/// run that takes longer leaves out those that it covers. Never ends by itself.
pub(super) async fn watch(
    entry: Entry<ScriptSpec>,
    phase: Duration,
    lane: Lane,
    runner: Runner,
    readings: mpsc::Sender<Reading>,
) {
    let spec = &entry.spec;
    let mut health = Health::new(spec.rise, spec.fall);
    let mut identity = None;
    let mut last = None;
    let mut late = false;
    let start = Instant::from_std(clock::instant()) + phase;
    let mut due = interval_at(start, spec.interval.max(Duration::from_millis(1)));
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let begun = due.tick().await;
        let ended = run(spec, &mut identity, &lane, &runner).await;
        let took = Instant::from_std(clock::instant()).saturating_duration_since(begun);
        let overrun = took > spec.interval && ended.outcome != Outcome::TimedOut;
        if overrun && !late {
            warn!(
                "VRRP_Script({}) took {} ms, its interval is {} ms: runs are left out",
                spec.name,
                took.as_millis(),
                spec.interval.as_millis()
            );
        }
        late = overrun;
        if last.as_ref() != Some(&ended.outcome) {
            debug!("Script `{}` now: {ended}", spec.name);
        }
        let news = health.count(ended.outcome.is_success());
        last = Some(ended.outcome.clone());
        let Some(value) = news else { continue };
        tell(&spec.name, value, &ended);
        let reading = Reading {
            tracker: entry.tracker.clone(),
            epoch: entry.epoch,
            value,
            detail: detail(spec, &ended),
        };
        if readings.send(reading).await.is_err() {
            return;
        }
    }
}

/// One run, as the user it is for. A user that is not there may come, so it is
/// looked for again before each run until it is found.
async fn run(
    spec: &ScriptSpec,
    identity: &mut Option<Identity>,
    lane: &Lane,
    runner: &Runner,
) -> Ended {
    let known = match identity.take() {
        Some(known) => Ok(known),
        None => look_up(spec.run_as.clone()).await,
    };
    match known {
        Ok(known) => {
            let program = Program {
                words: spec.words.clone(),
                identity: known.clone(),
                rest: Rest::Killed,
            };
            *identity = Some(known);
            runner.run(lane, &program, spec.timeout).await
        }
        Err(why) => Ended {
            outcome: Outcome::CannotStart(why),
            said: String::new(),
        },
    }
}

async fn look_up(run_as: Option<RunAs>) -> Result<Identity, String> {
    let looked = tokio::task::spawn_blocking(move || Identity::of(run_as.as_ref())).await;
    match looked {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => Err("the agent is stopping".to_owned()),
    }
}

/// The words of keepalived, which people and programs look for.
fn tell(name: &str, value: Value, ended: &Ended) {
    match (value, &ended.outcome) {
        (Value::Up, _) => info!("VRRP_Script({name}) succeeded"),
        (Value::Down | Value::Number(_), Outcome::TimedOut) => {
            info!("VRRP_Script({name}) timed_out");
        }
        (Value::Down | Value::Number(_), Outcome::CannotStart(_)) => {
            warn!("VRRP_Script({name}) failed ({ended})");
        }
        (Value::Down | Value::Number(_), Outcome::Exited(_) | Outcome::Signalled(_)) => {
            info!("VRRP_Script({name}) failed ({ended})");
        }
    }
}

fn detail(spec: &ScriptSpec, ended: &Ended) -> String {
    match &ended.outcome {
        Outcome::Exited(0) => String::new(),
        Outcome::TimedOut => format!("timed out after {} ms", spec.timeout.as_millis()),
        Outcome::Exited(_) | Outcome::Signalled(_) | Outcome::CannotStart(_) => ended.to_string(),
    }
}
