//! Lines of routes and rules, as `ip route` and `ip rule` have them.
//!
//! A line that cannot be used is left out, with a warning that says why:
//! keepalived runs on without it, and so do we.

mod route;
mod rule;

pub use self::route::{FEATURES, metric};

use std::{collections::HashSet, net::IpAddr};

use super::instance::entries;
use crate::config::diagnostic::Code;
use crate::config::iproute::{Names, Of, number};
use crate::config::lexer::{Span, Word};
use crate::config::model::{IfName, Network, Paths};
use crate::config::print::{route_line, rule_line};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Routes, and rules, of an instance or of the machine: more than one send of
/// netlink takes well.
const MAX_PATHS: usize = 8192;

/// The preference of the first rule that has none; those after it have one
/// less each, as with keepalived.
const FIRST_PREFERENCE: u32 = 16_384;

/// What the blocks of a file or of an instance say, not yet looked at: names
/// can only be looked up when all of `global_defs` is known.
#[derive(Debug, Default)]
pub struct Given {
    routes: Vec<Statement>,
    rules: Vec<Statement>,
    is_static: bool,
}

impl Given {
    /// Those of no instance.
    pub fn of_the_machine() -> Self {
        Self {
            is_static: true,
            ..Self::default()
        }
    }

    pub fn routes(&mut self, block: &Statement, sink: &mut Sink) {
        self.routes
            .extend(entries(block, sink).into_iter().cloned());
    }

    pub fn rules(&mut self, block: &Statement, sink: &mut Sink) {
        self.rules.extend(entries(block, sink).into_iter().cloned());
    }
}

/// Gives preferences to rules that have none.
#[derive(Debug)]
pub struct Preferences(u32);

impl Default for Preferences {
    fn default() -> Self {
        Self(FIRST_PREFERENCE)
    }
}

impl Preferences {
    fn next(&mut self) -> u32 {
        let this = self.0;
        self.0 = self.0.saturating_sub(1).max(1);
        this
    }
}

pub fn lower(
    given: &Given,
    names: &Names,
    preferences: &mut Preferences,
    sink: &mut Sink,
) -> Paths {
    let mut paths = Paths::default();
    let mut seen = HashSet::new();
    for entry in &given.routes {
        let mut line = Line::new("route", entry, names, sink);
        line.is_static = given.is_static;
        if let Some(found) = route::lower(&mut line) {
            let is_new = seen.insert(route_line(&found));
            once(&mut paths.routes, found, is_new, &mut line);
        }
    }
    for entry in &given.rules {
        let mut line = Line::new("rule", entry, names, sink);
        line.is_static = given.is_static;
        if let Some(found) = rule::lower(&mut line, preferences) {
            let is_new = seen.insert(rule_line(&found));
            once(&mut paths.rules, found, is_new, &mut line);
        }
    }
    paths
}

fn once<T>(all: &mut Vec<T>, new: T, is_new: bool, line: &mut Line<'_>) {
    if !is_new {
        let message = format!("this {} is listed twice; the first one counts", line.what);
        line.sink.trap(Code::Duplicate, line.place, message);
    } else if all.len() < MAX_PATHS {
        all.push(new);
    } else if !line.sink.has_errors() {
        let message = format!("more than {MAX_PATHS} {}s in one place", line.what);
        line.sink.error(Code::TooMuch, line.place, message);
    }
}

/// A line, read word by word.
struct Line<'a> {
    /// `route` or `rule`.
    what: &'static str,
    place: Span,
    rest: &'a [Word],
    names: &'a Names,
    sink: &'a mut Sink,
    is_static: bool,
    /// Something was reported for which it is left out.
    bad: bool,
}

impl<'a> Line<'a> {
    fn new(what: &'static str, entry: &'a Statement, names: &'a Names, sink: &'a mut Sink) -> Self {
        Self {
            what,
            place: entry.span(),
            rest: &entry.words,
            names,
            sink,
            is_static: false,
            bad: false,
        }
    }

    fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn peek(&self) -> Option<&'a str> {
        self.rest.first().map(|word| word.text.as_str())
    }

    /// Takes the next word if it is this one.
    fn took(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        if is {
            self.next();
        }
        is
    }

    fn refuse(&mut self, code: Code, span: Span, message: String) {
        self.bad = true;
        self.sink.warn(code, span, message).help(format!(
            "the {0} is left out, as with keepalived; write it as `ip {0}` does, without \
             abbreviations",
            self.what
        ));
    }

    /// What keepalived can do and we cannot: an error, or the machine would
    /// not do what the file says.
    fn unsupported(&mut self, option: &Word, why: &str) {
        self.bad = true;
        let message = format!("{} of a {} is not supported: {why}", option.text, self.what);
        self.sink
            .error(Code::Refused, option.span, message)
            .help(format!("remove it from this {}", self.what));
    }

    /// The word behind an option.
    fn value(&mut self, option: &Word) -> Option<&'a Word> {
        let value = self.next();
        if value.is_none() {
            let message = format!("{} option {} is missing its value", self.what, option.text);
            self.refuse(Code::MissingValue, option.span, message);
        }
        value
    }

    /// `value` turned into something, or refused.
    fn read<T>(
        &mut self,
        option: &Word,
        code: Code,
        is: &str,
        read: impl FnOnce(&str, &Names) -> Option<T>,
    ) -> Option<T> {
        let word = self.value(option)?;
        let found = read(&word.text, self.names);
        if found.is_none() {
            let message = format!("{} {} '{}' is not {is}", self.what, option.text, word.text);
            self.refuse(code, word.span, message);
        }
        found
    }

    fn number(&mut self, option: &Word, most: u32) -> Option<u32> {
        let is = format!("a number of 0 to {most}");
        self.read(option, Code::OutOfRange, &is, |word, _| {
            number(word).filter(|number| *number <= most)
        })
    }

    fn named(&mut self, option: &Word, of: Of) -> Option<u32> {
        let is = "a number, nor a name that iproute2's files know";
        self.read(option, Code::BadValue, is, |word, names| {
            names.number(of, word)
        })
    }

    fn named_byte(&mut self, option: &Word, of: Of) -> Option<u8> {
        self.named(option, of)
            .and_then(|number| u8::try_from(number).ok())
    }

    fn device(&mut self, option: &Word) -> Option<IfName> {
        self.read(
            option,
            Code::BadValue,
            "the name of an interface",
            |word, _| IfName::new(word),
        )
    }

    fn address(&mut self, option: &Word) -> Option<IpAddr> {
        // The family may be said before it, which says nothing new.
        let _ = self.took("inet") || self.took("inet6");
        self.read(option, Code::BadAddress, "an IP address", |word, _| {
            word.parse().ok()
        })
    }

    fn network(&mut self, option: &Word) -> Option<Option<Network>> {
        self.read(
            option,
            Code::BadAddress,
            "an address or a network",
            |word, _| network(word),
        )
    }

    /// `[SOURCE/]DESTINATION`.
    fn realms(&mut self, option: &Word) -> Option<u32> {
        let is = "REALM or REALM/REALM";
        self.read(option, Code::BadValue, is, |word, names| {
            let realm = |word| names.number(Of::Realm, word);
            match word.split_once('/') {
                Some((from, to)) => Some(realm(from)? << 16 | realm(to)?),
                None => realm(word),
            }
        })
    }

    fn misplaced_track(&mut self, option: &Word) {
        let Some(_) = self.value(option) else { return };
        let (code, message) = match self.is_static {
            false => (
                Code::Misplaced,
                format!("track_group is for static {}s only", self.what),
            ),
            true => (
                Code::WithoutEffect,
                format!(
                    "track_group has no effect: a static {} that is removed is put back, and \
                     moves no instance",
                    self.what
                ),
            ),
        };
        if self.is_static {
            self.sink.note(code, option.span, message);
        } else {
            self.sink.warn(code, option.span, message);
        }
    }
}

/// `ADDRESS[/LEN]`; `Some(None)` for all there is: `default`, `any` or `all`.
pub(super) fn network(word: &str) -> Option<Option<Network>> {
    if matches!(word, "default" | "any" | "all") {
        return Some(None);
    }
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        Some(length) => length.parse().ok().filter(|length| *length <= most)?,
        None => most,
    };
    Some(Some(Network {
        address: masked(address, length),
        length,
    }))
}

/// Without the bits that do not count: the kernel refuses them.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let unused = 32_u32.saturating_sub(length.into());
            let mask = u32::MAX.checked_shl(unused).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let unused = 128_u32.saturating_sub(length.into());
            let mask = u128::MAX.checked_shl(unused).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}
