//! A new binary takes over from the running agent, without a transition.
//!
//! Two agents run side by side for a moment, both children of the supervisor.
//! The old one goes on until the new one, the successor, has everything ready:
//! programs loaded, sockets open, links and locks in hand. Then, in this order:
//!
//! 1. The old one stops to judge any Active by its silence; it still sends.
//! 2. The successor puts its program on each link. From here on adverts reach
//!    the successor's ring.
//! 3. The fast lane of the old one drains its ring, lets the core handle it,
//!    stops, and sends what the core knows to the fast lane of the successor.
//! 4. That one goes on from there, reads its own ring, and says so.
//! 5. The old one ends with [`HANDED_OVER`], and touches nothing.
//!
//! Up to 4 the old one can take everything back, and does so only after the
//! successor has certainly ended. Whatever else happens to either is a crash,
//! after which the supervisor removes the VIPs.

pub mod binary;
pub mod channel;
pub mod message;

use serde::{Deserialize, Serialize};

/// Version of everything that two agents say to each other, and of what a
/// supervisor leaves to its next self.
pub const PROTOCOL: u32 = 1;

/// How an agent ends that has handed everything over.
pub const HANDED_OVER: u8 = 120;

/// Environment of a successor: the number of its end of the [`channel`].
pub const HEIR_FD: &str = "FAILOVERD_HEIR_FD";

/// What `failoverd upgrade --probe` says of a binary.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Probe {
    pub version: String,
    pub protocol: u32,
    /// It goes on with the records of changes of state.
    #[serde(default)]
    pub takes_flights: bool,
}

impl Probe {
    /// Of this binary.
    pub fn own() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            takes_flights: true,
        }
    }
}

/// A take-over that was done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Upgraded {
    pub binary: String,
    pub from_version: String,
    pub from_pid: u32,
    pub to_version: String,
    pub to_pid: u32,
    /// From the last thing that the old agent did to the first of the new one.
    pub pause_us: u64,
}

impl std::fmt::Display for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            binary,
            from_version,
            from_pid,
            to_version,
            to_pid,
            pause_us,
        } = self;
        write!(
            f,
            "{binary}: {to_version} (pid {to_pid}) took over from {from_version} (pid {from_pid}), \
             which took {:.3} ms",
            *pause_us as f64 / 1000.0
        )
    }
}
