//! Blackout of a silent cable cut: the agent and keepalived at equal settings,
//! on the same topology, in the same run, in alternating blocks.
//!
//! Truth comes from outside: a client that asks for the VIP. The blackout is
//! the time between its last answer before and its first answer after the cut.
//! The phase of the cut relative to the adverts is random.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{
    agent,
    clock::monotonic,
    daemon::Daemon,
    privilege,
    probe::Probe,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::let_pass,
};
use serde_json::json;

use crate::{build, shell};

const PATIENCE: Duration = Duration::from_secs(5);
const SPACING: Duration = Duration::from_micros(500);
const PRIORITIES: [u8; 2] = [200, 100];
const SIDES: [Daemon; 2] = [Daemon::Failoverd, Daemon::Keepalived];

#[derive(clap::Args)]
pub struct Arguments {
    /// Cuts per side
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Cuts of one side before the other has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    block: u16,
    /// Advertisement interval in milliseconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(10..=40_950))]
    interval: u64,
    /// Print all raw data as JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Only keepalived, to try the bench itself
    #[arg(long)]
    keepalived: bool,
}

/// What one side did.
#[derive(Default)]
struct Side {
    blackouts: Vec<Duration>,
    /// Take-overs while the Active was alive and reachable.
    false_take_overs: usize,
    /// The longest that the client itself was late.
    client_late: Duration,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let mut sides = SIDES.to_vec();
    sides.retain(|daemon| !arguments.keepalived || *daemon == Daemon::Keepalived);
    if !arguments.keepalived {
        agent::use_binary(&build::agent()?);
    }
    if !sys::is_root() {
        return again_as_root();
    }
    if let Some(reason) = privilege::missing() {
        bail!("the bench cannot run here: {reason}");
    }
    let mut results: BTreeMap<String, Side> = BTreeMap::new();
    let mut done = 0;
    while done < arguments.rounds {
        let rounds = usize::from(arguments.block).min(arguments.rounds - done);
        for daemon in &sides {
            let side = results.entry(daemon.to_string()).or_default();
            block(*daemon, rounds, arguments, side).with_context(|| daemon.to_string())?;
        }
        // Neither is always the one that comes after a pause.
        sides.reverse();
        done += rounds;
        eprintln!("{done} of {} cuts per side", arguments.rounds);
    }
    if arguments.json {
        println!("{:#}", as_json(arguments, &results));
    } else {
        table(&results);
    }
    Ok(())
}

/// With the same arguments; the build was made as the user.
fn again_as_root() -> Result<()> {
    let mut command = shell::as_root("env")?;
    if let Ok(binary) = agent::binary() {
        command.arg(format!("FAILOVERD_BIN={}", binary.display()));
    }
    command.arg(std::env::current_exe().context("path of xtask")?);
    command.args(std::env::args_os().skip(1));
    shell::run(&mut command)
}

/// Several cuts of one pair.
fn block(daemon: Daemon, rounds: usize, arguments: &Arguments, side: &mut Side) -> Result<()> {
    let lan = Lan::new(3)?;
    let interval = Duration::from_millis(arguments.interval);
    let [first, second] =
        PRIORITIES.map(|priority| VirtualRouter::new(priority, lan.vip()).every(interval));
    let active = daemon.start(&lan.host(0).ns, &first)?;
    active.wait_state(State::Active, PATIENCE)?;
    let backup = daemon.start(&lan.host(1).ns, &second)?;
    backup.wait_state(State::Backup, PATIENCE)?;
    let started = count(backup.as_ref());
    let probe = Probe::start(lan.host(2), lan.vip(), SPACING)?;
    for _ in 0..rounds {
        let blackout = cut(&lan, &probe, active.as_ref(), backup.as_ref(), interval)?;
        side.blackouts.push(blackout);
    }
    let take_overs = count(backup.as_ref()).saturating_sub(started);
    side.false_take_overs += take_overs.saturating_sub(rounds);
    let late = probe.stop().own_delay_max.saturating_sub(SPACING);
    side.client_late = side.client_late.max(late);
    Ok(())
}

/// How often it became Active.
fn count(router: &dyn Router) -> usize {
    router
        .transitions()
        .iter()
        .filter(|transition| transition.state == State::Active)
        .count()
}

fn cut(
    lan: &Lan,
    probe: &Probe,
    active: &dyn Router,
    backup: &dyn Router,
    interval: Duration,
) -> Result<Duration> {
    let [serving, standby] = [lan.host(0).port.mac, lan.host(1).port.mac];
    let settled = monotonic();
    probe.wait_answer(settled, Some(serving), PATIENCE)?;
    // Any phase of the advert's period is as likely as any other.
    let phase = monotonic() % u64::try_from(interval.as_nanos())?;
    let_pass(Duration::from_millis(300) + Duration::from_nanos(phase))?;
    let start = monotonic();
    lan.cut_silently(0)?;
    let back = probe.wait_answer(start, Some(standby), PATIENCE)?;
    let gaps = probe.report_since(start).gaps;
    let gap = gaps
        .iter()
        .find(|gap| gap.to == back)
        .context("no request was lost in the cut")?;
    backup.wait_state(State::Active, PATIENCE)?;
    lan.mend(0)?;
    backup.wait_state(State::Backup, PATIENCE)?;
    active.wait_state(State::Active, PATIENCE)?;
    Ok(gap.length())
}

fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

fn median(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn table(results: &BTreeMap<String, Side>) {
    println!(
        "{:<12} {:>4} {:>9} {:>9} {:>17} {:>12}",
        "side", "n", "p50 ms", "max ms", "false take-overs", "client late"
    );
    for (name, side) in results {
        let mut sorted = side.blackouts.clone();
        sorted.sort();
        println!(
            "{name:<12} {:>4} {:>9.1} {:>9.1} {:>17} {:>9.1} ms",
            sorted.len(),
            milliseconds(median(&sorted)),
            milliseconds(sorted.last().copied().unwrap_or_default()),
            side.false_take_overs,
            milliseconds(side.client_late),
        );
    }
}

fn as_json(arguments: &Arguments, results: &BTreeMap<String, Side>) -> serde_json::Value {
    let side = |side: &Side| {
        let raw: Vec<f64> = side.blackouts.iter().copied().map(milliseconds).collect();
        let mut sorted = side.blackouts.clone();
        sorted.sort();
        json!({
            "n": raw.len(),
            "p50_ms": milliseconds(median(&sorted)),
            "max_ms": sorted.last().copied().map(milliseconds),
            "false_take_overs": side.false_take_overs,
            "client_late_ms": milliseconds(side.client_late),
            "blackouts_ms": raw,
        })
    };
    let sides: serde_json::Map<_, _> = results
        .iter()
        .map(|(name, result)| (name.clone(), side(result)))
        .collect();
    json!({ "interval_ms": arguments.interval, "version": 3, "priorities": PRIORITIES, "sides": sides })
}
