//! Lines of routes and rules: options as `ip route` and `ip rule` have them.

use std::net::IpAddr;

use super::address::{is_network, network};
use super::{incomplete, word};
use crate::config::diagnostic::Code;
use crate::config::keywords::Kind;
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

const U32: Kind = Kind::Number(0, 4_294_967_295);

/// What follows an option.
enum Value {
    Nothing,
    One(Kind),
    Network,
    /// A number, with `lock` before it perhaps.
    Lockable,
    /// Words that are not looked at further, this many.
    Words(usize),
    /// All the rest of the line.
    Rest,
}

fn route_option(name: &str) -> Option<Value> {
    Some(match name {
        "src" | "via" | "gw" | "or" => Value::One(Kind::Text),
        "to" => Value::Network,
        "nexthop" | "encap" => Value::Rest,
        "dev" | "oif" | "vrf" => Value::One(Kind::Interface),
        "table" | "tos" | "dsfield" | "scope" | "protocol" | "realms" | "features" | "congctl"
        | "pref" | "track_group" => Value::Words(1),
        "metric" | "priority" | "preference" | "weight" => Value::One(U32),
        "expires" | "ttl-propagate" => Value::Words(1),
        "hoplimit" => Value::One(Kind::Number(0, 255)),
        "mtu" | "advmss" | "rtt" | "rttvar" | "reordering" | "window" | "cwnd" | "ssthresh"
        | "rto_min" | "initcwnd" | "initrwnd" => Value::Lockable,
        "quickack" | "fastopen_no_cookie" => Value::One(Kind::Number(0, 1)),
        "add" | "append" | "prepend" | "inet" | "inet6" | "no_track" | "onlink" | "unicast"
        | "local" | "broadcast" | "multicast" | "throw" | "unreachable" | "prohibit"
        | "blackhole" | "nat" => Value::Nothing,
        _ => return None,
    })
}

fn rule_option(name: &str) -> Option<Value> {
    Some(match name {
        "from" | "to" => Value::Network,
        "iif" | "oif" | "dev" => Value::One(Kind::Interface),
        "fwmark" | "realms" | "table" | "lookup" | "tos" | "dsfield" | "protocol" | "ipproto"
        | "ip_proto" | "type" | "uidrange" | "sport" | "dport" | "track_group" => Value::Words(1),
        "goto"
        | "preference"
        | "pref"
        | "order"
        | "priority"
        | "suppress_prefixlength"
        | "sup_pl"
        | "suppress_ifgroup"
        | "sup_group"
        | "tunnel-id" => Value::Words(1),
        "nop" | "l3mdev" | "inet" | "inet6" | "no_track" | "not" | "blackhole" | "unreachable"
        | "prohibit" => Value::Nothing,
        _ => return None,
    })
}

/// Names and values of a line after the words that `lead` takes.
fn options(
    what: &str,
    mut words: &[Word],
    known: fn(&str) -> Option<Value>,
    sink: &mut Sink,
) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some((option, rest)) = words.split_first() {
        words = rest;
        let Some(value) = known(&option.text) else {
            let message = format!("unknown {what} keyword {}", option.text);
            sink.warn(Code::ExtraWords, option.span, message)
                .help("write it as `ip route` or `ip rule` do, without abbreviations");
            continue;
        };
        seen.push(option.text.clone());
        let taken = match value {
            Value::Nothing => 0,
            Value::Rest => return seen,
            Value::Words(count) => count,
            Value::One(_) | Value::Network => 1,
            Value::Lockable => match words.first() {
                Some(lock) if lock.text == "lock" => 2,
                Some(_) | None => 1,
            },
        };
        let Some((values, rest)) = words.split_at_checked(taken) else {
            let message = format!("{what} option {} is missing its value", option.text);
            sink.warn(Code::MissingValue, option.span, message);
            return seen;
        };
        words = rest;
        match (value, values.last()) {
            (Value::One(Kind::Text), Some(address)) => gateway(&option.text, address, sink),
            (Value::One(kind), Some(value)) => word::check(&option.text, value, kind, sink),
            (Value::Network, Some(value)) => network(&option.text, value, sink),
            (Value::Lockable, Some(value)) if !value.text.ends_with(['s', 'm']) => {
                word::check(&option.text, value, U32, sink);
            }
            _ => {}
        }
    }
    seen
}

