//! Routes and rules of an instance or of the machine, serialised beforehand.
//!
//! Adding is asked for so that what is there already is refused and left
//! alone (EEXIST): the same batch puts back what is missing and touches
//! nothing else. Removing names who set it, so that a route of somebody else
//! to the same destination stays.

mod route;
mod rule;

use std::io;

use super::batch::{Batch, BatchResult, CommandSocket};
use crate::config::{
    IfName,
    model::{Paths, Place, RouteKind},
};

const REQUEST: u16 = 1;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// errno of an addition that says that all is as wished.
const THERE: &[i32] = &[libc::EEXIST];
/// errno of a removal that says so; a link that is gone took its routes along.
const GONE: &[i32] = &[libc::ESRCH, libc::ENOENT, libc::ENODEV, libc::EADDRNOTAVAIL];

/// One route or rule.
#[derive(Clone, Debug)]
struct Entry {
    /// Place among the routes and then the rules of the configuration.
    number: u16,
    add: Batch,
    remove: Batch,
}

/// All routes and rules that can be there now.
#[derive(Clone, Debug, Default)]
pub struct PathPlan {
    entries: Vec<Entry>,
    all: Batch,
    tracked: Batch,
    remove: Batch,
    protocols: Vec<u8>,
    missing: bool,
    tracked_count: u32,
}

impl PartialEq for PathPlan {
    /// Asked of the kernel in the same words.
    fn eq(&self, other: &Self) -> bool {
        let wishes = |plan: &Self| -> Vec<Vec<u8>> {
            let entries = plan.entries.iter();
            entries.map(|entry| entry.add.wish().to_vec()).collect()
        };
        let numbers = |plan: &Self| -> Vec<u16> { plan.entries.iter().map(|e| e.number).collect() };
        wishes(self) == wishes(other)
            && numbers(self) == numbers(other)
            && self.tracked.wish() == other.tracked.wish()
    }
}

impl Eq for PathPlan {}

impl PathPlan {
    /// `index`: of an interface, where it is there. A route without its
    /// interface is left out until it is.
    pub fn new(paths: &Paths, index: impl Fn(&IfName) -> Option<u32>) -> Self {
        let (mut adds, mut tracked, mut removes) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self::default();
        let mut one = |number, is_tracked: bool, add: Vec<u8>, remove: Vec<u8>| {
            plan.entries.push(Entry {
                number,
                add: Batch::of(&[(number, &add)]),
                remove: Batch::of(&[(number, &remove)]),
            });
            if is_tracked {
                tracked.push((number, add.clone()));
            }
            adds.push((number, add));
            removes.push((number, remove));
        };
        let mut missing = false;
        for (number, route) in (0..=u16::MAX).zip(&paths.routes) {
            let flags = match route.place {
                Place::Alone => CREATE | EXCL,
                Place::Append => CREATE | APPEND,
                Place::Prepend => CREATE,
            };
            let add = route::message(route, &index, REQUEST | flags, false);
            let remove = route::message(route, &index, REQUEST, true);
            match (add, remove) {
                (Some(add), Some(remove)) => one(number, route.tracked, add, remove),
                (None, _) | (_, None) => missing = true,
            }
        }
        let first = u16::try_from(paths.routes.len()).unwrap_or(u16::MAX);
        for (number, rule) in (first..=u16::MAX).zip(&paths.rules) {
            let add = rule::message(rule, REQUEST | CREATE | EXCL, false);
            one(
                number,
                rule.tracked,
                add,
                rule::message(rule, REQUEST, true),
            );
        }
        // Rules before the tables that they lead to.
        removes.reverse();
        plan.all = Batch::of(&borrowed(&adds));
        plan.tracked = Batch::of(&borrowed(&tracked));
        plan.remove = Batch::of(&borrowed(&removes));
        let routes = paths.routes.iter().map(|route| route.protocol);
        let rules = paths.rules.iter().map(|rule| rule.protocol);
        plan.protocols = routes.chain(rules).collect();
        plan.protocols.sort_unstable();
        plan.protocols.dedup();
        plan.missing = missing;
        plan.tracked_count = u32::try_from(tracked.len()).unwrap_or(u32::MAX);
        plan
    }

    /// How many are put back.
    pub fn tracked(&self) -> u32 {
        self.tracked_count
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Who sets them (rtm_protocol).
    pub fn protocols(&self) -> &[u8] {
        &self.protocols
    }

    /// Some route waits for an interface.
    pub fn is_incomplete(&self) -> bool {
        self.missing
    }

    /// The removals, as the kernel takes them: for the supervisor.
    pub fn removals(&self) -> impl Iterator<Item = &[u8]> {
        let entries = self.entries.iter().rev();
        entries.map(|entry| entry.remove.as_bytes())
    }

    fn has(&self, wish: &[u8]) -> bool {
        self.entries.iter().any(|entry| entry.add.wish() == wish)
    }
}

fn borrowed(messages: &[(u16, Vec<u8>)]) -> Vec<(u16, &[u8])> {
    let each = messages.iter();
    each.map(|(number, bytes)| (*number, bytes.as_slice()))
        .collect()
}

impl CommandSocket {
    /// Adds what is not there yet.
    pub fn add_paths(&mut self, plan: &mut PathPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.all, THERE)
    }

    /// The same, without what is not put back.
    pub fn ensure_paths(&mut self, plan: &mut PathPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.tracked, THERE)
    }

    pub fn remove_paths(&mut self, plan: &mut PathPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.remove, GONE)
    }

    /// Removes what `old` has and `new` has not; nothing else is touched.
    pub fn remove_paths_beside(
        &mut self,
        old: &mut PathPlan,
        new: &PathPlan,
    ) -> io::Result<BatchResult> {
        let mut result = BatchResult::default();
        for entry in old.entries.iter_mut().rev() {
            if !new.has(entry.add.wish()) {
                result = result.and(self.submit(&mut entry.remove, GONE)?);
            }
        }
        Ok(result)
    }

    /// A removal that was written by [`PathPlan::removals`]; anything else is
    /// refused.
    pub fn remove_path(&mut self, message: &[u8]) -> io::Result<BatchResult> {
        let kind = message.get(4..6).map(|kind| kind.to_vec());
        let known = [libc::RTM_DELROUTE, libc::RTM_DELRULE].map(|kind| kind.to_ne_bytes().to_vec());
        if !kind.is_some_and(|kind| known.contains(&kind)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.submit(&mut Batch::of(&[(0, message)]), GONE)
    }
}

/// RTN_*.
const fn kind_number(kind: RouteKind) -> u8 {
    match kind {
        RouteKind::Unicast => 1,
        RouteKind::Local => 2,
        RouteKind::Broadcast => 3,
        RouteKind::Multicast => 5,
        RouteKind::Blackhole => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
    }
}

/// Address bytes in network order.
fn octets(address: std::net::IpAddr) -> Vec<u8> {
    match address {
        std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
        std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// AF_INET or AF_INET6.
const fn family_number(v6: bool) -> u8 {
    if v6 {
        libc::AF_INET6 as u8
    } else {
        libc::AF_INET as u8
    }
}

#[cfg(test)]
mod tests;
