//! The benchmark itself, end to end: its shortest scenario measures, and tells
//! what it has measured.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent,
    privilege::ready,
    process::{Line, Process},
    require_agent,
};
use serde_json::Value;

/// xtask as cargo has put it beside the tests.
fn xtask() -> Result<PathBuf> {
    let own = env::current_exe().context("path of the test")?;
    let found = own
        .ancestors()
        .map(|directory| directory.join("xtask"))
        .find(|path| path.is_file());
    found.context("xtask is not built: cargo build -p xtask")
}

fn bench(arguments: &[&str]) -> Result<Vec<Line>> {
    let mut command = Command::new(xtask()?);
    command.arg("bench").args(arguments);
    command.env("FAILOVERD_BIN", agent::binary()?);
    let mut process = Process::start("xtask bench", &mut command)?;
    let status = process.wait(Duration::from_secs(120))?;
    let lines = process.finish();
    ensure!(status.success(), "{status}: {lines:#?}");
    Ok(lines)
}

#[test]
fn the_shortest_scenario_measures_and_tells() -> Result<()> {
    require_agent!();
    if !ready(xtask().err().map(|error| error.to_string())) {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let file = |name: &str| directory.path().join(name).display().to_string();
    let (json, html) = (file("run.json"), file("run.html"));
    let quick = ["M1", "--against", "nobody", "--quick", "--rounds", "1"];
    let more = ["--seed", "7", "--json", &json, "--html", &html];
    let lines = bench(&[&quick[..], &more[..]].concat())?;
    assert!(
        lines.iter().any(|line| line.text.contains("seed 7")),
        "{lines:#?}"
    );

    let run: Value = serde_json::from_str(&fs::read_to_string(&json)?)?;
    let scenario = &run["scenarios"][0];
    assert_eq!(scenario["metric"], "M1");
    let series = &scenario["series"][0];
    assert_eq!(series["side"], "failoverd");
    assert_eq!(series["samples"].as_array().map(Vec::len), Some(1));
    assert_eq!(series["false_take_overs"], 0, "{series}");
    let checks = scenario["checks"].as_array().context("no checks")?;
    assert!(checks.iter().any(|check| check["met"].is_boolean()));
    let page = fs::read_to_string(&html)?;
    assert!(page.contains("id=\"overshoot\"") && page.contains("<svg"));

    // What was kept can be told again, without measuring.
    let again = bench(&["--from", &json])?;
    assert!(again.iter().any(|line| line.text.contains("M1: Overshoot")));
    Ok(())
}

#[test]
fn a_scenario_that_is_none_is_named() -> Result<()> {
    if !ready(xtask().err().map(|error| error.to_string())) {
        return Ok(());
    }
    let output = Command::new(xtask()?)
        .args(["bench", "nonsense"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("no scenario 'nonsense'"), "{said}");
    Ok(())
}
