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
    wanted::Checked,
};

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub table: Table,
    pub timeouts: Timeouts,
    /// None where daemons are not our business.
    pub daemons: Option<Vec<Daemon>>,
    /// For a warning.
    pub checked: Checked,
}

impl Wanted {
    /// Remembers what `other` asks for too, as long as nobody knows which of
    /// both the kernel has. Where both say something, `other` counts.
    pub fn join(&mut self, other: &Self) {
        let Self {
            table,
            timeouts,
            daemons,
            checked,
        } = self;
        for (key, pool) in &other.table {
            let Some(known) = table.get_mut(key) else {
                table.insert(*key, pool.clone());
                continue;
            };
            known.service.clone_from(&pool.service);
            known.servers.extend(&pool.servers);
        }
        *timeouts = other.timeouts;
        *checked = other.checked;
        join_daemons(daemons, other.daemons.as_deref());
    }

    /// Of [`Self::join`] the daemons.
    pub fn join_daemons(&mut self, new: Option<&[Daemon]>) {
        join_daemons(&mut self.daemons, new);
    }

    /// Forgets services that nobody has.
    pub fn keep_present(&mut self, present: &Picture) {
        self.table.retain(|key, _| present.table.contains_key(key));
    }
}

fn join_daemons(known: &mut Option<Vec<Daemon>>, new: Option<&[Daemon]>) {
    let Some(new) = new else { return };
    let old = known.take().unwrap_or_default();
    let is_new = |one: &Daemon| new.iter().any(|other| other.role == one.role);
    let old = old.into_iter().filter(|one| !is_new(one));
    *known = Some(new.iter().cloned().chain(old).collect());
}

/// What becomes of entries that we asked for before as we do now, and that
/// somebody has changed or removed since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drift {
    /// They are put right: nobody knows what the kernel had.
    Mended,
    /// They stay so: somebody drains a server, as with ipvsadm.
    Left,
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
    drift: Drift,
) -> Vec<Command<'a>> {
    let mut steps = Vec::new();
    for (key, pool) in &wanted.table {
        let Pool { service, servers } = pool;
        let old = before.table.get(key);
        let same = old.filter(|_| drift == Drift::Left);
        match present.table.get(key) {
            None if same == Some(pool) => {}
            None => {
                steps.push(Command::NewService(service));
                let new = servers.values();
                steps.extend(new.map(|one| Command::NewDestination(*key, one)));
            }
            Some(found) => {
                let is_left = same.is_some_and(|same| same.service == *service);
                if found.service != *service && !is_left {
                    steps.push(Command::SetService(service));
                }
                servers_of(*key, pool, same, found, &mut steps);
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
    steps.extend(daemons(wanted.daemons.as_deref(), before, present));
    steps
}

/// `same`: what was asked for before, where that is left alone.
fn servers_of<'a>(
    key: ServiceKey,
    pool: &'a Pool,
    same: Option<&Pool>,
    found: &Pool,
    steps: &mut Vec<Command<'a>>,
) {
    for (at, server) in &pool.servers {
        if same.is_some_and(|same| same.servers.get(at) == Some(server)) {
            continue;
        }
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
pub fn daemons<'a>(
    wanted: Option<&'a [Daemon]>,
    before: &Wanted,
    present: &Picture,
) -> Vec<Command<'a>> {
    let mut steps = Vec::new();
    let ours_before = before.daemons.as_deref().unwrap_or_default();
    let Some(wanted) = wanted else {
        // Not our business any more: what we started ends.
        let started = |one: &&Daemon| ours_before.iter().any(|ours| ours.role == one.role);
        let running = present.daemons.iter().filter(started);
        steps.extend(running.map(|one| Command::DelDaemon(one.role)));
        return steps;
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
    steps
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
