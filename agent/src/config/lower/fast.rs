//! `fast_detect`: one line of failoverd's own, that keepalived skips with a
//! warning.

use std::time::Duration;

use crate::config::{
    decimal_micros, diagnostic::Code, lexer::Word, model::FastDetect, sink::Sink, tree::Statement,
};

/// A lease that is shorter says nothing, a longer one helps nobody.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(60);

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
                if let Some(lease) = lease(word, words.next(), sink) {
                    given.lease = lease;
                }
            }
            other => {
                let message = format!("fast_detect does not know '{other}', ignoring it");
                sink.warn(Code::BadValue, word.span, message)
                    .help("write on, off, or lease TIME as in `lease 200ms`");
            }
        }
    }
    given
}

fn lease(keyword: &Word, value: Option<&Word>, sink: &mut Sink) -> Option<Duration> {
    let Some(word) = value else {
        sink.warn(
            Code::BadValue,
            keyword.span,
            "lease without a time, 200ms is used",
        )
        .help("write `lease 200ms`");
        return None;
    };
    let lease = duration(&word.text).filter(|lease| (SHORTEST..=LONGEST).contains(lease));
    if lease.is_none() {
        let message = format!(
            "lease '{}' is not a time of 10ms to 60s; 200ms is used",
            word.text
        );
        sink.warn(Code::OutOfRange, word.span, message)
            .help("write a number with its unit: us, ms or s");
    }
    lease
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
