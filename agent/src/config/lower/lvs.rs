//! Virtual servers, their groups, and what `global_defs` say of IPVS.
//!
//! That single words are good is checked by [`crate::config::survey`], which
//! reports; here what is good is taken, and what does not fit together is
//! mended as keepalived mends it, with a warning. Checkers are kept as they
//! are written.

mod server;
mod words;

use std::collections::{HashMap, HashSet};

use agent_common::Family;

use self::words::{entries, find, sync_daemon, timeouts};
use crate::config::diagnostic::Code;
use crate::config::lexer::Span;
use crate::config::model::{
    FlushOnStop, Front, GroupEntry, Lvs, ServerGroup, SyncDaemon, VirtualServer,
};
use crate::config::sink::{Sink, VIRTUAL_SERVERS};
use crate::config::tree::Statement;
use crate::ipvs::{Protocol, Timeouts, wanted};

/// Services of one configuration, those of groups counted one by one.
pub const MAX_SERVICES: u128 = 65_536;
/// Their real servers, counted for each service: some 100 MB.
pub const MAX_DESTINATIONS: u128 = 500_000;

/// What `global_defs` say.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    timeouts: Timeouts,
    flush: bool,
    flush_on_stop: FlushOnStop,
    sync_daemon: Option<(SyncDaemon, Span)>,
}

impl Globals {
    pub fn set(&mut self, keyword: &str, statement: &Statement, sink: &mut Sink) {
        sink.not_yet(VIRTUAL_SERVERS, keyword, statement.span());
        match keyword {
            "lvs_timeouts" => self.timeouts = timeouts(statement, self.timeouts),
            "lvs_flush" => self.flush = true,
            "lvs_flush_on_stop" => {
                self.flush_on_stop = match statement.arguments().first() {
                    Some(word) if word.text == "VS" => FlushOnStop::Services,
                    Some(_) | None => FlushOnStop::All,
                };
            }
            "lvs_sync_daemon" => {
                let given = sync_daemon(statement).map(|daemon| (daemon, statement.span()));
                self.sync_daemon = given.or(self.sync_daemon.take());
            }
            _ => {}
        }
    }
}

/// All virtual servers and groups, in the order of the file.
#[derive(Debug, Default)]
pub struct Given {
    groups: Vec<ServerGroup>,
    servers: Vec<(VirtualServer, Span)>,
    /// A mark of each family is a service of its own.
    seen: HashSet<(Front, Protocol, Option<Family>)>,
    /// `net_namespace_ipvs`.
    elsewhere: bool,
}

impl Given {
    pub fn new(tree: &[Statement]) -> Self {
        Self {
            elsewhere: find(tree, "net_namespace_ipvs").is_some(),
            ..Self::default()
        }
    }

    /// A `virtual_server_group`.
    pub fn group(&mut self, statement: &Statement, sink: &mut Sink) {
        let Some(name) = statement.arguments().first() else {
            return;
        };
        // The first of two counts, which was said.
        if self.groups.iter().all(|group| group.name != name.text) {
            let entries = entries(statement, sink);
            let name = name.text.clone();
            self.groups.push(ServerGroup { name, entries });
        }
    }

    /// A `virtual_server`.
    pub fn server(&mut self, statement: &Statement, sink: &mut Sink) {
        sink.not_yet(VIRTUAL_SERVERS, statement.keyword(), statement.span());
        let Some(server) = server::lower(statement, sink) else {
            return;
        };
        let title = server::title(&server);
        let protocol = match server.front {
            Front::Mark(_) => Protocol::default(),
            Front::Address(..) | Front::Group(_) => server.protocol,
        };
        let family = match server.front {
            Front::Mark(_) | Front::Group(_) => Some(server.mark_family()),
            Front::Address(..) => None,
        };
        if self.seen.insert((server.front.clone(), protocol, family)) {
            self.servers.push((server, statement.span()));
        } else {
            let message = format!("{title} is given twice; the first one counts");
            sink.trap(Code::Duplicate, statement.span(), message)
                .help("put all real servers into one block");
        }
    }

