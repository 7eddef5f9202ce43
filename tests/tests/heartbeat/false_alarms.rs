//! Never for nothing: what looks like a dead Active and is none.

use anyhow::Result;
use failoverd_tests::{
    agents::{SOON, never},
    require_agent,
    router::{Router, State},
    topology::{Direction, Loss},
    wait::{eventually, let_pass},
};

use crate::lab::{Scene, number, secs, transitions};

/// Something filters multicast one way: without the veto both are Active.
#[test]
fn missing_adverts_of_an_active_that_says_up_are_waited_for() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect on")?;
    let before = transitions(scene.backup());
    scene
        .lan
        .cut_one_way(0, Direction::FromHost, Loss::Adverts)?;
    scene
        .backup()
        .process()
        .wait_line("but its kernel answers that it serves", SOON)?;
    // Many times the time after which it would have taken over.
    never(secs(3), "a second Active", || {
        (transitions(scene.backup()) != before).then_some(())
    })?;
    assert_eq!(number(scene.backup(), "vetoes")?, 1);
    assert_eq!(number(scene.backup(), "downs")?, 0);
    // What held it ends with the machine.
    scene.lan.cut_silently(0)?;
    scene.backup().wait_state(State::Active, SOON).map(drop)
}

/// For ten times the Active_Down_Interval.
#[test]
fn a_backup_that_was_stopped_finds_its_active_alive() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect on")?;
    let before = transitions(scene.backup());
    scene.backup().freeze(true)?;
    let waited = let_pass(secs(2));
    scene.backup().freeze(false)?;
    waited?;
    never(secs(2), "a take-over", || {
        (transitions(scene.backup()) != before).then_some(())
    })?;
    assert_eq!(number(scene.backup(), "downs")?, 0);
    // And it goes on asking.
    let sent = number(scene.backup(), "sent")?;
    eventually(SOON, "further probes", || {
        (number(scene.backup(), "sent").ok()? > sent + 100).then_some(())
    })
}

/// Stopped and continued all the time, as a starved process is.
#[test]
fn a_backup_that_is_stopped_again_and_again_finds_nobody_down() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect on")?;
    let before = transitions(scene.backup());
    for round in 0..40_u64 {
        scene.backup().freeze(true)?;
        let waited = let_pass(std::time::Duration::from_millis(5 + round * 2));
        scene.backup().freeze(false)?;
        waited?;
        let_pass(std::time::Duration::from_millis(3))?;
    }
    assert_eq!(transitions(scene.backup()), before);
    assert_eq!(number(scene.backup(), "downs")?, 0);
    Ok(())
}

/// The link fails for a moment that is longer than the multiplier allows.
#[test]
fn a_moment_of_silence_is_a_false_alarm_and_pauses_the_heartbeat() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("1", "fast_detect on")?;
    scene.lan.cut_silently(0)?;
    scene.backup().wait_state(State::Active, SOON)?;
    scene.lan.mend(0)?;
    scene
        .backup()
        .process()
        .wait_line("as if nothing had been", SOON)?;
    scene.backup().wait_state(State::Backup, SOON)?;
    assert_eq!(number(scene.backup(), "false_alarms")?, 1);
    // For a second, and then it counts again.
    crate::lab::wait_heart(scene.backup(), "armed")
}
