//! Peers that are not ours: one that knows no heartbeat, and one that answers
//! by the RFC alone.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    clock::{monotonic, nanos},
    initiator::{Initiator, Said},
    keepalived::Keepalived,
    reflector::Reflector,
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::eventually,
};

use crate::lab::{conf, heart, number, wait_heart};

#[test]
fn keepalived_is_left_to_its_adverts() -> Result<()> {
    require_agent!("keepalived");
    let lan = Lan::new(2)?;
    let interval = Duration::from_millis(100);
    let router = VirtualRouter::new(200, lan.vip()).every(interval);
    let mut active = Keepalived::start(&lan.host(0).ns, &router)?;
    active.wait_state(State::Active, START)?;
    let conf = conf(&lan, 100, "0.1", "fast_detect on");
    let backup = Agent::start_conf(&lan.host(1).ns, &conf, "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    backup
        .process()
        .wait_line("answers no probes: adverts alone decide", SOON)?;
    assert_eq!(heart(&backup)?["state"], "unanswered");
    let shown = backup.ask("status", &[])?.output.join("\n");
    assert!(shown.contains("adverts alone decide"), "{shown}");
    // Seldom: a second and more between two.
    let before = number(&backup, "sent")?;
    let from = monotonic();
    let sent = eventually(START, "three more probes", || {
        let sent = number(&backup, "sent").ok()? - before;
        (sent >= 3).then_some(sent)
    })?;
    let most = (monotonic() - from) / nanos(Duration::from_secs(1)) + 2;
    assert!(sent <= most, "{sent}, not {most} at most");
    active.process_mut().kill()?;
    backup.wait_state(State::Active, SOON)?;
    assert_eq!(number(&backup, "downs")?, 0);
    Ok(())
}

/// An Active of ours whose kernel does not answer, with a reflector beside it
/// that knows nothing of us.
#[test]
fn a_plain_reflector_is_believed() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let active = Agent::start_conf(&lan.host(0).ns, &conf(&lan, 200, "1", ""), "VI_1")?;
    active.wait_state(State::Active, START)?;
    let yours = Initiator::documented(false, 51);
    let reflector = Reflector::start(&lan.host(0).ns, yours)?;
    // Patient: the reflector is a process that has to be run.
    let fast = "fast_detect interval 50ms multiplier 5";
    let backup = Agent::start_conf(&lan.host(1).ns, &conf(&lan, 100, "1", fast), "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    wait_heart(&backup, "armed")?;
    eventually(SOON, "many answers", || {
        (number(&backup, "answered").ok()? > 20).then_some(())
    })?;
    assert!(reflector.answered() > 20);
    assert_eq!(number(&backup, "downs")?, 0);
    reflector.says(Some(Said::AdminDown));
    backup
        .process()
        .wait_line("answers that it does not serve any more", SOON)?;
    // The Active says otherwise by its adverts, and is the better one.
    backup.wait_state(State::Backup, SOON)?;
    reflector.says(Some(Said::Up));
    wait_heart(&backup, "armed")?;
    let mark = backup.process().mark();
    reflector.says(None);
    backup
        .process()
        .wait_line_from(mark, "answers no probe any more", SOON)?;
    Ok(())
}
