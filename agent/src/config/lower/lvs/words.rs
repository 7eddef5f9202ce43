//! Words of statements to values; `None` for what is no such value.

use std::net::{IpAddr, Ipv4Addr};

use super::super::paths::network;
use crate::config::diagnostic::Code;
use crate::config::lexer::Word;
use crate::config::model::{Granularity, GroupEntry, IfName, SyncDaemon, Unused};
use crate::config::sink::Sink;
use crate::config::tree::Statement;
use crate::ipvs::{Checksum, Forward, Timeouts, Tunnel};

/// The last statement of that name.
pub fn find<'a>(block: &'a [Statement], keyword: &str) -> Option<&'a Statement> {
    block.iter().rfind(|inner| inner.keyword() == keyword)
}

/// The last value of that name that is one.
pub fn last<T>(
    block: &[Statement],
    keywords: &[&str],
    read: impl Fn(&Statement) -> Option<T>,
) -> Option<T> {
    let named = block.iter().rev();
    let mut named = named.filter(|inner| keywords.contains(&inner.keyword()));
    named.find_map(read)
}

/// A number of 0 to `most`.
pub fn number(statement: &Statement, most: u32) -> Option<u32> {
    let text = &statement.arguments().first()?.text;
    text.parse().ok().filter(|number| *number <= most)
}

/// `NAT`, `DR`, or `TUN` with its options.
pub fn method(statement: &Statement) -> Option<Forward> {
    let (way, options) = statement.arguments().split_first()?;
    match way.text.as_str() {
        "NAT" => Some(Forward::Masquerade),
        "DR" => Some(Forward::Route),
        "TUN" => tunnel(options).map(Forward::Tunnel),
        _ => None,
    }
}

/// GUE without a port is none: the kernel needs one.
fn tunnel(options: &[Word]) -> Option<Tunnel> {
    let mut kind = "ipip";
    let mut port = None;
    let mut checksum = Checksum::None;
    let mut words = options.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "type" => kind = words.next()?.text.as_str(),
            "port" => port = words.next()?.text.parse().ok().filter(|port| *port > 0),
            "nocsum" => checksum = Checksum::None,
            "csum" => checksum = Checksum::Full,
            "remcsum" => checksum = Checksum::Remote,
            _ => {}
        }
    }
    match kind {
        "ipip" => Some(Tunnel::Ipip),
        "gue" => Some(Tunnel::Gue {
            port: port?,
            checksum,
        }),
        "gre" => Some(Tunnel::Gre {
            checksum: match checksum {
                // Of GUE only.
                Checksum::Remote => Checksum::None,
                Checksum::None | Checksum::Full => checksum,
            },
        }),
        _ => None,
    }
}

/// A mask of IPv4, or a prefix length of IPv6.
pub fn granularity(statement: &Statement) -> Option<Granularity> {
    let text = &statement.arguments().first()?.text;
    match (text.parse::<Ipv4Addr>(), text.parse::<u8>()) {
        (Ok(mask), _) => {
            let ones = mask.to_bits().leading_ones();
            let whole = ones.saturating_add(mask.to_bits().trailing_zeros()) >= 32;
            let length = u8::try_from(ones).ok()?;
            whole.then_some(Granularity::V4(length))
        }
        (Err(_), Ok(length @ 1..=128)) => Some(Granularity::V6(length)),
        (Err(_), _) => None,
    }
}

/// `ADDRESS [PORT]`, port zero where there is none.
pub fn place(words: &[Word]) -> Option<(IpAddr, u16)> {
    let (address, rest) = words.split_first()?;
    let address = address.text.parse().ok()?;
    let port = match rest.first() {
        Some(port) => port.text.parse().ok().filter(|port| *port > 0)?,
        None => 0,
    };
    Some((address, port))
}

/// What `before` has not.
pub fn timeouts(statement: &Statement, before: Timeouts) -> Timeouts {
    let mut timeouts = before;
    let mut words = statement.arguments().iter();
    while let Some(name) = words.next() {
        let slot = match name.text.as_str() {
            "tcp" => &mut timeouts.tcp,
            "tcpfin" | "tcp_fin" => &mut timeouts.tcp_fin,
            "udp" => &mut timeouts.udp,
            _ => continue,
        };
        let seconds = words.next().and_then(|word| word.text.parse::<u32>().ok());
        *slot = seconds
            .filter(|seconds| (1..=2_147_483).contains(seconds))
            .unwrap_or(*slot);
    }
    timeouts
}

