//! The agent as a process: reloads in the wrong moment, no descriptors, and
//! clients that want nothing.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, SOON, START, pid, wait_vip},
    netns::run,
    require_agent,
    router::{Router, State},
    sys,
    topology::Lan,
    wait::{eventually, let_pass},
};

use crate::lab::*;

// SIGHUP to both, 100 times a second, through a fail-over and a hand-back.
#[test]
fn p01_reloads_during_transitions_change_no_election() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let start = |index: usize, priority, state| -> Result<Agent> {
        let text = conf("", priority, "");
        let agent = Agent::start_conf(&lan.host(index).ns, &text, "VI_1")?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    let (active, backup) = (start(0, 200, State::Active)?, start(1, 100, State::Backup)?);
    wait_status(&backup, "the Backup hears", |status| {
        status["instances"][0]["active"].is_string()
    })?;
    let storm = |span: Duration| -> Result<()> {
        for _ in 0..span.as_millis() / 10 {
            for agent in [&active, &backup] {
                agent.process().signal(libc::SIGHUP)?;
            }
            let_pass(Duration::from_millis(10))?;
        }
        Ok(())
    };
    storm(3 * DOWN)?;
    for _ in 0..3 {
        lan.cut_silently(0)?;
        storm(3 * DOWN)?;
        backup.wait_state(State::Active, SOON)?;
        lan.mend(0)?;
        storm(3 * DOWN)?;
        backup.wait_state(State::Backup, SOON)?;
    }
    let there_and_back = [State::Active, State::Backup];
    assert_eq!(states(&active), [State::Backup, State::Active]);
    assert_eq!(
        states(&backup),
        [&[State::Backup][..], &there_and_back.repeat(3)].concat()
    );
    wait_vip(lan.host(0), lan.vip(), true, SOON)?;
    wait_vip(lan.host(1), lan.vip(), false, SOON)?;
    for agent in [&active, &backup] {
        let lines = agent.process().lines();
        let done = lines.iter().filter(|line| line.text.contains("Reloaded"));
        assert!(done.count() >= 10, "no reloads");
    }
    Ok(())
}

fn descriptors(pid: i32) -> Result<Vec<u64>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).context("descriptors")?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

fn limit_descriptors(pid: i32, soft: u64) -> Result<()> {
    let mut command = std::process::Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--nofile={soft}:")]);
    run(&mut command).map(drop)
}

// All that an election needs is open already; what needs more is refused.
#[test]
fn p13_without_descriptors_elections_go_on() -> Result<()> {
    require_agent!("prlimit");
    let lan = Lan::new(2)?;
    let vip = lan.vip();
    let active = Agent::start_conf(&lan.host(0).ns, &conf("", 200, ""), "VI_1")?;
    active.wait_state(State::Active, START)?;
    let backup = Agent::start_conf(&lan.host(1).ns, &conf("", 100, ""), "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    wait_status(&backup, "the Backup hears", |status| {
        status["instances"][0]["active"].is_string()
    })?;
    let pids = [pid(&active)?, pid(&backup)?];
    for pid in pids {
        // The numbers below are taken or will be; nothing above is to be had.
        limit_descriptors(pid, 3)?;
    }
    lan.cut_silently(0)?;
    wait_vip(lan.host(1), vip, true, SOON)?;
    lan.mend(0)?;
    wait_vip(lan.host(1), vip, false, SOON)?;
    lan.cut_cable(0)?;
    wait_vip(lan.host(0), vip, false, SOON)?;
    wait_vip(lan.host(1), vip, true, SOON)?;
    // Its line may come after the VIP.
    backup.wait_state(State::Active, SOON)?;
    let before = states(&backup);
    backup.write_conf(&conf("", 101, ""))?;
    let mark = backup.process().mark();
    backup.process().signal(libc::SIGHUP)?;
    backup
        .process()
        .wait_line_from(mark, "Too many open files", SOON)?;
    assert_eq!(states(&backup), before);
    for (pid, agent) in pids.into_iter().zip([&active, &backup]) {
        limit_descriptors(pid, 4096)?;
        wait_status(agent, "an answer", |_| true)?;
    }
    lan.mend(0)?;
    active.wait_state(State::Active, SOON)?;
    backup.wait_state(State::Backup, SOON)?;
    wait_vip(lan.host(0), vip, true, SOON)
}

// A thousand that connect and say nothing.
#[test]
fn p17_idle_clients_are_bounded_and_disturb_no_election() -> Result<()> {
    require_agent!();
    const CLIENTS: usize = 1000;
    /// Served at a time, and some for files that are open for a moment.
    const SERVED: usize = 16 + 8;
    let pair = Agents::start(&[], |_, _, _| {})?;
    let agent = pid(&pair.backup)?;
    let before = descriptors(agent)?.len();
    let connect = |_| sys::unix::connect_at_once(pair.backup.control()).ok();
    let clients: Vec<_> = (0..CLIENTS).filter_map(connect).collect();
    assert!(clients.len() >= 100, "{} clients", clients.len());
    eventually(SOON, "clients that are served", || {
        (descriptors(agent).ok()?.len() > before).then_some(())
    })?;
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    pair.lan.mend(0)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let during = descriptors(agent)?.len();
    assert!(during <= before + SERVED, "{during} after {before}");
    drop(clients);
    wait_status(&pair.backup, "an answer", |_| true)?;
    eventually(SOON, "as few descriptors as before", || {
        (descriptors(agent).ok()?.len() <= before + 1).then_some(())
    })
}
