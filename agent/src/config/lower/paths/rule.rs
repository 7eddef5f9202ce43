//! A line of `virtual_rules` or `static_rules`.

use super::{Line, Preferences};
use crate::config::diagnostic::Code;
use crate::config::iproute::{Of, number};
use crate::config::lexer::Word;
use crate::config::model::{Network, ROUTE_PROTOCOL, Rule, RuleAction};

/// Protocols of rules that people write by name, with IPPROTO_*.
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("vrrp", 112),
    ("sctp", 132),
];

/// The largest that the kernel takes of these is a prefix length.
const MAX_PREFIX: u32 = 128;

struct Draft {
    priority: Option<u32>,
    action: Option<RuleAction>,
    rule: Rule,
    v6: Option<bool>,
}

pub fn lower(line: &mut Line<'_>, preferences: &mut Preferences) -> Option<Rule> {
    let mut draft = Draft {
        priority: None,
        action: None,
        v6: None,
        rule: Rule {
            v6: false,
            not: false,
            from: None,
            to: None,
            input: None,
            output: None,
            tos: 0,
            fwmark: None,
            realms: None,
            priority: 0,
            action: RuleAction::Nop,
            suppress_prefixlength: None,
            suppress_group: None,
            uids: None,
            tunnel: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            protocol: ROUTE_PROTOCOL,
            tracked: true,
        },
    };
    while let Some(option) = line.next() {
        draft.option(option, line);
        if line.bad {
            return None;
        }
    }
    draft.finish(line, preferences)
}

impl Draft {
    fn option(&mut self, option: &Word, line: &mut Line<'_>) {
        let rule = &mut self.rule;
        match option.text.as_str() {
            "from" => rule.from = line.network(option).flatten(),
            "to" => rule.to = line.network(option).flatten(),
            "iif" | "dev" => rule.input = line.device(option),
            "oif" => rule.output = line.device(option),
            "tos" | "dsfield" => rule.tos = line.named_byte(option, Of::Dsfield).unwrap_or(0),
            "fwmark" => {
                rule.fwmark =
                    line.read(
                        option,
                        Code::BadValue,
                        "MARK or MARK/MASK",
                        |word, _| match word.split_once('/') {
                            Some((mark, mask)) => Some((number(mark)?, number(mask)?)),
                            None => Some((number(word)?, u32::MAX)),
                        },
                    );
            }
            "realms" => rule.realms = line.realms(option),
            "protocol" => {
                rule.protocol = line
                    .named_byte(option, Of::Protocol)
                    .unwrap_or(ROUTE_PROTOCOL);
            }
            "preference" | "pref" | "order" | "priority" => {
                self.priority = line.number(option, u32::MAX);
            }
            "suppress_prefixlength" | "sup_pl" => {
                rule.suppress_prefixlength = line.number(option, MAX_PREFIX);
            }
            "suppress_ifgroup" | "sup_group" => {
                rule.suppress_group = line.named(option, Of::Group);
            }
            "uidrange" => rule.uids = line.read(option, Code::BadValue, "UID-UID", range),
            "tunnel-id" => {
                rule.tunnel = line.read(option, Code::BadValue, "a number", |word, _| {
                    word.parse().ok()
                });
            }
            "ipproto" | "ip_proto" => {
                let is = "a number of 1 to 255, nor a protocol's name";
                rule.ip_protocol = line.read(option, Code::BadValue, is, |word, _| {
                    let named = PROTOCOLS.iter().find(|(name, _)| *name == word);
                    let value = named.map(|(_, value)| *value);
                    value
                        .or_else(|| word.parse().ok())
                        .filter(|value| *value > 0)
                });
            }
            "sport" => rule.source_ports = line.read(option, Code::BadValue, PORTS, ports),
            "dport" => rule.destination_ports = line.read(option, Code::BadValue, PORTS, ports),
            "not" => rule.not = true,
            "no_track" => rule.tracked = false,
            "inet" => self.v6 = Some(false),
            "inet6" => self.v6 = Some(true),
            "track_group" => line.misplaced_track(option),
            _ => self.action(option, line),
        }
    }

    fn action(&mut self, option: &Word, line: &mut Line<'_>) {
        let simple = |word: &str| match word {
            "nop" => Some(RuleAction::Nop),
            "blackhole" => Some(RuleAction::Blackhole),
            "unreachable" => Some(RuleAction::Unreachable),
            "prohibit" => Some(RuleAction::Prohibit),
            "l3mdev" => Some(RuleAction::L3mdev),
            _ => None,
        };
        let action = match option.text.as_str() {
            "table" | "lookup" => line.named(option, Of::Table).map(RuleAction::Table),
            "goto" => line.number(option, u32::MAX).map(RuleAction::Goto),
            "type" => line.read(option, Code::BadValue, "an action", |word, _| simple(word)),
            word => {
                let action = simple(word);
                if action.is_none() {
                    let message = format!("unknown rule keyword {word}");
                    line.refuse(Code::ExtraWords, option.span, message);
                }
                action
            }
        };
        self.action = action.or(self.action);
    }

    fn finish(self, line: &mut Line<'_>, preferences: &mut Preferences) -> Option<Rule> {
        let Some(action) = self.action else {
            let message = "No action specified for rule".to_owned();
            line.refuse(Code::Incomplete, line.place, message);
            return None;
        };
        let is_v6 = |network: &Network| network.address.is_ipv6();
        let families = [self.rule.from, self.rule.to].into_iter().flatten();
        let mut families = families.map(|network| is_v6(&network)).chain(self.v6);
        let v6 = families.next().unwrap_or(false);
        if families.any(|other| other != v6) {
            let message = "Cannot mix IPv4 and IPv6 addresses for rule".to_owned();
            line.refuse(Code::WrongFamily, line.place, message);
            return None;
        }
        if let (RuleAction::Goto(target), Some(own)) = (action, self.priority)
            && target <= own
        {
            let message = format!("rule goes to {target}, which is not behind it");
            line.refuse(Code::OutOfRange, line.place, message);
            return None;
        }
        let priority = self.priority.unwrap_or_else(|| {
            let chosen = preferences.next();
            let message = format!("Rule has no preference specified; {chosen} is used");
            line.sink
                .warn(Code::Incomplete, line.place, message)
                .help("add preference N: the order of rules without it is by chance");
            chosen
        });
        Some(Rule {
            v6,
            priority,
            action,
            ..self.rule
        })
    }
}

const PORTS: &str = "PORT or PORT-PORT";

fn range(word: &str, _: &crate::config::iproute::Names) -> Option<(u32, u32)> {
    let (from, to) = word.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to).then_some((from, to))
}

fn ports(word: &str, _: &crate::config::iproute::Names) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (0 < from && from <= to).then_some((from, to))
}