/// `INTERFACE [[inst] NAME] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]`
pub fn sync_daemon(statement: &Statement) -> Option<SyncDaemon> {
    let (interface, mut words) = statement.arguments().split_first()?;
    let mut daemon = SyncDaemon {
        interface: IfName::new(&interface.text)?,
        instance: None,
        id: None,
        max_length: None,
        port: None,
        ttl: None,
        group: None,
    };
    let is_option = |word: &Word| {
        ["inst", "id", "maxlen", "port", "ttl", "group"].contains(&word.text.as_str())
    };
    // An instance may stand first without its `inst`.
    if let Some((first, rest)) = words.split_first()
        && !is_option(first)
    {
        daemon.instance = Some(first.text.clone());
        words = rest;
    }
    let mut words = words.iter();
    while let Some(name) = words.next() {
        let known = is_option(name);
        let Some(value) = known.then(|| words.next()).flatten().map(|word| &word.text) else {
            continue;
        };
        match name.text.as_str() {
            "inst" => daemon.instance = Some(value.clone()),
            "id" => daemon.id = value.parse().ok().or(daemon.id),
            "maxlen" => daemon.max_length = positive(value).or(daemon.max_length),
            "port" => daemon.port = positive(value).or(daemon.port),
            "ttl" => daemon.ttl = value.parse().ok().filter(|ttl| *ttl > 0).or(daemon.ttl),
            "group" => {
                let group = value.parse().ok().filter(IpAddr::is_multicast);
                daemon.group = group.or(daemon.group);
            }
            _ => {}
        }
    }
    // The kernel carries no more in one datagram.
    daemon.max_length = daemon.max_length.map(|length| length.min(65_507));
    Some(daemon)
}

fn positive(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number > 0)
}

/// The entries of a `virtual_server_group`.
pub fn entries(block: &Statement, sink: &mut Sink) -> Vec<GroupEntry> {
    let entries = block.block.iter().flatten();
    entries.filter_map(|one| entry(one, sink)).collect()
}

fn entry(entry: &Statement, sink: &mut Sink) -> Option<GroupEntry> {
    let (first, rest) = entry.words.split_first()?;
    if first.text == "fwmark" {
        let mark = rest.first()?.text.parse().ok()?;
        let v6 = match rest.get(1).map(|word| word.text.as_str()) {
            Some("inet") => Some(false),
            Some("inet6") => Some(true),
            Some(_) | None => None,
        };
        return Some(GroupEntry::Mark { mark, v6 });
    }
    let port = match rest.first() {
        Some(port) => positive(&port.text)?,
        None => 0,
    };
    let (from, to) = range(first, sink)?;
    Some(GroupEntry::Range {
        first: from,
        last: to,
        port,
    })
}

/// `A`, `A-B`, `A-N` (the last part of the address, as it is written there) or
/// `A/LENGTH`.
fn range(word: &Word, sink: &mut Sink) -> Option<(IpAddr, IpAddr)> {
    let text = &word.text;
    if text.contains('/') {
        let network = network(text)??;
        let (address, _) = text.split_once('/')?;
        if address.parse() != Ok(network.address) {
            let message = format!("{text} has bits behind its length; the entry is left out");
            sink.warn(Code::BadAddress, word.span, message)
                .help(format!("the range begins at {}", network.address));
            return None;
        }
        return Some((network.address, end_of(network.address, network.length)));
    }
    let Some((from, to)) = text.split_once('-') else {
        let address = text.parse().ok()?;
        return Some((address, address));
    };
    let first: IpAddr = from.parse().ok()?;
    let last = match (first, to.parse()) {
        (_, Ok(last)) => last,
        (IpAddr::V4(v4), Err(_)) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, to.parse().ok()?])
        }
        (IpAddr::V6(v6), Err(_)) => {
            let low = u128::from(u16::from_str_radix(to, 16).ok()?);
            IpAddr::V6(((v6.to_bits() & !0xffff) | low).into())
        }
    };
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}

/// The last address of a network.
fn end_of(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V4((v4.to_bits() | host).into())
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V6((v6.to_bits() | host).into())
        }
    }
}

/// A statement as it is written.
pub fn unused(statement: &Statement) -> Unused {
    Unused {
        words: statement
            .words
            .iter()
            .map(|word| word.text.clone())
            .collect(),
        block: statement
            .block
            .as_ref()
            .map(|block| block.iter().map(unused).collect()),
    }
}
