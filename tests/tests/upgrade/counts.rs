//! Every advert is counted once, whoever of the two agents had it.

use anyhow::{Result, ensure};
use failoverd_tests::{
    agents::{Agents, SOON, counter, outcome},
    capture::Capture,
    require_agent,
    router::{Router, State},
    topology::{Direction, Loss},
    wait::let_pass,
};
use serde_json::Value;

use crate::lab::*;

/// What the hook and the core of the Backup have counted, while nothing comes.
struct Counted {
    accepted: u64,
    received: u64,
}

/// Before and after, the switch keeps adverts from the Backup, which takes over
/// for that: so nothing is on its way when it is asked.
fn each_is_counted_once(flags: &[&str]) -> Result<()> {
    let pair = start(flags)?;
    let (own, other) = (pair.lan.host(1), pair.lan.host(0).port.mac);
    let before = quiet(&pair)?;
    let capture = Capture::start(&own.ns, "eth0")?;
    pair.lan.mend_one_way()?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let_pass(WINDOW)?;
    for _ in 0..2 {
        upgrade(&pair.backup)?;
        let_pass(FAST * 10)?;
    }
    let after = quiet(&pair)?;
    let came = capture.adverts().into_iter();
    let came = came.filter(|(_, advert)| advert.source_mac == other);
    let came = u64::try_from(came.count())?;
    let (accepted, received) = (
        after.accepted - before.accepted,
        after.received - before.received,
    );
    println!("{came} came, {accepted} accepted, {received} received");
    ensure!(came > 200, "{came} came");
    ensure!(accepted == came, "{came} came, {accepted} accepted");
    ensure!(received == came, "{came} came, {received} received");
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
    each_is_counted_once(&[])
}

#[test]
fn by_raw_sockets_as_well() -> Result<()> {
    require_agent!();
    each_is_counted_once(&["--backend", "raw"])
}
