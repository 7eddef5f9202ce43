//! A copy of what an instance knows, for the status command.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{AdvertInterval, KernelTime, Priority};

use super::{
    effect::State,
    heard::ROUTERS,
    input::{Fault, InstanceId},
};

/// Counters of one instance since the start; they saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Counters {
    /// All adverts sent, priority 0 among them.
    pub adverts_sent: u64,
    /// Adverts handed to the core, each once. In Backup the kernel keeps the
    /// steady ones to itself: its own counters have the full number.
    pub adverts_received: u64,
    /// Handed in again, or overtaken by a newer one: no effect.
    pub adverts_stale: u64,
    /// Lower priority in Backup with preemption (S-19).
    pub adverts_discarded: u64,
    /// Answers that the limit of S-46 held back.
    pub asserts_limited: u64,
    pub became_active: u64,
    /// Times that the instance left Active.
    pub left_active: u64,
    /// Adverts whose address list was not ours.
    pub addresses_differed: u64,
    pub priority_zero_sent: u64,
    pub priority_zero_received: u64,
    /// Of those, from a router that was not the Active.
    pub priority_zero_not_active: u64,
    /// A router never heard before outranked a living Active.
    pub unknown_winners: u64,
    /// Adverts of whose interval less was learned than they state.
    pub intervals_limited: u64,
    /// From our own address with our own content (R-23, S-45).
    pub own_address_heard: u64,
    /// Woke too late to judge the Active.
    pub overslept: u64,
    /// Our own advert was late by more than an interval.
    pub adverts_late: u64,
    pub addresses_restored: u64,
    /// Notices that the rate limit held back.
    pub notices_suppressed: u64,
}

/// One instance at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub id: InstanceId,
    pub state: State,
    /// When `state` was entered; zero before the first Startup.
    pub since: KernelTime,
    /// The address that our adverts come from.
    pub source: Option<IpAddr>,
    /// Who is Active as far as we know: ourselves, or the router last accepted.
    pub active: Option<IpAddr>,
    /// What `active` last sent with; ours where that is ourselves.
    pub active_priority: Option<Priority>,
    /// The router that the kernel side was told to watch.
    pub watched: Option<IpAddr>,
    /// The priority in force.
    pub priority: Priority,
    /// The configured one.
    pub base_priority: Priority,
    /// Would be Active if every member of its sync group would.
    pub waits_for_group: bool,
    /// Advertisement_Interval: the configured one.
    pub interval: AdvertInterval,
    /// Active_Adver_Interval (v3); the configured one in v2.
    pub learned_interval: AdvertInterval,
    pub skew: Duration,
    pub active_down_interval: Duration,
    /// Active_Down_Timer in Backup, Adver_Timer in Active.
    pub deadline: Option<KernelTime>,
    /// Stamp of the last accepted advert of the Active.
    pub last_advert: Option<KernelTime>,
    pub fault: Option<Fault>,
    /// Routers whose adverts were accepted lately, and the newest stamp of each.
    pub heard: [Option<(IpAddr, KernelTime)>; ROUTERS],
    pub counters: Counters,
}
