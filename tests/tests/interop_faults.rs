//! An agent and a keepalived that do not agree: who wins, who leaves, and that
//! an operator can see why an advert is rejected.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    clock::nanos,
    interop::{Duel, Kind, PATIENCE, Setting, Side},
    privilege, require_root,
    router::{Router, State, VirtualRouter},
    topology::{Direction, Loss},
    wait::eventually,
};
use serde_json::Value;

const AGENT_FIRST: [Kind; 2] = [Kind::Agent, Kind::Keepalived];
const KEEPALIVED_FIRST: [Kind; 2] = [Kind::Keepalived, Kind::Agent];

/// Returns from the test where it cannot run.
macro_rules! require_both {
    () => {
        require_root!("keepalived");
        if !privilege::ready(agent::missing()) {
            return Ok(());
        }
    };
}

/// The agent of a duel.
fn agent(duel: &Duel) -> Result<&Agent> {
    let mut sides = duel.sides.iter().flatten();
    let agent = sides.find_map(|side| match side {
        Side::Agent(agent) => Some(agent),
        Side::Keepalived(_) | Side::Frr(_) => None,
    });
    agent.context("no agent runs")
}

fn instance(agent: &Agent) -> Result<Value> {
    Ok(agent.status()?["instances"][0].clone())
}

/// S-41: between two of equal priority that are both Active, the higher
/// address (host 1) stays.
fn address_decides(kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let mut duel = Duel::new(kinds, Setting::V3)?;
    for router in &mut duel.routers {
        router.priority = 150;
    }
    // Whoever is there first stays: an equal priority does not preempt.
    duel.start()?;
    duel.stays_backup()?;
    duel.lan.cut_silently(0)?;
    duel.wait(1, State::Active)?;
    duel.lan.mend(0)?;
    duel.wait(0, State::Backup)?;
    duel.serves(1)?;
    duel.content()
}

// proves: S-40
#[test]
fn s41_equal_priority_the_address_decides_against_the_agent() -> Result<()> {
    address_decides(AGENT_FIRST)
}

// proves: S-40
#[test]
fn s41_equal_priority_the_address_decides_for_the_agent() -> Result<()> {
    address_decides(KEEPALIVED_FIRST)
}

// proves: S-42
#[test]
fn s42_a_lower_priority_is_answered_at_once_and_keepalived_leaves() -> Result<()> {
    require_both!();
    let mut duel = Duel::new(AGENT_FIRST, Setting::V3.every_ms(1000))?;
    duel.start()?;
    // keepalived is deaf, takes over, and sends its lower priority.
    duel.lan.cut_one_way(1, Direction::ToHost, Loss::Adverts)?;
    duel.wait(1, State::Active)?;
    let theirs = duel.captures[0].wait_for("its lower priority", PATIENCE, |frame| {
        let lower = frame.advert().is_some_and(|advert| advert.priority == 100);
        (lower && !frame.outgoing).then_some(frame.time)
    })?;
    let ours = duel.captures[0].wait_for("our answer", PATIENCE, |frame| {
        let answer = frame.outgoing && frame.time >= theirs;
        let ours = frame.advert().filter(|advert| advert.priority == 200);
        ours.filter(|_| answer).map(|_| frame.time)
    })?;
    // The regular one would be half a second away on average.
    let delay = Duration::from_nanos(ours - theirs);
    ensure!(
        delay < Duration::from_millis(150),
        "answered after {delay:?}"
    );
    let log = agent(&duel)?;
    let line = "with lower priority 100, forcing new election";
    log.process().wait_line(line, PATIENCE)?;
    assert_eq!(log.state(), Some(State::Active));

    duel.lan.mend_one_way()?;
    duel.wait(1, State::Backup)?;
    duel.serves(0)?;
    ensure!(
        agent(&duel)?.transitions().len() == 2,
        "init and Active, no more"
    );
    Ok(())
}

#[test]
fn keepalived_restarted_beside_an_active_agent_changes_nothing() -> Result<()> {
    require_both!();
    let mut duel = Duel::new(AGENT_FIRST, Setting::V3)?;
    duel.start()?;
    let before = duel.side(0)?.router().transitions().len();
    for _ in 0..2 {
        duel.sides[1] = None;
        duel.start_side(1, State::Backup)?;
        duel.stays_backup()?;
    }
    assert_eq!(duel.side(0)?.router().transitions().len(), before);
    duel.serves(0)?;
    duel.content()
}

// proves: R-14, T-04
#[test]
fn r14_the_longer_interval_of_a_v3_active_is_learned() -> Result<()> {
    require_both!();
    let mut duel = Duel::new(KEEPALIVED_FIRST, Setting::V3)?;
    duel.routers[1].interval = Duration::from_millis(10);
    duel.start()?;
    learned(&duel)?;
    // Pauses are measured against the 100 ms of keepalived.
    duel.stays_backup()?;
    let status = instance(agent(&duel)?)?;
    assert_eq!(status["advert_interval_ms"], 10, "{status:#}");
    assert_eq!(status["active_advert_interval_ms"], 100, "{status:#}");
    // 3 * 100 ms + 156/256 * 100 ms.
    let down = status["active_down_interval_ms"].as_f64();
    ensure!(
        down.is_some_and(|down| (360.0..=361.0).contains(&down)),
        "{status:#}"
    );
    seen(&duel, "interval of 10.77.1.1 is 100 ms, ours 10 ms")
}

