//! An upgrade of an agent that runs as keepalived.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use failoverd_tests::{agent, require_agent, sys, topology::Lan, wait::eventually};

use crate::{
    conf,
    lab::{Background, WITHIN, Which, dump, gone},
};

/// Twice: the second time the parent is one that went on.
#[test]
fn pid_files_and_statistics_are_right_after_an_upgrade() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let daemon = Background::start(Which::Ours, ns, &conf(&lan))?;
    let home = &daemon.home;
    let statistics = |signal: i32| -> Result<String> {
        dump(daemon.parent, signal, &home.path("keepalived.stats"))
    };
    eventually(WITHIN, "Active", || {
        let stats = statistics(libc::SIGUSR2).ok()?;
        stats.contains("Became master: 1").then_some(())
    })?;
    // STATS_CLEAR: from 0 again after this dump.
    statistics(libc::SIGRTMAX() - 1)?;
    let control = home.path("control.sock").display().to_string();
    for _ in 0..2 {
        let old = home.wait_pid("vrrp.pid")?;
        let asked = ["upgrade", "--control", &control];
        let ended = agent::call(Some(ns), &asked, Duration::from_secs(60))?;
        ensure!(ended.code == Some(0), "{ended:?}");
        eventually(WITHIN, "the end of the old agent", || {
            gone(old).then_some(())
        })?;
        let new = eventually(WITHIN, "the pid of the new agent", || {
            home.pid("vrrp.pid").filter(|pid| *pid != old)
        })?;
        ensure!(!gone(new) && !gone(daemon.parent));
        ensure!(home.pid("keepalived.pid") == Some(daemon.parent));
        let comm = || fs::read_to_string(format!("/proc/{}/comm", daemon.parent)).ok();
        eventually(WITHIN, "the name of the parent", || {
            comm().filter(|comm| comm.trim() == "keepalived")
        })?;
        // Both files are locked: another one is content with this one.
        let words = home.arguments(&["-n", "-l"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let second = home.call(Some(ns), &words)?;
        ensure!(second.code == Some(0), "{second:?}");
        let said = second.output.join("\n");
        ensure!(said.contains("daemon is already running"), "{said}");
        let stats = statistics(libc::SIGUSR2)?;
        ensure!(stats.contains("Became master: 0"), "{stats}");
    }
    let agent = home.wait_pid("vrrp.pid")?;
    // A reload reaches the new one.
    sys::kill(daemon.parent, libc::SIGHUP)?;
    daemon.stop()?;
    for name in ["keepalived.pid", "vrrp.pid"] {
        ensure!(!home.path(name).exists(), "{name}");
    }
    eventually(WITHIN, "the end of the agent", || gone(agent).then_some(()))?;
    Ok(())
}
