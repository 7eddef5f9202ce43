//! `use_vmac`: the macvlan interface of an instance, its name and its address.

use std::collections::{BTreeMap, BTreeSet};

use super::global::Globals;
use super::instance::Draft;
use super::statement::extra_word;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{IfName, Instance, Transport, VirtualMac};
use crate::config::sink::Sink;
use crate::config::tree::Statement;
use agent_common::Family;

/// keepalived's prefix of generated names.
const PREFIX: &str = "vrrp";
/// Names that are tried for one instance.
const NAMES: usize = 512;

/// What a `use_vmac` line says.
#[derive(Clone, Debug, Default)]
pub struct Vmac {
    span: Span,
    name: Option<IfName>,
    mac: Option<Octets>,
    group: u32,
}

#[derive(Clone, Copy, Debug)]
enum Octets {
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

/// `vmac_prefix`, as long as an interface name has room for it and a VRID.
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

/// Interface names that are spoken for, and MAC addresses in use.
#[derive(Debug)]
pub struct Names {
    prefix: String,
    given: BTreeSet<IfName>,
    taken: BTreeSet<IfName>,
    macs: BTreeMap<(IfName, [u8; 6]), String>,
}

impl Names {
    /// Names that the file gives come before those that are made up.
    pub fn new(drafts: &[Draft], globals: &Globals) -> Self {
        let own = drafts.iter().filter_map(|draft| draft.interface.clone()?);
        let given = drafts
            .iter()
            .filter_map(|draft| draft.vmac.as_ref()?.name.clone());
        Self {
            prefix: globals.vmac_prefix.clone().unwrap_or(PREFIX.to_owned()),
            given: given.collect(),
            taken: own.collect(),
            macs: BTreeMap::new(),
        }
    }

    /// Gives `instance` the virtual MAC address that was asked for.
    pub fn settle(&mut self, draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
        let Some(asked) = &draft.vmac else { return };
        let vrid = instance.vrid.get();
        let mac = match asked.mac {
            None => VirtualMac::standard(instance.family, instance.vrid),
            Some(Octets::All(mac)) => mac,
            Some(Octets::Five([a, b, c, d, e])) => [a, b, c, d, e, vrid],
        };
        let title = &instance.name;
        let Some(name) = self.name(asked.name.clone(), instance) else {
            let message = format!("({title}) the interface name of use_vmac is taken");
            sink.error(Code::Duplicate, asked.span, message)
                .help("give each instance a name of its own, or none");
            return;
        };
        let place = (instance.interface.clone(), mac);
        if let Some(other) = self.macs.insert(place, title.clone()) {
            let message = format!("({title}) has the same virtual MAC address as ({other})");
            sink.error(Code::Duplicate, asked.span, message)
                .help("leave the MAC address to the RFC, or use another one");
        }
        let unicast = match &instance.transport {
            Transport::Multicast { .. } => false,
            Transport::Unicast { .. } => true,
        };
        instance.virtual_mac = Some(VirtualMac {
            name,
            mac,
            xmit_base: draft.vmac_xmit_base.is_some() || unicast,
            group: asked.group,
        });
    }

    /// As keepalived: `vrrp.51`, then `vrrp4.51` or `vrrp6.51`, then `vrrp1.51`
    /// and so on.
    fn name(&mut self, given: Option<IfName>, instance: &Instance) -> Option<IfName> {
        if let Some(name) = given {
            return self.taken.insert(name.clone()).then_some(name);
        }
        let family = match instance.family {
            Family::V4 => "4",
            Family::V6 => "6",
        };
        let numbers = (1..NAMES).map(|number| number.to_string());
        let middles = ["", family].map(str::to_owned).into_iter().chain(numbers);
        let vrid = instance.vrid;
        let mut names =
            middles.filter_map(|mid| IfName::new(&format!("{}{mid}.{vrid}", self.prefix)));
        let free = names.find(|name| !self.taken.contains(name) && !self.given.contains(name))?;
        self.taken.insert(free.clone());
        Some(free)
    }
}
