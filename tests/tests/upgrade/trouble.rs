//! Processes that die at the wrong moment, and what else goes on meanwhile.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{Agent, Ended},
    agents::{Agents, SOON, pid, signal, wait_vip},
    require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::{eventually, let_pass},
    witness::Witness,
};

use crate::lab::*;

/// Begins an upgrade and does something to the family of the agent as soon as
/// the new one is there: the old pid, then the new one.
pub fn meanwhile(agent: &Agent, act: impl FnOnce(i32, i32) -> Result<()>) -> Result<Ended> {
    let old = pid(agent)?;
    let parent = agent.process().pid();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| agent.ask("upgrade", &[]));
        let new = eventually(SOON, "a second agent", || {
            let path = format!("/proc/{parent}/task/{parent}/children");
            let children = std::fs::read_to_string(path).ok()?;
            let mut children = children.split_whitespace().filter_map(|c| c.parse().ok());
            children.find(|child| *child != old)
        })?;
        act(old, new)?;
        asking.join().ok().context("the client panicked")?
    })
}

#[test]
fn a_successor_that_is_killed_changes_nothing() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    for agent in [&pair.active, &pair.backup] {
        let scene = Scene::start(&pair)?;
        let before = pid(agent)?;
        let ended = meanwhile(agent, |_, new| Ok(sys::kill(new, libc::SIGKILL)?))?;
        ensure!(ended.code == Some(2), "{ended:?}");
        ensure!(
            ended.output.join("\n").contains("it has ended"),
            "{ended:?}"
        );
        let_pass(WINDOW)?;
        scene.assert_unnoticed(&pair)?;
        ensure!(pid(agent)? == before);
        // The parent has not mistaken one for the other.
        upgrade(agent)?;
    }
    Ok(())
}

#[test]
fn an_agent_that_is_killed_while_its_successor_gets_ready() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    let vip = pair.lan.vip();
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let mut new = 0;
    let ended = meanwhile(&pair.active, |old, heir| {
        new = heir;
        Ok(sys::kill(old, libc::SIGKILL)?)
    })?;
    ensure!(ended.code != Some(0), "{ended:?}");
    witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    let log = pair.active.process();
    log.wait_line("the agent died", SOON)?;
    ensure!(!running(new), "the successor lives");
    // As after any crash: it is started again, and preempts.
    eventually(SOON, "Active again", || {
        let status = pair.active.status().ok()?;
        (status["instances"][0]["state"] == "active").then_some(())
    })?;
    wait_vip(pair.lan.host(0), vip, true, SOON)
}

#[test]
fn a_new_agent_that_is_killed_loses_its_vip_and_comes_back() -> Result<()> {
    require_agent!();
    let pair = start(&[])?;
    let vip = pair.lan.vip();
    upgrade(&pair.active)?;
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let mark = pair.active.process().mark();
    let old = signal(&pair.active, libc::SIGKILL)?;
    witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    let log = pair.active.process();
    log.wait_line_from(mark, "the agent died", SOON)?;
    log.wait_line_from(mark, "Entering MASTER STATE", SOON)?;
    ensure!(pid(&pair.active)? != old);
    wait_vip(pair.lan.host(0), vip, true, SOON)?;
    wait_vip(pair.lan.host(1), vip, false, SOON)
}

#[test]
fn a_stop_after_an_upgrade_releases_in_good_order() -> Result<()> {
    require_agent!();
    let mut pair = start(&[])?;
    upgrade(&pair.active)?;
    let stop = |pair: &mut Agents| pair.active.stop();
    leaves_in_order(&mut pair, stop)
}

#[test]
fn without_its_parent_a_new_agent_leaves_in_good_order() -> Result<()> {
    require_agent!();
    let mut pair = start(&[])?;
    upgrade(&pair.active)?;
    leaves_in_order(&mut pair, |pair| pair.active.process_mut().kill().map(drop))
}

fn leaves_in_order(pair: &mut Agents, end: impl FnOnce(&mut Agents) -> Result<()>) -> Result<()> {
    let (vip, agent) = (pair.lan.vip(), pid(&pair.active)?);
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    end(pair)?;
    let own = pair.lan.host(0).port.mac;
    let released =
        witness.wait_from(0, "priority 0", SOON, |event| event.is_advert(own, Some(0)))?;
    let removed =
        witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    ensure!(released.may_precede(&removed), "the VIP went first");
    pair.backup.wait_state(State::Active, SOON)?;
    eventually(SOON, "the end of the agent", || {
        (!running(agent)).then_some(())
    })
}

#[test]
fn a_stop_while_the_successor_gets_ready() -> Result<()> {
    require_agent!();
    let mut pair = start(&[])?;
    let parent = pair.active.process().pid();
    let mut new = 0;
    let ended = meanwhile(&pair.active, |_, heir| {
        new = heir;
        Ok(sys::kill(parent, libc::SIGTERM)?)
    })?;
    println!("{ended:?}");
    let status = pair.active.process_mut().wait(SOON)?;
    ensure!(status.success(), "{status}");
    ensure!(!running(new));
    pair.backup.wait_state(State::Active, SOON)?;
    wait_vip(pair.lan.host(0), pair.lan.vip(), false, Duration::ZERO)
}

#[test]
fn under_reloads_and_with_one_put_off() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let router = VirtualRouter::new(100, lan.vip()).every(FAST);
    let conf = router.keepalived_conf();
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, &router.name)?;
    agent.wait_state(State::Active, SOON)?;
    let transitions = agent.transitions().len();
    let witness = Witness::start(&lan.host(1).ns, "eth0")?;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                // Refused while an upgrade goes on.
                let _ = agent.reload();
                let _ = let_pass(Duration::from_millis(50));
            }
        });
        let result = (0..3).try_for_each(|_| upgrade(&agent).map(drop));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        result
    })?;
    let mark = agent.process().mark();
    let ended = meanwhile(&agent, |_, _| agent.process().signal(libc::SIGHUP))?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let log = agent.process();
    log.wait_line_from(mark, "Took over", SOON)?;
    log.wait_line_from(mark, "Reloaded", SOON)?;
    ensure!(agent.transitions().len() == transitions);
    let gap = longest_gap(&adverts(&witness.events(), lan.host(0)));
    println!("longest gap {gap:?}");
    ensure!(gap < 3 * FAST, "{gap:?}");
    Ok(())
}
