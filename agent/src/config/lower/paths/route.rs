//! A line of `virtual_routes` or `static_routes`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Line, network};
use crate::config::diagnostic::Code;
use crate::config::iproute::{Of, number};
use crate::config::lexer::Word;
use crate::config::model::{
    Hop, MAIN_TABLE, Metric, Network, Place, ROUTE_PROTOCOL, Route, RouteKind,
};

/// RTAX_FEATURE_ECN.
const ECN: u32 = 1;
/// rtnetlink scopes.
const LINK: u8 = 253;
const HOST: u8 = 254;

/// Metrics by their names, with RTAX_*, and what a millisecond is where they
/// are times.
const METRICS: &[(&str, u8, u32)] = &[
    ("mtu", 2, 0),
    ("window", 3, 0),
    ("rtt", 4, 8),
    ("rttvar", 5, 4),
    ("ssthresh", 6, 0),
    ("cwnd", 7, 0),
    ("advmss", 8, 0),
    ("reordering", 9, 0),
    ("hoplimit", 10, 0),
    ("initcwnd", 11, 0),
    ("rto_min", 13, 1),
    ("initrwnd", 14, 0),
    ("quickack", 15, 0),
    ("fastopen_no_cookie", 17, 0),
];

/// The name of a metric, and how many of its units a millisecond is.
pub fn metric(kind: u8) -> Option<(&'static str, u32)> {
    let found = METRICS.iter().find(|(_, found, _)| *found == kind);
    found.map(|(name, _, unit)| (*name, *unit))
}

/// RTAX_FEATURES, whose value has names.
pub const FEATURES: u8 = 12;

struct Draft {
    destination: Option<Option<Network>>,
    /// `inet6`, for a destination that does not say.
    v6: Option<bool>,
    scope: Option<u8>,
    protocol: Option<u8>,
    /// The gateway of `or`.
    other: Option<IpAddr>,
    route: Route,
}

pub fn lower(line: &mut Line<'_>) -> Option<Route> {
    let mut draft = Draft {
        destination: None,
        v6: None,
        scope: None,
        protocol: None,
        other: None,
        route: Route {
            destination: Network {
                address: Ipv4Addr::UNSPECIFIED.into(),
                length: 0,
            },
            kind: RouteKind::Unicast,
            via: None,
            device: None,
            hops: Vec::new(),
            source: None,
            table: MAIN_TABLE,
            tos: 0,
            scope: None,
            protocol: ROUTE_PROTOCOL,
            metric: None,
            realms: None,
            onlink: false,
            metrics: Vec::new(),
            congctl: None,
            preference: None,
            expires: None,
            propagate_ttl: None,
            place: Place::Alone,
            tracked: true,
        },
    };
    while let Some(option) = line.next() {
        draft.option(option, line);
        if line.bad {
            return None;
        }
    }
    draft.finish(line)
}

