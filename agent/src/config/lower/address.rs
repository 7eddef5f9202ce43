//! A line of `virtual_ipaddress`: an address and what goes with it.

use std::net::{IpAddr, Ipv4Addr};

use agent_common::Family;

use super::statement::extra_word;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{IfName, Vip};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Bytes of an interface label: IFNAMSIZ without the NUL.
const MAX_LABEL: usize = 15;

pub const fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// `IPv4` or `IPv6`, for messages.
pub const fn family_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

const fn host_prefix(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address that a machine can have; the error says why not.
pub fn parse_host(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "is not an IP address")?;
    if address.is_unspecified() || address.is_multicast() {
        return Err("is not the address of a machine");
    }
    if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err("is a broadcast address");
    }
    Ok(address)
}

/// `ADDR` or `ADDR/LEN`. Without a length it is a host address. The length is
/// `Err` with the longest one where it cannot be used.
pub fn parse_vip_address(text: &str) -> Result<(IpAddr, Result<u8, u8>), &'static str> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = parse_host(address)?;
    let most = host_prefix(address);
    let prefix = match length {
        None => Ok(most),
        Some(length) if length.bytes().all(|b| b.is_ascii_digit()) => length
            .parse()
            .ok()
            .filter(|&length| length <= most)
            .ok_or(most),
        Some(_) => Err(most),
    };
    Ok((address, prefix))
}

/// A VIP and where its address stands. `None` where the line cannot be used,
/// which is reported.
pub fn vip(statement: &Statement, advertised: bool, sink: &mut Sink) -> Option<(Vip, Span)> {
    let word = statement.words.first()?;
    let (address, prefix) = match parse_vip_address(&word.text) {
        Ok(parsed) => parsed,
        Err(why) => {
            sink.error(
                Code::BadAddress,
                word.span,
                format!("VIP '{}' {why}", word.text),
            )
            .help("write one ADDRESS or ADDRESS/LENGTH a line");
            return None;
        }
    };
    let prefix = prefix.unwrap_or_else(|most| {
        let message = format!(
            "Invalid prefix length of VIP '{}'; /{most} is used",
            word.text
        );
        sink.warn(Code::OutOfRange, word.span, message);
        most
    });
    let vip = Vip {
        address,
        prefix,
        device: None,
        broadcast: None,
        label: None,
        scope: 0,
        advertised,
    };
    let mut options = Options {
        vip,
        broadcast: None,
        usable: true,
        sink,
    };
    let mut rest = statement.arguments().iter();
    while let Some(option) = rest.next() {
        options.option(option, &mut rest);
    }
    options.finish().map(|vip| (vip, word.span))
}

struct Options<'a> {
    vip: Vip,
    /// Computed at the end, when the prefix cannot change any more.
    broadcast: Option<(String, Span)>,
    usable: bool,
    sink: &'a mut Sink,
}

impl Options<'_> {
    fn option<'w>(&mut self, option: &Word, rest: &mut impl Iterator<Item = &'w Word>) {
        let mut value = || rest.next();
        match option.text.as_str() {
            "dev" => self.with_value(option, value(), Self::device),
            "brd" | "broadcast" => self.with_value(option, value(), |options, word| {
                options.broadcast = Some((word.text.clone(), word.span));
            }),
            "label" => self.with_value(option, value(), Self::label),
            "scope" => self.with_value(option, value(), Self::scope),
            "peer" | "preferred_lft" => {
                self.not_yet(option);
                self.with_value(option, value(), |options, word| options.later(option, word));
            }
            "home" | "-nodad" | "nodad" | "mngtmpaddr" | "noprefixroute" | "autojoin"
            | "no_track" | "use_vmac" => self.not_yet(option),
            _ => extra_word("the VIP", option, false, true, self.sink),
        }
    }

    fn with_value(
        &mut self,
        option: &Word,
        value: Option<&Word>,
        set: impl FnOnce(&mut Self, &Word),
    ) {
        match value {
            Some(value) => set(self, value),
            None => {
                let message = format!("{} is missing its value", option.text);
                self.sink.error(Code::MissingValue, option.span, message);
                self.usable = false;
            }
        }
    }

    fn not_yet(&mut self, option: &Word) {
        self.sink
            .not_yet("further address options", &option.text, option.span);
    }

    /// The value of an option that nothing acts on yet.
    fn later(&mut self, option: &Word, word: &Word) {
        let good = match option.text.as_str() {
            "peer" => parse_vip_address(&word.text).is_ok(),
            _ => word.text == "forever" || word.text.parse::<u32>().is_ok(),
        };
        if !good {
            let message = format!("Invalid {} '{}'; it is ignored", option.text, word.text);
            self.sink.warn(Code::BadValue, word.span, message);
        }
    }

    fn device(&mut self, word: &Word) {
        self.vip.device = IfName::new(&word.text);
        if self.vip.device.is_none() {
            bad_interface(word, self.sink);
            self.usable = false;
        }
    }

    fn label(&mut self, word: &Word) {
        if word.text.len() > MAX_LABEL {
            let message = format!(
                "label '{}' is longer than {MAX_LABEL} characters",
                word.text
            );
            self.sink
                .error(Code::BadInterface, word.span, message)
                .help("shorten it");
            self.usable = false;
        } else if self.vip.address.is_ipv6() {
            let message = "a label is for IPv4 addresses only; it is ignored";
            self.sink.warn(Code::WrongFamily, word.span, message);
        } else {
            self.vip.label = Some(word.text.clone());
        }
    }

    fn scope(&mut self, word: &Word) {
        let scope = match word.text.as_str() {
            "global" | "universe" => Some(0),
            "site" => Some(200),
            "link" => Some(253),
            "host" => Some(254),
            "nowhere" => Some(255),
            number => number.parse().ok(),
        };
        match scope {
            Some(scope) => self.vip.scope = scope,
            None => {
                let message = format!("Invalid scope '{}'; it is ignored", word.text);
                self.sink
                    .warn(Code::BadValue, word.span, message)
                    .help("use global, site, link, host or a number of 0 to 255");
            }
        }
    }

    fn finish(mut self) -> Option<Vip> {
        if let Some((text, span)) = self.broadcast.take() {
            self.vip.broadcast = self.broadcast(&text, span);
        }
        self.usable.then_some(self.vip)
    }

    fn broadcast(&mut self, text: &str, span: Span) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.vip.address else {
            let message = "IPv6 has no broadcast; brd is ignored";
            self.sink.warn(Code::WrongFamily, span, message);
            return None;
        };
        if text == "+" || text == "-" {
            let hosts = u32::MAX
                .checked_shr(u32::from(self.vip.prefix))
                .unwrap_or(0);
            if self.vip.prefix > 30 {
                let message = format!("a /{} has no broadcast; brd is ignored", self.vip.prefix);
                self.sink.warn(Code::OutOfRange, span, message);
                return None;
            }
            let bits = address.to_bits();
            return Some(Ipv4Addr::from_bits(if text == "+" {
                bits | hosts
            } else {
                bits & !hosts
            }));
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("brd '{text}' is not an IPv4 address; it is ignored");
            self.sink
                .warn(Code::BadValue, span, message)
                .help("use an address, + or -");
        }
        parsed
    }
}

pub fn bad_interface(word: &Word, sink: &mut Sink) {
    let message = format!("'{}' cannot be the name of an interface", word.text);
    sink.error(Code::BadInterface, word.span, message)
        .help("names have 1 to 15 characters and no slash, colon or space");
}
