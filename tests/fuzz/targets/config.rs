//! `config`: any bytes as a file, or as a main file and those that it includes.
//!
//! A line `=== NAME` begins a file; without one, all is the main file. What is
//! accepted prints as a text that parses back to the same model, and differs
//! in nothing from itself.

use std::fs;

use failoverd::config::diff::{Portrait, diff};
use failoverd::config::print::{Secrets, print};
use failoverd::config::{Config, Loaded, load_as, parse_bytes, parse_str};

/// Above it a text is too large for one file.
const MAX_FILE: usize = 4 << 20;
/// Diagnostics that are kept, and the lines that sum up.
const MAX_DIAGNOSTICS: usize = 500 + 2;

pub fn run(data: &[u8]) {
    let parts = split(data);
    let loaded = match parts.as_slice() {
        [(_, only)] => parse_bytes("main.conf", only),
        several => load_set(several),
    };
    check(&loaded);
}

/// The names and texts of the files, the main one first.
fn split(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut parts = vec![("main.conf".to_owned(), Vec::new())];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"=== ").map(|name| {
            let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.';
            let name = name.iter().filter(plain).take(20);
            name.map(|byte| char::from(*byte)).collect::<String>()
        });
        match name {
            // `.` and `..` are no files.
            Some(name) if name.contains(|c: char| c != '.') => parts.push((name, Vec::new())),
            Some(_) | None => {
                if let Some((_, text)) = parts.last_mut() {
                    text.extend_from_slice(line);
                }
            }
        }
    }
    parts
}

fn load_set(parts: &[(String, Vec<u8>)]) -> Loaded {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in parts {
        fs::write(directory.path().join(name), at_home(text)).expect("a file");
    }
    load_as(&directory.path().join("main.conf"), Some("here".to_owned()))
}

/// Without a way out of the directory: a slash stays only after a digit or a
/// letter, so that a path always has a first part, which is no directory.
fn at_home(text: &[u8]) -> Vec<u8> {
    let mut before = b' ';
    let mut kept = |byte: &u8| {
        let good = *byte != b'/' || before.is_ascii_alphanumeric();
        before = *byte;
        good
    };
    text.iter().copied().filter(|byte| kept(byte)).collect()
}

/// All that must be true of what reading any bytes gave.
pub fn check(loaded: &Loaded) {
    let Loaded {
        config,
        diagnostics,
        scripts: _,
    } = loaded;
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS);
    for one in diagnostics {
        assert!(!one.to_string().contains('\n'), "{one}");
        assert!(!one.rich().ends_with('\n'));
    }
    let refused = diagnostics.iter().any(|one| one.is_error());
    assert_eq!(config.is_none(), refused, "{diagnostics:#?}");
    if let Some(config) = config {
        comes_back(config);
        let portrait = Portrait::from(config);
        assert!(diff(&portrait, &portrait).is_empty());
    }
}

fn comes_back(config: &Config) {
    let text = print(config, Secrets::Shown);
    if text.len() <= MAX_FILE {
        let again = parse_str("printed.conf", &text);
        assert_eq!(
            again.config.as_ref(),
            Some(config),
            "{text}\n{:#?}",
            again.diagnostics
        );
    }
}

/// The file as it is, without what it includes.
pub fn accepted(data: &[u8]) -> Option<Config> {
    parse_bytes("main.conf", data).config
}
