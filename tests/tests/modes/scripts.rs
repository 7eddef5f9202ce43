//! Scripts that hang, fork, storm or cannot make up their minds.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{DOWN, SOON, START, instance},
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::{eventually, let_pass},
    witness::Witness,
};
use tempfile::TempDir;

use crate::lab::*;

const GLOBALS: &str = "global_defs {\nscript_user root\nenable_script_security\n}";
/// A Backup hears nothing of what it does not miss three adverts of.
const MISSED: Duration = Duration::from_millis(300);

fn script(directory: &TempDir, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

fn block(path: &Path, lines: &str) -> String {
    let path = path.display();
    format!("{GLOBALS}\nvrrp_script health {{\nscript \"{path}\"\n{lines}\n}}")
}

/// An Active that tracks a script, and a Backup that tracks nothing.
struct Tracking {
    active: Agent,
    backup: Agent,
    lan: Lan,
}

impl Tracking {
    fn start(globals: &str) -> Result<Self> {
        let lan = Lan::new(2)?;
        let text = conf(globals, 200, "track_script {\nhealth\n}");
        let active = Agent::start_conf(&lan.host(0).ns, &text, "VI_1")?;
        active.wait_state(State::Active, START)?;
        let backup = Agent::start_conf(&lan.host(1).ns, &conf("", 100, ""), "VI_1")?;
        backup.wait_state(State::Backup, START)?;
        Ok(Self {
            active,
            backup,
            lan,
        })
    }

    /// Nobody noticed anything.
    fn undisturbed(&self, witness: &Witness) -> Result<()> {
        assert_eq!(states(&self.active), [State::Backup, State::Active]);
        assert_eq!(states(&self.backup), [State::Backup]);
        let gap = longest_gap(&witness.events(), self.lan.host(0));
        assert!(gap > Duration::ZERO && gap < MISSED, "{gap:?}");
        Ok(())
    }
}

/// Processes of the agent that have `word` in their command line.
fn running(agent: &Agent, word: &str) -> usize {
    let family = agent.family();
    let lines = family
        .iter()
        .filter_map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok());
    let with_word = |line: &Vec<u8>| {
        let parts = line.split(|byte| *byte == 0);
        parts.into_iter().any(|part| part == word.as_bytes())
    };
    lines.filter(with_word).count()
}

// It ignores SIGTERM as well. Its group is killed, and adverts go on.
#[test]
fn p05_a_script_that_hangs_is_ended_and_delays_nothing() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let stuck = script(
        &directory,
        "stuck",
        "trap '' TERM\nwhile :; do sleep 98765; done",
    )?;
    let globals = block(&stuck, "interval 1\ntimeout 1\nweight -10");
    let site = Tracking::start(&globals)?;
    let witness = Witness::start(&site.lan.host(0).ns, "eth0")?;
    let line = "VRRP_Script(health) timed_out";
    site.active.process().wait_line(line, SOON)?;
    wait_status(&site.active, "it counts as failed", |status| {
        instance(status)["priority"] == 190
    })?;
    // Ended and begun anew, never two at once.
    let mut seen = std::collections::BTreeSet::new();
    eventually(SOON, "a second and a third run", || {
        let family = site.active.family().into_iter();
        let mut found = 0;
        for pid in family {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if line.windows(5).any(|part| part == b"98765") {
                seen.insert(pid);
                found += 1;
            }
        }
        assert!(found <= 1, "{found} at once");
        (seen.len() >= 3).then_some(())
    })?;
    site.undisturbed(&witness)
}

// A hundred processes each time, in its group; with the group they go.
#[test]
fn p06_a_script_that_forks_is_ended_with_all_that_it_started() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let many = script(
        &directory,
        "many",
        "n=0\nwhile [ $n -lt 100 ]; do sleep 98764 & n=$((n+1)); done\nwait",
    )?;
    let globals = block(&many, "interval 1\ntimeout 2\nweight -10");
    let mut site = Tracking::start(&globals)?;
    let witness = Witness::start(&site.lan.host(0).ns, "eth0")?;
    let mut most = 0;
    for _ in 0..2 {
        eventually(SOON, "a hundred processes", || {
            most = most.max(running(&site.active, "98764"));
            (running(&site.active, "98764") >= 50).then_some(())
        })?;
        eventually(SOON, "none of them", || {
            most = most.max(running(&site.active, "98764"));
            (running(&site.active, "98764") == 0).then_some(())
        })?;
    }
    assert!(most <= 100, "{most} processes at once");
    site.undisturbed(&witness)?;
    site.active.stop()
}

