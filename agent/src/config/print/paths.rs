//! Routes and rules, a line each, with numbers in place of names.

use super::writer::{Writer, word};
use crate::config::lower::{FEATURES, route_metric};
use crate::config::model::{
    Hop, MAIN_TABLE, Metric, Paths, Place, ROUTE_PROTOCOL, Route, RouteKind, Rule, RuleAction,
};

/// `kind`: `virtual` or `static`.
pub fn print(kind: &str, paths: &Paths, writer: &mut Writer) {
    let Paths { routes, rules } = paths;
    writer.lines(&format!("{kind}_routes"), routes.iter().map(route_line));
    writer.lines(&format!("{kind}_rules"), rules.iter().map(rule_line));
}

/// Options, one behind the other.
#[derive(Default)]
struct Words(String);

impl Words {
    fn push(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(text);
    }

    fn flag(&mut self, name: &str, on: bool) {
        if on {
            self.push(name);
        }
    }

    fn option(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.push(name);
            self.push(&word(&value.to_string()));
        }
    }
}

/// A route as a line of its block.
pub fn route_line(route: &Route) -> String {
    let Route {
        destination,
        kind,
        via,
        device,
        hops,
        source,
        table,
        tos,
        scope,
        protocol,
        metric,
        realms,
        onlink,
        metrics,
        congctl,
        preference,
        expires,
        propagate_ttl,
        place,
        tracked,
    } = route;
    let mut words = Words::default();
    words.flag(kind.name(), *kind != RouteKind::Unicast);
    words.push(&destination.to_string());
    words.option("via", via.as_ref());
    words.option("dev", device.as_ref());
    words.option("src", source.as_ref());
    words.option("table", Some(table).filter(|table| **table != MAIN_TABLE));
    words.option("tos", Some(tos).filter(|tos| **tos != 0));
    words.option("scope", scope.as_ref());
    let protocol = Some(protocol).filter(|protocol| **protocol != ROUTE_PROTOCOL);
    words.option("protocol", protocol);
    words.option("metric", metric.as_ref());
    words.option("realms", realms.map(realm_words));
    words.flag("onlink", *onlink);
    metrics.iter().for_each(|metric| words.metric(metric));
    if let Some((name, locked)) = congctl {
        words.option(if *locked { "congctl lock" } else { "congctl" }, Some(name));
    }
    words.option("pref", preference.map(preference_name));
    words.option("expires", expires.as_ref());
    let propagate = propagate_ttl.map(|on| if on { "enabled" } else { "disabled" });
    words.option("ttl-propagate", propagate);
    match place {
        Place::Alone => {}
        Place::Append => words.push("append"),
        Place::Prepend => words.push("prepend"),
    }
    words.flag("no_track", !tracked);
    hops.iter().for_each(|hop| words.hop(hop));
    words.0
}

impl Words {
    fn metric(&mut self, metric: &Metric) {
        let Metric {
            kind,
            value,
            locked,
        } = metric;
        if *kind == FEATURES {
            return self.push("features ecn");
        }
        let Some((name, unit)) = route_metric(*kind) else {
            return;
        };
        self.push(name);
        self.flag("lock", *locked);
        let value = value.checked_div(unit).unwrap_or(*value);
        self.push(&value.to_string());
    }

    fn hop(&mut self, hop: &Hop) {
        let Hop {
            via,
            device,
            weight,
            onlink,
        } = hop;
        self.push("nexthop");
        self.option("via", via.as_ref());
        self.option("dev", device.as_ref());
        self.option("weight", Some(weight).filter(|weight| **weight != 1));
        self.flag("onlink", *onlink);
    }
}

fn realm_words(realms: u32) -> String {
    match (realms >> 16, realms & 0xffff) {
        (0, to) => to.to_string(),
        (from, to) => format!("{from}/{to}"),
    }
}

const fn preference_name(preference: u8) -> &'static str {
    match preference {
        1 => "high",
        3 => "low",
        _ => "medium",
    }
}

/// A rule as a line of its block.
pub fn rule_line(rule: &Rule) -> String {
    let Rule {
        v6,
        not,
        from,
        to,
        input,
        output,
        tos,
        fwmark,
        realms,
        priority,
        action,
        suppress_prefixlength,
        suppress_group,
        uids,
        tunnel,
        ip_protocol,
        source_ports,
        destination_ports,
        protocol,
        tracked,
    } = rule;
    let mut words = Words::default();
    words.flag("inet6", *v6 && from.is_none() && to.is_none());
    words.flag("not", *not);
    words.option("from", from.as_ref());
    words.option("to", to.as_ref());
    words.option("iif", input.as_ref());
    words.option("oif", output.as_ref());
    words.option("tos", Some(tos).filter(|tos| **tos != 0));
    words.option(
        "fwmark",
        fwmark.map(|(mark, mask)| format!("{mark:#x}/{mask:#x}")),
    );
    words.option("realms", realms.map(realm_words));
    words.option("priority", Some(priority));
    match action {
        RuleAction::Table(table) => words.option("table", Some(table)),
        RuleAction::Goto(target) => words.option("goto", Some(target)),
        RuleAction::Nop => words.push("nop"),
        RuleAction::Blackhole => words.push("blackhole"),
        RuleAction::Unreachable => words.push("unreachable"),
        RuleAction::Prohibit => words.push("prohibit"),
        RuleAction::L3mdev => words.push("l3mdev"),
    }
    words.option("suppress_prefixlength", suppress_prefixlength.as_ref());
    words.option("suppress_ifgroup", suppress_group.as_ref());
    words.option("uidrange", uids.map(|(from, to)| format!("{from}-{to}")));
    words.option("tunnel-id", tunnel.as_ref());
    words.option("ipproto", ip_protocol.as_ref());
    words.option("sport", source_ports.map(ports));
    words.option("dport", destination_ports.map(ports));
    let protocol = Some(protocol).filter(|protocol| **protocol != ROUTE_PROTOCOL);
    words.option("protocol", protocol);
    words.flag("no_track", !tracked);
    words.0
}

fn ports((from, to): (u16, u16)) -> String {
    match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    }
}
