//! How adverts travel: multicast, or to each of some peers.

use std::net::IpAddr;

use agent_common::Family;

use super::address::{family, family_name, parse_host};
use super::instance::{Draft, entries};
use super::packets::ttl_limits;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{PeerTtl, Transport};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Unicast peers of an instance: the kernel side keeps them in a fixed record.
pub const MAX_PEERS: usize = 32;

#[derive(Debug, Default)]
pub struct Unicast {
    /// `unicast_src_ip`.
    pub source: Option<(IpAddr, Span)>,
    /// `mcast_src_ip`; keepalived keeps both in one place.
    pub mcast_source: Option<(IpAddr, Span)>,
    pub peers: Vec<(IpAddr, Span)>,
    /// `unicast_peer` was given, with or without peers.
    pub block: Option<Span>,
    /// A peer was given that cannot be used, and reported.
    pub bad_peer: bool,
    pub check_source: Option<bool>,
}

pub fn source(statement: &Statement, sink: &mut Sink) -> Option<(IpAddr, Span)> {
    address(first(statement)?, statement.keyword(), sink)
}

fn address(word: &Word, what: &str, sink: &mut Sink) -> Option<(IpAddr, Span)> {
    match parse_host(&word.text) {
        Ok(address) => Some((address, word.span)),
        Err(why) => {
            sink.error(
                Code::BadAddress,
                word.span,
                format!("{what} '{}' {why}", word.text),
            );
            None
        }
    }
}

pub fn peers(block: &Statement, draft: &mut Draft, sink: &mut Sink) {
    let unicast = &mut draft.unicast;
    unicast.block = Some(block.span());
    for entry in entries(block, sink) {
        let Some(word) = entry.words.first() else {
            continue;
        };
        let limits = ttl_limits(entry, sink);
        match address(word, "unicast peer", sink) {
            Some(peer) => {
                // Of a peer that is listed twice the first line counts.
                let known = unicast.peers.iter().any(|(known, _)| *known == peer.0);
                if let Some((min, max)) = limits.filter(|_| !known) {
                    let peer = peer.0;
                    draft.packets.peer_ttl.push(PeerTtl { peer, min, max });
                }
                unicast.peers.push(peer);
            }
            None => unicast.bad_peer = true,
        }
    }
}

/// `None` where an address is of another family than the VIPs, or there are
/// too many; reported.
pub fn transport(
    draft: &Draft,
    vips: Family,
    check_by_default: Option<bool>,
    sink: &mut Sink,
) -> Option<Transport> {
    let unicast = &draft.unicast;
    let title = draft.title();
    let mut usable = true;
    let mut same_family = |(address, span): (IpAddr, Span), what: &str, sink: &mut Sink| {
        if family(address) != vips {
            let message = format!(
                "{title} {what} {address} must be {} as the VIPs are",
                family_name(vips)
            );
            sink.error(Code::WrongFamily, span, message);
            usable = false;
        }
    };
    if let Some(given) = unicast.source {
        same_family(given, "unicast_src_ip", sink);
    }
    if let Some(given) = unicast.mcast_source {
        same_family(given, "mcast_src_ip", sink);
    }
    for &given in &unicast.peers {
        same_family(given, "unicast peer", sink);
    }
    if let Some(&(_, span)) = unicast.peers.get(MAX_PEERS) {
        let message = format!(
            "{title} {} unicast peers, at most {MAX_PEERS}",
            unicast.peers.len()
        );
        sink.error(Code::TooManyPeers, span, message)
            .help("use multicast, or fewer routers");
        return None;
    }
    if !usable || unicast.bad_peer {
        return None;
    }
    let source = unicast.source.map(|(address, _)| address);
    let mcast_source = unicast.mcast_source.map(|(address, _)| address);
    let asked = unicast.block.or(unicast.source.map(|(_, span)| span));
    if unicast.peers.is_empty() && draft.packets.fault_without_peers && asked.is_some() {
        let place = asked.unwrap_or(draft.place());
        let message =
            format!("{title} no unicast peers: it stays in a fault, as unicast_fault_no_peer asks");
        sink.trap(Code::NoPeers, place, message)
            .help("list the other routers in unicast_peer");
        return Some(Transport::Unicast {
            source: source.or(mcast_source),
            peers: Vec::new(),
            check_source: true,
        });
    }
    if unicast.peers.is_empty() {
        if let Some(span) = asked {
            let message = format!("{title} no unicast peers, so adverts are sent by multicast");
            sink.warn(Code::NoPeers, span, message)
                .help("list the other routers in unicast_peer, or remove the unicast keywords");
        }
        return Some(Transport::Multicast {
            source: mcast_source.or(source),
        });
    }
    let source = source.or(mcast_source);
    // keepalived does not check the source of unicast adverts unless told to.
    // TTL 255 proves nothing across a router, so anybody who can reach this
    // host could end its Active role with one packet: here the check is on
    // (FAILURES 7.1), and `check_unicast_src off` gives keepalived's way.
    let limited = !draft.packets.peer_ttl.is_empty();
    let wanted = unicast.check_source.or(check_by_default).unwrap_or(true);
    if limited && unicast.check_source == Some(false) {
        let message = format!("{title} min_ttl and max_ttl turn the check of the source on");
        sink.trap(
            Code::Conflict,
            unicast.block.unwrap_or(draft.place()),
            message,
        )
        .help("remove them, or check_unicast_src off");
    }
    let check_source = wanted || limited;
    let peers = distinct(&title, &unicast.peers, source, sink);
    Some(Transport::Unicast {
        source,
        peers,
        check_source,
    })
}

/// Without doubles and without ourselves: one list for all routers is a usual
/// way to write the file.
fn distinct(
    title: &str,
    given: &[(IpAddr, Span)],
    own: Option<IpAddr>,
    sink: &mut Sink,
) -> Vec<IpAddr> {
    let mut peers: Vec<IpAddr> = Vec::with_capacity(given.len());
    for &(peer, span) in given {
        let why = if Some(peer) == own {
            "is our own address"
        } else if peers.contains(&peer) {
            "is listed twice"
        } else {
            peers.push(peer);
            continue;
        };
        sink.trap(
            Code::Duplicate,
            span,
            format!("{title} unicast peer {peer} {why}; it is left out"),
        );
    }
    peers
}