impl Draft {
    fn option(&mut self, option: &Word, line: &mut Line<'_>) {
        let route = &mut self.route;
        match option.text.as_str() {
            "to" => self.destination = line.network(option).or(self.destination),
            "src" => route.source = line.address(option),
            "via" | "gw" => route.via = line.address(option),
            "or" => {
                line.sink
                    .warn(
                        Code::Deprecated,
                        option.span,
                        "\"or\" for routes is deprecated",
                    )
                    .help("write nexthop via ADDRESS for each gateway");
                self.other = line.address(option);
            }
            "dev" | "oif" => route.device = line.device(option),
            "table" => route.table = line.named(option, Of::Table).unwrap_or(MAIN_TABLE),
            "tos" | "dsfield" => route.tos = line.named_byte(option, Of::Dsfield).unwrap_or(0),
            "scope" => self.scope = line.named_byte(option, Of::Scope),
            "protocol" => self.protocol = line.named_byte(option, Of::Protocol),
            "metric" | "priority" | "preference" => route.metric = line.number(option, u32::MAX),
            "realms" => route.realms = line.realms(option),
            "nexthop" => hops(option, route, line),
            "congctl" => {
                let locked = line.took("lock");
                let name = line.value(option).map(|word| word.text.clone());
                // TCP_CA_NAME_MAX is 16.
                match name.filter(|name| name.len() < 16) {
                    Some(name) => route.congctl = Some((name, locked)),
                    None => line.refuse(
                        Code::BadValue,
                        option.span,
                        "congctl of a route is no name of a congestion control".to_owned(),
                    ),
                }
            }
            "features" => {
                let value = line.read(option, Code::BadValue, "ecn", |word, _| {
                    (word == "ecn").then_some(ECN)
                });
                self.set(FEATURES, value, false);
            }
            "pref" => {
                let is = "low, medium or high";
                route.preference = line.read(option, Code::BadValue, is, |word, _| match word {
                    "medium" => Some(0),
                    "high" => Some(1),
                    "low" => Some(3),
                    _ => None,
                });
            }
            "expires" => route.expires = line.number(option, u32::MAX),
            "ttl-propagate" => {
                let is = "enabled or disabled";
                route.propagate_ttl = line.read(option, Code::BadValue, is, |word, _| match word {
                    "enabled" => Some(true),
                    "disabled" => Some(false),
                    _ => None,
                });
            }
            "onlink" => route.onlink = true,
            "no_track" => route.tracked = false,
            "add" => route.place = Place::Alone,
            "append" => route.place = Place::Append,
            "prepend" => route.place = Place::Prepend,
            "inet" => self.v6 = Some(false),
            "inet6" => self.v6 = Some(true),
            "track_group" => line.misplaced_track(option),
            "encap" => line.unsupported(option, "tunnels of routes are not there yet"),
            "vrf" => line.unsupported(option, "name the VRF's table instead: table N"),
            "nat" => line.unsupported(option, "the kernel has no such routes any more"),
            _ => self.other(option, line),
        }
    }

    /// A metric, a kind, or the destination.
    fn other(&mut self, option: &Word, line: &mut Line<'_>) {
        let text = option.text.as_str();
        if let Some((_, kind, unit)) = METRICS.iter().find(|(name, _, _)| *name == text) {
            let locked = line.took("lock");
            let is = "a number that it can be";
            let value = line.read(option, Code::OutOfRange, is, |word, _| {
                let value = time(word, *unit)?;
                let most = match text {
                    "hoplimit" => 255,
                    "quickack" | "fastopen_no_cookie" => 1,
                    _ => u32::MAX,
                };
                (value <= most).then_some(value)
            });
            return self.set(*kind, value, locked);
        }
        if let Some((_, kind)) = RouteKind::ALL.iter().find(|(name, _)| *name == text) {
            self.route.kind = *kind;
        } else if let (None, Some(destination)) = (self.destination, network(text)) {
            self.destination = Some(destination);
        } else {
            let message = format!("unknown route keyword {text}");
            line.refuse(Code::ExtraWords, option.span, message);
        }
    }

    /// The last one counts.
    fn set(&mut self, kind: u8, value: Option<u32>, locked: bool) {
        let Some(value) = value else { return };
        self.route.metrics.retain(|metric| metric.kind != kind);
        let metric = Metric {
            kind,
            value,
            locked,
        };
        self.route.metrics.push(metric);
        self.route.metrics.sort_by_key(|metric| metric.kind);
    }

