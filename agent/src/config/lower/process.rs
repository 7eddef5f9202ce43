//! The process settings of `global_defs`.

use super::global::Globals;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::keywords::{Kind, ProcessKey};
use crate::config::sink::Sink;
use crate::config::survey::word;
use crate::config::tree::Statement;

/// Processors that the kernel interface can name.
pub const MAX_CPU: u16 = 1023;
const U32: i64 = u32::MAX as i64;

/// A line that keepalived ignores leaves what was there.
pub fn set(key: ProcessKey, statement: &Statement, globals: &mut Globals, sink: &mut Sink) {
    let process = &mut globals.process;
    match key {
        ProcessKey::RtPriority => process.realtime = realtime(statement, sink),
        ProcessKey::Priority => {
            if let Some(nice) = signed(statement, -20, 19, sink) {
                process.nice = i8::try_from(nice).ok();
            }
        }
        ProcessKey::Affinity => process.cpus = cpus(statement, sink),
        ProcessKey::RtTime => {
            if let Some(micros) = signed(statement, 1, U32, sink) {
                process.rttime = u64::try_from(micros).ok();
            }
        }
        ProcessKey::Umask => {
            let umask = umask(statement, sink);
            if umask.is_some() {
                process.umask = umask;
            }
        }
    }
}

fn signed(statement: &Statement, low: i64, high: i64, sink: &mut Sink) -> Option<i64> {
    let word = first(statement)?;
    word::check(statement.keyword(), word, Kind::Number(low, high), sink);
    let value: i64 = word.text.parse().ok()?;
    (low..=high).contains(&value).then_some(value)
}

/// Out of range is the nearest that is in it, as in keepalived.
fn realtime(statement: &Statement, sink: &mut Sink) -> Option<u8> {
    let word = first(statement)?;
    let given: i64 = match word.text.parse() {
        Ok(given) => given,
        Err(_) => {
            word::check(statement.keyword(), word, Kind::Number(1, 99), sink);
            return None;
        }
    };
    let used = given.clamp(1, 99);
    if used != given {
        let message = format!(
            "{} '{given}' is not in 1 to 99; {used} is used",
            statement.keyword()
        );
        sink.warn(Code::OutOfRange, word.span, message);
    }
    u8::try_from(used).ok()
}

fn cpus(statement: &Statement, sink: &mut Sink) -> Vec<u16> {
    let range = Kind::Number(0, i64::from(MAX_CPU));
    let mut cpus = Vec::new();
    for word in statement.arguments() {
        word::check(statement.keyword(), word, range, sink);
        cpus.extend(word.text.parse::<u16>().ok().filter(|cpu| *cpu <= MAX_CPU));
    }
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

const BITS: [(&str, u16); 9] = [
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
];

/// A number as C writes it, or names of bits with `|` between them.
fn umask(statement: &Statement, sink: &mut Sink) -> Option<u16> {
    let words = statement.arguments();
    let first = words.first()?;
    if first.text.starts_with(|c: char| c.is_ascii_digit()) {
        let (radix, digits) = match first.text.strip_prefix('0') {
            Some("") | None => (10, first.text.as_str()),
            Some(rest) => match rest.strip_prefix(['x', 'X']) {
                Some(hex) => (16, hex),
                None => (8, rest),
            },
        };
        let value = u16::from_str_radix(digits, radix).ok();
        let value = value.filter(|value| *value <= 0o777);
        if value.is_none() {
            let message = format!("invalid umask value {}", first.text);
            sink.warn(Code::OutOfRange, first.span, message)
                .help("write octal, for example 022");
        }
        return value;
    }
    let mut umask = 0;
    let names = words.iter().flat_map(|word| word.text.split('|'));
    for name in names.filter(|name| !name.is_empty()) {
        match BITS.iter().find(|(bit, _)| *bit == name) {
            Some((_, bit)) => umask |= bit,
            None => {
                let message = format!("Unknown umask bit {name}");
                sink.warn(Code::BadValue, first.span, message)
                    .help("write them as IWGRP|IWOTH");
                return None;
            }
        }
    }
    Some(umask)
}
