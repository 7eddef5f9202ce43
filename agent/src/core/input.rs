//! Everything that can happen to the core: one closed enum, each with the time it is handled at.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{AdvertInterval, KernelTime, Priority, record::AdvertRecord};

use super::config::InstanceConfig;

/// Index of an instance; equal to its slot in the kernel's maps (1..SLOTS).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InstanceId(pub u16);

/// Index of a sync group, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u16);

/// An advert that passed every check of the parser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert {
    /// When the frame reached the hook, not when we got to read it.
    pub stamp: KernelTime,
    pub source: IpAddr,
    pub priority: Priority,
    pub interval: AdvertInterval,
    pub address_count: u8,
    pub addresses_digest: u32,
}

impl Advert {
    /// `None` for a record that the kernel side cannot have written.
    pub fn from_record(record: &AdvertRecord) -> Option<Self> {
        let source = match record.family {
            4 => {
                let [a, b, c, d, ..] = record.source;
                IpAddr::from([a, b, c, d])
            }
            6 => IpAddr::from(record.source),
            _ => return None,
        };
        Some(Self {
            stamp: record.stamp(),
            source,
            priority: Priority(record.priority),
            interval: AdvertInterval::from_centis(record.interval_cs)?,
            address_count: record.address_count,
            addresses_digest: record.addresses_digest,
        })
    }
}

/// Why an instance cannot take part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The interface does not exist.
    InterfaceGone,
    /// The interface is down or has no carrier.
    LinkDown,
    /// No usable source address on the interface (F-01, F-02, X-09).
    NoSourceAddress,
    /// Unicast without a peer, and configured to be none then.
    NoPeers,
    /// A tracked interface is down or gone.
    TrackedDown,
    /// A tracked static address is not there.
    TrackedAddressGone,
    /// A tracked script fails.
    TrackedScript,
    /// A tracked file says so.
    TrackedFile,
    /// Tracked processes are not in their quorum.
    TrackedProcess,
    /// A tracker that decides has no result yet.
    Unread,
    /// Another member of the sync group is in a fault.
    Group,
}

/// Why an Active was found down by its heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lost {
    /// Its machine answers no probe.
    Silence,
    /// Its machine says that it does not serve: the agent hangs, or has left.
    AdminDown,
}

/// What the heartbeat of an Active says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pulse {
    /// It is down; `interval` is that of the probes, which Skew_Time is computed
    /// from in the place of the adverts'. `since` is when the first of the probes
    /// was sent that say so: an advert from before is no news.
    Down {
        why: Lost,
        since: KernelTime,
        interval: Duration,
    },
    /// It serves, although it was down.
    Up,
    /// It serves, and will be said to until then, although its adverts are
    /// missing: no take-over before that.
    Vouched { until: KernelTime },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// Adds an instance under its id, in Initialize until [`Self::Up`]; or
    /// changes a running one, which keeps its state, its Active and what it
    /// learned. The same configuration again has no effect. Another version or
    /// family is another virtual router: the old one leaves as with
    /// [`Self::Retire`], and the new one waits for its Up.
    Configure { config: InstanceConfig },
    /// The instance is not wanted any more: leaves as with [`Self::Shutdown`],
    /// and its id is free for another.
    Retire { id: InstanceId },
    /// The instance can send and receive from `source`: Startup of RFC 9568
    /// 6.4.1. For a running instance only the source address changes.
    Up { id: InstanceId, source: IpAddr },
    /// The instance can no longer take part. An Active gives up at once and
    /// says so with priority 0 if it can.
    Down { id: InstanceId, fault: Fault },
    /// A valid advert. The same advert may be handed in twice (ring buffer and
    /// LATEST slot); it counts once, by stamp and source.
    Advert { id: InstanceId, advert: Advert },
    /// Trackers changed the priority in force. The next advert carries it; an
    /// Active_Down_Timer that runs is computed anew. Taken into 1..=254, and
    /// without effect for an owner.
    Priority { id: InstanceId, priority: Priority },
    /// What the heartbeat of `active` says. Nothing, unless that is the router
    /// that this Backup has accepted as its Active.
    Heart {
        id: InstanceId,
        active: IpAddr,
        pulse: Pulse,
    },
    /// Fire everything that is due. The caller has drained every queue first
    /// and has handed in LATEST of each instance of [`super::Machine::expiring`].
    Timeout,
    /// The kernel no longer has VIP number `vip` and we did not remove it.
    AddressLost { id: InstanceId, vip: u16 },
    /// Another machine says that it has one of the VIPs. An Active announces
    /// them again, within the limit of S-47.
    AddressClaimed { id: InstanceId },
    /// Leave for good: priority 0 if Active, VIPs removed (S-15, S-37).
    Shutdown { id: InstanceId },
}
