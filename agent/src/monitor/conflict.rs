//! What the routers of one VRID contradict each other in.
//!
//! Two Actives are told from a hand-over by what follows: after a hand-over
//! the old Active sends at most the advert that was already on its way. So an
//! advert counts as an overlap when another Active was heard since the same
//! router's advert before, and two Actives with two overlaps each are too many.
//! The other comparisons include routers that do not send at present, for
//! [`MEMORY`]: the one that will take over next is the one to be compared.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::KernelTime;

use super::{
    event::{Conflict, ConflictKind, State},
    record::Record,
    sight::RouterKey,
    words::{addresses, span},
};

/// Routers named in one conflict.
pub const NAMED: usize = 8;
/// How long a router that no longer sends is compared with those that do.
pub const MEMORY: Duration = Duration::from_secs(600);
/// Overlaps of each of two Actives that a hand-over cannot explain.
const OVERLAPS: u32 = 2;

/// The conflict of one kind within the records of one virtual router, if any.
pub fn find<'a>(
    kind: ConflictKind,
    router: RouterKey,
    records: impl Iterator<Item = &'a Record> + Clone,
    now: KernelTime,
) -> Option<Conflict> {
    let parties: Vec<&Record> = match kind {
        ConflictKind::DualActive => {
            let overlapping = |r: &&Record| r.state == State::Active && r.overlaps >= OVERLAPS;
            records.filter(overlapping).collect()
        }
        ConflictKind::Version
        | ConflictKind::Interval
        | ConflictKind::Auth
        | ConflictKind::Vips => {
            let current = |r: &&Record| r.state == State::Active || r.age(now) < MEMORY;
            let first = records.clone().find(current)?;
            let differs = records
                .clone()
                .filter(current)
                .any(|other| !agree(kind, first, other));
            if !differs {
                return None;
            }
            records.filter(current).collect()
        }
    };
    if parties.len() < 2 {
        return None;
    }
    let named = parties.get(..NAMED.min(parties.len())).unwrap_or_default();
    let mut words: Vec<String> = named.iter().map(|record| says(kind, record)).collect();
    if parties.len() > NAMED {
        words.push(format!("{} more", parties.len() - NAMED));
    }
    Some(Conflict {
        conflict: kind,
        router: router.into(),
        sources: named.iter().map(|record| record.advert.source).collect(),
        detail: words.join("; "),
        over: false,
    })
}

fn agree(kind: ConflictKind, one: &Record, other: &Record) -> bool {
    match kind {
        ConflictKind::DualActive => true,
        ConflictKind::Version => one.advert.version == other.advert.version,
        ConflictKind::Interval => one.advert.interval == other.advert.interval,
        ConflictKind::Auth => one.advert.auth == other.advert.auth,
        ConflictKind::Vips => one.vip_set == other.vip_set,
    }
}

fn says(kind: ConflictKind, record: &Record) -> String {
    let advert = &record.advert;
    let source: IpAddr = advert.source;
    match kind {
        ConflictKind::DualActive => format!("{source} with priority {}", advert.priority),
        ConflictKind::Version => format!("{source} sends version {}", advert.version as u8),
        ConflictKind::Interval => {
            format!("{source} every {}", span(advert.interval.duration()))
        }
        ConflictKind::Auth => format!("{source} {}", advert.auth.label()),
        ConflictKind::Vips => format!("{source} has {}", addresses(&advert.vips, 4)),
    }
}
