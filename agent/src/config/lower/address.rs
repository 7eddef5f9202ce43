//! A line of `virtual_ipaddress`: an address and what goes with it.

use std::net::{IpAddr, Ipv4Addr};

use agent_common::Family;

use super::address_options::Options;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{AddressOptions, IfName, StaticAddress, Vip};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

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
    let address = parse_any(text)?;
    if address.is_multicast() {
        return Err("is not the address of a machine");
    }
    Ok(address)
}

/// The same, or that of a multicast group.
fn parse_any(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "is not an IP address")?;
    if address.is_unspecified() {
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
    parse_with_prefix(text, parse_host)
}

fn parse_with_prefix(
    text: &str,
    parse: fn(&str) -> Result<IpAddr, &'static str>,
) -> Result<(IpAddr, Result<u8, u8>), &'static str> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = parse(address)?;
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
    entry(statement, advertised, false, sink).map(|(vip, _, span)| (vip, span))
}

/// What keepalived takes for `default_interface`.
const DEFAULT_INTERFACE: &str = "eth0";

/// A line of `static_ipaddress`, and the `track_group` that it names. Without
/// `dev` the address is on `default`, as `default_interface` says.
pub fn static_address(
    statement: &Statement,
    default: Option<&IfName>,
    sink: &mut Sink,
) -> Option<(StaticAddress, Option<Word>, Span)> {
    let (mut address, group, span) = entry(statement, false, true, sink)?;
    if address.device.is_none() {
        address.device = default.cloned();
    }
    if address.device.is_none() {
        let message = format!(
            "static address {} has no dev; {DEFAULT_INTERFACE} is used",
            address.address
        );
        sink.trap(Code::Incomplete, span, message)
            .help("write ADDRESS/LENGTH dev INTERFACE, or default_interface in global_defs");
        address.device = IfName::new(DEFAULT_INTERFACE);
    }
    Some((StaticAddress(address), group, span))
}

fn entry(
    statement: &Statement,
    advertised: bool,
    fixed: bool,
    sink: &mut Sink,
) -> Option<(Vip, Option<Word>, Span)> {
    let word = statement.words.first()?;
    let what = if fixed { "address" } else { "VIP" };
    let (address, prefix) = match parse_with_prefix(&word.text, parse_any) {
        Ok(parsed) => parsed,
        Err(why) => {
            sink.error(
                Code::BadAddress,
                word.span,
                format!("{what} '{}' {why}", word.text),
            )
            .help("write one ADDRESS or ADDRESS/LENGTH a line");
            return None;
        }
    };
    let prefix = prefix.unwrap_or_else(|most| {
        let message = format!(
            "Invalid prefix length of {what} '{}'; /{most} is used",
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
        options: AddressOptions::default(),
        advertised,
    };
    let mut options = Options {
        vip,
        has_prefix: word.text.contains('/'),
        fixed,
        group: None,
        broadcast: None,
        usable: true,
        sink,
    };
    let mut rest = statement.arguments().iter();
    while let Some(option) = rest.next() {
        options.option(option, &mut rest);
    }
    let group = options.group.take();
    options.finish(word.span).map(|vip| (vip, group, word.span))
}

pub fn bad_interface(word: &Word, sink: &mut Sink) {
    let message = format!("'{}' cannot be the name of an interface", word.text);
    sink.error(Code::BadInterface, word.span, message)
        .help("names have 1 to 15 characters and no slash, colon or space");
}
