//! tshark as an oracle: what an independent decoder reads in our frames.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::netns;

/// Decodes a pcap file. One row per packet that `filter` (a display filter)
/// takes, one column per field; a field that is missing or false is empty, one
/// with several values has them joined by commas.
///
/// # Errors
/// When tshark fails, for one because it does not know a field.
pub fn decode(pcap: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command
        .arg("-n")
        .arg("-r")
        .arg(pcap)
        .args(["-Y", filter, "-T", "fields"]);
    command.args([
        "-E",
        "separator=|",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=,",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    let out = netns::run(&mut command)?;
    Ok(out
        .lines()
        .map(|line| line.split('|').map(str::to_owned).collect())
        .collect())
}

/// The packets that tshark has something to say against: malformed, or an
/// expert note of severity warning and above. One line each.
///
/// The form of the VRRPv3/IPv4 checksum is not among what it can judge: it
/// knows only the pseudo-header form.
///
/// # Errors
/// When tshark fails.
pub fn complaints(pcap: &Path) -> Result<Vec<String>> {
    let rows = decode(
        pcap,
        "_ws.malformed || _ws.expert.severity >= 6291456",
        &["frame.number", "_ws.expert.message", "_ws.col.Info"],
    )?;
    Ok(rows.into_iter().map(|row| row.join(" ")).collect())
}
