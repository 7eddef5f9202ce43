//! Forged elections: the highest priority, and priority 0.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{INTERVAL, SOON, counter, outcome},
    clock::monotonic,
    require_agent,
    router::{Router, State},
    wait::{eventually, let_pass},
};

use super::lab::{LISTED, Scene, grows, lines, says};

const STRANGER: &str = "10.77.1.3 was never heard before";

/// The RFC lets it win. It is named, once, and when it falls silent the two are
/// where they were.
#[test]
fn a_forged_owner_wins_and_is_named() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let forged = scene.forged(255);
    for _ in 0..20 {
        scene.send(&forged)?;
    }
    for agent in scene.both() {
        says(agent, STRANGER)?;
        assert_eq!(counter(&agent.status()?, "unknown_winners"), 1);
    }
    eventually(SOON, "the Active leaves", || {
        let seen = scene.active.transitions();
        let left = seen
            .iter()
            .any(|t| t.state == State::Backup && t.time > seen[1].time);
        left.then_some(())
    })?;
    scene.as_before()?;
    for agent in scene.both() {
        assert_eq!(lines(agent, STRANGER), 1);
    }
    Ok(())
}

#[test]
fn a_forged_owner_that_is_not_listed_changes_nothing() -> Result<()> {
    require_agent!();
    refused(LISTED, &[])
}

#[test]
fn a_forged_owner_that_is_not_listed_changes_nothing_on_a_raw_socket() -> Result<()> {
    require_agent!();
    refused(LISTED, &["--backend", "raw"])
}

#[test]
fn a_forged_owner_that_is_not_listed_changes_nothing_on_tcx() -> Result<()> {
    require_agent!();
    refused(LISTED, &["--backend", "tcx"])
}

/// 255, 201 and 0 for as long as it takes to raise the alarm.
fn refused(lines_of_both: &str, flags: &[&str]) -> Result<()> {
    let scene = Scene::start_flagged(lines_of_both, flags)?;
    let before = scene.transitions();
    for round in 0..50_u8 {
        for priority in [255, 201, 0] {
            scene.send(&scene.forged(priority))?;
        }
        if round > 20
            && scene
                .both()
                .iter()
                .all(|agent| lines(agent, "all adverts of") > 0)
        {
            break;
        }
        let_pass(INTERVAL)?;
    }
    for agent in scene.both() {
        let line = says(agent, "all adverts of 10.77.1.3")?;
        assert!(line.text.contains("source_not_allowed"), "{}", line.text);
        assert!(line.text.contains("allowed_sources"), "{}", line.text);
        let status = agent.status()?;
        assert!(outcome(&status, "source_not_allowed") > 20, "{status}");
        assert_eq!(counter(&status, "priority_zero_received"), 0, "{status}");
        assert_eq!(lines(agent, STRANGER), 0);
    }
    scene.unmoved_since(before, 5 * INTERVAL)
}

/// The list is a matter of the filter: a reload puts it into force without a
/// transition.
#[test]
fn a_list_comes_and_goes_by_reloads() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let before = scene.transitions();
    let plain = std::fs::read_to_string(scene.active.conf())?;
    let listed = plain.replacen("  interface ", &format!("{LISTED}\n  interface "), 1);
    for (text, refuses) in [(&listed, true), (&plain, false)] {
        scene.active.write_conf(text)?;
        let ended = scene.active.reload()?;
        assert_eq!(ended.code, Some(0), "{:?}", ended.output);
        let count = |name| Ok::<_, anyhow::Error>(outcome(&scene.active.status()?, name));
        let (refused, accepted) = (count("source_not_allowed")?, count("accepted")?);
        scene.send(&scene.forged(50))?;
        let (name, least) = match refuses {
            true => ("source_not_allowed", refused + 1),
            false => ("accepted", accepted + 1),
        };
        grows(&scene.active, |status| outcome(status, name), least)?;
    }
    scene.unmoved_since(before, 5 * INTERVAL)
}

/// The Backup takes over, as the RFC has it, for less than an interval: the
/// Active is heard again and wins. It is said that this was not the Active.
#[test]
fn a_forged_release_moves_a_backup_for_a_moment() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    scene.send(&scene.forged(0))?;
    for agent in scene.both() {
        says(
            agent,
            "priority 0 advertisement from 10.77.1.3, which is not the Active",
        )?;
        assert_eq!(counter(&agent.status()?, "priority_zero_not_active"), 1);
    }
    scene.as_before()?;
    assert_eq!(scene.active.state(), Some(State::Active));
    assert_eq!(counter(&scene.active.status()?, "left_active"), 0);
    Ok(())
}

/// S-46: what others send is not answered one to one.
// proves: S-46, R-27
#[test]
fn releases_to_an_active_are_not_reflected() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let sent = |status: &serde_json::Value| counter(status, "adverts_sent");
    let heard = |status: &serde_json::Value| counter(status, "priority_zero_received");
    let before = scene.active.status()?;
    let began = monotonic();
    let forged = scene.forged(0).frame();
    let mut after = before.clone();
    // A busy machine takes longer to send more than can be answered.
    for _ in 0..20 {
        for _ in 0..150 {
            scene.forger.send(&forged)?;
            let_pass(Duration::from_millis(1))?;
        }
        after = scene.active.status()?;
        if counter(&after, "asserts_limited") > 0 {
            break;
        }
    }
    assert!(heard(&after) > heard(&before) + 20, "{after}");
    let span = monotonic().saturating_sub(began);
    let intervals = span / u64::try_from(INTERVAL.as_nanos())? + 2;
    let answers = sent(&after) - sent(&before);
    assert!(
        answers <= 11 * intervals,
        "{answers} in {intervals} intervals"
    );
    assert!(counter(&after, "asserts_limited") > 0, "{after}");
    assert_eq!(counter(&after, "left_active"), 0, "{after}");
    // 10 s lie between two lines.
    assert!(
        lines(&scene.active, "priority 0 advertisement")
            <= 2 + usize::try_from(span / 10_000_000_000)?
    );
    scene.as_before()
}
