//! What leads from what the kernel has to what is wanted.
//!
//! A service of the file is ours, whoever made it, and so are its settings:
//! it is edited in place. Of its destinations, and of services that are not in
//! the file, those are removed that we are known to have asked for before; all
//! others are somebody else's and stay, unless everything else is to go
//! (`lvs_flush`). What is right is not touched.
//!
//! Servers are added before others are removed, so that a service that had one
//! is never without; edits keep connections; a changed weight is an edit.

use super::{
    Daemon, DestinationKey, Picture, Pool, Service, ServiceKey, Table, Timeouts, encode::Command,
};

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub table: Table,
    pub timeouts: Timeouts,
    /// None where daemons are not our business.
    pub daemons: Option<Vec<Daemon>>,
}

/// What becomes of entries that we did not ask for, now or before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    Stay,
    Go,
}

/// The steps, in their order. None where all is as it should be.
pub fn plan<'a>(
    wanted: &'a Wanted,
    before: &Wanted,
    present: &Picture,
    others: Others,
) -> Vec<Command<'a>> {
    let mut steps = Vec::new();
    for (key, pool) in &wanted.table {
        let Pool { service, servers } = pool;
        match present.table.get(key) {
            None => {
                steps.push(Command::NewService(service));
                let new = servers.values();
                steps.extend(new.map(|one| Command::NewDestination(*key, one)));
            }
            Some(found) => {
                if found.service != *service {
                    steps.push(Command::SetService(service));
                }
                servers_of(*key, pool, found, &mut steps);
                let old = before.table.get(key);
                let gone = superfluous(pool, old, found, others);
                steps.extend(gone.map(|one| Command::DelDestination(*key, one)));
            }
        }
    }
    let superfluous = present.table.keys().filter(|key| {
        let ours = others == Others::Go || before.table.contains_key(key);
        ours && !wanted.table.contains_key(key)
    });
    steps.extend(superfluous.map(|key| Command::DelService(*key)));
    if wanted.timeouts.over(present.timeouts) != present.timeouts {
        steps.push(Command::SetTimeouts(wanted.timeouts));
    }
    daemons(wanted, before, present, &mut steps);
    steps
}

fn servers_of<'a>(key: ServiceKey, pool: &'a Pool, found: &Pool, steps: &mut Vec<Command<'a>>) {
    for (at, server) in &pool.servers {
        match found.servers.get(at) {
            None => steps.push(Command::NewDestination(key, server)),
            Some(there) if there == server => {}
            Some(_) => steps.push(Command::SetDestination(key, server)),
        }
    }
}

fn superfluous<'a>(
    pool: &'a Pool,
    old: Option<&'a Pool>,
    found: &'a Pool,
    others: Others,
) -> impl Iterator<Item = DestinationKey> + 'a {
    let ours = move |at: &DestinationKey| {
        others == Others::Go || old.is_some_and(|old| old.servers.contains_key(at))
    };
    let there = found.servers.keys().copied();
    there.filter(move |at| !pool.servers.contains_key(at) && ours(at))
}

/// Entries that are not in the file and stay: services, and destinations of
/// services that are in it.
pub fn foreign(wanted: &Wanted, before: &Wanted, present: &Picture) -> (usize, usize) {
    let mut services = 0_usize;
    let mut servers = 0_usize;
    for (key, found) in &present.table {
        match wanted.table.get(key) {
            None if before.table.contains_key(key) => {}
            None => services = services.saturating_add(1),
            Some(pool) => {
                let old = before.table.get(key);
                let all = superfluous(pool, old, found, Others::Go).count();
                let ours = superfluous(pool, old, found, Others::Stay).count();
                servers = servers.saturating_add(all.saturating_sub(ours));
            }
        }
    }
    (services, servers)
}

/// The kernel has one of each role. What it says of the rest (a length that it
/// has cut, defaults) is not compared: a daemon is started anew when another
/// one is asked for than the last time.
fn daemons<'a>(
    wanted: &'a Wanted,
    before: &Wanted,
    present: &Picture,
    steps: &mut Vec<Command<'a>>,
) {
    let ours_before = before.daemons.as_deref().unwrap_or_default();
    let Some(wanted) = &wanted.daemons else {
        // Not our business any more: what we started ends.
        let started = |one: &&Daemon| ours_before.iter().any(|ours| ours.role == one.role);
        let running = present.daemons.iter().filter(started);
        steps.extend(running.map(|one| Command::DelDaemon(one.role)));
        return;
    };
    let fits = |one: &Daemon, running: &Daemon| {
        let asked = ours_before.iter().find(|ours| ours.role == one.role);
        one.role == running.role
            && one.interface == running.interface
            && one.sync_id == running.sync_id
            && asked.is_none_or(|asked| asked == one)
    };
    for running in &present.daemons {
        if !wanted.iter().any(|one| fits(one, running)) {
            steps.push(Command::DelDaemon(running.role));
        }
    }
    for one in wanted {
        if !present.daemons.iter().any(|running| fits(one, running)) {
            steps.push(Command::NewDaemon(one));
        }
    }
}

/// What a refused step was about, for a line of the log.
pub fn describe(step: &Command<'_>) -> String {
    let of = |service: &ServiceKey| format!("virtual server {service}");
    match step {
        Command::NewService(service) => format!("cannot add {}", title(service)),
        Command::SetService(service) => format!("cannot change {}", title(service)),
        Command::DelService(key) => format!("cannot remove {}", of(key)),
        Command::NewDestination(key, one) => {
            format!("cannot add real server {} to {}", one.key, of(key))
        }
        Command::SetDestination(key, one) => {
            format!("cannot change real server {} of {}", one.key, of(key))
        }
        Command::DelDestination(key, one) => {
            format!("cannot remove real server {one} from {}", of(key))
        }
        Command::NewDaemon(one) => format!(
            "cannot start the {} sync daemon on {}",
            one.role.name(),
            one.interface
        ),
        Command::DelDaemon(role) => format!("cannot stop the {} sync daemon", role.name()),
        Command::SetTimeouts(_) => "cannot set lvs_timeouts".to_owned(),
    }
}

fn title(service: &Service) -> String {
    format!(
        "virtual server {} (scheduler {})",
        service.key, service.scheduler
    )
}
