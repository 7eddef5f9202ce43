//! Reloads at 10 Hz.

use std::time::Duration;

use anyhow::{Context, Result};
use failoverd_tests::{
    clock::{monotonic, nanos},
    require_agent,
    router::Router,
    stalls::Stalls,
    wait::let_pass,
    witness::Event,
};
use serde_json::Value;

use crate::lab::*;

/// How long the storms last; by hand FAILOVERD_RELOAD_SECONDS=60.
fn storm() -> Duration {
    let seconds = std::env::var("FAILOVERD_RELOAD_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// 10 Hz on both routers; `files` take turns.
fn reloads_at_10_hz(files: [&[Block]; 2]) -> Result<()> {
    let pair = Pair::start(files[0])?;
    let transitions = pair.transitions();
    let stalls = Stalls::watch()?;
    let witness = pair.witness()?;
    let_pass(storm())?;
    let quiet = witness.mark();
    let late = |status: &Value| status["instances"][0]["counters"]["adverts_late"].as_u64();
    let late_without = late(&pair.active.status()?).context("no counter")?;
    let began = monotonic();
    let mut reloads = 0_u64;
    while monotonic() < began + nanos(storm()) {
        let blocks = files[usize::from(reloads.is_multiple_of(2))];
        pair.active.write_conf(&conf(blocks))?;
        let lower: Vec<_> = blocks
            .iter()
            .cloned()
            .map(|b| Block { priority: 100, ..b })
            .collect();
        pair.backup.write_conf(&conf(&lower))?;
        for agent in [&pair.active, &pair.backup] {
            agent.process().signal(libc::SIGHUP)?;
        }
        reloads += 1;
        let next = began + reloads * 100_000_000;
        let_pass(Duration::from_nanos(next.saturating_sub(monotonic())))?;
    }
    let events = witness.events();
    let (without, with) = events.split_at(quiet);
    let gap = |events: &[Event]| longest_gap(&adverts(events, pair.lan.host(0), 51));
    let (with, without) = (gap(with), gap(without));
    let lines = pair.active.process().lines();
    let done = lines
        .iter()
        .filter(|line| line.text.contains("Reloaded"))
        .count() as u64;
    println!("{reloads} reloads, longest gap {with:?}, without them {without:?}");
    assert!(done >= reloads * 9 / 10, "{done} of {reloads} done");
    assert_eq!(pair.transitions(), transitions);
    // Far below what the Backup would notice. How far is for the figures above.
    let stall = stalls.longest_within(began, monotonic());
    assert!(
        with < 3 * FAST + stall,
        "{with:?}, without reloads {without:?}"
    );
    let late_with = late(&pair.active.status()?).context("no counter")? - late_without;
    let excused = lines
        .iter()
        .filter(|line| line.time > began && line.text.contains("our advert was"))
        .filter(|line| stalls.longest_within(line.time.saturating_sub(SPAN), line.time) > FAST)
        .count() as u64;
    println!(
        "adverts late by more than an interval: {late_with}, of these while the machine \
         stood still for longer than that: {excused}; before the reloads {late_without}"
    );
    assert!(late_with <= excused, "{late_with} late, {excused} excused");
    Ok(())
}

/// Before the line that says so, in which an advert became late: twice what it
/// can be late without a transition.
const SPAN: u64 = 100_000_000;

#[test]
fn at_10_hz_nothing_is_late_with_the_same_file() -> Result<()> {
    require_agent!();
    let blocks = [Block::new(200, &[A, B]).every(FAST)];
    reloads_at_10_hz([&blocks, &blocks])
}

#[test]
fn at_10_hz_nothing_is_late_with_files_that_change() -> Result<()> {
    require_agent!();
    let one = [Block::new(200, &[A, B]).every(FAST)];
    let third = Block {
        name: "VI_3",
        vrid: 53,
        ..Block::new(255, &["10.77.9.5/32"])
    };
    let two = [Block::new(210, &[A, C]).every(FAST), third];
    reloads_at_10_hz([&one, &two])
}
