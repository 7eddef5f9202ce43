//! The flight recorder: what `failoverd history` says of a fail-over, against
//! what a capture beside it has seen. All stamps are CLOCK_MONOTONIC.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, SOON, START, wait_vip},
    capture::{Capture, Frame},
    clock::nanos,
    process::Process,
    require_agent, require_macvlan,
    router::{Router, State},
    topology::{Host, Lan},
    wait::eventually,
};
use serde_json::Value;

/// Between the stamp of a program and that of a socket behind it, and between
/// the return of a system call and what it brought about, where others want
/// the processors too; and the wall clock may be slewed meanwhile.
const CLOSE: u64 = 5_000_000;

/// The records, oldest first.
fn history(agent: &Agent) -> Result<Vec<Value>> {
    let ended = agent.ask("history", &["--json"])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let history: Value = serde_json::from_str(&ended.output.join("\n"))?;
    let records = history["records"].as_array().context("no records")?;
    Ok(records.clone())
}

/// Waits for the newest record of a change to `state`, whole.
fn newest(agent: &Agent, state: &str, whole: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let found = eventually(SOON, "the record of a transition", || {
        last = history(agent).ok()?.pop()?;
        (last["to"] == state && whole(&last)).then(|| last.clone())
    });
    found.with_context(|| format!("the last one is {last}"))
}

fn was_carried(record: &Value) -> bool {
    record["stamps"]["addresses"].is_u64()
}

fn stamp(record: &Value, name: &str) -> Result<u64> {
    let stamp = record["stamps"][name].as_u64();
    stamp.with_context(|| format!("no {name} in {record}"))
}

fn span(record: &Value, name: &str) -> Result<u64> {
    let span = record["steps_us"][name].as_u64();
    span.with_context(|| format!("no {name} in {record}"))
}

/// Each not before the one in front of it.
fn in_order(record: &Value, names: &[&str]) -> Result<()> {
    let stamps: Result<Vec<_>> = names.iter().map(|name| stamp(record, name)).collect();
    let stamps = stamps?;
    ensure!(stamps.is_sorted(), "{names:?}: {stamps:?}");
    Ok(())
}

/// A stamp of ours that is right behind one of the kernel.
fn right_behind(ours: u64, theirs: u64, what: &str) -> Result<()> {
    ensure!(
        ours.abs_diff(theirs) < CLOSE,
        "{what}: {ours}, and the capture has {theirs}"
    );
    Ok(())
}

fn is_packet_to(frame: &Frame, host: &Host, vip: IpAddr) -> bool {
    let IpAddr::V4(vip) = vip else { return false };
    let mac = frame.bytes.get(..6) == Some(&host.port.mac.0);
    let ip = frame.bytes.get(12..14) == Some(&[8, 0]);
    mac && ip && !frame.outgoing && frame.bytes.get(30..34) == Some(&vip.octets())
}

