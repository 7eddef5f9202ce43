//! The unit for systemd, by the word of systemd itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use failoverd_tests::privilege;

const UNIT: &str = include_str!("../../../agent/dist/failoverd.service");
const SCRIPTS: &str = include_str!("../../../agent/dist/failoverd.service.d/scripts.conf");

/// `systemd-analyze security`: 0 is the best, 10 the worst.
fn exposure(unit: &str, drop_in: Option<&str>) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("failoverd.service");
    fs::write(&path, unit)?;
    if let Some(text) = drop_in {
        let more = directory.path().join("failoverd.service.d");
        fs::create_dir(&more)?;
        fs::write(more.join("scripts.conf"), text)?;
    }
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager"]);
    let output = analyze.arg(&path).output().context("systemd-analyze")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().find(|line| line.contains("Overall exposure"));
    let last = last.with_context(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        format!("no word on the whole: {text}{error}")
    })?;
    let (_, value) = last.split_once(": ").context("a value")?;
    let value = value.split_whitespace().next().context("a value")?;
    value.parse().with_context(|| last.to_owned())
}

fn ready() -> bool {
    privilege::ready(privilege::missing_program("systemd-analyze"))
}

#[test]
fn the_unit_exposes_little() -> Result<()> {
    if !ready() {
        return Ok(());
    }
    let alone = exposure(UNIT, None)?;
    ensure!(alone <= 2.5, "{alone}");
    let with_scripts = exposure(UNIT, Some(SCRIPTS))?;
    ensure!(with_scripts <= 3.1, "{with_scripts}");
    Ok(())
}

// A measurement that nothing can change would prove nothing.
#[test]
fn a_line_less_is_too_much() -> Result<()> {
    if !ready() {
        return Ok(());
    }
    for line in [
        "NoNewPrivileges=yes",
        "PrivateMounts=yes",
        "ProtectProc=invisible",
    ] {
        ensure!(UNIT.lines().any(|one| one == line), "{line} is not there");
        let rest: Vec<&str> = UNIT.lines().filter(|one| *one != line).collect();
        let without = exposure(&rest.join("\n"), None)?;
        ensure!(without > 2.5, "without {line}: {without}");
    }
    Ok(())
}

/// What the unit lets its processes call, all groups taken apart.
fn allowed() -> Result<BTreeSet<String>> {
    let analyze = Command::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager"])
        .output()
        .context("systemd-analyze")?;
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = String::new();
    for line in String::from_utf8_lossy(&analyze.stdout).lines() {
        let word = line.trim();
        if line.starts_with('@') {
            word.clone_into(&mut group);
        } else if !word.is_empty() && !word.starts_with('#') {
            groups
                .entry(group.clone())
                .or_default()
                .push(word.to_owned());
        }
    }
    let line = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("SystemCallFilter="));
    let line = line.context("a filter")?;
    let mut open: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    open.push("@default".to_owned());
    let mut allowed = BTreeSet::new();
    while let Some(word) = open.pop() {
        match groups.get(&word) {
            Some(members) => open.extend(members.iter().cloned()),
            None => drop(allowed.insert(word)),
        }
    }
    Ok(allowed)
}

/// Otherwise the unit, which is to confine the agent, keeps it from doing so.
#[test]
fn the_unit_lets_the_agent_confine_itself() -> Result<()> {
    if !ready() {
        return Ok(());
    }
    let allowed = allowed()?;
    ensure!(allowed.contains("sendto"), "the groups are not known");
    for call in [
        "seccomp",
        "prctl",
        "capset",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "bpf",
        "sched_setscheduler",
        "mlockall",
        "recvmmsg",
        "sendmmsg",
    ] {
        ensure!(allowed.contains(call), "{call} is refused");
    }
    Ok(())
}
