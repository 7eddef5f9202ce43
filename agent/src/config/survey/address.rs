//! Options of addresses, in lists that nothing acts on yet.

use std::net::IpAddr;

use crate::config::diagnostic::Code;
use crate::config::keywords::Kind;
use crate::config::lexer::Word;
use crate::config::sink::Sink;
use crate::config::survey::word;
use crate::config::tree::Statement;

/// `ADDRESS[/LEN]`, `default` or `any`.
pub fn is_network(text: &str) -> bool {
    if matches!(text, "default" | "any" | "all") {
        return true;
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}

/// Reports a word that is no network.
pub fn network(what: &str, word: &Word, sink: &mut Sink) {
    if !is_network(&word.text) {
        let message = format!("{what} '{}' is not an address or a network", word.text);
        sink.warn(Code::BadAddress, word.span, message)
            .help("write ADDRESS or ADDRESS/LENGTH");
    }
}

/// A line of `static_ipaddress`.
pub fn static_address(entry: &Statement, sink: &mut Sink) {
    let Some((first, rest)) = entry.words.split_first() else {
        return;
    };
    network("address", first, sink);
    let mut words = rest.iter();
    while let Some(option) = words.next() {
        let kind = match option.text.as_str() {
            "dev" => Kind::Interface,
            "brd" | "broadcast" | "label" | "scope" | "track_group" | "preferred_lft" => Kind::Text,
            "peer" => Kind::Text,
            "home" | "-nodad" | "nodad" | "mngtmpaddr" | "noprefixroute" | "autojoin"
            | "no_track" | "use_vmac" => continue,
            other => {
                let message = format!("Unknown configuration entry '{other}' for ip address");
                sink.warn(Code::ExtraWords, option.span, message);
                continue;
            }
        };
        match words.next() {
            Some(value) => word::check(&option.text, value, kind, sink),
            None => {
                let message = format!("No {} parameter specified", option.text);
                sink.warn(Code::MissingValue, option.span, message);
            }
        }
    }
}