#[test]
fn the_steps_of_a_fail_over_are_those_that_a_capture_saw() -> Result<()> {
    require_agent!("ping");
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (vip, host) = (pair.lan.vip(), pair.lan.host(1));
    let capture = Capture::start(&host.ns, "eth0")?;
    let mut ping = pair.client().ns.command("ping");
    ping.args(["-i", "0.01", "-w", "60", "-q", &vip.to_string()]);
    let _ping = Process::start("ping", &mut ping)?;
    capture.wait_for("an advert of the Active", SOON, |frame| {
        frame.advert().filter(|_| !frame.outgoing)
    })?;
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let record = newest(&pair.backup, "active", |it| it["packet"] == "seen")?;

    ensure!(record["cause"]["kind"] == "silence", "{record}");
    ensure!(record["from"] == "backup" && record["vips"] == 1 && record["vips_refused"] == 0);
    in_order(
        &record,
        &[
            "last_advert",
            "deadline",
            "woke",
            "advert",
            "addresses",
            "first_announcement",
            "last_announcement",
        ],
    )?;
    let heard = stamp(&record, "last_advert")?;
    let waited = stamp(&record, "deadline")?.saturating_sub(heard);
    ensure!(waited.abs_diff(nanos(DOWN)) < 1_000_000, "{waited} ns");

    let frames = capture.frames();
    let adverts = frames.iter().filter(|it| it.advert().is_some());
    let last = adverts.clone().rfind(|it| !it.outgoing);
    right_behind(heard, last.context("no advert")?.time, "the last advert")?;
    let first = adverts
        .clone()
        .find(|it| it.outgoing)
        .context("none sent")?;
    right_behind(stamp(&record, "advert")?, first.time, "the first advert")?;
    ensure!(first.time > stamp(&record, "woke")?, "{record}");

    let last = stamp(&record, "last_announcement")?;
    let garps = frames
        .iter()
        .filter(|it| it.outgoing && it.garp().is_some());
    let burst: Vec<u64> = garps
        .map(|it| it.time)
        .filter(|at| *at <= last + CLOSE)
        .collect();
    let (Some(begin), Some(end)) = (burst.first(), burst.last()) else {
        anyhow::bail!("no GARP: {record}")
    };
    ensure!(record["announcements"] == burst.len(), "{burst:?} {record}");
    ensure!(*begin > stamp(&record, "addresses")?, "{begin} {record}");
    right_behind(stamp(&record, "first_announcement")?, *begin, "first GARP")?;
    right_behind(last, *end, "the last GARP")?;

    let packet = frames.iter().find(|it| is_packet_to(it, host, vip));
    let packet = packet.context("the capture has no packet")?.time;
    right_behind(stamp(&record, "first_packet")?, packet, "the first packet")?;

    let parts = ["detection", "decision", "send", "addresses", "announcement"];
    let sum: Result<u64> = parts.iter().map(|part| span(&record, part)).sum();
    let blackout = span(&record, "blackout")?;
    ensure!(sum?.abs_diff(blackout) <= parts.len() as u64, "{record}");
    let true_one = begin.saturating_sub(heard) / 1000;
    ensure!(blackout.abs_diff(true_one) < CLOSE / 1000, "{record}");
    Ok(())
}

#[test]
fn people_read_it_as_a_table_and_a_line_of_the_log() -> Result<()> {
    require_agent!();
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    pair.active.stop()?;
    pair.backup.wait_state(State::Active, SOON)?;
    let line = pair
        .backup
        .process()
        .wait_line("BACKUP -> ACTIVE, priority 0 from", SOON)?;
    ensure!(line.text.contains("blackout"), "{line:?}");
    let record = newest(&pair.backup, "active", was_carried)?;
    let name = record["instance"].as_str().context("no name")?;
    let ask = |arguments: &[&str]| pair.backup.ask("history", arguments);
    let table = ask(&[name])?;
    let text = table.output.join("\n");
    ensure!(table.code == Some(0) && text.starts_with("TIME"), "{text}");
    ensure!(text.contains("BACKUP -> ACTIVE"), "{text}");
    ensure!(text.contains("INITIALIZE -> BACKUP"), "{text}");
    let one = ask(&["--last", "1"])?.output.join("\n");
    ensure!(!one.contains("INITIALIZE -> BACKUP"), "{one}");
    let nobody = ask(&["nobody"])?;
    ensure!(nobody.code == Some(2), "{nobody:?}");
    ensure!(nobody.output.join("\n").contains("no instance nobody"));
    Ok(())
}

#[test]
fn a_farewell_is_told_from_silence() -> Result<()> {
    require_agent!();
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    let capture = Capture::start(&pair.lan.host(1).ns, "eth0")?;
    pair.active.stop()?;
    pair.backup.wait_state(State::Active, SOON)?;
    let record = newest(&pair.backup, "active", was_carried)?;
    ensure!(record["cause"]["kind"] == "released", "{record}");
    in_order(
        &record,
        &["last_advert", "released", "deadline", "woke", "advert"],
    )?;
    let farewell = capture
        .frames()
        .into_iter()
        .find(|it| it.advert().is_some_and(|advert| advert.priority == 0));
    let farewell = farewell.context("no priority 0")?.time;
    right_behind(stamp(&record, "released")?, farewell, "the farewell")
}

