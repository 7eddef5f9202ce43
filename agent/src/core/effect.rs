//! Everything that the core can ask for: one closed enum, in the order it must be carried out.

use std::net::IpAddr;

use agent_common::{AdvertInterval, KernelTime, Priority};

use super::input::{Fault, GroupId, InstanceId, Lost};

/// State of a virtual router (RFC 9568 6.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not taking part: not started, in a fault, or shut down.
    Initialize,
    Backup,
    Active,
}

/// Why a transition happened: for the log, the notification and the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Startup, not the owner.
    Started,
    /// Startup with priority 255.
    Owner,
    /// The Active fell silent: last accepted advert and the deadline it set.
    ActiveSilent {
        last_advert: Option<KernelTime>,
        deadline: KernelTime,
    },
    /// The heartbeat of the Active stopped, and Skew_Time passed.
    HeartStopped {
        active: IpAddr,
        why: Lost,
    },
    /// The Active released the addresses (priority 0) and Skew_Time passed.
    ActiveReleased {
        by: IpAddr,
    },
    /// A router with a higher priority, or an equal one and a higher address.
    Outranked {
        by: IpAddr,
        priority: Priority,
    },
    /// Somebody removes our VIPs faster than the limit allows to restore them.
    AddressesTaken,
    /// Another member of the sync group left Active.
    Group {
        with: InstanceId,
    },
    Fault(Fault),
    Shutdown,
}

/// What an operator should hear of, rate limited by the core (L-02, L-03, R-16).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Backup with preemption: an advert below our priority, discarded (S-19).
    LowerPriorityDiscarded { from: IpAddr, priority: Priority },
    /// Active: another router sends with a lower priority; we assert (S-42).
    LowerPriorityAsserted { from: IpAddr, priority: Priority },
    /// Active: the same, where the configuration forbids to assert (S-41).
    LowerPriorityHeard { from: IpAddr, priority: Priority },
    /// Equal priority from our own address: a clone or a loop (S-45).
    OwnAddressHeard { from: IpAddr },
    /// A router released its addresses (priority 0); `expected` of the Active
    /// alone, and of anybody where none is known.
    ReleaseHeard { from: IpAddr, expected: bool },
    /// A router that was never heard before outranks a living Active.
    UnknownWinner { from: IpAddr, priority: Priority },
    /// v3: the advert's interval is not ours; learned when Backup.
    IntervalDiffers {
        from: IpAddr,
        theirs: AdvertInterval,
        ours: AdvertInterval,
    },
    /// Backup: the Active that it believes sends at more than twice our interval.
    IntervalLong {
        from: IpAddr,
        theirs: AdvertInterval,
        ours: AdvertInterval,
        /// Active_Down_Interval by now.
        patience: core::time::Duration,
    },
    /// Backup: the Active that it believes states an interval beyond
    /// `max_learned_interval`, of which that much is learned.
    IntervalLimited {
        from: IpAddr,
        theirs: AdvertInterval,
        believed: AdvertInterval,
    },
    /// The address list is not ours.
    AddressesDiffer { from: IpAddr, theirs: u8, ours: u8 },
    /// We woke too late to know whether the Active was alive: it gets one more
    /// Active_Down_Interval.
    Overslept { late_by: core::time::Duration },
    /// Our own adverts were late by more than an interval.
    AdvertLate { late_by: core::time::Duration },
    /// A VIP vanished and is put back.
    AddressRestored { vip: u16 },
    /// Two routers send priority 255 (L-04).
    TwoOwners { other: IpAddr },
    /// Adverts of the Active are missing, and its heartbeat says that it serves.
    AdvertsMissing { from: IpAddr },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send one advert with the given priority; `RELEASE` gives the VIPs up.
    SendAdvert {
        id: InstanceId,
        priority: Priority,
    },
    /// Put all VIPs on their interfaces, in one batch.
    AddAddresses {
        id: InstanceId,
    },
    /// Take all VIPs off, in one batch.
    RemoveAddresses {
        id: InstanceId,
    },
    /// The VIPs of a running Active were configured anew: take off those that
    /// are not wanted any more, add those that are new and announce each of
    /// them `repeat` times. The others are not touched.
    ChangeAddresses {
        id: InstanceId,
        repeat: u8,
    },
    /// Put one VIP back and announce it.
    RestoreAddress {
        id: InstanceId,
        vip: u16,
    },
    /// Announce every VIP `repeat` times: GARP or unsolicited NA (D-20..D-22).
    Announce {
        id: InstanceId,
        repeat: u8,
    },
    /// Announce every VIP that is on another link than the instance, once.
    AnnounceElsewhere {
        id: InstanceId,
    },
    /// Tell the kernel side whom to watch: `Some(active)` in Backup lets the
    /// steady adverts of that router pass without a wake-up; `None` asks for
    /// a wake-up with every advert.
    Watch {
        id: InstanceId,
        active: Option<IpAddr>,
    },
    /// The state changed. Comes after the effects that the change needs at
    /// once (advert, addresses, announcement).
    Transition {
        id: InstanceId,
        from: State,
        to: State,
        cause: Cause,
        at: KernelTime,
    },
    /// The members of a sync group are in another state together now, after
    /// the transitions of all of them.
    GroupTransition {
        group: GroupId,
        to: State,
        at: KernelTime,
    },
    /// The priority in force is another one. Never held back.
    PriorityChanged {
        id: InstanceId,
        from: Priority,
        to: Priority,
    },
    Notice {
        id: InstanceId,
        notice: Notice,
    },
}
