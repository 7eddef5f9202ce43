//! What an instance asks of its adverts besides where they go.

use std::net::IpAddr;

use agent_common::Family;

use super::address::{family, family_name};
use super::global::Globals;
use super::instance::Draft;
use super::statement::extra_word;
use super::value::{first, number};
use crate::config::diagnostic::Code;
use crate::config::keywords::Kind;
use crate::config::lexer::Span;
use crate::config::model::{OldChecksum, PacketPolicy, PeerTtl};
use crate::config::sink::Sink;
use crate::config::survey::word;
use crate::config::tree::Statement;

/// The words of one instance.
#[derive(Debug, Default)]
pub struct Packets {
    group: Option<(IpAddr, Span)>,
    ttl: Option<u8>,
    pub peer_ttl: Vec<PeerTtl>,
    old_checksum: Option<OldChecksum>,
    pub fault_without_peers: bool,
    pub skip_address_check: Option<bool>,
}

impl Packets {
    pub fn set_group(&mut self, statement: &Statement, sink: &mut Sink) {
        if let Some(group) = group(statement, sink) {
            self.group = Some(group);
        }
    }

    pub fn set_ttl(&mut self, statement: &Statement, sink: &mut Sink) {
        let Some(ttl) = number(statement, 0..=u8::MAX, "255 is used", sink) else {
            return;
        };
        if ttl == 0
            && let Some(word) = first(statement)
        {
            let message = "unicast_ttl 0 would not leave this machine; 255 is used";
            sink.trap(Code::OutOfRange, word.span, message)
                .help("use at least 1 more than there are routers on the way");
        }
        self.ttl = Some(ttl).filter(|ttl| *ttl > 0);
    }

    pub fn set_old_checksum(&mut self, statement: &Statement, sink: &mut Sink) {
        let given = first(statement);
        if let Some(word) = given {
            word::check(statement.keyword(), word, Kind::Choice(&["never"]), sink);
        }
        self.old_checksum = match given.map(|word| word.text.as_str()) {
            None => Some(OldChecksum::Always),
            Some("never") => Some(OldChecksum::Never),
            Some(_) => self.old_checksum,
        };
    }

    pub fn policy(
        &self,
        draft: &Draft,
        vips: Family,
        globals: &Globals,
        sink: &mut Sink,
    ) -> PacketPolicy {
        let unicast = !draft.unicast.peers.is_empty();
        let global = match vips {
            Family::V4 => globals.group_v4,
            Family::V6 => globals.group_v6,
        };
        let own = self.group.filter(|(_, span)| {
            if unicast {
                let message = format!(
                    "{} multicast destination specified with unicast - ignoring",
                    draft.title()
                );
                sink.warn(Code::Conflict, *span, message)
                    .help("remove mcast_dst_ip or unicast_peer");
            }
            !unicast
        });
        let own = own.filter(|(address, span)| {
            let good = family(*address) == vips;
            if !good {
                let message = format!(
                    "{} mcast_dst_ip {address} must be {} as the VIPs are",
                    draft.title(),
                    family_name(vips)
                );
                sink.error(Code::WrongFamily, *span, message);
            }
            good
        });
        PacketPolicy {
            group: own
                .map(|(address, _)| address)
                .or(global.filter(|_| !unicast)),
            unicast_ttl: self.ttl.filter(|_| unicast).unwrap_or(u8::MAX),
            peer_ttl: self.peer_ttl.clone(),
            old_checksum: self
                .old_checksum
                .filter(|_| unicast)
                .unwrap_or(OldChecksum::Detect),
            fault_without_peers: self.fault_without_peers,
            skip_address_check: self
                .skip_address_check
                .or(globals.skip_address_check)
                .unwrap_or(false),
            allowed_sources: Vec::new(),
            max_learned: None,
        }
    }
}

/// A multicast group; `None` where it is none, which is reported.
pub fn group(statement: &Statement, sink: &mut Sink) -> Option<(IpAddr, Span)> {
    let word = first(statement)?;
    word::check(statement.keyword(), word, Kind::Group, sink);
    let address: IpAddr = word.text.parse().ok()?;
    address.is_multicast().then_some((address, word.span))
}

/// As [`group`], of one family.
pub fn group_of(wanted: Family, statement: &Statement, sink: &mut Sink) -> Option<IpAddr> {
    let (address, span) = group(statement, sink)?;
    let good = family(address) == wanted;
    if !good {
        let message = format!(
            "{} {address} is not {}; it is ignored",
            statement.keyword(),
            family_name(wanted)
        );
        sink.warn(Code::WrongFamily, span, message);
    }
    good.then_some(address)
}

/// `[min_ttl N] [max_ttl N]` after a peer; `None` without a usable one.
pub fn ttl_limits(entry: &Statement, sink: &mut Sink) -> Option<(u8, u8)> {
    let (mut min, mut max, mut given) = (0, u8::MAX, false);
    let mut words = entry.arguments().iter();
    while let Some(option) = words.next() {
        let limit = match option.text.as_str() {
            "min_ttl" => &mut min,
            "max_ttl" => &mut max,
            _ => {
                extra_word("the peer", option, false, true, sink);
                break;
            }
        };
        let Some(value) = words.next() else {
            let message = format!("{} is missing its value", option.text);
            sink.warn(Code::MissingValue, option.span, message);
            break;
        };
        word::check(&option.text, value, Kind::Number(0, 255), sink);
        if let Ok(value) = value.text.parse() {
            *limit = value;
            given = true;
        }
    }
    if min > max
        && let Some(word) = entry.words.first()
    {
        let message = format!(
            "peer {} min_ttl {min} > max_ttl {max} - all packets will be discarded",
            word.text
        );
        sink.warn(Code::OutOfRange, word.span, message)
            .help("exchange the two: both routers would become Active");
    }
    given.then_some((min, max))
}
