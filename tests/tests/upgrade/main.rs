//! A new binary takes over from the running agent (issue 3): nobody on the wire
//! notices.

mod counts;
mod lab;
mod leases;
mod refused;
mod state;
mod trouble;
mod vmac;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Result, ensure};
use failoverd_tests::{
    agents::{SOON, backend, instance, pid, wait_vip},
    require_agent,
    router::{Router, State},
    wait::{eventually, let_pass},
};

use crate::lab::*;

#[test]
fn of_the_active_goes_unnoticed() -> Result<()> {
    require_agent!();
    unnoticed(0, &[], None)
}

#[test]
fn of_the_backup_goes_unnoticed() -> Result<()> {
    require_agent!();
    unnoticed(1, &[], None)
}

#[test]
fn with_generic_xdp() -> Result<()> {
    require_agent!();
    for which in [0, 1] {
        unnoticed(which, &["--backend", "generic"], Some("xdp-generic"))?;
    }
    Ok(())
}

#[test]
fn with_tcx() -> Result<()> {
    require_agent!();
    for which in [0, 1] {
        unnoticed(which, &["--backend", "tcx"], Some("tcx"))?;
    }
    Ok(())
}

#[test]
fn with_raw_sockets() -> Result<()> {
    require_agent!();
    for which in [0, 1] {
        unnoticed(which, &["--backend", "raw"], Some("raw-socket"))?;
    }
    Ok(())
}

/// One upgrade while traffic flows.
fn unnoticed(which: usize, flags: &[&str], wanted: Option<&str>) -> Result<()> {
    let pair = start(flags)?;
    let agent = [&pair.active, &pair.backup][which];
    let before = [pair.active.status()?, pair.backup.status()?];
    let old = pid(agent)?;
    let mut scene = Scene::start(&pair)?;
    let_pass(WINDOW)?;
    scene.split();
    let done = upgrade(agent)?;
    println!("{done:?}");
    let_pass(WINDOW)?;
    scene.assert_unnoticed(&pair)?;
    let after = [pair.active.status()?, pair.backup.status()?];
    ensure!(pid(agent)? != old, "the same process");
    ensure!(!running(old), "the old agent still runs");
    for (before, after) in before.iter().zip(&after) {
        continues(before, after)?;
        ensure!(backend(before) == backend(after));
        ensure!(
            wanted.is_none_or(|wanted| backend(after) == wanted),
            "{after}"
        );
    }
    Ok(())
}

#[test]
fn a_new_backup_takes_over_when_the_active_dies_and_in_time() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    upgrade(&pair.backup)?;
    let (cut, taken) = {
        let witness = pair.witness()?;
        let_pass(FAST * 10)?;
        let mark = witness.mark();
        pair.lan.cut_silently(0)?;
        let own = pair.lan.host(1).port.mac;
        let first = witness.wait_from(mark, "the Backup's advert", SOON, |event| {
            event.is_advert(own, None)
        })?;
        let events = witness.events();
        let heard = adverts(&events, pair.lan.host(0)).last().copied();
        (heard.unwrap_or(0), first.time)
    };
    pair.backup.wait_state(State::Active, SOON)?;
    let took = Duration::from_nanos(taken.saturating_sub(cut));
    println!("took over after {took:?}");
    // 36 ms, and what a busy machine adds.
    ensure!(took >= Duration::from_millis(30), "{took:?}");
    ensure!(took < Duration::from_millis(500), "{took:?}");
    let vip = pair.lan.vip();
    wait_vip(pair.lan.host(1), vip, true, SOON)
}

#[test]
fn five_in_a_row() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    let before = [pair.active.status()?, pair.backup.status()?];
    let unseen_before = unseen(&pair.backup)?;
    let mut scene = Scene::start(&pair)?;
    let_pass(WINDOW)?;
    scene.split();
    for _ in 0..5 {
        for agent in [&pair.active, &pair.backup] {
            upgrade(agent)?;
        }
    }
    let_pass(WINDOW)?;
    scene.assert_unnoticed(&pair)?;
    // Not one advert went by.
    eventually(SOON, "every advert was seen", || {
        let unseen = unseen(&pair.backup).ok()?;
        (unseen <= unseen_before).then_some(())
    })?;
    continues(&before[0], &pair.active.status()?)?;
    continues(&before[1], &pair.backup.status()?)?;
    ensure!(instance(&pair.active.status()?)["state"] == "active");
    Ok(())
}

#[test]
fn the_parent_becomes_the_new_binary_too() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    let directory = tempfile::tempdir()?;
    let new = directory.path().join("failoverd");
    std::fs::copy(failoverd_tests::agent::binary()?, &new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
    let path = new.to_string_lossy();
    let ended = pair.active.ask("upgrade", &["--binary", &path])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let runs = |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let parent = pair.active.process().pid();
    eventually(SOON, "the parent runs the new binary", || {
        (runs(parent)? == new).then_some(())
    })?;
    ensure!(runs(pid(&pair.active)?) == Some(new.clone()));
    eventually(SOON, "the parent has its name", || {
        let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
        (name.trim() == "fo-guard").then_some(())
    })?;
    // What is installed over it is what runs next.
    std::fs::remove_file(&new)?;
    std::fs::copy(failoverd_tests::agent::binary()?, &new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755))?;
    upgrade(&pair.active)?;
    ensure!(runs(pid(&pair.active)?) == Some(new));
    ensure!(pair.active.state() == Some(State::Active));
    Ok(())
}