// proves: R-14
#[test]
fn r14_a_keepalived_of_10_ms_learns_ours() -> Result<()> {
    require_both!();
    let mut duel = Duel::new(AGENT_FIRST, Setting::V3)?;
    duel.routers[1].interval = Duration::from_millis(10);
    duel.start()?;
    learned(&duel)?;
    duel.stays_backup()
}

/// Until its first advert host 1 knows no other interval than its own short
/// one (RFC 9568 6.4.1), so it may become Active for a moment. The kernel side
/// counts one advert that may come before the agent takes part; of two more,
/// the first has ended that moment and the second proves it.
fn learned(duel: &Duel) -> Result<()> {
    let accepted = || duel.side(1).ok()?.accepted().ok()?;
    eventually(PATIENCE, "adverts that are accepted", || {
        accepted().filter(|count| *count >= 3)
    })?;
    duel.wait(1, State::Backup)?;
    duel.serves(0)
}

/// A line of the agent's log.
fn seen(duel: &Duel, text: &str) -> Result<()> {
    let side = duel.sides.iter().flatten();
    let agent = side
        .filter(|side| matches!(side, Side::Agent(_)))
        .map(Side::router)
        .next()
        .context("no agent runs")?;
    agent.process().wait_line(text, PATIENCE).map(drop)
}

/// keepalived on host 0 is Active; the agent on host 1 rejects its adverts for
/// `reason`, says so in its status and in its log, and serves as well, as
/// keepalived in its place would.
fn rejected(
    reason: &str,
    backend: &str,
    setting: Setting,
    differ: impl FnOnce(&mut VirtualRouter),
) -> Result<()> {
    require_both!();
    let mut duel = Duel::new(KEEPALIVED_FIRST, setting)?;
    differ(&mut duel.routers[1]);
    duel.start_side(0, State::Active)?;
    let mut arguments = duel.routers[1].agent_arguments();
    arguments.extend(["--backend".to_owned(), backend.to_owned()]);
    let ns = &duel.lan.host(1).ns;
    let side = Side::Agent(Agent::start_with(ns, &arguments, "VI_1")?);
    duel.sides[1] = Some(side);
    duel.wait(1, State::Backup)?;
    let outcomes = eventually(PATIENCE, "rejected adverts in the status", || {
        let outcomes = instance(agent(&duel).ok()?).ok()?["outcomes"].clone();
        (outcomes[reason].as_u64()? >= 2).then_some(outcomes)
    })?;
    assert!(outcomes["accepted"].is_null(), "{outcomes}");
    let source = duel.lan.host(0).port.v4;
    seen(
        &duel,
        &format!("advert refused: {reason} from {source} vrid 51"),
    )?;
    duel.wait(1, State::Active)?;
    // A rejected advert changes nothing: nothing is known of its sender.
    let status = instance(agent(&duel)?)?;
    assert_eq!(status["active"], duel.lan.host(1).port.v4.to_string());
    // A line per reason, not per advert.
    let log = duel.side(1)?.router().process().lines();
    let lines = log
        .iter()
        .filter(|line| line.text.contains("advert refused"));
    let limit = 1 + nanos(PATIENCE) / 10_000_000_000;
    ensure!(lines.count() as u64 <= limit, "the log is flooded");
    Ok(())
}

macro_rules! rejections {
    ($($name:ident: $reason:literal, $backend:literal, $setting:expr, $differ:expr;)*) => {
        $(#[test]
        fn $name() -> Result<()> {
            rejected($reason, $backend, $setting, $differ)
        })*
    };
}

rejections! {
    r13_v2_interval_differs: "interval_mismatch", "native", Setting::V2,
        |router| router.interval = Duration::from_secs(2);
    r13_v2_interval_differs_raw: "interval_mismatch", "raw", Setting::V2,
        |router| router.interval = Duration::from_secs(2);
    r09_wrong_password: "auth_failed", "native", Setting::V2.password("secret"),
        |router| router.password = Some("other".to_owned());
    r09_wrong_password_raw: "auth_failed", "raw", Setting::V2.password("secret"),
        |router| router.password = Some("other".to_owned());
    r09_password_missing: "auth_type", "tcx", Setting::V2,
        |router| router.password = Some("secret".to_owned());
    r03_v2_beside_v3: "version", "native", Setting::V3.every_ms(1000),
        |router| router.version = 2;
    r03_v3_beside_v2_raw: "version", "raw", Setting::V2,
        |router| router.version = 3;
}
