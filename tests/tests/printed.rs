//! What `check --print` says, keepalived reads: a configuration can go back.

use std::{fs, process::Command};

use anyhow::{Context, Result};
use failoverd_tests::{agent, netns::Netns, privilege, require_agent};

/// Keywords that keepalived 2.2.7 does not have yet.
const LATER: [&str; 3] = ["v3_checksum_as_v2", "owner_ignore_adverts", "json_version"];
const CORPUS: &str = include_str!("../data/verdicts/corpus.txt");

/// `peer ADDRESS/LENGTH`, of which 2.2.7 takes the address alone.
fn has_peer_length(text: &str) -> bool {
    let mut vips = text.lines().filter_map(|line| line.split_once(" peer "));
    vips.any(|(_, peer)| peer.contains('/'))
}

/// What keepalived says of the machine, or of what was meant, and runs on.
const REMARKS: &[&str] = &[
    "cannot track route",
    "has only 1 virtual router(s)",
    "since not found/accessible",
];

#[test]
fn keepalived_accepts_what_is_printed() -> Result<()> {
    require_agent!();
    if !privilege::ready(privilege::missing_program("keepalived")) {
        return Ok(());
    }
    let ns = Netns::new()?;
    for name in ["eth0", "eth1"] {
        ns.sh(&format!("ip link add {name} type veth peer name p{name}"))?;
        ns.sh(&format!("ip link set {name} up"))?;
    }
    let directory = tempfile::tempdir()?;
    let [given, printed] = ["given.conf", "printed.conf"].map(|name| directory.path().join(name));
    let (mut wrong, mut count) = (Vec::new(), 0);
    let (_, cases) = CORPUS.split_once("--- ").context("a case")?;
    // What keepalived objects to is printed as what it takes instead.
    for case in cases.split("\n--- ") {
        let (_code, text) = case.split_once('\n').unwrap_or((case, ""));
        fs::write(&given, format!("{text}\n"))?;
        let mut print = Command::new(agent::binary().context("the agent")?);
        print
            .args(["check", "--print", "--show-secrets"])
            .arg(&given);
        let text = String::from_utf8(print.output()?.stdout)?;
        // Nothing where the file cannot be used; without an instance there is
        // nothing to ask about.
        let later = LATER.iter().any(|keyword| text.contains(keyword)) || has_peer_length(&text);
        if later || !text.contains("vrrp_instance") {
            continue;
        }
        count += 1;
        fs::write(&printed, &text)?;
        let mut check = ns.command("keepalived");
        let found = check.args(["-t", "-f"]).arg(&printed).output()?;
        let said = String::from_utf8_lossy(&found.stderr);
        let mut said = said.lines().filter(|line| !line.trim().is_empty());
        // Checkers are printed as they are written, with their mistakes.
        let before = match text.contains("virtual_server") {
            true => {
                let found = ns
                    .command("keepalived")
                    .args(["-t", "-f"])
                    .arg(&given)
                    .output()?;
                String::from_utf8_lossy(&found.stderr).into_owned()
            }
            false => String::new(),
        };
        let remarks_only = said.all(|line| {
            let message = line.split_once(") ").map_or(line, |(_, message)| message);
            before.contains(message) || REMARKS.iter().any(|known| line.contains(known))
        });
        if !found.status.success() && !remarks_only {
            wrong.push(format!(
                "{text}\n{}",
                String::from_utf8_lossy(&found.stderr)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 100, "{count}");
    Ok(())
}