fn conf(lan: &Lan, priority: u8, interval: &str, more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n \
         priority {priority}\n version 3\n advert_int {interval}\n {more}\n \
         virtual_ipaddress {{ {}/24 }}\n}}\n",
        lan.vip()
    )
}

fn two(interval: &str, more: &str) -> Result<(Agent, Agent, Lan)> {
    let lan = Lan::new(2)?;
    let start = |index: usize, priority, state| -> Result<Agent> {
        let conf = conf(&lan, priority, interval, more);
        let agent = Agent::start_conf(&lan.host(index).ns, &conf, "VI_1")?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    let active = start(0, 200, State::Active)?;
    let backup = start(1, 150, State::Backup)?;
    Ok((active, backup, lan))
}

#[test]
fn a_hung_agent_was_last_heard_by_its_heartbeat() -> Result<()> {
    require_agent!();
    let (active, backup, _lan) = two("0.05", "fast_detect lease 300ms")?;
    eventually(START, "a heartbeat that counts", || {
        let status = backup.status().ok()?;
        let heart = &status["instances"][0]["fast_detect"]["heartbeat"];
        (heart["state"] == "armed").then_some(())
    })?;
    active.freeze(true)?;
    let taken = newest(&backup, "active", was_carried);
    active.freeze(false)?;
    let record = taken?;
    ensure!(record["cause"]["kind"] == "heart_refusal", "{record}");
    // Its kernel said that it serves for as long as the lease ran.
    in_order(&record, &["last_advert", "last_up", "woke", "advert"])?;
    let vouched = stamp(&record, "last_up")? - stamp(&record, "last_advert")?;
    ensure!(vouched > 200_000_000, "{vouched} ns");
    // It wakes, and is the better one.
    let record = newest(&backup, "backup", was_carried)?;
    ensure!(record["cause"]["kind"] == "outranked", "{record}");
    ensure!(record["cause"]["priority"] == 200, "{record}");
    in_order(&record, &["last_advert", "woke", "addresses"])?;
    Ok(())
}

#[test]
fn one_that_preempts_has_missed_nobody() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let start = |index: usize, priority| -> Result<Agent> {
        let conf = conf(&lan, priority, "0.1", "");
        let agent = Agent::start_conf(&lan.host(index).ns, &conf, "VI_1")?;
        agent.wait_state(State::Active, START)?;
        Ok(agent)
    };
    let worse = start(0, 100)?;
    let record = newest(&worse, "active", was_carried)?;
    ensure!(record["text"] == "no advert heard", "{record}");
    let better = start(1, 200)?;
    let record = newest(&better, "active", was_carried)?;
    ensure!(record["cause"]["kind"] == "preemption", "{record}");
    ensure!(record["cause"]["priority"] == 100, "{record}");
    ensure!(record["steps_us"]["blackout"].is_null(), "{record}");
    // The programs of a link see packets, also without a heartbeat.
    ensure!(record["packet"] != "unknown", "{record}");
    let record = newest(&worse, "backup", was_carried)?;
    ensure!(record["cause"]["kind"] == "outranked", "{record}");
    ensure!(record["vips"] == 1, "{record}");
    Ok(())
}

#[test]
fn without_bpf_nobody_knows_of_the_first_packet() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let conf = conf(&lan, 200, "0.1", "");
    let raw = ["--backend", "raw"];
    let agent = Agent::start_conf_with(&lan.host(0).ns, &conf, "VI_1", &raw)?;
    agent.wait_state(State::Active, START)?;
    let record = newest(&agent, "active", was_carried)?;
    ensure!(record["packet"] == "unknown", "{record}");
    Ok(())
}

