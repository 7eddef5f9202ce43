//! Arguments that are a little language of their own.

use crate::config::diagnostic::Code;
use crate::config::keywords::shape::Argument::{Maybe, One, Rest};
use crate::config::keywords::shape::{Body, Kind, Shape, words};
use crate::config::keywords::{Block, List};
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::survey::word;

const U32: i64 = 4_294_967_295;

pub const VIRTUAL_SERVER: Shape = Shape {
    words: &[Rest("ADDRESS [PORT] | fwmark N | group NAME", service)],
    body: Body::Keywords(Block::VirtualServer),
};
pub const VIRTUAL_SERVER_GROUP: Shape = Shape {
    words: &[One(Kind::Name)],
    body: Body::List(List::Services),
};
pub const LVS_TIMEOUTS: Shape = words(&[Rest(
    "[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]",
    timeouts,
)]);
pub const LVS_SYNC_DAEMON: Shape = words(&[
    One(Kind::Interface),
    Rest(
        "[[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group GROUP]",
        sync_daemon,
    ),
]);
pub const METHOD: Shape = words(&[
    One(Kind::Choice(&["NAT", "DR", "TUN"])),
    Rest("[type ipip|gue port N|gre] [nocsum|csum|remcsum]", tunnel),
]);
pub const EXTRA_GARP: Shape = words(&[Rest("[all] SECONDS", extra_garp)]);
pub const FAST_DETECT: Shape = words(&[Rest(
    "[on|off] [interval TIME] [multiplier N] [lease TIME]",
    anything,
)]);
pub const SOURCES: Shape = words(&[Rest("ADDRESS[/LENGTH] ...", anything)]);
pub const INTERVAL: Shape = words(&[Rest("SECONDS|TIME", anything)]);
pub const UMASK: Shape = words(&[Rest("N|BITS", umask)]);
pub const RX_POLICY: Shape = words(&[Rest("MTU|ADVERT|N", rx_policy)]);
pub const INCLUDE_CHECK: Shape = words(&[Rest(
    "[[+|-]readable|match|wildcard_match|brace_match ...]",
    include_check,
)]);
pub const INIT_FILE: Shape = words(&[Rest("[N] [overwrite]", init_file)]);
pub const REPLY: Shape = words(&[Rest("[HEX]", reply)]);
pub const USE_VMAC: Shape = words(&[Rest(
    "[[name] INTERFACE] [MAC] [netlink_notify_msg] [group N]",
    anything,
)]);
pub const USE_IPVLAN: Shape = words(&[
    Maybe(Kind::Name),
    Rest("[ADDRESS] [bridge|private|vepa] [group N]", anything),
]);

fn anything(_: &Word, _: &[Word], _: &mut Sink) {}

/// One of some words, or nothing of the kind.
fn check(keyword: &Word, word: &Word, kind: Kind, sink: &mut Sink) {
    word::check(&keyword.text, word, kind, sink);
}

fn odd(keyword: &Word, word: &Word, sink: &mut Sink) {
    let message = format!("{} does not know '{}'", keyword.text, word.text);
    sink.warn(Code::BadValue, word.span, message);
}

fn missing(keyword: &Word, what: &str, sink: &mut Sink) {
    let message = format!("{} is missing {what}", keyword.text);
    sink.error(Code::MissingValue, keyword.span, message);
}

/// `NAME VALUE` pairs in any order.
fn pairs(keyword: &Word, words: &[Word], known: &[(&str, Kind)], sink: &mut Sink) {
    let mut words = words.iter();
    while let Some(name) = words.next() {
        let Some((_, kind)) = known.iter().find(|(known, _)| *known == name.text) else {
            odd(keyword, name, sink);
            continue;
        };
        match words.next() {
            Some(value) => check(keyword, value, *kind, sink),
            None => missing(keyword, &format!("the value of {}", name.text), sink),
        }
    }
}

fn service(keyword: &Word, words: &[Word], sink: &mut Sink) {
    let Some((first, rest)) = words.split_first() else {
        return missing(keyword, "an address, fwmark N or group NAME", sink);
    };
    match first.text.as_str() {
        "group" | "fwmark" if rest.is_empty() => missing(keyword, "what follows it", sink),
        "group" => {}
        "fwmark" => rest
            .iter()
            .take(1)
            .for_each(|mark| check(keyword, mark, Kind::Number(0, U32), sink)),
        _ => {
            check(keyword, first, Kind::Address, sink);
            if let Some(port) = rest.first() {
                check(keyword, port, Kind::Port, sink);
            }
        }
    }
}

