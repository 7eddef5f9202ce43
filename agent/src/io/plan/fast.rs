//! The kernel heartbeat of an instance: how it is answered, and how it asks.

use std::{net::IpAddr, time::Duration};

use agent_common::wire::bfd::discriminator;

use crate::{config::Instance, heart};

/// At least for as long as others wait for an advert: a shorter lease would
/// make a healthy Active look hung.
pub(super) fn lease(instance: &Instance) -> Option<Duration> {
    let adverts = u32::from(instance.down_factor).saturating_add(1);
    let missed = instance.interval.duration().saturating_mul(adverts);
    instance.fast_detect.map(|fast| fast.lease.max(missed))
}

pub(super) fn heart(instance: &Instance, ifindex: u32, source: IpAddr) -> Option<heart::Plan> {
    let asks = instance.fast_detect.filter(|fast| fast.asks);
    asks.map(|fast| heart::Plan {
        ifindex,
        source,
        discriminator: discriminator(instance.family, instance.vrid),
        interval: fast.interval,
        multiplier: fast.multiplier,
    })
}
