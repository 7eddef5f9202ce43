//! What the agent writes to: a log that nobody reads, a disk that is full.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{DOWN, INTERVAL, SOON, START, never, wait_vip},
    clock::Deadline,
    process::Process,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::{eventually, let_pass},
    witness::Witness,
};

use crate::lab::*;

/// An agent whose log goes into a pipe that is read only when asked to.
struct Unread {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Unread {
    fn start(mut command: Command) -> Result<Self> {
        // So much that a pipe is soon full.
        command.env("FAILOVERD_LOG", "trace");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let log = child.stderr.take().context("no pipe")?;
        let log = BufReader::new(log);
        Ok(Self { child, log })
    }

    fn read_until(&mut self, patterns: &[&str]) -> Result<()> {
        let deadline = Deadline::after(SOON);
        let mut line = String::new();
        while !patterns.iter().any(|pattern| line.contains(pattern)) {
            line.clear();
            anyhow::ensure!(!deadline.expired(), "no {patterns:?} in the log");
            let read = self.log.read_line(&mut line)?;
            anyhow::ensure!(read > 0, "the log ends before {patterns:?}");
        }
        Ok(())
    }

    fn signal(&self, signal: i32) -> Result<()> {
        Ok(sys::kill(i32::try_from(self.child.id())?, signal)?)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // The parent; its agent leaves in good order when it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// The reader of the log stands still: adverts, elections and VIPs do not.
#[test]
fn p10_a_log_that_nobody_reads_stops_no_election() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let vip = lan.vip();
    let router = |priority| VirtualRouter::new(priority, vip).every(INTERVAL);
    let active = Agent::start(&lan.host(0).ns, &router(200))?;
    active.wait_state(State::Active, START)?;
    let directory = tempfile::tempdir()?;
    let control = directory.path().join("control");
    let mut command = lan.host(1).ns.command(&agent::binary()?.to_string_lossy());
    command.args(router(100).agent_arguments());
    command.arg("--control").arg(&control);
    command
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET");
    let mut backup = Unread::start(command)?;
    backup.read_until(&["Entering BACKUP STATE"])?;
    // Each of them is worth many lines.
    for _ in 0..200 {
        backup.signal(libc::SIGUSR1)?;
        let_pass(Duration::from_millis(5))?;
    }
    // Nor does it keep the agent from answering.
    let control = control.display().to_string();
    let status = ["status", "--control", &control];
    let ended = agent::call(None, &status, SOON)?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let host = lan.host(1);
    never(3 * DOWN, "a VIP on the Backup", || {
        host.has_address(vip).ok()?.then_some(())
    })?;
    for _ in 0..3 {
        lan.cut_silently(0)?;
        wait_vip(host, vip, true, SOON)?;
        let witness = Witness::start(&host.ns, "eth0")?;
        wait_adverts(&witness, 0, host, 5)?;
        lan.mend(0)?;
        wait_vip(host, vip, false, SOON)?;
    }
    // It is told, or that there was no room for it.
    backup.read_until(&["Entering MASTER STATE", "lines of the log were lost"])
}

// Dumps, pid files and the log have no room: one says so, none stops.
#[test]
fn p11_a_full_disk_stops_nothing() -> Result<()> {
    require_agent!("unshare");
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(path("full"))?;
    let dump = path("full/state");
    let globals = format!("global_defs {{\nstate_dump_file {dump}\nstats_dump_file {dump}2\n}}");
    fs::write(path("conf"), conf(&globals, 200, ""))?;
    // A file system of its own in a mount namespace of its own.
    let script = format!(
        "mount -t tmpfs -o size=16k tmpfs {full} && \
         {{ cat /dev/zero > {full}/filler 2>/dev/null; true; }} && \
         exec {binary} run --config {conf} --control {full}/control",
        full = path("full"),
        binary = agent::binary()?.display(),
        conf = path("conf"),
    );
    let mut command = host.ns.command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    command
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET")
        .env("NO_COLOR", "1");
    let process = Process::start("failoverd", &mut command)?;
    process.wait_line("(VI_1) Entering MASTER STATE", START)?;
    wait_vip(host, vip, true, SOON)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP, libc::SIGUSR1] {
        process.signal(signal)?;
        let mark = witness.mark();
        wait_adverts(&witness, mark, host, 5)?;
    }
    process.wait_line("No space left on device", SOON)?;
    eventually(SOON, "nothing new in the log but that", || {
        host.has_address(vip).ok()?.then_some(())
    })?;
    let lines = process.lines();
    let faults = lines.iter().filter(|line| line.text.contains("FAULT"));
    assert_eq!(faults.count(), 0, "{lines:#?}");
    assert_eq!(
        failoverd_tests::router::transitions(&lines, "VI_1")
            .last()
            .map(|last| last.state),
        Some(State::Active)
    );
    Ok(())
}