    pub fn finish(mut self, globals: Globals, instances: &[String], sink: &mut Sink) -> Lvs {
        if self.elsewhere {
            self.servers.clear();
        }
        for (server, span) in &mut self.servers {
            zero_ports(server, &self.groups, *span, sink);
        }
        self.bound(sink);
        let Globals {
            timeouts,
            flush,
            flush_on_stop,
            sync_daemon,
        } = globals;
        let sync_daemon = sync_daemon.and_then(|(daemon, span)| {
            let known = |name: &String| instances.contains(name);
            if daemon.instance.as_ref().is_none_or(known) {
                return Some(daemon);
            }
            let name = daemon.instance.unwrap_or_default();
            let message = format!("lvs_sync_daemon: vrrp_instance {name} not found, ignoring it");
            sink.trap(Code::UnknownName, span, message)
                .help("name an instance of this file: lvs_sync_daemon INTERFACE inst NAME");
            None
        });
        let (virtual_servers, spans): (Vec<_>, Vec<_>) = self.servers.into_iter().unzip();
        let lvs = Lvs {
            groups: self.groups,
            virtual_servers,
            timeouts,
            flush,
            flush_on_stop,
            sync_daemon,
        };
        overlaps(&lvs, &spans, sink);
        lvs
    }

    /// Leaves out what would take all memory, as a range of IPv6 does. It is no
    /// error: VIPs do not depend on it.
    fn bound(&mut self, sink: &mut Sink) {
        let sizes: HashMap<&str, u128> = self
            .groups
            .iter()
            .map(|group| {
                let counts = group.entries.iter().map(GroupEntry::count);
                let sum = counts.fold(0_u128, u128::saturating_add);
                (group.name.as_str(), sum)
            })
            .collect();
        let mut services = 0_u128;
        let mut destinations = 0_u128;
        self.servers.retain(|(server, span)| {
            let count = match &server.front {
                Front::Group(name) => sizes.get(name.as_str()).copied().unwrap_or(0),
                Front::Address(..) | Front::Mark(_) => 1,
            };
            let servers = u128::try_from(server.servers.len()).unwrap_or(u128::MAX);
            let all = services.saturating_add(count);
            let each = destinations.saturating_add(count.saturating_mul(servers));
            let what = match (all > MAX_SERVICES, each > MAX_DESTINATIONS) {
                (false, false) => {
                    (services, destinations) = (all, each);
                    return true;
                }
                (true, _) => format!("{MAX_SERVICES} virtual services"),
                (false, true) => format!("{MAX_DESTINATIONS} real servers of all services"),
            };
            let message = format!(
                "{}: with it there are more than {what}; it is left out",
                server::title(server)
            );
            sink.warn(Code::TooMuch, *span, message)
                .help("every address of a range is a service: use a fwmark in their place");
            false
        });
    }
}

/// A service that two virtual servers ask for is that of the first one.
fn overlaps(lvs: &Lvs, spans: &[Span], sink: &mut Sink) {
    let mut seen = HashSet::new();
    for (server, span) in lvs.virtual_servers.iter().zip(spans) {
        let keys = wanted::keys(lvs, server);
        let mut again = keys.into_iter().filter(|key| !seen.insert(*key));
        let Some(first) = again.next() else { continue };
        let message = format!(
            "{}: {} of its services are asked for before, the first of them {first}; those \
             that come first count",
            server::title(server),
            again.count().saturating_add(1)
        );
        sink.warn(Code::Duplicate, *span, message)
            .help("take these addresses, marks and ports out of one of the two");
    }
}

/// All ports are one service only where clients are held to their server.
fn zero_ports(server: &mut VirtualServer, groups: &[ServerGroup], span: Span, sink: &mut Sink) {
    let is_zero = |entry: &GroupEntry| matches!(entry, GroupEntry::Range { port: 0, .. });
    let zero = match &server.front {
        Front::Address(_, port) => *port == 0,
        Front::Mark(_) => false,
        Front::Group(name) => groups
            .iter()
            .filter(|group| group.name == *name)
            .any(|group| group.entries.iter().any(is_zero)),
    };
    if zero && server.persistence.is_none() {
        let message = format!(
            "{}: without a port it has to be persistent; {} s are used",
            server::title(server),
            server::PERSISTENCE
        );
        sink.warn(Code::Conflict, span, message)
            .help("give it a port, or persistence_timeout");
        server.persistence = Some(server::PERSISTENCE);
    }
}
