//! What an agent and its successor say to each other.
//!
//! One JSON object each, with at most one descriptor beside it. Fields are
//! added, never renamed; what is not understood ends the attempt.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    config::{Instance, model::Transport},
    dump::Stats,
    flight::Record,
    io::lane::LaneCounters,
    tell::Kind,
};
use agent_common::Family;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    // From the old agent.
    /// The first one.
    Hello {
        protocol: u32,
        version: String,
        /// How many there will be.
        #[serde(default)]
        locks: usize,
        /// The end of a delay after the start.
        #[serde(default)]
        held_until_ns: u64,
    },
    /// With the listening control socket.
    Control,
    /// With the socket of the fast lane.
    FastLane,
    /// With the lock of that name.
    Lock {
        name: String,
    },
    /// With the BPF link, unless the backend has none.
    Link {
        ifindex: u32,
        backend: String,
        refused: Vec<(String, String)>,
    },
    /// An instance, and the number that it keeps.
    Instance {
        id: u16,
        who: Identity,
        /// Since when there is this instance.
        #[serde(default)]
        began_ns: u64,
    },
    /// An interface with a delay, as it is taken.
    Settling {
        interface: String,
        ifindex: u32,
        usable: bool,
        /// Since when it is otherwise.
        since_ns: Option<u64>,
    },
    /// What a tracker was found to be, for people too.
    Reading {
        kind: String,
        name: String,
        /// `up`, `down` or a number.
        value: String,
        detail: String,
    },
    /// A setting of a link below a virtual MAC address as it was before us, by
    /// its number. Said again at the end.
    Before {
        ifindex: u32,
        setting: u8,
        value: u32,
    },
    /// All was said: get ready.
    Prepare,
    /// Until when an instance may be said to be served, CLOCK_MONOTONIC.
    Lease {
        id: u16,
        until_ns: u64,
    },
    /// Put your programs on the links.
    Switch,
    /// Everything was handed over. A static address, and whether it goes at the
    /// end because it was not there before us.
    Static {
        ifindex: u32,
        address: IpAddr,
        prefix: u8,
        ours: bool,
    },
    /// An interface with a virtual MAC address, and whether it goes at the end.
    VirtualLink {
        ifindex: u32,
        ours: bool,
    },
    /// A link on which we set `promote_secondaries`.
    Promoted {
        ifindex: u32,
    },
    /// What is to be put back of IGMP.
    LocalIgmp {
        before: String,
    },
    /// The rules that are in place, with the socket that their table belongs to.
    Rules {
        table: String,
        digest: u64,
    },
    /// What an instance had counted when that was last cleared.
    Cleared {
        id: u16,
        name: String,
        stats: Stats,
    },
    /// What was counted so far of a slot.
    Counted {
        slot: u32,
        outcomes: BTreeMap<String, u64>,
    },
    /// What others were told, and are still to be.
    Telling(Telling),
    /// A change of state, oldest first.
    Flight(Box<Record>),
    /// The last one.
    Farewell {
        /// A reload was asked for meanwhile.
        reload: bool,
    },

    // From the successor.
    Ready,
    Switched,
    /// It cannot be; the reason is for the operator.
    Refused {
        reason: String,
    },
}

/// What others were told, and are still to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// What was told last of an instance or a group, in the word of scripts.
    Told {
        kind: Kind,
        name: String,
        what: String,
    },
    /// A notify script that waits.
    Script {
        kind: Kind,
        name: String,
        what: String,
        priority: u8,
        words: Vec<String>,
        user: Option<String>,
        group: Option<String>,
    },
    /// A mail that waits.
    Mail {
        kind: Kind,
        name: String,
        what: String,
        priority: u8,
        /// Microseconds since 1970.
        at_us: u64,
        /// Those who do not have it yet; none before it was tried.
        #[serde(default)]
        to: Vec<String>,
    },
    /// With a FIFO that events are written to, and whether it is removed at
    /// the end because we made it.
    Fifo { path: PathBuf, ours: bool },
}

/// Between the fast lanes: the first message, before the instances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heading {
    pub instances: u16,
    pub counters: LaneCounters,
}

/// What makes an instance the same one for peers, and where its VIPs are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Identity {
    pub interface: String,
    pub vrid: u8,
    pub family: String,
    pub unicast: bool,
    /// Of the places of all VIPs, in their order.
    pub vips: u64,
}

impl Identity {
    pub fn of(instance: &Instance) -> Self {
        Self {
            interface: instance.interface.to_string(),
            vrid: instance.vrid.get(),
            family: match instance.family {
                Family::V4 => "ipv4".to_owned(),
                Family::V6 => "ipv6".to_owned(),
            },
            unicast: match instance.transport {
                Transport::Multicast { .. } => false,
                Transport::Unicast { .. } => true,
            },
            vips: places(instance),
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            interface,
            vrid,
            family,
            ..
        } = self;
        write!(f, "VRID {vrid} ({family}) on {interface}")
    }
}

/// FNV-1a over address, prefix and interface, and the virtual MAC address: the
/// same in every version.
fn places(instance: &Instance) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for vip in &instance.vips {
        match vip.address {
            IpAddr::V4(address) => add(&address.octets()),
            IpAddr::V6(address) => add(&address.octets()),
        }
        add(&[vip.prefix]);
        add(instance.home(vip).as_str().as_bytes());
        add(&[0]);
    }
    instance.virtual_links().for_each(|link| add(&link.mac));
    hash
}
