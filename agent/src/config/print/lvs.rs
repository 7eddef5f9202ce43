//! Virtual servers, their groups, and what `global_defs` say of IPVS.

use std::net::IpAddr;

use super::writer::Writer;
use crate::config::lexer::READS_ESCAPES;
use crate::config::model::{
    FlushOnStop, Front, Granularity, GroupEntry, Lvs, RealServer, ServerGroup, Sorry, SyncDaemon,
    Unused, VirtualServer,
};
use crate::ipvs::{Forward, Protocol, Timeouts, show};

/// Lines of `global_defs`.
pub fn globals(lvs: &Lvs, writer: &mut Writer) {
    let Lvs {
        // Of their own blocks.
        groups: _,
        virtual_servers: _,
        timeouts,
        flush,
        flush_on_stop,
        sync_daemon,
    } = lvs;
    if *timeouts != Timeouts::default() {
        let words = timeout_words(*timeouts);
        writer.words("lvs_timeouts", &words);
    }
    writer.flag("lvs_flush", *flush);
    match flush_on_stop {
        FlushOnStop::No => {}
        FlushOnStop::Services => writer.line("lvs_flush_on_stop VS"),
        FlushOnStop::All => writer.line("lvs_flush_on_stop"),
    }
    if let Some(daemon) = sync_daemon {
        writer.words("lvs_sync_daemon", sync_words(daemon));
    }
}

/// As `lvs_timeouts` takes them.
pub fn timeout_words(timeouts: Timeouts) -> Vec<String> {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    let given = [("tcp", tcp), ("tcpfin", tcp_fin), ("udp", udp)];
    let given = given.into_iter().filter(|(_, seconds)| *seconds > 0);
    given
        .flat_map(|(name, seconds)| [name.to_owned(), seconds.to_string()])
        .collect()
}

/// As `lvs_sync_daemon` takes them.
pub fn sync_words(daemon: &SyncDaemon) -> Vec<String> {
    let SyncDaemon {
        interface,
        instance,
        id,
        max_length,
        port,
        ttl,
        group,
    } = daemon;
    let options = [
        ("inst", instance.clone()),
        ("id", id.map(|id| id.to_string())),
        ("maxlen", max_length.map(|length| length.to_string())),
        ("port", port.map(|port| port.to_string())),
        ("ttl", ttl.map(|ttl| ttl.to_string())),
        ("group", group.map(|group| group.to_string())),
    ];
    let given = options.into_iter();
    let given = given.filter_map(|(name, value)| Some([name.to_owned(), value?]));
    std::iter::once(interface.to_string())
        .chain(given.flatten())
        .collect()
}

pub fn groups(lvs: &Lvs, writer: &mut Writer) {
    for ServerGroup { name, entries } in &lvs.groups {
        writer.named_block("virtual_server_group", name, |writer| {
            entries.iter().for_each(|one| writer.line(&entry_line(one)));
        });
    }
}

/// An entry of a group.
pub fn entry_line(entry: &GroupEntry) -> String {
    match entry {
        GroupEntry::Mark { mark, v6 } => {
            let family = match v6 {
                None => "",
                Some(false) => " inet",
                Some(true) => " inet6",
            };
            format!("fwmark {mark}{family}")
        }
        GroupEntry::Range { first, last, port } => {
            let port = at_port(*port);
            match first == last {
                true => format!("{first}{port}"),
                false => format!("{first}-{last}{port}"),
            }
        }
    }
}

fn at_port(port: u16) -> String {
    match port {
        0 => String::new(),
        port => format!(" {port}"),
    }
}

pub fn servers(lvs: &Lvs, writer: &mut Writer) {
    for server in &lvs.virtual_servers {
        let words = front_words(&server.front);
        writer.statement("virtual_server", &words, |writer| {
            settings(server, writer);
            for real in &server.servers {
                real_server(server, real, writer);
            }
        });
    }
}

/// What follows `virtual_server`.
pub fn front_words(front: &Front) -> Vec<String> {
    match front {
        Front::Address(address, port) => place_words(*address, *port),
        Front::Mark(mark) => vec!["fwmark".to_owned(), mark.to_string()],
        Front::Group(name) => vec!["group".to_owned(), name.clone()],
    }
}

fn place_words(address: IpAddr, port: u16) -> Vec<String> {
    let port = (port != 0).then(|| port.to_string());
    std::iter::once(address.to_string()).chain(port).collect()
}

/// All of a virtual server but its real servers.
pub fn settings(server: &VirtualServer, writer: &mut Writer) {
    let VirtualServer {
        front,
        protocol,
        v6,
        scheduler,
        flags,
        one_packet,
        persistence,
        engine,
        granularity,
        forward,
        sorry,
        servers: _,
        checks,
    } = server;
    writer.set("lvs_sched", scheduler);
    method("lvs_method", *forward, writer);
    match (front, protocol) {
        (Front::Mark(_), Protocol::Tcp) => {}
        (Front::Address(..) | Front::Group(_) | Front::Mark(_), protocol) => {
            writer.set("protocol", protocol.name());
        }
    }
    let family = v6.map(|v6| if v6 { "inet6" } else { "inet" });
    writer.maybe("ip_family", family);
    for (name, on) in [
        ("flag-1", flags[0]),
        ("flag-2", flags[1]),
        ("flag-3", flags[2]),
    ] {
        writer.flag(name, on);
    }
    writer.flag("ops", *one_packet);
    writer.maybe("persistence_timeout", persistence.as_ref());
    writer.maybe("persistence_engine", engine.as_ref());
    match granularity {
        Some(Granularity::V4(length)) => {
            let unused = 32_u32.saturating_sub(u32::from(*length));
            let mask = u32::MAX.checked_shl(unused).unwrap_or(0);
            writer.set(
                "persistence_granularity",
                std::net::Ipv4Addr::from_bits(mask),
            );
        }
        Some(Granularity::V6(length)) => writer.set("persistence_granularity", length),
        None => {}
    }
    if let Some(Sorry {
        address,
        port,
        forward: own,
    }) = sorry
    {
        writer.words("sorry_server", place_words(*address, *port));
        if own != forward {
            method("sorry_server_lvs_method", *own, writer);
        }
    }
    checks.iter().for_each(|one| unused(one, writer));
}

fn method(keyword: &str, forward: Forward, writer: &mut Writer) {
    writer.line(&format!("{keyword} {}", show::method(forward)));
}

/// A real server of `server`.
pub fn real_server(server: &VirtualServer, real: &RealServer, writer: &mut Writer) {
    let RealServer {
        address,
        port,
        weight,
        forward,
        upper,
        lower,
        checks,
    } = real;
    writer.statement("real_server", &place_words(*address, *port), |writer| {
        writer.set("weight", weight);
        if *forward != server.forward {
            method("lvs_method", *forward, writer);
        }
        writer.maybe("uthreshold", Some(upper).filter(|upper| **upper != 0));
        writer.maybe("lthreshold", Some(lower).filter(|lower| **lower != 0));
        checks.iter().for_each(|one| unused(one, writer));
    });
}

fn unused(one: &Unused, writer: &mut Writer) {
    let Unused { words, block } = one;
    let Some((keyword, arguments)) = words.split_first() else {
        return;
    };
    match block {
        Some(inner) => writer.statement(keyword, arguments, |writer| {
            inner.iter().for_each(|one| unused(one, writer));
        }),
        None if READS_ESCAPES.contains(&keyword.as_str()) => writer.escaped(keyword, arguments),
        None => writer.words(keyword, arguments),
    }
}
