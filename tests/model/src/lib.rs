//! The election of RFC 9568 6.4 among three routers, in every order of events.
//!
//! Not the production core but the protocol, with the two rules that ours has
//! besides: what waited is read before a deadline counts, and a Backup that
//! overslept grants its Active more time. Time goes in ticks, two in an
//! Advertisement_Interval; a message takes up to one. Messages are lost,
//! doubled and reordered, routers crash, start, stop and freeze, each a
//! bounded number of times, and time has no bound.

mod election;
mod router;
mod scenario;

pub use election::{Act, Election, State};
pub use router::{Role, Router};
pub use scenario::{Found, Scenario, explore, scenarios};

pub const ROUTERS: usize = 3;
/// Ticks of an Advertisement_Interval.
pub const INTERVAL: u8 = 2;
/// Ticks that a message takes at most.
pub const DELAY: u8 = 1;

/// Ticks before its deadline at which a Backup shows that it is awake: one and
/// a half intervals.
pub const CHECKPOINT: u8 = 3;

/// Skew_Time in ticks: the higher a router's number, the better it is.
pub const fn skew(router: usize) -> u8 {
    (ROUTERS - router) as u8
}

/// Active_Down_Interval in ticks.
pub const fn down(router: usize) -> u8 {
    3 * INTERVAL + skew(router)
}

/// What may happen how often.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Faults {
    pub losses: u8,
    pub duplicates: u8,
    pub crashes: u8,
    /// The process is stopped; its kernel goes on to receive.
    pub stops: u8,
    /// The machine is frozen together with its network.
    pub freezes: u8,
}