#[test]
fn what_a_reload_did_is_told_as_that() -> Result<()> {
    require_agent!();
    let (active, _backup, lan) = two("0.1", "")?;
    let before = history(&active)?.len();
    // Another priority is no transition; another version is another router.
    active.write_conf(&conf(&lan, 210, "0.1", ""))?;
    ensure!(active.reload()?.code == Some(0));
    ensure!(history(&active)?.len() == before);
    active.write_conf(&conf(&lan, 210, "1", "").replace("version 3", "version 2"))?;
    ensure!(active.reload()?.code == Some(0));
    let left = eventually(SOON, "the end of the old one", || {
        let records = history(&active).ok()?;
        records
            .into_iter()
            .find(|it| it["cause"]["kind"] == "configuration")
    })?;
    ensure!(left["from"] == "active", "{left}");
    ensure!(left["text"] == "configuration", "{left}");
    Ok(())
}

#[test]
fn a_fault_is_named_and_what_was_before_it_too() -> Result<()> {
    require_agent!();
    let (active, _backup, lan) = two("0.1", "")?;
    let ns = &lan.host(0).ns;
    ns.sh("ip link set eth0 down")?;
    let record = newest(&active, "fault", |_| true)?;
    ensure!(record["cause"]["fault"] == "link_down", "{record}");
    ensure!(record["text"] == "fault: link down", "{record}");
    ns.sh("ip link set eth0 up")?;
    active.wait_state(State::Active, SOON)?;
    let records = history(&active)?;
    let back = records.iter().rfind(|it| it["to"] == "backup");
    ensure!(back.context("no start")?["from"] == "fault", "{records:?}");
    Ok(())
}

#[test]
fn an_upgrade_keeps_the_records() -> Result<()> {
    require_agent!();
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    pair.active.stop()?;
    pair.backup.wait_state(State::Active, SOON)?;
    newest(&pair.backup, "active", was_carried)?;
    let before = history(&pair.backup)?;
    let ended = pair.backup.ask("upgrade", &[])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let after = history(&pair.backup)?;
    let told = |records: &[Value]| -> Vec<(Value, Value)> {
        let told = records.iter();
        told.map(|it| (it["stamps"].clone(), it["text"].clone()))
            .collect()
    };
    ensure!(told(&before) == told(&after), "{before:?}\n{after:?}");
    // And its successor goes on: the Active leaves by a fault.
    pair.lan.host(1).ns.sh("ip link set eth0 down")?;
    let record = newest(&pair.backup, "fault", |_| true)?;
    ensure!(record["from"] == "active", "{record}");
    ensure!(history(&pair.backup)?.len() == before.len() + 1);
    Ok(())
}

/// The advert leaves by a link that has to come up first.
#[test]
fn with_a_virtual_mac_address_the_advert_comes_late_and_is_noted() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let conf = conf(&lan, 200, "0.1", "use_vmac");
    let host = lan.host(0);
    let agent = Agent::start_conf(&host.ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, lan.vip(), true, SOON)?;
    let record = newest(&agent, "active", |it| {
        was_carried(it) && it["stamps"]["advert"].is_u64()
    })?;
    in_order(
        &record,
        &["woke", "advert", "addresses", "first_announcement"],
    )
}

/// The order of what was done holds for hundreds of them at once.
#[test]
fn instances_have_histories_of_their_own() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let one = |number: u8| {
        format!(
            "vrrp_instance I{number} {{\n interface eth0\n virtual_router_id {number}\n \
             priority 200\n advert_int 1\n virtual_ipaddress {{ 10.9.0.{number}/32 }}\n}}\n"
        )
    };
    let conf: String = (1..=60).map(one).collect();
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "I1")?;
    let records = eventually(START, "60 of them", || {
        let records = history(&agent).ok()?;
        let active = |it: &&Value| it["to"] == "active" && was_carried(it);
        let all: Vec<Value> = records.iter().filter(active).cloned().collect();
        (all.len() == 60).then_some(all)
    })?;
    for record in &records {
        in_order(record, &["woke", "advert", "addresses"])?;
    }
    let own = agent.ask("history", &["I7", "--last", "1"])?;
    let text = own.output.join("\n");
    ensure!(text.contains("I7") && !text.contains("I8"), "{text}");
    Ok(())
}
