//! What the core must know of an instance. Built once from the validated configuration.

use core::time::Duration;

use agent_common::{AdvertInterval, Family, Priority, Version};

use super::input::{GroupId, InstanceId};

/// How often and when VIPs are announced (D-22). Defaults are keepalived's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnnouncePolicy {
    /// Announcements of each VIP at promotion, and again after `delay`.
    pub repeat: u8,
    /// Zero: no second burst.
    pub delay: Duration,
    /// Period of the refresh while Active; `None` without one.
    pub refresh: Option<Duration>,
    /// Announcements of each VIP per refresh.
    pub refresh_repeat: u8,
    /// Burst after another router was heard as Active (S-47).
    pub lower_prio_repeat: u8,
    /// Delay of its second burst, zero for none.
    pub lower_prio_delay: Duration,
    /// Period of one announcement of each VIP that is on another link than the
    /// instance while Active; `None` without one.
    pub extra: Option<Duration>,
}

impl Default for AnnouncePolicy {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: None,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: Duration::from_secs(5),
            extra: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstanceConfig {
    pub id: InstanceId,
    pub version: Version,
    pub family: Family,
    /// The priority in force, 1..=255: the configured one with what trackers
    /// make of it. 255 where the configured one is, and only there.
    pub priority: Priority,
    /// The configured one, for the status.
    pub base_priority: Priority,
    /// The sync group it moves with.
    pub group: Option<GroupId>,
    /// Advertisement_Interval; whole seconds in v2.
    pub interval: AdvertInterval,
    /// Preempt_Mode (RFC 9568 6.1). The owner preempts whatever this says (S-44).
    pub preempt: bool,
    /// How long a better Backup waits before it preempts a living Active.
    pub preempt_delay: Duration,
    /// v3: of a longer interval only this much is learned; `None` for all of
    /// it. At least `interval`.
    pub max_learned: Option<AdvertInterval>,
    /// Adverts come from routers of a list only: a new one is no stranger.
    pub senders_listed: bool,
    /// Factor of Active_Down_Interval, 3 in the RFCs (T-14).
    pub down_factor: u8,
    /// Answer a lower-priority advert at once (S-42); false for RFC 5798.
    pub assert_on_lower: bool,
    /// Send one advert before yielding to a higher priority, so that the winner
    /// learns that there were two, and tells hosts where the VIPs are (S-47).
    pub higher_prio_send_advert: bool,
    pub announce: AnnouncePolicy,
    /// VIPs of the instance (advertised and excluded ones).
    pub vip_count: u16,
    /// Of all VIPs with everything that is said of them: another value means
    /// that addresses have to be changed on the machine.
    pub vips_digest: u64,
    /// What our own adverts carry, to compare with those heard.
    pub address_count: u8,
    pub addresses_digest: u32,
    /// Tell when an advert carries others.
    pub check_addresses: bool,
}
