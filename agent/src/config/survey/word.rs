//! One word against what it may be.

use std::net::{IpAddr, Ipv4Addr};

use crate::config::diagnostic::Code;
use crate::config::keywords::Kind;
use crate::config::lexer::Word;
use crate::config::lower::{decimal_micros, seconds};
use crate::config::model::IfName;
use crate::config::sink::Sink;

/// What is wrong with a word.
type Problem = (Code, String);

/// Reports a word that is not of its kind; the statement is not used then.
pub fn check(keyword: &str, word: &Word, kind: Kind, sink: &mut Sink) {
    if let Err((code, why)) = verdict(&word.text, kind) {
        let message = format!("{keyword} '{}' {why}", word.text);
        let hint = match kind {
            // Its `-t` does not look at them.
            Kind::Regex => sink.trap(code, word.span, message),
            _ => sink.warn(code, word.span, message),
        };
        match kind {
            Kind::Regex => hint.help("a backslash is written twice: \\\\d for a digit"),
            Kind::Choice(words) => hint.help(format!("use {}", listed(words))),
            Kind::Switch => hint.help("use on, true, yes or off, false, no, in lower case"),
            _ => hint.help("keepalived ignores such a line"),
        }
    }
}

fn listed(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn bad<T>(why: &str) -> Result<T, Problem> {
    Err((Code::BadValue, why.to_owned()))
}

fn verdict(text: &str, kind: Kind) -> Result<(), Problem> {
    let ok = |good: bool, why: &str| if good { Ok(()) } else { bad(why) };
    match kind {
        // Commands and users are for those who will run them.
        Kind::Text | Kind::Secret | Kind::File | Kind::Script | Kind::User | Kind::Name => Ok(()),
        Kind::Number(low, high) => number(text, low, high),
        Kind::Seconds(low, high) => time(text, low, high, 1, "seconds"),
        Kind::Millis(low, high) => time(text, low, high, 1000, "milliseconds"),
        Kind::Switch => ok(
            matches!(text, "on" | "true" | "yes" | "off" | "false" | "no"),
            "is neither on nor off",
        ),
        Kind::Choice(words) => ok(words.contains(&text), "is not known there"),
        Kind::Address => match text.parse::<IpAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err((Code::BadAddress, "is not an IP address".into())),
        },
        Kind::Group => match text.parse::<IpAddr>() {
            Ok(group) if group.is_multicast() => Ok(()),
            Ok(_) | Err(_) => Err((Code::BadAddress, "is not a multicast address".into())),
        },
        Kind::Host => host(text),
        Kind::Port => number(text, 1, 65_535),
        Kind::Interface => match IfName::new(text) {
            Some(_) => Ok(()),
            None => Err((
                Code::BadInterface,
                "cannot be the name of an interface".into(),
            )),
        },
        Kind::Mask => mask(text),
        Kind::Hex => ok(is_hex(text, false), "is not hexadecimal"),
        Kind::HexPattern => ok(is_hex(text, true), "is not hexadecimal"),
        Kind::Digest => ok(
            text.len() == 32 && is_hex(text, false),
            "is not an MD5 digest of 32 hexadecimal digits",
        ),
        Kind::HttpStatus => status(text),
        Kind::Regex => regex(text),
    }
}

/// Whether it can be parsed. It is not compiled: that takes memory and time
/// that a short text can drive up.
fn regex(text: &str) -> Result<(), Problem> {
    match fancy_regex::Expr::parse_tree(text) {
        Ok(_) => Ok(()),
        Err(error) => bad(&format!("is not a regular expression: {error}")),
    }
}

fn number(text: &str, low: i64, high: i64) -> Result<(), Problem> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return bad("is not a whole number");
    }
    // Too large to hold is out of every range.
    match text.parse::<i64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(()),
        Ok(_) | Err(_) if high == i64::MAX => {
            Err((Code::OutOfRange, format!("is less than {low}")))
        }
        Ok(_) | Err(_) => Err((Code::OutOfRange, format!("is not in {low} to {high}"))),
    }
}

/// `per` is how many of the unit are a second; the range is in microseconds.
fn time(text: &str, low: u64, high: u64, per: u64, unit: &str) -> Result<(), Problem> {
    let Some(micros) = decimal_micros(text) else {
        return Err((Code::BadValue, format!("is not a number of {unit}")));
    };
    // `text` was read as seconds; a millisecond has a thousandth of them.
    let micros = micros.checked_div(per).unwrap_or(micros);
    if (low..=high).contains(&micros) {
        return Ok(());
    }
    let shown = |micros: u64| seconds(micros.saturating_mul(per));
    let why = format!("is not in {} to {} {unit}", shown(low), shown(high));
    Err((Code::OutOfRange, why))
}

