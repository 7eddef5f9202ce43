//! A rule as rtnetlink has it (struct fib_rule_hdr and FRA_* attributes).

use super::{family_number, octets};
use crate::config::model::{Rule, RuleAction};
use crate::io::netlink::build::Builder;

const NEW: u16 = 32;
const DELETE: u16 = 33;
/// FIB_RULE_INVERT.
const INVERT: u32 = 2;

const DST: u16 = 1;
const SRC: u16 = 2;
const IIFNAME: u16 = 3;
const GOTO: u16 = 4;
const PRIORITY: u16 = 6;
const FWMARK: u16 = 10;
const FLOW: u16 = 11;
const TUN_ID: u16 = 12;
const SUPPRESS_IFGROUP: u16 = 13;
const SUPPRESS_PREFIXLEN: u16 = 14;
const TABLE: u16 = 15;
const FWMASK: u16 = 16;
const OIFNAME: u16 = 17;
const L3MDEV: u16 = 19;
const UID_RANGE: u16 = 20;
const PROTOCOL: u16 = 21;
const IP_PROTO: u16 = 22;
const SPORT_RANGE: u16 = 23;
const DPORT_RANGE: u16 = 24;

pub(super) fn message(rule: &Rule, flags: u16, removal: bool) -> Vec<u8> {
    let length = |network: &Option<crate::config::model::Network>| {
        network.as_ref().map_or(0, |network| network.length)
    };
    let (action, table) = match rule.action {
        RuleAction::Table(table) => (1, table),
        RuleAction::L3mdev => (1, 0),
        RuleAction::Goto(_) => (2, 0),
        RuleAction::Nop => (3, 0),
        RuleAction::Blackhole => (6, 0),
        RuleAction::Unreachable => (7, 0),
        RuleAction::Prohibit => (8, 0),
    };
    let mut builder = Builder::default();
    builder.message(if removal { DELETE } else { NEW }, flags, |message| {
        message.header(&[
            family_number(rule.v6),
            length(&rule.to),
            length(&rule.from),
            rule.tos,
            // The attribute counts where it does not fit.
            u8::try_from(table).unwrap_or(0),
            0,
            0,
            action,
        ]);
        let invert = if rule.not { INVERT } else { 0 };
        message.header(&invert.to_ne_bytes());
        message.attribute(PRIORITY, &rule.priority.to_ne_bytes());
        message.attribute(PROTOCOL, &[rule.protocol]);
        if table != 0 {
            message.attribute(TABLE, &table.to_ne_bytes());
        }
        match rule.action {
            RuleAction::Goto(target) => message.attribute(GOTO, &target.to_ne_bytes()),
            RuleAction::L3mdev => message.attribute(L3MDEV, &[1]),
            RuleAction::Table(_)
            | RuleAction::Nop
            | RuleAction::Blackhole
            | RuleAction::Unreachable
            | RuleAction::Prohibit => {}
        }
        selectors(rule, message);
        numbers(rule, message);
    });
    builder.as_bytes().to_vec()
}

fn selectors(rule: &Rule, message: &mut Builder) {
    for (kind, network) in [(SRC, rule.from), (DST, rule.to)] {
        if let Some(network) = network.filter(|network| network.length > 0) {
            message.attribute(kind, &octets(network.address));
        }
    }
    for (kind, name) in [(IIFNAME, &rule.input), (OIFNAME, &rule.output)] {
        if let Some(name) = name {
            message.text(kind, name.as_str());
        }
    }
    if let Some((mark, mask)) = rule.fwmark {
        message.attribute(FWMARK, &mark.to_ne_bytes());
        message.attribute(FWMASK, &mask.to_ne_bytes());
    }
}

fn numbers(rule: &Rule, message: &mut Builder) {
    let words = [
        (FLOW, rule.realms),
        (SUPPRESS_PREFIXLEN, rule.suppress_prefixlength),
        (SUPPRESS_IFGROUP, rule.suppress_group),
    ];
    for (kind, value) in words {
        if let Some(value) = value {
            message.attribute(kind, &value.to_ne_bytes());
        }
    }
    if let Some(tunnel) = rule.tunnel {
        // Network order, as in the header of the tunnel.
        message.attribute(TUN_ID, &tunnel.to_be_bytes());
    }
    if let Some((from, to)) = rule.uids {
        message.attribute(UID_RANGE, &pair(from.to_ne_bytes(), to.to_ne_bytes()));
    }
    if let Some(protocol) = rule.ip_protocol {
        message.attribute(IP_PROTO, &[protocol]);
    }
    let ports = [
        (SPORT_RANGE, rule.source_ports),
        (DPORT_RANGE, rule.destination_ports),
    ];
    for (kind, range) in ports {
        if let Some((from, to)) = range {
            message.attribute(kind, &pair(from.to_ne_bytes(), to.to_ne_bytes()));
        }
    }
}

fn pair<const N: usize>(from: [u8; N], to: [u8; N]) -> Vec<u8> {
    [from, to].concat()
}
