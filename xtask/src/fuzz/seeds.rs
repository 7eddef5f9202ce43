//! Inputs and words to start from, made of the test data that is there anyway.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};

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
    let texts = match target {
        "config" => configurations()?,
        "diff" => {
            let texts = configurations()?;
            let pairs = texts.iter().zip(texts.iter().skip(1));
            pairs.map(|(a, b)| format!("{a}\n===\n{b}")).collect()
        }
        _ => Vec::new(),
    };
    for (number, text) in texts.iter().enumerate() {
        fs::write(directory.join(format!("{number:04}")), text)?;
    }
    Ok(())
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