fn host(text: &str) -> Result<(), Problem> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(known)) {
        return Ok(());
    }
    Err((
        Code::BadAddress,
        "is neither an address nor a host name".into(),
    ))
}

fn mask(text: &str) -> Result<(), Problem> {
    let ones = |mask: Ipv4Addr| mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros();
    match (text.parse::<Ipv4Addr>(), text.parse::<u8>()) {
        (Ok(mask), _) if ones(mask) >= 32 => Ok(()),
        (Err(_), Ok(1..=128)) => Ok(()),
        _ => bad("is neither an IPv4 netmask nor an IPv6 prefix length"),
    }
}

fn is_hex(text: &str, wild: bool) -> bool {
    let digit = |byte: u8| byte.is_ascii_hexdigit() || (wild && matches!(byte, b'x' | b'X'));
    !text.is_empty() && text.bytes().all(|byte| digit(byte) || byte == b' ')
}

fn status(text: &str) -> Result<(), Problem> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|n| (100..=999).contains(n));
    let good = match text.split_once('-') {
        Some((low, high)) => code(low)
            .zip(code(high))
            .is_some_and(|(low, high)| low <= high),
        None => code(text).is_some(),
    };
    if good {
        Ok(())
    } else {
        Err((
            Code::OutOfRange,
            "is no HTTP status or range of them".into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_knows_good_from_bad() {
        let choice = Kind::Choice(&["a", "b"]);
        for (kind, good, wrong) in [
            (
                Kind::Number(-5, 5),
                "-5 +5 0",
                "-6 6 x 1.5 99999999999999999999",
            ),
            (
                Kind::Number(2, i64::MAX),
                "2 9223372036854775807",
                "1 9223372036854775808",
            ),
            (Kind::Seconds(1, 5_000_000), "0.000001 5 1.25", "0 5.1 x -1"),
            (Kind::Millis(1, 5_000), "0.001 5 1.25", "0 5.1 x -1"),
            (Kind::Switch, "on off true false yes no", "ON 1"),
            (choice, "a b", "c A"),
            (Kind::Address, "1.2.3.4 fe80::1", "1.2.3 x 1.2.3.4/24"),
            (Kind::Group, "224.0.0.18 ff02::12", "1.2.3.4 x"),
            (Kind::Host, "1.2.3.4 a-b.c ::1", "a:b a/b"),
            (Kind::Port, "1 65535", "0 65536 http"),
            (Kind::Interface, "eth0.5 br-lan", "a/b sixteen_letters_"),
            (
                Kind::Mask,
                "255.255.255.0 64 0.0.0.0",
                "255.0.255.0 0 129 x",
            ),
            (Kind::Hex, "12aF", "0x12 zz"),
            (Kind::HexPattern, "1xX2", "1y"),
            (Kind::Digest, "9b3a0c85a887a256d6939da88aabd8cd", "9b3a g"),
            (Kind::HttpStatus, "200 200-299", "20 2000 299-200 x 200-"),
            (
                Kind::Regex,
                r"a.*b ^\d+$ (?=x)y (a)\1 (?<n>x)\k<n> (?i)ok [[:alpha:]]",
                r"( [a *a (?<n>",
            ),
        ] {
            for text in good.split(' ') {
                assert_eq!(verdict(text, kind), Ok(()), "{kind:?} {text}");
            }
            for text in wrong.split(' ') {
                assert!(verdict(text, kind).is_err(), "{kind:?} {text}");
            }
        }
        assert!(verdict("anything at all", Kind::Script).is_ok());
        assert_eq!(listed(&["a", "b", "c"]), "a, b or c");
    }

    #[test]
    fn a_wrong_regex_is_a_warning_that_keepalived_s_check_does_not_give() {
        let with = |regex: &str| {
            let text = format!(
                "virtual_server 192.0.2.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nreal_server 192.0.2.2 80 {{\nHTTP_GET {{\nurl {{\npath /\nregex \"{regex}\"\n}}\n}}\n}}\n}}"
            );
            let found = crate::config::parse_str("a", &text).diagnostics;
            found.into_iter().find(|one| one.line == 9)
        };
        assert_eq!(with(r"^\\d+$"), None);
        let found = with("(a").expect("a warning");
        assert_eq!((found.code, found.config_error), (Code::BadValue, false));
        assert!(!found.is_error());
        assert!(found.message.contains("'(a' is not a regular expression"));
    }
}
