//! `failoverd events`: what a program hears, and how it ends.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    process::Process,
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};
use serde_json::Value;

use crate::{lab::LONG, scripts::conf};

fn follow(agent: &Agent, arguments: &[&str]) -> Result<Process> {
    let mut command = Command::new(agent::binary()?);
    command
        .arg("events")
        .args(arguments)
        .arg("--control")
        .arg(agent.control());
    Process::start("events", &mut command)
}

fn heard(process: &Process) -> Vec<Value> {
    let lines = process.lines();
    let json = lines.iter().map(|line| serde_json::from_str(&line.text));
    let json = json.zip(&lines);
    json.map(|(one, line)| one.unwrap_or_else(|_| panic!("no JSON: {}", line.text)))
        .collect()
}

fn wait_event(process: &Process, what: &str, good: impl Fn(&Value) -> bool) -> Result<Value> {
    let found = eventually(LONG, what, || {
        heard(process).into_iter().find(|one| good(one))
    });
    found.with_context(|| format!("{:#?}", heard(process)))
}

#[test]
fn a_program_hears_of_states_priorities_links_and_reloads() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf("", ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let mut json = follow(&agent, &["--json"])?;
    let mut text = follow(&agent, &[])?;
    let begin = wait_event(&json, "the beginning", |one| one["event"] == "begin")?;
    ensure!(
        begin["pid"].as_u64() == agent.status()?["pid"].as_u64(),
        "{begin}"
    );
    text.wait_line(" (pid ", LONG)?;
    ensure!(agent.status()?["telling"]["event_readers"] == 2);

    lan.host(0).ns.sh("ip link set eth0 down")?;
    let down = wait_event(&json, "a fault", |one| {
        one["event"] == "transition" && one["to"] == "fault"
    })?;
    ensure!(
        down["instance"] == "VI_1" && down["from"] == "active",
        "{down}"
    );
    ensure!(down["cause"] == "fault", "{down}");
    let link = wait_event(&json, "the link", |one| one["event"] == "link")?;
    ensure!(
        link["interface"] == "eth0" && link["usable"] == false,
        "{link}"
    );
    lan.host(0).ns.sh("ip link set eth0 up")?;
    wait_event(&json, "the end of it", |one| {
        one["event"] == "transition" && one["from"] == "fault" && one["to"] == "backup"
    })?;
    let active = wait_event(&json, "Active", |one| one["to"] == "active")?;
    ensure!(active["cause"] == "active_silent", "{active}");
    let (time, at) = (active["time"].as_f64(), active["at_ns"].as_u64());
    ensure!(time > down["time"].as_f64() && at > down["at_ns"].as_u64());
    text.wait_line(
        "(VI_1) BACKUP -> ACTIVE: Receive advertisement timeout",
        LONG,
    )?;

    agent.write_conf(&conf("", "").replace("priority 100", "priority 90"))?;
    ensure!(agent.reload()?.code == Some(0));
    let priority = wait_event(&json, "the priority", |one| one["event"] == "priority")?;
    ensure!(
        priority["from"] == 100 && priority["to"] == 90,
        "{priority}"
    );
    let reload = wait_event(&json, "the reload", |one| one["event"] == "reload")?;
    ensure!(reload["error"].is_null(), "{reload}");
    ensure!(
        reload["changes"]
            .to_string()
            .contains("priority: 100 -> 90"),
        "{reload}"
    );
    agent.write_conf("vrrp_instance {")?;
    ensure!(agent.reload()?.code != Some(0));
    wait_event(&json, "the refusal", |one| one["error"].is_string())?;

    agent.stop()?;
    for process in [&mut json, &mut text] {
        let status = process.wait(LONG)?;
        ensure!(status.success(), "{status}");
    }
    let last = heard(&json).pop().context("events")?;
    ensure!(last["event"] == "stopped", "{last}");
    Ok(())
}

#[test]
fn readers_are_bounded_and_a_dead_one_gives_its_place_back() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let agent = Agent::start_conf(&lan.host(0).ns, &conf("", ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let reader = follow(&agent, &["--json"])?;
        wait_event(&reader, "its place", |one| one["event"] == "begin")?;
        readers.push(reader);
    }
    let mut more = follow(&agent, &["--json"])?;
    let status = more.wait(LONG)?;
    ensure!(status.code() == Some(1), "{status}");
    more.wait_line("8 programs read events already", LONG)?;
    // Others are served all the while.
    ensure!(agent.status()?["telling"]["event_readers"] == 8);
    readers.pop().context("a reader")?.kill()?;
    let free = || Some(agent.status().ok()?["telling"]["event_readers"] == 7).filter(|free| *free);
    eventually(LONG, "a free place", free)?;
    let one_more = follow(&agent, &["--json"])?;
    wait_event(&one_more, "its place", |one| one["event"] == "begin")?;
    Ok(())
}

#[test]
fn after_an_upgrade_it_goes_on_with_the_new_agent() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let agent = Agent::start_conf(&lan.host(0).ns, &conf("", ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let reader = follow(&agent, &["--json"])?;
    wait_event(&reader, "the beginning", |one| one["event"] == "begin")?;
    let upgraded = agent.ask("upgrade", &[])?;
    ensure!(upgraded.code == Some(0), "{upgraded:?}");
    wait_event(&reader, "the hand-over", |one| {
        one["event"] == "handed_over"
    })?;
    let begun = || {
        let events = heard(&reader);
        let count = events.iter().filter(|one| one["event"] == "begin").count();
        (count == 2).then_some(())
    };
    eventually(LONG, "the new agent", begun)?;
    lan.host(0).ns.sh("ip link set eth0 down")?;
    wait_event(&reader, "what the new one says", |one| one["to"] == "fault")?;
    let events = heard(&reader);
    let transitions = events.iter().filter(|one| one["event"] == "transition");
    ensure!(transitions.count() == 1, "{events:#?}");
    Ok(())
}

#[test]
fn without_an_agent_it_says_so() -> Result<()> {
    require_agent!();
    let ended = agent::call(
        None,
        &["events", "--control", "/nowhere/control.sock"],
        Duration::from_secs(10),
    )?;
    ensure!(ended.code == Some(3), "{ended:?}");
    Ok(())
}
