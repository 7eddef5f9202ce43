//! Inputs and words to start from, made of the test data that is there anyway.

use std::{collections::BTreeSet, fs, path::Path};

use agent_common::{Family, record::filter_flags};
use anyhow::{Context, Result};
use failoverd_tests::fixtures::{self, Fixture};

use crate::shell;

/// Words of the language that are no keywords.
const LANGUAGE: &[&str] = &[
    "include ",
    "=== a.conf\\x0a",
    "\\x0a===\\x0a",
    "@here ",
    "@^here ",
    "$A=",
    "${A}",
    "$A",
    "~SEQ(A,1,3) ",
    "~LST(A,1,2) ",
    "${_PWD}",
    "${_INSTANCE}",
    "${_RANDOM}",
    "${_HASH}",
    "${_BANG}",
    "{\\x0a",
    "}\\x0a",
    "\\\"",
    "\\\\\\x0a",
    "192.0.2.1/24",
    "2001:db8::1/64",
    "fe80::1",
    "255",
    "0.01",
    "MASTER",
    "BACKUP",
    "PASS",
    "eth0",
    "on",
    "off",
];

/// Writes inputs for `target` into `directory`.
pub fn write(target: &str, directory: &Path) -> Result<()> {
    let inputs: Vec<Vec<u8>> = match target {
        "config" => bytes(configurations()?),
        "diff" => {
            let texts = configurations()?;
            let pairs = texts.iter().zip(texts.iter().skip(1));
            bytes(pairs.map(|(a, b)| format!("{a}\n===\n{b}")))
        }
        "packet" | "xdp" => fixtures::all().iter().map(scene).collect(),
        "netlink" => announcements(),
        _ => Vec::new(),
    };
    for (number, input) in inputs.iter().enumerate() {
        fs::write(directory.join(format!("{number:04}")), input)?;
    }
    Ok(())
}

fn bytes(texts: impl IntoIterator<Item = String>) -> Vec<Vec<u8>> {
    texts.into_iter().map(String::into_bytes).collect()
}

/// A fixture in the form of `tests/fuzz/targets/frame.rs`.
fn scene(fixture: &Fixture) -> Vec<u8> {
    let filter = &fixture.filter;
    let choices = [
        filter.version == 2,
        fixture.family == Family::V6,
        false,
        filter.flags & filter_flags::UNICAST != 0,
    ];
    let choices = choices.into_iter().enumerate();
    let choices = choices.fold(0, |sum, (bit, on)| sum | u8::from(on) << bit);
    let mut input = vec![choices, filter.flags, filter.v2_seconds, 0];
    input.extend_from_slice(&fixture.frame);
    input
}

/// A netlink message of each kind that is read, and two in one datagram.
fn announcements() -> Vec<Vec<u8>> {
    let message = |kind: u16, payload: &[u8]| {
        let mut bytes = Vec::new();
        bytes.extend((16 + payload.len() as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend_from_slice(payload);
        bytes
    };
    let mut link = vec![0; 16];
    link[4..12].copy_from_slice(&[3, 0, 0, 0, 0x43, 0, 1, 0]);
    let mut address = vec![libc::AF_INET as u8, 24, 0, 0, 3, 0, 0, 0];
    for kind in [1, 2] {
        address.extend([8, 0, kind, 0, 192, 0, 2, kind]);
    }
    let mut address_v6 = vec![libc::AF_INET6 as u8, 64, 0, 0, 3, 0, 0, 0, 20, 0, 1, 0];
    address_v6.extend([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let rule = [&[2; 12][..], &[5, 0, 21, 0, 18, 0, 0, 0]].concat();
    let mut all = vec![
        message(libc::RTM_NEWLINK, &link),
        message(libc::RTM_DELLINK, &link),
        message(libc::RTM_NEWADDR, &address),
        message(libc::RTM_DELADDR, &address),
        message(libc::RTM_NEWADDR, &address_v6),
        message(libc::RTM_DELROUTE, &[18; 12]),
        message(libc::RTM_DELRULE, &rule),
    ];
    all.push(all[..2].concat());
    all
}

/// The published deployments and the files that keepalived has judged.
fn configurations() -> Result<Vec<String>> {
    let data = shell::root().join("tests/data");
    let read = |path: &Path| fs::read_to_string(path).with_context(|| path.display().to_string());
    let mut texts = Vec::new();
    for entry in fs::read_dir(data.join("seeds"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            texts.push(read(&path)?);
        }
    }
    texts.sort();
    let corpus = read(&data.join("verdicts/corpus.txt"))?;
    let cases = corpus.split("\n--- ").skip(1);
    texts.extend(cases.map(|case| match case.split_once('\n') {
        Some((_code, text)) => format!("{text}\n"),
        None => String::new(),
    }));
    Ok(texts)
}

/// In libFuzzer's form: every keyword, and what the language itself is made of.
pub fn dictionary() -> Result<String> {
    let path = shell::root().join("tests/data/keepalived-keywords.txt");
    let keywords = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    // `BLOCK: KEYWORD KEYWORD ...`
    let lines = keywords.lines().filter_map(|line| line.split_once(": "));
    let words: BTreeSet<&str> = lines.flat_map(|(_, words)| words.split(' ')).collect();
    let words = words.into_iter().chain(LANGUAGE.iter().copied());
    Ok(words.map(|word| format!("\"{word}\"\n")).collect())
}
