//! Every advert is counted once, whoever of the two agents had it.

use std::time::Duration;

use anyhow::{Result, ensure};
use failoverd_tests::{
    agents::{Agents, SOON, START, counter, outcome},
    capture::Capture,
    require_agent,
    router::{Router, State},
    topology::{Direction, Loss},
    wait::{eventually, let_pass},
};
use serde_json::Value;

use crate::lab::*;

const UPGRADES: u64 = 2;
/// Of the predecessor alone, before the first one.
const ADVERTS: u64 = 200;
const SLACK: Duration = Duration::from_secs(1);

/// What the hook and the core of the Backup have counted, while nothing comes.
struct Counted {
    accepted: u64,
    received: u64,
}

/// Before and after, the switch keeps adverts from the Backup, which takes over
/// for that: so nothing is on its way when it is asked.
/// Of each upgrade `twice` adverts may be counted by both agents.
fn each_is_counted_once(flags: &[&str], twice: u64) -> Result<()> {
    let pair = start(flags)?;
    let (own, other) = (pair.lan.host(1), pair.lan.host(0).port.mac);
    let before = quiet(&pair)?;
    let capture = Capture::start(&own.ns, "eth0")?;
    pair.lan.mend_one_way()?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let came = || {
        let came = capture.adverts().into_iter();
        came.filter(|(_, advert)| advert.source_mac == other)
            .count() as u64
    };
    let await_adverts = |more: u64| {
        let enough = came() + more;
        let what = format!("{more} adverts more");
        eventually(START, &what, || (came() >= enough).then_some(()))
    };
    await_adverts(ADVERTS)?;
    for _ in 0..UPGRADES {
        upgrade(&pair.backup)?;
        await_adverts(10)?;
    }
    let after = quiet(&pair)?;
    let (accepted, received) = (
        after.accepted - before.accepted,
        after.received - before.received,
    );
    // The capture may be behind on a busy machine.
    let _late = eventually(SLACK, "all of them", || (came() >= accepted).then_some(()));
    let came = came();
    println!("{came} came, {accepted} accepted, {received} received");
    ensure!(came > ADVERTS, "{came} came");
    let counted = came..=came + twice * UPGRADES;
    ensure!(
        counted.contains(&accepted),
        "{came} came, {accepted} accepted"
    );
    ensure!(
        counted.contains(&received),
        "{came} came, {received} received"
    );
    Ok(())
}

/// The Backup hears nothing, and has read all that it had heard.
fn quiet(pair: &Agents) -> Result<Counted> {
    pair.lan.cut_one_way(1, Direction::ToHost, Loss::Adverts)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let_pass(FAST * 10)?;
    let status: Value = pair.backup.status()?;
    Ok(Counted {
        accepted: outcome(&status, "accepted"),
        received: counter(&status, "adverts_received") + counter(&status, "adverts_stale"),
    })
}

#[test]
fn every_advert_is_counted_once() -> Result<()> {
    require_agent!();
    each_is_counted_once(&[], 0)
}

// Each agent has a socket of its own, and one advert may come between the moment
// that the new one has emptied its socket and the moment that the old one stops:
// it changes nothing, and is in both counts.
#[test]
fn by_raw_sockets_as_well() -> Result<()> {
    require_agent!();
    each_is_counted_once(&["--backend", "raw"], 1)
}
