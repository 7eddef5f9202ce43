//! The entries of lists that nothing acts on yet.

use std::net::IpAddr;

use super::address::{is_network, static_address};
use super::{incomplete, word};
use crate::config::diagnostic::Code;
use crate::config::keywords::{Kind, List};
use crate::config::lexer::Word;
use crate::config::lower::bad_interface;
use crate::config::model::IfName;
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Checks each entry of a block.
pub fn check(list: List, block: &Statement, sink: &mut Sink) {
    let mut count = 0_usize;
    for entry in block.block.iter().flatten() {
        let Some(first) = entry.words.first() else {
            continue;
        };
        if entry.block.is_some() {
            let message = format!(
                "Unexpected '{{' after '{}', its block is skipped",
                first.text
            );
            sink.warn(Code::UnexpectedBlock, first.span, message);
        }
        count = count.saturating_add(1);
        one(list, first, entry, sink);
    }
    if count == 0
        && list == List::Services
        && let Some(keyword) = block.words.first()
    {
        let message = format!("{} has no entries", keyword.text);
        incomplete(keyword, message, sink);
    }
}

fn one(list: List, first: &Word, entry: &Statement, sink: &mut Sink) {
    match list {
        List::Words => {}
        // Their names are looked up by `names`.
        List::Instances => {}
        List::Interfaces => {
            for name in &entry.words {
                word::check("interface", name, Kind::Interface, sink);
            }
        }
        List::TrackInterfaces => {
            if IfName::new(&first.text).is_none() {
                bad_interface(first, sink);
            }
            weight(entry, 253, sink);
        }
        List::TrackScripts | List::TrackBfds => weight(entry, 253, sink),
        List::TrackFiles => weight(entry, 2_147_483_647, sink),
        List::TrackProcesses => weight(entry, 254, sink),
        List::StaticAddresses => static_address(entry, sink),
        List::Delays => delays(first, entry, sink),
        List::Linkbeats => {
            word::check("interface", first, Kind::Interface, sink);
            if let Some(way) = entry.arguments().first() {
                let ways = Kind::Choice(&["MII", "ETHTOOL", "IOCTL"]);
                word::check(&first.text, way, ways, sink);
            }
        }
        List::Services => service(first, entry, sink),
        // These work: see `lower`.
        List::Vips
        | List::Peers
        | List::Routes
        | List::StaticRoutes
        | List::Rules
        | List::StaticRules => {}
    }
}

/// `NAME [weight N [reverse|noreverse]]`.
fn weight(entry: &Statement, most: i64, sink: &mut Sink) {
    let mut words = entry.arguments().iter();
    while let Some(option) = words.next() {
        match option.text.as_str() {
            "weight" => match words.next() {
                Some(value) => word::check("weight", value, Kind::Number(-most, most), sink),
                None => {
                    let message = "weight without its value";
                    sink.warn(Code::MissingValue, option.span, message);
                }
            },
            "reverse" | "noreverse" | "no_reverse" => {}
            other => {
                let message = format!("unknown track option '{other}', ignored");
                sink.warn(Code::ExtraWords, option.span, message)
                    .help("write NAME weight N reverse");
            }
        }
    }
}

/// The longest delay: 255 s, in microseconds.
const MAX_DELAY: u64 = 255_000_000;

fn delays(first: &Word, entry: &Statement, sink: &mut Sink) {
    word::check("interface", first, Kind::Interface, sink);
    if entry.arguments().is_empty() {
        let message = format!("No delay is given for {}", first.text);
        incomplete(first, message, sink);
    }
    for delay in entry.arguments().iter().take(2) {
        word::check("delay", delay, Kind::Seconds(0, MAX_DELAY), sink);
    }
}

/// An entry of a `virtual_server_group`.
fn service(first: &Word, entry: &Statement, sink: &mut Sink) {
    if first.text == "fwmark" {
        match entry.arguments() {
            [] => incomplete(first, "fwmark without its number".into(), sink),
            [mark, rest @ ..] => {
                word::check("fwmark", mark, Kind::Number(0, 4_294_967_295), sink);
                if let Some(family) = rest.first() {
                    let families = Kind::Choice(&["inet", "inet6"]);
                    word::check("fwmark", family, families, sink);
                }
            }
        }
        return;
    }
    if !is_range(&first.text) {
        let message = format!("Invalid virtual server group IP address {}", first.text);
        sink.warn(Code::BadAddress, first.span, message)
            .help("write ADDRESS, ADDRESS-ADDRESS, ADDRESS-N or ADDRESS/LENGTH");
    }
    if let Some(port) = entry.arguments().first() {
        word::check("port", port, Kind::Port, sink);
    }
}

/// `a.b.c.d`, `a.b.c.d-e`, `a.b.c.d-e.f.g.h`, `a.b.c.d/n`, and those of IPv6,
/// where the end of a range is hexadecimal.
fn is_range(text: &str) -> bool {
    let Some((from, to)) = text.split_once('-') else {
        return text.parse::<IpAddr>().is_ok() || (text.contains('/') && is_network(text));
    };
    match from.parse::<IpAddr>() {
        Ok(IpAddr::V4(from)) => match (to.parse::<IpAddr>(), to.parse::<u8>()) {
            (Ok(IpAddr::V4(to)), _) => to >= from,
            (_, Ok(last)) => last >= from.octets()[3],
            _ => false,
        },
        Ok(IpAddr::V6(from)) => match (to.parse::<IpAddr>(), u16::from_str_radix(to, 16)) {
            (Ok(IpAddr::V6(to)), _) => to >= from,
            (_, Ok(last)) => last >= from.segments()[7],
            _ => false,
        },
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_group() {
        for good in [
            "1.2.3.4",
            "1.2.3.4-9",
            "1.2.3.4-1.2.4.1",
            "1.2.3.0/24",
            "fe80::1-ff",
            "fe80::1",
            "fe80::1-fe80::2:1",
        ] {
            assert!(is_range(good), "{good}");
        }
        for wrong in [
            "1.2.3.9-4",
            "1.2.3.4-256",
            "x",
            "1.2.3.0/33",
            "1.2.3.4-fe80::1",
            "default",
            "fe80::9-1",
        ] {
            assert!(!is_range(wrong), "{wrong}");
        }
    }
}
