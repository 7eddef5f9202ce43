//! A command line as getopt_long(3) reads it, which keepalived uses.
//!
//! Short options can be joined, long ones cut as long as they stay unique, and
//! an argument is the rest of the word or the next one. Words that belong to no
//! option are ignored, as keepalived ignores them.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use super::options::{Argument, Opt, Row, TABLE};

/// What is wrong with the command line.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum OptionError {
    #[error("unknown option {0}; --help lists all")]
    Unknown(String),
    #[error("option {0} can be {1}; write it out")]
    Ambiguous(String, String),
    #[error("missing parameter for option {0}")]
    Missing(String),
    #[error("option {0} takes no parameter")]
    Unwanted(String),
    #[error("invalid {what} '{value}': {remedy}")]
    Invalid {
        what: &'static str,
        value: String,
        remedy: &'static str,
    },
}

/// An option as it was given.
pub type Given = (&'static Row, Option<OsString>);

/// All options, in their order.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn parse(arguments: &[OsString]) -> Result<Vec<Given>, OptionError> {
    split(arguments).map(|(given, _)| given)
}

/// As [`parse`], and what is no option.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn split(arguments: &[OsString]) -> Result<(Vec<Given>, Vec<String>), OptionError> {
    let (mut given, mut others) = (Vec::new(), Vec::new());
    let mut words = arguments.iter().map(OsString::as_os_str);
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            others.extend(words.by_ref().map(shown));
            break;
        } else if let Some(long) = bytes.strip_prefix(b"--") {
            given.push(long_option(long, &mut words)?);
        } else if let Some(shorts) = bytes.strip_prefix(b"-").filter(|rest| !rest.is_empty()) {
            short_options(shorts, &mut words, &mut given)?;
        } else {
            others.push(shown(word));
        }
    }
    Ok((given, others))
}

fn shown(word: &OsStr) -> String {
    word.to_string_lossy().into_owned()
}

fn long_option<'a>(
    bytes: &[u8],
    words: &mut impl Iterator<Item = &'a OsStr>,
) -> Result<Given, OptionError> {
    let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = bytes.split_at(at);
            (name, value.strip_prefix(b"="))
        }
        None => (bytes, None),
    };
    let name = String::from_utf8_lossy(name).into_owned();
    let row = long_row(&name)?;
    let value = value.map(|value| OsStr::from_bytes(value).to_owned());
    let shown = || format!("--{name}");
    match (row.argument, value) {
        (Argument::No, Some(_)) => Err(OptionError::Unwanted(shown())),
        (Argument::No, None) => Ok((row, None)),
        (Argument::Optional(_), value) => Ok((row, value)),
        (Argument::Needed(_), value) => {
            let value = value.or_else(|| words.next().map(OsStr::to_owned));
            value
                .map(|value| (row, Some(value)))
                .ok_or_else(|| OptionError::Missing(shown()))
        }
    }
}

fn long_row(name: &str) -> Result<&'static Row, OptionError> {
    if let Some(row) = TABLE.iter().find(|row| row.long == name) {
        return Ok(row);
    }
    let mut found = TABLE.iter().filter(|row| row.long.starts_with(name));
    match (found.next(), found.next()) {
        (Some(row), None) if !name.is_empty() => Ok(row),
        (Some(one), Some(other)) if !name.is_empty() => Err(OptionError::Ambiguous(
            format!("--{name}"),
            format!("--{} or --{}", one.long, other.long),
        )),
        _ => Err(OptionError::Unknown(format!("--{name}"))),
    }
}

fn short_options<'a>(
    bytes: &[u8],
    words: &mut impl Iterator<Item = &'a OsStr>,
    given: &mut Vec<Given>,
) -> Result<(), OptionError> {
    let mut rest = bytes;
    while let Some((letter, after)) = rest.split_first() {
        let letter = char::from(*letter);
        let row = TABLE.iter().find(|row| row.short == Some(letter));
        let row = row.ok_or_else(|| OptionError::Unknown(format!("-{letter}")))?;
        rest = after;
        let value = || OsStr::from_bytes(after).to_owned();
        match (row.argument, after.is_empty()) {
            (Argument::No, _) => {
                given.push((row, None));
                continue;
            }
            (Argument::Optional(_), true) => given.push((row, None)),
            (Argument::Optional(_) | Argument::Needed(_), false) => {
                given.push((row, Some(value())));
            }
            (Argument::Needed(_), true) => {
                let value = words.next().map(OsStr::to_owned);
                let value = value.ok_or_else(|| OptionError::Missing(format!("-{letter}")))?;
                given.push((row, Some(value)));
            }
        }
        return Ok(());
    }
    Ok(())
}

/// The same options for another process: written out, and without the ones
/// that only concern this one.
pub fn unparse(given: &[Given], without: &[Opt]) -> Vec<OsString> {
    let kept = given.iter().filter(|(row, _)| !without.contains(&row.opt));
    kept.map(|(row, value)| {
        let mut word = OsString::from(format!("--{}", row.long));
        if let Some(value) = value {
            word.push("=");
            word.push(value);
        }
        word
    })
    .collect()
}
