//! Words to values: whole numbers, decimal seconds without a float, switches.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

pub const MICROS: u64 = 1_000_000;

/// The value of a statement that has one.
pub fn first(statement: &Statement) -> Option<&Word> {
    statement.arguments().first()
}

/// A whole number in `range`; else `None`, and a warning that says what is
/// used `instead`.
pub fn number<T>(
    statement: &Statement,
    range: RangeInclusive<T>,
    instead: &str,
    sink: &mut Sink,
) -> Option<T>
where
    T: TryFrom<u64> + PartialOrd + std::fmt::Display,
{
    let word = first(statement)?;
    let name = statement.keyword();
    let (low, high) = (range.start(), range.end());
    match whole(&word.text) {
        Some(value) => {
            let value = T::try_from(value)
                .ok()
                .filter(|value| range.contains(value));
            if value.is_none() {
                let message = format!(
                    "{name} '{}' is not in {low} to {high}; {instead}",
                    word.text
                );
                sink.warn(Code::OutOfRange, word.span, message);
            }
            value
        }
        None => {
            let message = format!(
                "{name} '{}' is not a whole number of {low} to {high}; {instead}",
                word.text
            );
            sink.warn(Code::BadValue, word.span, message);
            None
        }
    }
}

/// Decimal, with an optional `+`. Too large to hold counts as the largest.
fn whole(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Decimal seconds in whole microseconds, rounded half up, as keepalived
/// reads a timer (observed: 1.4999999 is 1.5). `None` where it is no number.
pub fn decimal_micros(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (seconds.is_empty() && fraction.is_empty()) || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let seconds: u64 = if seconds.is_empty() {
        0
    } else {
        seconds.parse().ok()?
    };
    let mut micros: u64 = 0;
    let mut unit = MICROS / 10;
    for digit in fraction.bytes().take(6) {
        micros = micros.checked_add(u64::from(digit.saturating_sub(b'0')).checked_mul(unit)?)?;
        unit /= 10;
    }
    if fraction
        .as_bytes()
        .get(6)
        .is_some_and(|&digit| digit >= b'5')
    {
        micros = micros.checked_add(1)?;
    }
    seconds.checked_mul(MICROS)?.checked_add(micros)
}

/// Decimal seconds in `low..=high` microseconds, with their place.
pub fn timer(
    statement: &Statement,
    range: RangeInclusive<u64>,
    instead: &str,
    sink: &mut Sink,
) -> Option<(u64, Span)> {
    let word = first(statement)?;
    let name = statement.keyword();
    let Some(micros) = decimal_micros(&word.text) else {
        let message = format!(
            "{name} '{}' is not a number of seconds; {instead}",
            word.text
        );
        sink.warn(Code::BadValue, word.span, message);
        return None;
    };
    if range.contains(&micros) {
        return Some((micros, word.span));
    }
    let (low, high) = (seconds(*range.start()), seconds(*range.end()));
    let message = format!(
        "{name} '{}' is not in {low} to {high} seconds; {instead}",
        word.text
    );
    sink.warn(Code::OutOfRange, word.span, message);
    None
}

/// Without trailing zeros: `0.01`, `255`.
pub fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / MICROS, micros % MICROS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whole seconds, as keepalived's announcement delays are.
pub fn whole_seconds(statement: &Statement, sink: &mut Sink) -> Option<Duration> {
    number(statement, 0..=u32::MAX, "it is ignored", sink)
        .map(|seconds| Duration::from_secs(u64::from(seconds)))
}

/// A count of announcements. keepalived allows more than 255, which only
/// floods the link.
pub fn count(statement: &Statement, least: u8, sink: &mut Sink) -> Option<u8> {
    let word = first(statement)?;
    let name = statement.keyword();
    let Some(value) = whole(&word.text) else {
        let message = format!(
            "{name} '{}' is not a whole number; it is ignored",
            word.text
        );
        sink.warn(Code::BadValue, word.span, message);
        return None;
    };
    let used = u8::try_from(value).unwrap_or(u8::MAX).max(least);
    if u64::from(used) != value {
        let message = format!("{name} '{value}' is not in {least} to 255; {used} is used");
        // keepalived sends as many as it is told to.
        if value > u64::from(u8::MAX) {
            sink.trap(Code::OutOfRange, word.span, message);
        } else {
            sink.warn(Code::OutOfRange, word.span, message);
        }
    }
    Some(used)
}

/// `on`, `true`, `yes`, nothing: true. Case matters, as in keepalived.
pub fn switch(statement: &Statement, sink: &mut Sink) -> Option<bool> {
    let Some(word) = first(statement) else {
        return Some(true);
    };
    match word.text.as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        text => {
            let name = statement.keyword();
            let message = format!("{name} '{text}' is neither on nor off; it is ignored");
            sink.warn(Code::BadValue, word.span, message)
                .help("use on, true, yes or off, false, no, in lower case");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds_are_exact() {
        for (text, expected) in [
            ("1", Some(1_000_000)),
            ("+1", Some(1_000_000)),
            ("1.", Some(1_000_000)),
            (".5", Some(500_000)),
            ("0.01", Some(10_000)),
            ("40.954", Some(40_954_000)),
            ("1.4999999", Some(1_500_000)),
            ("1.4999994", Some(1_499_999)),
            ("0.0000004", Some(0)),
            ("0.1", Some(100_000)),
            ("", None),
            (".", None),
            ("1.x", None),
            ("1s", None),
            ("-1", None),
            ("1.2.3", None),
            ("18446744073709551615", None),
            ("99999999999999999999999999", None),
        ] {
            assert_eq!(decimal_micros(text), expected, "{text}");
        }
        assert_eq!(
            (seconds(10_000), seconds(255 * MICROS)),
            ("0.01".into(), "255".into())
        );
    }
}