// 100 changes a second of what is tracked: the last one counts, nothing is late.
#[test]
fn p07_a_storm_of_readings_delays_nothing_and_the_last_one_counts() -> Result<()> {
    require_agent!();
    const CHANGES: usize = 300;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("load");
    fs::write(&file, "0\n")?;
    fs::write(directory.path().join("yes"), "")?;
    let quick = script(
        &directory,
        "quick",
        &format!("test -e {}/yes", directory.path().display()),
    )?;
    let globals = format!(
        "{}\ntrack_file load {{\nfile {}\nweight -1\n}}",
        block(&quick, "interval 0.02\nweight -10"),
        file.display()
    );
    let lan = Lan::new(1)?;
    let lines = "track_script {\nhealth\n}\ntrack_file {\nload\n}";
    let agent = Agent::start_conf(&lan.host(0).ns, &conf(&globals, 200, lines), "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let witness = Witness::start(&lan.host(0).ns, "eth0")?;
    for change in 1..=CHANGES {
        // In place: a rename would be another kind of change.
        fs::write(&file, format!("{}\n", change % 50))?;
        match change % 10 {
            0 => fs::write(directory.path().join("yes"), "")?,
            5 => fs::remove_file(directory.path().join("yes"))?,
            _ => {}
        }
        let_pass(Duration::from_millis(10))?;
    }
    // 300 is a multiple of 50 and of 10.
    wait_status(&agent, "the last ones count", |status| {
        instance(status)["priority"] == 200
    })?;
    fs::write(&file, "30\n")?;
    let last = |event: &_| {
        failoverd_tests::witness::Event::is_advert(event, lan.host(0).port.mac, Some(170))
    };
    witness.wait_from(0, "an advert that says so", SOON, last)?;
    assert_eq!(states(&agent), [State::Backup, State::Active]);
    let gap = longest_gap(&witness.events(), lan.host(0));
    assert!(gap < MISSED, "{gap:?}");
    Ok(())
}

// A result each time unlike the last: what `fall` and `rise` are for.
#[test]
fn p19_a_script_that_flaps_changes_nothing_until_it_has_decided() -> Result<()> {
    require_agent!();
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let text = format!(
        "echo >> {runs}\ntest -e {down} && exit 1\ntest -e {ready} || exit 0\n\
         if test -e {odd}; then rm {odd}; exit 1; fi\ntouch {odd}",
        ready = path("ready"),
        runs = path("runs"),
        down = path("down"),
        odd = path("odd"),
    );
    let flaps = script(&directory, "flaps", &text)?;
    let globals = block(
        &flaps,
        "interval 0.1\ntimeout 5\nfall 2\nrise 2\nweight -150",
    );
    let site = Tracking::start(&globals)?;
    let witness = Witness::start(&site.lan.host(0).ns, "eth0")?;
    fs::write(path("ready"), "")?;
    let runs = || fs::metadata(path("runs")).map_or(0, |runs| runs.len());
    let before = runs();
    eventually(SOON, "30 runs", || (runs() >= before + 30).then_some(()))?;
    site.undisturbed(&witness)?;
    let own = site.lan.host(0).port.mac;
    let events = witness.events();
    let other = events.iter().filter_map(|event| event.frame()?.advert());
    let other = other.filter(|advert| advert.source_mac == own && advert.priority != 200);
    assert_eq!(other.count(), 0, "another priority");
    // It makes up its mind.
    fs::write(path("down"), "")?;
    site.backup.wait_state(State::Active, SOON)?;
    fs::remove_file(path("down"))?;
    let_pass(3 * DOWN)?;
    // Never twice in a row good, so never risen.
    assert_eq!(site.backup.state(), Some(State::Active));
    Ok(())
}
