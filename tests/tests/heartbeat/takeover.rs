//! An Active that dies, hangs or leaves.

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, never},
    clock::{monotonic, nanos},
    require_agent,
    router::{Router, State},
    topology::Lan,
};

use crate::lab::{Scene, conf, heart, number, secs, transitions, wait_heart};

const SILENT: &str = "answers no probe any more";

/// With adverts of a second others wait for more than three of them.
#[test]
fn a_dead_machine_is_noticed_before_its_second_advert_is_missing() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("1", "fast_detect on")?;
    let cut = monotonic();
    scene.lan.cut_silently(0)?;
    scene.backup().process().wait_line(SILENT, SOON)?;
    scene.backup().wait_state(State::Active, SOON)?;
    let last = scene.backup().transitions();
    let last = last.last().context("no transition")?;
    assert!(last.time - cut < nanos(secs(2)), "{} ns", last.time - cut);
    assert_eq!(number(scene.backup(), "downs")?, 1);
    Ok(())
}

#[test]
fn over_ipv6_as_well() -> Result<()> {
    require_agent!();
    let lan = failoverd_tests::topology::Lan::new(2)?;
    let start = |index: usize, priority: u8, state| -> Result<failoverd_tests::agent::Agent> {
        let conf = format!(
            "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n \
             priority {priority}\n version 3\n advert_int 1\n fast_detect interval 2ms\n \
             native_ipv6\n virtual_ipaddress {{ {}\n {}/64 }}\n}}\n",
            lan.vip6_link_local(),
            lan.vip6()
        );
        let ns = &lan.host(index).ns;
        let agent = failoverd_tests::agent::Agent::start_conf(ns, &conf, "VI_1")?;
        agent.wait_state(state, failoverd_tests::agents::START)?;
        Ok(agent)
    };
    let _active = start(0, 200, State::Active)?;
    let backup = start(1, 100, State::Backup)?;
    wait_heart(&backup, "armed")?;
    assert_eq!(heart(&backup)?["interval_us"], 2000);
    lan.cut_silently(0)?;
    backup.process().wait_line(SILENT, SOON)?;
    backup.wait_state(State::Active, SOON).map(drop)
}

/// Its kernel answers, and says that nobody lives there any more.
#[test]
fn a_hung_active_loses_its_lease_and_then_the_addresses() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect lease 200ms")?;
    scene.active().freeze(true)?;
    let told = scene
        .backup()
        .process()
        .wait_line("does not serve any more", SOON);
    let active = scene.backup().wait_state(State::Active, SOON);
    scene.active().freeze(false)?;
    told?;
    active?;
    // It wakes, finds out, and is the better one.
    scene.active().wait_state(State::Active, SOON)?;
    scene.backup().wait_state(State::Backup, SOON)?;
    assert_eq!(number(scene.backup(), "false_alarms")?, 0);
    wait_heart(scene.backup(), "armed")
}

#[test]
fn of_several_backups_the_best_takes_over() -> Result<()> {
    require_agent!();
    // Skew_Time of 100 ms probes: a busy machine cannot turn the order round.
    let scene = Scene::start(3, "1", "fast_detect interval 100ms multiplier 2")?;
    wait_heart(&scene.agents[1], "armed")?;
    wait_heart(&scene.agents[2], "armed")?;
    scene.lan.cut_silently(0)?;
    scene.agents[1].wait_state(State::Active, SOON)?;
    never(secs(3), "a second Active", || {
        (transitions(&scene.agents[2]) != 1).then_some(())
    })?;
    assert_eq!(number(&scene.agents[2], "downs")?, 1);
    // And asks the new one.
    wait_heart(&scene.agents[2], "armed")
}

#[test]
fn a_planned_hand_over_is_no_down() -> Result<()> {
    require_agent!();
    let mut scene = Scene::pair("0.05", "fast_detect on")?;
    scene.agents[0].stop()?;
    scene.backup().wait_state(State::Active, SOON)?;
    scene
        .backup()
        .process()
        .wait_line("received priority 0", SOON)?;
    assert_eq!(heart(scene.backup())?["state"], "idle");
    Ok(())
}

#[test]
fn a_reload_changes_it_and_switches_it_off() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("1", "fast_detect on")?;
    let reload = |fast: &str| -> Result<()> {
        scene
            .backup()
            .write_conf(&conf(&scene.lan, 150, "1", fast))?;
        assert_eq!(scene.backup().reload()?.code, Some(0));
        Ok(())
    };
    reload("fast_detect interval 500us multiplier 5")?;
    wait_heart(scene.backup(), "armed")?;
    failoverd_tests::wait::eventually(SOON, "the new interval", || {
        let heart = heart(scene.backup()).ok()?;
        (heart["interval_us"] == 500 && heart["multiplier"] == 5).then_some(())
    })?;
    reload("")?;
    assert!(heart(scene.backup())?.is_null());
    reload("fast_detect on")?;
    wait_heart(scene.backup(), "armed")?;
    assert_eq!(scene.backup().transitions().len(), 1);
    Ok(())
}

/// Others count on its answers, and would take their end for its death.
#[test]
fn a_reload_that_takes_it_off_an_active_makes_no_take_over() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("1", "fast_detect on")?;
    let before = [&scene.agents[0], &scene.agents[1]].map(transitions);
    scene.active().write_conf(&conf(&scene.lan, 200, "1", ""))?;
    for _ in 0..2 {
        assert_eq!(scene.active().reload()?.code, Some(0));
        never(secs(2), "a transition", || {
            let now = [&scene.agents[0], &scene.agents[1]].map(transitions);
            (now != before).then_some(())
        })?;
    }
    assert_eq!(heart(scene.backup())?["state"], "armed");
    assert_eq!(number(scene.backup(), "downs")?, 0);
    assert!(heart(scene.active())?.is_null());
    Ok(())
}

/// Its machine goes on saying that it serves.
#[test]
fn an_active_that_lowers_its_priority_is_preempted() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect on")?;
    scene
        .active()
        .write_conf(&conf(&scene.lan, 100, "0.05", "fast_detect on"))?;
    assert_eq!(scene.active().reload()?.code, Some(0));
    scene.backup().wait_state(State::Active, SOON)?;
    scene.active().wait_state(State::Backup, SOON)?;
    assert_eq!(number(scene.backup(), "vetoes")?, 0);
    wait_heart(scene.active(), "armed")
}

/// While the delay runs the worse Active is followed, and answers.
#[test]
fn after_the_preempt_delay_nobody_vouches() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let worse = conf(&lan, 100, "0.05", "fast_detect on");
    let worse = Agent::start_conf(&lan.host(0).ns, &worse, "VI_1")?;
    worse.wait_state(State::Active, START)?;
    let better = conf(&lan, 150, "0.05", "fast_detect on\n preempt_delay 3");
    let better = Agent::start_conf(&lan.host(1).ns, &better, "VI_1")?;
    wait_heart(&better, "armed")?;
    better.wait_state(State::Active, SOON)?;
    worse.wait_state(State::Backup, SOON).map(drop)
}

/// The successor begins anew, and does not take that for silence.
#[test]
fn an_upgrade_asks_anew() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("0.05", "fast_detect on")?;
    let ended = scene.backup().ask("upgrade", &[])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    wait_heart(scene.backup(), "armed")?;
    let ended = scene.active().ask("upgrade", &[])?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    never(secs(1), "a transition", || {
        let told = scene.agents.iter().map(|agent| agent.transitions().len());
        (told.sum::<usize>() > 3).then_some(())
    })?;
    assert_eq!(number(scene.backup(), "downs")?, 0);
    Ok(())
}
