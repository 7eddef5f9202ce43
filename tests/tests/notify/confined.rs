//! With what the unit leaves the agent of root's capabilities.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent, process::Process, require_agent, sys, topology::Lan, wait::eventually,
};

use crate::{
    lab::{LONG, Place, lines},
    scripts::conf,
};

const UNIT: &str = include_str!("../../../agent/dist/failoverd.service");
const SCRIPTS: &str = include_str!("../../../agent/dist/failoverd.service.d/scripts.conf");

/// For setpriv.
fn bounding_set() -> Result<String> {
    let of = |text: &'static str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
    };
    let lines = [of(UNIT), of(SCRIPTS)].map(|line| line.context("a bounding set"));
    let lines = lines.into_iter().collect::<Result<Vec<_>>>()?.join(" ");
    let names = lines.split_whitespace();
    let names = names.filter_map(|name| name.strip_prefix("CAP_"));
    let all: Vec<String> = names
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect();
    Ok(format!("-all{}", all.concat()))
}

/// The agent itself, below its supervisor.
fn child_of(parent: i32) -> Result<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(path)?;
    let first = children.split_whitespace().next().context("no child")?;
    Ok(first.parse()?)
}

#[test]
fn a_fifo_of_another_user_works_and_does_so_again_after_a_crash() -> Result<()> {
    require_agent!("setpriv");
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let theirs = place.path("theirs");
    fs::create_dir(&theirs)?;
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o777))?;
    let read = theirs.join("read");
    let reader = place.script("reader", &format!("exec cat \"$1\" >> {}", read.display()))?;
    let globals = format!(
        "script_user nobody\nvrrp_notify_fifo {}\nvrrp_notify_fifo_script {}",
        place.path("fifo").display(),
        reader.display()
    );
    let path = place.path("keepalived.conf");
    fs::write(&path, conf(&globals, "").replace("script_user root\n", ""))?;
    let mut command = lan.host(0).ns.command("setpriv");
    command
        .args(["--bounding-set", &bounding_set()?])
        .arg(agent::binary()?)
        .arg("run")
        .arg("--config")
        .arg(&path)
        .arg("--control")
        .arg(place.path("control"))
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET")
        .env("NO_COLOR", "1");
    let mut process = Process::start("failoverd", &mut command)?;
    let mastered = |times: usize| {
        let line = "INSTANCE \"VI_1\" MASTER 100";
        let seen = || {
            let seen = lines(&read).iter().filter(|one| *one == line).count();
            (seen == times).then_some(())
        };
        let found = eventually(LONG, "the FIFO script", seen);
        found.with_context(|| {
            let log = process.lines().into_iter().map(|line| line.text);
            log.collect::<Vec<_>>().join("\n")
        })
    };
    mastered(1)?;
    sys::kill(child_of(process.pid())?, libc::SIGKILL)?;
    mastered(2)?;
    process.signal(libc::SIGTERM)?;
    let status = process.wait(Duration::from_secs(25))?;
    ensure!(status.success(), "{status}");
    Ok(())
}
