//! A `virtual_server` with its real servers.

use std::collections::HashSet;

use super::words::{find, granularity, last, method, number, place, unused};
use crate::config::diagnostic::Code;
use crate::config::keywords::{self, Block, Status};
use crate::config::lexer::{Span, Word};
use crate::config::model::{Front, RealServer, Sorry, Unused, VirtualServer};
use crate::config::sink::Sink;
use crate::config::tree::Statement;
use crate::ipvs::{Forward, Protocol};

/// keepalived's persistence, in seconds.
pub const PERSISTENCE: u32 = 360;
const MAX_PERSISTENCE: u32 = 2_678_400;
const MAX_WEIGHT: u32 = 2_147_483_647;
/// keepalived's.
const SCHEDULER: &str = "wlc";
/// Bytes of the name of a scheduler, with the NUL.
const NAME: usize = 16;

/// For messages.
pub fn title(server: &VirtualServer) -> String {
    match &server.front {
        Front::Address(address, 0) => format!("virtual_server {address}"),
        Front::Address(address, port) => format!("virtual_server {address} {port}"),
        Front::Mark(mark) => format!("virtual_server fwmark {mark}"),
        Front::Group(name) => format!("virtual_server group {name}"),
    }
}

/// `None` for one that keepalived leaves out as well, which was said.
pub fn lower(statement: &Statement, sink: &mut Sink) -> Option<VirtualServer> {
    let inner = statement.block.as_deref()?;
    let has = |keyword| find(inner, keyword).is_some();
    let way = last(inner, &["lvs_method", "lb_kind"], method);
    let forward = way.unwrap_or_default();
    let mut server = VirtualServer {
        front: front(statement.arguments())?,
        protocol: Protocol::default(),
        v6: last(inner, &["ip_family"], family),
        scheduler: last(inner, &["lvs_sched", "lb_algo"], scheduler)
            .unwrap_or_else(|| SCHEDULER.to_owned()),
        flags: [
            has("flag-1") || has("sh-fallback") || has("mh-fallback"),
            has("flag-2") || has("sh-port") || has("mh-port"),
            has("flag-3"),
        ],
        one_packet: has("ops"),
        persistence: last(inner, &["persistence_timeout"], |given| {
            match given.arguments().is_empty() {
                true => Some(PERSISTENCE),
                false => number(given, MAX_PERSISTENCE).filter(|seconds| *seconds > 0),
            }
        }),
        engine: find(inner, "persistence_engine")
            .and_then(|given| given.arguments().first())
            .map(|word| word.text.clone())
            .filter(|name| name == "sip"),
        granularity: last(inner, &["persistence_granularity"], granularity),
        forward,
        sorry: None,
        servers: Vec::new(),
        checks: others(Block::VirtualServer, inner, &SORRY),
    };
    server.protocol = protocol(&server, inner, statement.span(), sink);
    server.sorry = sorry(inner, forward);
    one_packet(&mut server, statement.span(), sink);
    let weight = last(inner, &["weight"], |given| number(given, MAX_WEIGHT)).unwrap_or(1);
    let mut seen = HashSet::new();
    for real in inner
        .iter()
        .filter(|inner| inner.keyword() == "real_server")
    {
        let Some((real, span)) = real_server(real, &server, weight, sink) else {
            continue;
        };
        if seen.insert((real.address, real.port)) {
            server.servers.push(real);
            continue;
        }
        let message = format!(
            "{}: real_server {} {} is given twice; the first one counts",
            title(&server),
            real.address,
            real.port
        );
        sink.warn(Code::Duplicate, span, message);
    }
    // That there is none is said by the survey.
    (!server.servers.is_empty()).then_some(server)
}

fn front(words: &[Word]) -> Option<Front> {
    let (first, rest) = words.split_first()?;
    match first.text.as_str() {
        "group" => rest.first().map(|name| Front::Group(name.text.clone())),
        "fwmark" => rest.first()?.text.parse().ok().map(Front::Mark),
        _ => place(words).map(|(address, port)| Front::Address(address, port)),
    }
}

fn family(statement: &Statement) -> Option<bool> {
    match statement.arguments().first()?.text.as_str() {
        "inet" => Some(false),
        "inet6" => Some(true),
        _ => None,
    }
}

/// Of those that keepalived knows.
fn scheduler(statement: &Statement) -> Option<String> {
    let name = &statement.arguments().first()?.text;
    let known = keywords::choices(Block::VirtualServer, "lvs_sched");
    let good = known.contains(&name.as_str()) && name.len() < NAME;
    good.then(|| name.clone())
}

