//! `fast_detect`: one line of failoverd's own, that keepalived skips with a
//! warning.

use std::{ops::RangeInclusive, time::Duration};

use crate::config::{
    decimal_micros, diagnostic::Code, lexer::Word, model::FastDetect, sink::Sink, tree::Statement,
};

/// `on`, `off`, or settings of one that is on. What cannot be read is reported,
/// and leaves the rest as it is without it.
pub fn fast_detect(statement: &Statement, sink: &mut Sink) -> Option<FastDetect> {
    let words = statement.arguments();
    match words.first().map(|word| word.text.as_str()) {
        Some("off" | "no" | "false") => return None,
        Some("on" | "yes" | "true") | None => {}
        Some(_) => return Some(settings(words, sink)),
    }
    Some(settings(words.get(1..).unwrap_or_default(), sink))
}

fn settings(words: &[Word], sink: &mut Sink) -> FastDetect {
    let mut given = FastDetect::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "lease" => {
                let limits = ["10ms", "60s", "200ms"];
                let lease = time(word, words.next(), &FastDetect::LEASES, limits, sink);
                given.lease = lease.unwrap_or(given.lease);
            }
            "interval" => {
                let limits = ["100us", "1s", "1ms"];
                let interval = time(word, words.next(), &FastDetect::INTERVALS, limits, sink);
                given.interval = interval.unwrap_or(given.interval);
            }
            "multiplier" => {
                let multiplier = multiplier(word, words.next(), sink);
                given.multiplier = multiplier.unwrap_or(given.multiplier);
            }
            other => {
                let message = format!("fast_detect does not know '{other}', ignoring it");
                sink.warn(Code::BadValue, word.span, message)
                    .help("write on, off, or some of `interval 1ms multiplier 3 lease 200ms`");
            }
        }
    }
    given
}

/// `limits` are the words for the shortest, the longest, and what is used
/// otherwise.
fn time(
    keyword: &Word,
    value: Option<&Word>,
    good: &RangeInclusive<Duration>,
    [shortest, longest, otherwise]: [&str; 3],
    sink: &mut Sink,
) -> Option<Duration> {
    let name = &keyword.text;
    let Some(word) = value else {
        let message = format!("{name} without a time, {otherwise} is used");
        sink.warn(Code::BadValue, keyword.span, message)
            .help(format!("write `{name} {otherwise}`"));
        return None;
    };
    let time = duration(&word.text).filter(|time| good.contains(time));
    if time.is_none() {
        let message = format!(
            "{name} '{}' is not a time of {shortest} to {longest}; {otherwise} is used",
            word.text
        );
        sink.warn(Code::OutOfRange, word.span, message)
            .help("write a number with its unit: us, ms or s");
    }
    time
}

fn multiplier(keyword: &Word, value: Option<&Word>, sink: &mut Sink) -> Option<u8> {
    let good = FastDetect::MULTIPLIERS;
    let Some(word) = value else {
        let message = "multiplier without a number, 3 is used";
        sink.warn(Code::BadValue, keyword.span, message)
            .help("write `multiplier 3`");
        return None;
    };
    let multiplier = word
        .text
        .parse()
        .ok()
        .filter(|number| good.contains(number));
    if multiplier.is_none() {
        let message = format!(
            "multiplier '{}' is not a number of {} to {}; 3 is used",
            word.text,
            good.start(),
            good.end()
        );
        sink.warn(Code::OutOfRange, word.span, message)
            .help("it is how many probes in a row a dead machine leaves unanswered");
    }
    multiplier
}

/// `200ms`, `500us`, `0.2s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, parts) = if let Some(number) = text.strip_suffix("us") {
        (number, 1_000_000)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000)
    } else {
        (text.strip_suffix('s')?, 1)
    };
    decimal_micros(number).map(|micros| Duration::from_micros(micros / parts))
}