fn timeouts(keyword: &Word, words: &[Word], sink: &mut Sink) {
    if words.is_empty() {
        let message = "lvs_timeouts requires at least one option";
        sink.warn(Code::MissingValue, keyword.span, message);
    }
    let seconds = Kind::Number(1, 2_147_483);
    let known = [
        ("tcp", seconds),
        ("tcpfin", seconds),
        ("tcp_fin", seconds),
        ("udp", seconds),
    ];
    pairs(keyword, words, &known, sink);
}

fn sync_daemon(keyword: &Word, words: &[Word], sink: &mut Sink) {
    let known = [
        ("inst", Kind::Name),
        ("id", Kind::Number(0, 255)),
        ("maxlen", Kind::Number(1, 65_507)),
        ("port", Kind::Port),
        ("ttl", Kind::Number(1, 255)),
        ("group", Kind::Group),
    ];
    // An instance may stand first without its `inst`.
    let is_option = |word: &Word| known.iter().any(|(name, _)| *name == word.text);
    let bare = words.first().is_some_and(|first| !is_option(first));
    let rest = words.get(usize::from(bare)..).unwrap_or_default();
    pairs(keyword, rest, &known, sink);
}

fn tunnel(keyword: &Word, words: &[Word], sink: &mut Sink) {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "type" => match words.next() {
                Some(kind) => check(keyword, kind, Kind::Choice(&["ipip", "gue", "gre"]), sink),
                None => missing(keyword, "the type of the tunnel", sink),
            },
            "port" => match words.next() {
                Some(port) => check(keyword, port, Kind::Port, sink),
                None => missing(keyword, "the port of the tunnel", sink),
            },
            "nocsum" | "csum" | "remcsum" => {}
            _ => odd(keyword, word, sink),
        }
    }
}

/// Checks `[all] SECONDS`.
pub fn extra_garp(keyword: &Word, words: &[Word], sink: &mut Sink) {
    let number = match words {
        [all, number, ..] if all.text == "all" => Some(number),
        [all] if all.text == "all" => None,
        [number, ..] => Some(number),
        [] => None,
    };
    match number {
        Some(number) => check(keyword, number, Kind::Number(0, 86_400), sink),
        None => missing(keyword, "its seconds", sink),
    }
}

const UMASK_BITS: &[&str] = &[
    "IRUSR", "IWUSR", "IXUSR", "IRGRP", "IWGRP", "IXGRP", "IROTH", "IWOTH", "IXOTH",
];

fn umask(keyword: &Word, words: &[Word], sink: &mut Sink) {
    let Some(first) = words.first() else {
        return missing(keyword, "its bits", sink);
    };
    if first.text.starts_with(|c: char| c.is_ascii_digit()) {
        let octal = first.text.strip_prefix('0').filter(|rest| !rest.is_empty());
        let value = match octal {
            Some(hex) if hex.starts_with(['x', 'X']) => {
                i64::from_str_radix(hex.get(1..).unwrap_or_default(), 16).ok()
            }
            Some(octal) => i64::from_str_radix(octal, 8).ok(),
            None => first.text.parse().ok(),
        };
        if !value.is_some_and(|value| (0..=0o777).contains(&value)) {
            let message = format!("invalid umask value {}", first.text);
            sink.warn(Code::OutOfRange, first.span, message);
        }
        return;
    }
    let bits = words.iter().flat_map(|word| word.text.split('|'));
    for bit in bits.filter(|bit| !bit.is_empty()) {
        if !UMASK_BITS.contains(&bit) {
            let message = format!("Unknown umask bit {bit}");
            sink.warn(Code::BadValue, first.span, message);
        }
    }
}

fn rx_policy(keyword: &Word, words: &[Word], sink: &mut Sink) {
    match words.first() {
        Some(word) if matches!(word.text.as_str(), "MTU" | "ADVERT") => {}
        Some(word) => check(keyword, word, Kind::Number(0, U32), sink),
        None => missing(keyword, "its policy", sink),
    }
}

fn include_check(keyword: &Word, words: &[Word], sink: &mut Sink) {
    for word in words {
        let name = word.text.trim_start_matches(['+', '-']);
        if !matches!(
            name,
            "" | "readable" | "match" | "wildcard_match" | "brace_match"
        ) {
            odd(keyword, word, sink);
        }
    }
}

fn init_file(keyword: &Word, words: &[Word], sink: &mut Sink) {
    for word in words {
        if word.text != "overwrite" {
            let range = Kind::Number(-2_147_483_648, 2_147_483_647);
            check(keyword, word, range, sink);
        }
    }
}

fn reply(keyword: &Word, words: &[Word], sink: &mut Sink) {
    for word in words {
        check(keyword, word, Kind::HexPattern, sink);
    }
}
