//! `allowed_sources` and `max_learned_interval`: who is believed, and how much.
//!
//! Lines of failoverd's own, that keepalived skips with a warning.

use agent_common::{AdvertInterval, Family, Version, record::MAX_ALLOWED};

use super::address::{family, family_name};
use super::fast::duration;
use super::global::Globals;
use super::paths::network;
use super::value::{MICROS, decimal_micros, first, seconds};
use crate::config::diagnostic::Code;
use crate::config::lexer::Span;
use crate::config::model::{Network, PacketPolicy, Transport};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Microseconds of a centisecond, the unit of v3.
const CENTI: u64 = MICROS / 100;

/// What one instance says.
#[derive(Debug, Default)]
pub struct Trust {
    sources: Vec<(Network, Span)>,
    pub max_learned: Option<(AdvertInterval, Span)>,
}

/// What else is known of the instance; `transport` where it is usable.
pub struct Heard<'a> {
    pub family: Family,
    pub version: Version,
    pub interval: AdvertInterval,
    pub transport: Option<&'a Transport>,
}

impl Trust {
    /// A word that cannot be read is an error: without it the list would let in
    /// another set of routers than the one that was meant.
    pub fn add_sources(&mut self, statement: &Statement, sink: &mut Sink) {
        let words = statement.arguments();
        if words.is_empty() {
            sink.error(
                Code::MissingValue,
                statement.span(),
                "allowed_sources is missing its value",
            )
            .help("list the addresses of all routers, as in allowed_sources 192.0.2.1 192.0.2.2");
        }
        for word in words {
            match network(&word.text) {
                Some(Some(network)) => self.sources.push((network, word.span)),
                Some(None) | None => {
                    let message = format!(
                        "allowed_sources '{}' is neither an address nor a prefix",
                        word.text
                    );
                    sink.error(Code::BadAddress, word.span, message)
                        .help("write addresses as 192.0.2.1, or prefixes as 192.0.2.0/24");
                }
            }
        }
    }

    /// Puts it into `packets`.
    pub fn settle(
        &self,
        title: &str,
        heard: &Heard<'_>,
        globals: &Globals,
        packets: &mut PacketPolicy,
        sink: &mut Sink,
    ) {
        packets.allowed_sources = self.settle_sources(title, heard, sink);
        let own = self.max_learned.filter(|(_, span)| {
            let learns = heard.version == Version::V3;
            if !learns {
                let message = format!("{title} max_learned_interval has no effect with version 2");
                sink.trap(Code::Conflict, *span, message)
                    .help("remove it: VRRPv2 refuses an interval that is not its own");
            }
            learns
        });
        let global = globals.max_learned.filter(|_| heard.version == Version::V3);
        packets.max_learned = own.or(global).map(|(limit, span)| {
            if limit < heard.interval {
                let text =
                    |it: AdvertInterval| seconds(u64::from(it.centis()).saturating_mul(CENTI));
                let (limit, interval) = (text(limit), text(heard.interval));
                let message = format!(
                    "{title} max_learned_interval {limit} is less than advert_int {interval}: \
                     {interval} is used"
                );
                sink.trap(Code::OutOfRange, span, message)
                    .help("set it to the longest interval that one of your routers has");
            }
            limit.max(heard.interval)
        });
    }

    fn settle_sources(&self, title: &str, heard: &Heard<'_>, sink: &mut Sink) -> Vec<Network> {
        for (network, span) in &self.sources {
            if family(network.address) != heard.family {
                let message = format!(
                    "{title} allowed_sources {network} must be {} as the VIPs are",
                    family_name(heard.family)
                );
                sink.error(Code::WrongFamily, *span, message);
            }
        }
        let mut sources: Vec<Network> = Vec::with_capacity(self.sources.len().min(MAX_ALLOWED));
        for (network, span) in &self.sources {
            if sources.contains(network) {
                continue;
            }
            if sources.len() == MAX_ALLOWED {
                let message = format!("{title} more than {MAX_ALLOWED} allowed_sources");
                sink.error(Code::TooManyPeers, *span, message)
                    .help("put neighbouring addresses together as a prefix");
                break;
            }
            sources.push(*network);
        }
        self.warn_of_peers(title, heard, &sources, sink);
        sources
    }

    /// A router that is configured, and then refused.
    fn warn_of_peers(&self, title: &str, heard: &Heard<'_>, sources: &[Network], sink: &mut Sink) {
        let Some(Transport::Unicast { peers, .. }) = heard.transport else {
            return;
        };
        let Some((_, span)) = self.sources.first() else {
            return;
        };
        for peer in peers {
            if !sources.iter().any(|network| network.contains(*peer)) {
                let message = format!("{title} unicast peer {peer} is not in allowed_sources");
                sink.trap(Code::Conflict, *span, message)
                    .help("add it, or both routers become Active");
            }
        }
    }
}

/// Decimal seconds as those of `advert_int`, or a number with its unit. `None`,
/// and reported, where it is none of both, or not what an advert can carry.
pub fn interval(statement: &Statement, sink: &mut Sink) -> Option<(AdvertInterval, Span)> {
    let name = statement.keyword();
    let Some(word) = first(statement) else {
        sink.error(
            Code::MissingValue,
            statement.span(),
            format!("{name} is missing its value"),
        )
        .help("write the longest interval of all routers, as in 2 or 500ms");
        return None;
    };
    let with_unit = || {
        let span = duration(&word.text)?;
        u64::try_from(span.as_micros()).ok()
    };
    let micros = decimal_micros(&word.text).or_else(with_unit);
    let most = u64::from(AdvertInterval::MAX_V3.centis()).saturating_mul(CENTI);
    let usable = micros.filter(|micros| (CENTI..=most).contains(micros));
    let centis = usable.map(|micros| micros.div_ceil(CENTI));
    let limit = centis
        .and_then(|centis| u16::try_from(centis).ok())
        .and_then(AdvertInterval::from_centis);
    if limit.is_none() {
        let message = format!(
            "{name} '{}' is not a time of 0.01 to 40.95 seconds",
            word.text
        );
        // Without the limit that was asked for, one packet could do harm.
        sink.error(Code::OutOfRange, word.span, message)
            .help("write the longest interval of all routers, as in 2 or 500ms");
    }
    limit.map(|limit| (limit, word.span))
}
