//! BPF programs that somebody else touches, or that cannot be had.

use std::process::Command;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{self, Agents, SOON, START, backend, outcome, wait_vip},
    process::Process,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys::bpf,
    topology::{Host, Lan},
    wait::eventually,
};

use crate::lab::*;

/// Number of the XDP program on its interface.
fn program(host: &Host) -> Option<u32> {
    let link = host.ns.sh("ip -d -o link show eth0").ok()?;
    let mut words = link.split_whitespace();
    words.find(|word| *word == "prog/xdp")?;
    words.find(|word| *word == "id")?;
    words.next()?.parse().ok()
}

/// Adverts are accepted from now on.
fn hears(agent: &Agent) -> Result<()> {
    let before = outcome(&agent.status()?, "accepted");
    let more = |status: &serde_json::Value| outcome(status, "accepted") > before + 3;
    wait_status(agent, "adverts are accepted", more).map(drop)
}

// With `ip link` nobody gets our program off, or another one in its place; who
// has the right to use force is found out within a second, and nobody takes
// over where an interval is longer than that.
#[test]
fn b02_who_takes_our_program_off_is_found_out() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, router| {
        router.interval = std::time::Duration::from_secs(1);
    })?;
    let host = pair.lan.host(1);
    let ours = program(host).context("no program")?;
    let off = host.ns.sh("ip link set dev eth0 xdp off");
    assert!(off.is_err() || program(host) == Some(ours));
    assert_eq!(program(host), Some(ours));
    hears(&pair.backup)?;
    let before = pair.transitions();
    bpf::detach_by_force(ours)?;
    assert_eq!(program(host), None);
    eventually(SOON, "our program is back", || program(host))?;
    let log = pair.backup.process();
    log.wait_line("eth0: somebody has detached our program", SOON)?;
    assert_eq!(backend(&pair.backup.status()?), "xdp-native");
    hears(&pair.backup)?;
    assert_eq!(pair.transitions(), before);
    Ok(())
}

// A driver that refuses XDP at a large MTU: the next backend takes the adverts.
#[test]
fn b11_with_jumbo_frames_another_backend_is_taken() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let side = &lan.host(1).port.switch_side;
    lan.switch.ns.sh(&format!("ip link set {side} mtu 9000"))?;
    lan.host(1).ns.sh("ip link set eth0 mtu 9000")?;
    let router = |priority| VirtualRouter::new(priority, lan.vip()).every(FAST);
    let active = agents::start(lan.host(0), &router(200), &[])?;
    active.wait_state(State::Active, START)?;
    let backup = agents::start(lan.host(1), &router(100), &[])?;
    backup.wait_state(State::Backup, START)?;
    hears(&backup)?;
    let status = backup.status()?;
    assert_ne!(backend(&status), "", "{status}");
    if backend(&status) != "xdp-native" {
        let refused = status["links"][0]["refused"].to_string();
        assert!(refused.contains("xdp-native"), "{refused}");
    }
    lan.cut_silently(0)?;
    backup.wait_state(State::Active, SOON)?;
    wait_vip(lan.host(1), lan.vip(), true, SOON)
}

// bpf() is denied, as by a security module or a seccomp filter: adverts come
// through a raw socket, and one line says why.
#[test]
fn b12_b13_without_bpf_a_raw_socket_takes_the_adverts() -> Result<()> {
    require_agent!("setpriv");
    let lan = Lan::new(2)?;
    let router = |priority| VirtualRouter::new(priority, lan.vip()).every(FAST);
    let active = agents::start(lan.host(0), &router(200), &[])?;
    active.wait_state(State::Active, START)?;
    let directory = tempfile::tempdir()?;
    let control = directory.path().join("control");
    let mut command = lan.host(1).ns.command("setpriv");
    command
        .args(["--bounding-set", "-bpf,-sys_admin,-perfmon"])
        .arg(agent::binary()?)
        .args(router(100).agent_arguments())
        .arg("--control")
        .arg(&control)
        .env("NO_COLOR", "1")
        .env_remove("NOTIFY_SOCKET")
        .env_remove("JOURNAL_STREAM");
    let backup = Process::start("failoverd", &mut command)?;
    backup.wait_line("eth0: receiving adverts through raw-socket", START)?;
    backup.wait_line("Entering BACKUP STATE", START)?;
    let status = || -> Option<serde_json::Value> {
        let mut command = Command::new(agent::binary().ok()?);
        command
            .args(["status", "--json", "--control"])
            .arg(&control);
        let out = failoverd_tests::netns::run(&mut command).ok()?;
        serde_json::from_str(&out).ok()
    };
    eventually(SOON, "adverts are accepted", || {
        (outcome(&status()?, "accepted") > 5).then_some(())
    })?;
    let lines = backup.lines();
    let why = lines.iter().find(|line| line.text.contains("BPF"));
    let why = why.context("no line says why")?;
    assert!(why.text.contains("permitted"), "{}", why.text);
    lan.cut_silently(0)?;
    backup.wait_line("Entering MASTER STATE", SOON)?;
    wait_vip(lan.host(1), lan.vip(), true, SOON)
}
