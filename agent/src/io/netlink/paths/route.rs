//! A route as rtnetlink has it (struct rtmsg and RTA_* attributes).

use std::net::IpAddr;

use super::{family_number, kind_number, octets};
use crate::config::{
    IfName,
    model::{Hop, Route},
};
use crate::io::netlink::build::Builder;

const NEW: u16 = 24;
const DELETE: u16 = 25;
/// RTNH_F_ONLINK.
const ONLINK: u8 = 4;
/// RT_SCOPE_NOWHERE: of a removal, any.
const ANY_SCOPE: u8 = 255;

const DST: u16 = 1;
const OIF: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFSRC: u16 = 7;
const METRICS: u16 = 8;
const MULTIPATH: u16 = 9;
const FLOW: u16 = 11;
const TABLE: u16 = 15;
const VIA: u16 = 18;
const PREF: u16 = 20;
const EXPIRES: u16 = 23;
const TTL_PROPAGATE: u16 = 26;
/// Within METRICS.
const LOCK: u16 = 1;
const CC_ALGO: u16 = 16;

/// `None` where an interface is not there.
pub(super) fn message(
    route: &Route,
    index: &impl Fn(&IfName) -> Option<u32>,
    flags: u16,
    removal: bool,
) -> Option<Vec<u8>> {
    let v6 = route.destination.address.is_ipv6();
    let device = match &route.device {
        Some(name) => Some(index(name)?),
        None => None,
    };
    let hops = hops(&route.hops, index, v6)?;
    let mut builder = Builder::default();
    builder.message(if removal { DELETE } else { NEW }, flags, |message| {
        header(route, v6, removal, message);
        if route.destination.length > 0 {
            message.attribute(DST, &octets(route.destination.address));
        }
        message.attribute(TABLE, &route.table.to_ne_bytes());
        if let Some(metric) = route.metric {
            message.attribute(PRIORITY, &metric.to_ne_bytes());
        }
        if let Some(source) = route.source {
            message.attribute(PREFSRC, &octets(source));
        }
        if let Some(via) = route.via {
            gateway(via, v6, message);
        }
        if let Some(device) = device {
            message.attribute(OIF, &device.to_ne_bytes());
        }
        if !hops.is_empty() {
            message.attribute(MULTIPATH, &hops);
        }
        // The rest is not what a route is known by.
        if !removal {
            rest(route, message);
        }
    });
    Some(builder.as_bytes().to_vec())
}

fn header(route: &Route, v6: bool, removal: bool, message: &mut Builder) {
    let scope = if removal {
        ANY_SCOPE
    } else {
        route.scope.unwrap_or(0)
    };
    message.header(&[
        family_number(v6),
        route.destination.length,
        0,
        route.tos,
        // RT_TABLE_COMPAT where it does not fit; the attribute counts.
        u8::try_from(route.table).unwrap_or(252),
        route.protocol,
        scope,
        kind_number(route.kind),
    ]);
    let flags = if route.onlink { ONLINK } else { 0 };
    message.header(&u32::from(flags).to_ne_bytes());
}

fn gateway(via: IpAddr, v6: bool, message: &mut Builder) {
    if via.is_ipv6() == v6 {
        return message.attribute(GATEWAY, &octets(via));
    }
    let mut value = u16::from(family_number(via.is_ipv6()))
        .to_ne_bytes()
        .to_vec();
    value.extend_from_slice(&octets(via));
    message.attribute(VIA, &value);
}

fn rest(route: &Route, message: &mut Builder) {
    if let Some(realms) = route.realms {
        message.attribute(FLOW, &realms.to_ne_bytes());
    }
    if let Some(preference) = route.preference {
        message.attribute(PREF, &[preference]);
    }
    if let Some(expires) = route.expires {
        message.attribute(EXPIRES, &expires.to_ne_bytes());
    }
    if let Some(propagate) = route.propagate_ttl {
        message.attribute(TTL_PROPAGATE, &[u8::from(propagate)]);
    }
    if route.metrics.is_empty() && route.congctl.is_none() {
        return;
    }
    message.nested(METRICS, |metrics| {
        let bit = |kind: u8| 1_u32.checked_shl(kind.into()).unwrap_or(0);
        let locks = route.metrics.iter().filter(|metric| metric.locked);
        let mut locked = locks.fold(0, |all, metric| all | bit(metric.kind));
        for metric in &route.metrics {
            metrics.attribute(metric.kind.into(), &metric.value.to_ne_bytes());
        }
        if let Some((name, is_locked)) = &route.congctl {
            locked |= if *is_locked { 1 << CC_ALGO } else { 0 };
            metrics.text(CC_ALGO, name);
        }
        if locked != 0 {
            metrics.attribute(LOCK, &locked.to_ne_bytes());
        }
    });
}

/// struct rtnexthop for each, with its gateway.
fn hops(hops: &[Hop], index: &impl Fn(&IfName) -> Option<u32>, v6: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for hop in hops {
        let device = match &hop.device {
            Some(name) => index(name)?,
            None => 0,
        };
        let mut attributes = Builder::default();
        if let Some(via) = hop.via {
            gateway(via, v6, &mut attributes);
        }
        let attributes = attributes.as_bytes();
        let length = u16::try_from(attributes.len().saturating_add(8)).ok()?;
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.push(if hop.onlink { ONLINK } else { 0 });
        bytes.push(u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&device.to_ne_bytes());
        bytes.extend_from_slice(attributes);
    }
    Some(bytes)
}