    fn finish(mut self, line: &mut Line<'_>) -> Option<Route> {
        let Some(destination) = self.destination else {
            let message = "route without a destination".to_owned();
            line.refuse(Code::Incomplete, line.place, message);
            return None;
        };
        let route = &mut self.route;
        let hops = route.hops.iter().filter_map(|hop| hop.via);
        let addresses = hops.clone().chain(route.source);
        // A gateway may be of the other family, all else may not.
        let stated = destination.map(|to| to.address.is_ipv6()).or(self.v6);
        let v6 = stated
            .or_else(|| addresses.chain(route.via).next().map(|a| a.is_ipv6()))
            .unwrap_or(false);
        route.destination = destination.unwrap_or(Network {
            address: match v6 {
                true => Ipv6Addr::UNSPECIFIED.into(),
                false => Ipv4Addr::UNSPECIFIED.into(),
            },
            length: 0,
        });
        if let (Some(first), Some(second)) = (route.via, self.other) {
            let hop = |via| Hop {
                via: Some(via),
                device: route.device.clone(),
                weight: 1,
                onlink: false,
            };
            route.hops = vec![hop(first), hop(second)];
            (route.via, route.device) = (None, None);
        }
        self.check(v6, line)?;
        let mut route = self.route;
        route.protocol = self.protocol.unwrap_or(ROUTE_PROTOCOL);
        // As keepalived: global, save where the kernel takes no such route.
        route.scope = self.scope.or(match (v6, route.kind) {
            (false, RouteKind::Local) => Some(HOST),
            (false, RouteKind::Broadcast | RouteKind::Multicast) => Some(LINK),
            (true, _) | (false, _) => None,
        });
        Some(route)
    }

    fn check(&self, v6: bool, line: &mut Line<'_>) -> Option<()> {
        let route = &self.route;
        let wrong = |address: &IpAddr| address.is_ipv6() != v6;
        let mixed = match v6 {
            true => {
                route.via.iter().any(wrong)
                    || route.hops.iter().any(|hop| hop.via.iter().any(wrong))
            }
            false => false,
        };
        if mixed || route.source.iter().any(wrong) {
            let message = "Cannot mix IPv4 and IPv6 addresses for route".to_owned();
            line.refuse(Code::WrongFamily, line.place, message);
            return None;
        }
        let leads = route.via.is_some() || route.device.is_some() || !route.hops.is_empty();
        if !leads && !route.kind.leads_nowhere() {
            let message = "route without dev, via or nexthop".to_owned();
            line.refuse(Code::Incomplete, line.place, message);
            return None;
        }
        if route.device.is_none() && route.tracked {
            let message = "route without dev: keepalived would not track it";
            line.sink.warn(Code::Incomplete, line.place, message).help(
                "add dev INTERFACE; here it is put back all the same, unless no_track says no",
            );
        }
        Some(())
    }
}

/// `nexthop [via ADDRESS] [dev INTERFACE] [weight N] [onlink]`, up to the next
/// word that is none of these.
fn hops(option: &Word, route: &mut Route, line: &mut Line<'_>) {
    let mut hop = Hop {
        via: None,
        device: None,
        weight: 1,
        onlink: false,
    };
    while let Some(word) = line.peek() {
        if !matches!(word, "via" | "dev" | "oif" | "weight" | "onlink") {
            break;
        }
        let Some(inner) = line.next() else { break };
        match inner.text.as_str() {
            "via" => hop.via = line.address(inner),
            "dev" | "oif" => hop.device = line.device(inner),
            "weight" => {
                let weight = line.number(inner, 256).filter(|weight| *weight > 0);
                match weight.and_then(|weight| u16::try_from(weight).ok()) {
                    Some(weight) => hop.weight = weight,
                    None => line.refuse(
                        Code::OutOfRange,
                        inner.span,
                        "weight of a nexthop is not 1 to 256".to_owned(),
                    ),
                }
            }
            _ => hop.onlink = true,
        }
        if line.bad {
            return;
        }
    }
    if let Some("encap") = line.peek() {
        return line.unsupported(option, "tunnels of routes are not there yet");
    }
    if hop.via.is_none() && hop.device.is_none() {
        let message = "nexthop has neither via nor dev".to_owned();
        return line.refuse(Code::Incomplete, option.span, message);
    }
    route.hops.push(hop);
}

/// A number; of a time, with `s` or `ms` behind it perhaps. `unit`: what a
/// millisecond is, 0 for what is no time.
fn time(word: &str, unit: u32) -> Option<u32> {
    if unit == 0 {
        return number(word);
    }
    let (digits, millis) = if let Some(digits) = word.strip_suffix("ms") {
        (digits, 1)
    } else if let Some(digits) = word.strip_suffix('s') {
        (digits, 1000)
    } else {
        (word, 1)
    };
    number(digits)?.checked_mul(millis)?.checked_mul(unit)
}