/// An address, with its family before it perhaps.
fn gateway(option: &str, word: &Word, sink: &mut Sink) {
    let family = matches!(word.text.as_str(), "inet" | "inet6");
    if !family && word.text.parse::<IpAddr>().is_err() {
        let message = format!("{option} '{}' is not an IP address", word.text);
        sink.warn(Code::BadAddress, word.span, message);
    }
}

/// `[to] DESTINATION` may stand first, or after its type.
pub fn route(entry: &Statement, is_static: bool, sink: &mut Sink) {
    let Some((first, _)) = entry.words.split_first() else {
        return;
    };
    // The destination is the one word that is no option and no option's value.
    let at = entry
        .words
        .iter()
        .position(|word| is_network(&word.text) && route_option(&word.text).is_none());
    let before = at.and_then(|at| at.checked_sub(1));
    let before = before.and_then(|at| entry.words.get(at));
    let is_value = before.is_some_and(|before| {
        matches!(
            route_option(&before.text),
            Some(Value::One(_) | Value::Words(_))
        )
    });
    let words: Vec<Word> = match at {
        Some(at) if !is_value => entry
            .words
            .iter()
            .enumerate()
            .filter(|(index, word)| *index != at && !(index + 1 == at && word.text == "to"))
            .map(|(_, word)| word.clone())
            .collect(),
        Some(_) | None => entry.words.clone(),
    };
    let seen = options("route", &words, route_option, sink);
    let has = |name: &str| seen.iter().any(|seen| seen == name);
    if at.is_none() {
        incomplete(first, "route without a destination".into(), sink);
    }
    let special = ["blackhole", "unreachable", "prohibit", "throw"];
    let anywhere = special.iter().any(|kind| has(kind));
    if !anywhere
        && !["via", "gw", "dev", "oif", "nexthop", "or"]
            .iter()
            .any(|name| has(name))
    {
        incomplete(first, "route without dev, via or nexthop".into(), sink);
    } else if !has("dev") && !has("oif") && !has("no_track") {
        let message = "route without dev cannot be tracked";
        sink.warn(Code::Incomplete, first.span, message)
            .help("add dev INTERFACE, or no_track");
    }
    misplaced_track(&seen, first, is_static, sink);
}

pub fn rule(entry: &Statement, is_static: bool, sink: &mut Sink) {
    let Some((first, _)) = entry.words.split_first() else {
        return;
    };
    let seen = options("rule", &entry.words, rule_option, sink);
    let has = |names: &[&str]| seen.iter().any(|seen| names.contains(&seen.as_str()));
    let actions = [
        "table",
        "lookup",
        "goto",
        "nop",
        "type",
        "blackhole",
        "unreachable",
        "prohibit",
        "l3mdev",
    ];
    if !has(&actions) {
        incomplete(first, "No action specified for rule".into(), sink);
    } else if !has(&["preference", "pref", "order", "priority"]) {
        let message = "Rule has no preference specified; one is chosen";
        sink.warn(Code::Incomplete, first.span, message)
            .help("add preference N: the order of rules without it is by chance");
    }
    misplaced_track(&seen, first, is_static, sink);
}

fn misplaced_track(seen: &[String], first: &Word, is_static: bool, sink: &mut Sink) {
    let has = |name: &str| seen.iter().any(|seen| seen == name);
    if !is_static && has("track_group") {
        let message = "track_group is for static routes and rules only";
        sink.warn(Code::Misplaced, first.span, message);
    }
}
