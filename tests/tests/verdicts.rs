//! The corpus of configurations still gets the verdict that is recorded.
//!
//! `agent/src/config/tests/verdicts.rs` compares the recorded codes with what
//! the agent says; here they are compared with keepalived itself.

use std::{fs, process::Command};

use anyhow::{Context, Result};
use failoverd_tests::{netns::Netns, privilege, require_root};

const CORPUS: &str = include_str!("../data/verdicts/corpus.txt");
/// The release whose codes the corpus has.
const RECORDED: &str = "v2.2.7";

#[test]
fn keepalived_says_what_the_corpus_says() -> Result<()> {
    require_root!();
    if !privilege::ready(privilege::missing_program("keepalived")) {
        return Ok(());
    }
    let version = Command::new("keepalived").arg("--version").output()?;
    if !String::from_utf8_lossy(&version.stderr).contains(RECORDED) {
        failoverd_tests::privilege::say_skipped(&format!(
            "the corpus has the verdicts of keepalived {RECORDED}"
        ));
        return Ok(());
    }
    let ns = Netns::new()?;
    for name in ["eth0", "eth1"] {
        ns.sh(&format!("ip link add {name} type veth peer name p{name}"))?;
        ns.sh(&format!("ip link set {name} up"))?;
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("c.conf");
    let mut wrong = Vec::new();
    let (_, cases) = CORPUS.split_once("--- ").context("a case")?;
    for case in cases.split("\n--- ") {
        let (code, text) = case.split_once('\n').unwrap_or((case, ""));
        fs::write(&file, format!("{text}\n"))?;
        let mut check = ns.command("keepalived");
        let found = check.args(["-t", "-f"]).arg(&file).output()?.status.code();
        if found != code.parse().ok() {
            wrong.push(format!("{code} is recorded, found {found:?}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