fn protocol(server: &VirtualServer, inner: &[Statement], span: Span, sink: &mut Sink) -> Protocol {
    let given = last(inner, &["protocol"], |given| {
        match given.arguments().first()?.text.as_str() {
            "TCP" => Some(Protocol::Tcp),
            "UDP" => Some(Protocol::Udp),
            "SCTP" => Some(Protocol::Sctp),
            _ => None,
        }
    });
    let is_mark = matches!(server.front, Front::Mark(_));
    match given {
        Some(_) if is_mark => {
            let message = format!("{}: protocol is ignored with a fwmark", title(server));
            sink.warn(Code::WithoutEffect, span, message);
            Protocol::default()
        }
        Some(protocol) => protocol,
        None if is_mark => Protocol::default(),
        // That there is none is said by the survey.
        None => Protocol::Udp,
    }
}

fn one_packet(server: &mut VirtualServer, span: Span, sink: &mut Sink) {
    let udp = server.protocol == Protocol::Udp || matches!(server.front, Front::Mark(_));
    if server.one_packet && !udp {
        let message = format!("{}: ops is for UDP only; it is ignored", title(server));
        sink.warn(Code::Conflict, span, message);
        server.one_packet = false;
    }
}

const SORRY: [&str; 2] = ["sorry_server", "sorry_server_lvs_method"];

fn sorry(inner: &[Statement], forward: Forward) -> Option<Sorry> {
    let (address, port) = last(inner, &["sorry_server"], |given| place(given.arguments()))?;
    Some(Sorry {
        address,
        port,
        forward: last(inner, &["sorry_server_lvs_method"], method).unwrap_or(forward),
    })
}

/// They name what may be no part of the model: printed, they would name nothing.
const WITHOUT_DEFINITION: [&str; 2] = ["BFD_CHECK", "FILE_CHECK"];

fn real_server(
    statement: &Statement,
    server: &VirtualServer,
    weight: u32,
    sink: &mut Sink,
) -> Option<(RealServer, Span)> {
    let inner = statement.block.as_deref()?;
    let (address, port) = place(statement.arguments())?;
    let count = |keyword| last(inner, &[keyword], |given| number(given, u32::MAX)).unwrap_or(0);
    let mut real = RealServer {
        address,
        port,
        weight: last(inner, &["weight"], |given| number(given, MAX_WEIGHT)).unwrap_or(weight),
        forward: last(inner, &["lvs_method"], method).unwrap_or(server.forward),
        upper: count("uthreshold"),
        lower: count("lthreshold"),
        checks: others(Block::RealServer, inner, &WITHOUT_DEFINITION),
    };
    let span = statement.span();
    let tunnelled = matches!(real.forward, Forward::Tunnel(_));
    if let Front::Address(own, _) = server.front
        && own.is_ipv4() != address.is_ipv4()
        && !tunnelled
    {
        let message = format!(
            "{}: real_server {address} is of another family and is left out",
            title(server)
        );
        sink.warn(Code::WrongFamily, span, message)
            .help("only lvs_method TUN goes from one family to the other");
        return None;
    }
    ports(&mut real, server, span, sink);
    if real.lower > real.upper {
        let message = format!(
            "{}: real_server {address} has lthreshold above uthreshold, which the kernel \
             refuses; lthreshold is ignored",
            title(server)
        );
        sink.trap(Code::Conflict, span, message);
        real.lower = 0;
    }
    Some((real, span))
}

/// Only NAT changes ports.
fn ports(real: &mut RealServer, server: &VirtualServer, span: Span, sink: &mut Sink) {
    let own = match server.front {
        Front::Address(_, port) => port,
        Front::Mark(_) => 0,
        Front::Group(_) => return,
    };
    let way = match real.forward {
        Forward::Masquerade => return,
        Forward::Route | Forward::Tunnel(_) | Forward::Local | Forward::Bypass => {
            real.forward.name()
        }
    };
    if real.port == 0 || real.port == own {
        return;
    }
    let message = format!(
        "{}: real_server {} {}: {way} cannot change the port; {own} is used",
        title(server),
        real.address,
        real.port
    );
    sink.warn(Code::Conflict, span, message)
        .help("lvs_method NAT changes ports");
    real.port = own;
}

/// Known statements that nothing acts on yet, but those `apart`.
fn others(block: Block, inner: &[Statement], apart: &[&str]) -> Vec<Unused> {
    let later = |statement: &&Statement| {
        let keyword = statement.keyword();
        keywords::find(block, keyword).is_some_and(|row| match row.status {
            Status::NotYet(_) => !apart.contains(&row.name),
            Status::Supported(_)
            | Status::WhileReading
            | Status::WithoutEffect(_)
            | Status::Refused(..) => false,
        })
    };
    inner.iter().filter(later).map(unused).collect()
}
