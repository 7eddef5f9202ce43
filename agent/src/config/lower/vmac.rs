//! `use_vmac`: what an instance says of its interface with a virtual MAC address.

use super::statement::extra_word;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::IfName;
use crate::config::sink::Sink;
use crate::config::tree::Statement;
use agent_common::Vrid;

/// What a `use_vmac` line says.
#[derive(Clone, Debug, Default)]
pub struct Vmac {
    pub span: Span,
    pub name: Option<IfName>,
    pub mac: Option<Octets>,
    pub group: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Octets {
    All([u8; 6]),
    /// The VRID is the last.
    Five([u8; 5]),
}

/// `[[name] INTERFACE] [MAC] [netlink_notify_msg] [group N]`.
pub fn read(statement: &Statement, sink: &mut Sink) -> Vmac {
    let mut vmac = Vmac {
        span: statement.span(),
        ..Vmac::default()
    };
    let mut words = statement.arguments().iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "netlink_notify_msg" => {}
            option @ ("name" | "group") => {
                let Some(value) = words.next() else {
                    let message = format!("use_vmac {option} is missing its value");
                    sink.error(Code::MissingValue, word.span, message);
                    break;
                };
                match option {
                    "name" => vmac.set_name(value, sink),
                    _ => vmac.set_group(value, sink),
                }
            }
            text => match octets(text) {
                Some(mac) => vmac.set_mac(mac, word, sink),
                None if vmac.name.is_none() => vmac.set_name(word, sink),
                None => extra_word("use_vmac", word, false, true, sink),
            },
        }
    }
    vmac
}

/// `vmac_prefix` and `vmac_addr_prefix`, as long as an interface name has room for it and a VRID.
pub fn prefix(statement: &Statement, sink: &mut Sink) -> Option<String> {
    let word = first(statement)?;
    let good = IfName::new(&format!("{}6.255", word.text)).is_some();
    if !good {
        let message = format!("'{}' cannot begin an interface name", word.text);
        sink.error(Code::BadInterface, word.span, message)
            .help("use at most ten letters and digits");
    }
    good.then(|| word.text.clone())
}

/// Whether `use_vmac` takes a name for something else unless `name` is in front
/// of it. keepalived 2.2.7 does not know that word.
pub fn is_ambiguous(name: &str) -> bool {
    ["name", "group", "netlink_notify_msg"].contains(&name)
}

impl Octets {
    pub const fn complete(self, vrid: Vrid) -> [u8; 6] {
        match self {
            Self::All(mac) => mac,
            Self::Five([a, b, c, d, e]) => [a, b, c, d, e, vrid.get()],
        }
    }
}

impl Vmac {
    fn set_name(&mut self, word: &Word, sink: &mut Sink) {
        self.name = IfName::new(&word.text);
        if self.name.is_none() {
            super::address::bad_interface(word, sink);
        }
    }

    fn set_group(&mut self, word: &Word, sink: &mut Sink) {
        match word.text.parse() {
            Ok(group) => self.group = group,
            Err(_) => {
                let message = format!("interface group '{}' is not a number", word.text);
                sink.error(Code::BadValue, word.span, message)
                    .help("use the number of the group, as in /etc/iproute2/group");
            }
        }
    }

    fn set_mac(&mut self, mac: Octets, word: &Word, sink: &mut Sink) {
        let (Octets::All([first, ..]) | Octets::Five([first, ..])) = mac;
        if first & 1 == 1 {
            let message = format!("{} is no address of a single machine", word.text);
            sink.error(Code::BadAddress, word.span, message)
                .help("use an even first octet, or leave the MAC address to the RFC");
            return;
        }
        self.mac = Some(mac);
    }
}

/// Five or six octets, with colons between them.
fn octets(text: &str) -> Option<Octets> {
    let octet = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        u8::from_str_radix(text, 16).ok().filter(|_| digits)
    };
    let octets: Vec<u8> = text.split(':').map(octet).collect::<Option<_>>()?;
    match octets.len() {
        6 => octets.try_into().ok().map(Octets::All),
        5 => octets.try_into().ok().map(Octets::Five),
        _ => None,
    }
}
