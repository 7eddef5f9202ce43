//! `failoverd monitor`: every virtual router that is heard on a link.
//!
//! It takes no part and never touches the data path: no BPF program is
//! attached, nothing is sent but the group memberships' own IGMP and MLD
//! reports, which make snooping switches forward adverts to this port. Frames
//! come from a packet socket with the kernel's time of arrival, those that
//! this machine sends included. What another BPF program on the link drops
//! before the packet sockets is not seen, and fragments are reported instead
//! of put together.
//!
//! Without a configuration the checks are those that every agent makes,
//! whatever it is configured with (see [`sight`]).
//!
//! # JSON lines
//!
//! One object a line. Names are stable; fields may be added. Spans are
//! milliseconds (`_ms`), stamps CLOCK_MONOTONIC nanoseconds (`_ns`).
//!
//! | field | in | meaning |
//! |---|---|---|
//! | `event` | all | `heard` (appears or comes back), `changed`, `silent` (3 intervals and its Skew_Time without an advert), `released` (priority 0), `rejected`, `conflict`, `summary` (each second, one for each router), `totals` (each second), `link` |
//! | `time` | all | wall clock, seconds since 1970 |
//! | `now_ns` | all | when the event was told |
//! | `vlan`, `family`, `vrid` | router, `rejected`, `conflict` | which virtual router: VLAN id or 0, `ipv4` or `ipv6`, 1..=255; absent from `rejected` where it could not be read |
//! | `source`, `mac` | router, `rejected` (`source`) | who sent it |
//! | `local` | router, `rejected` | sent by this machine |
//! | `state` | router | `active`, `released`, `silent` |
//! | `version`, `priority`, `vips`, `ttl` | router | as in the last advert |
//! | `interval_ms` | router | the interval that the adverts promise |
//! | `checksum` | router | `message` (v2, v3/IPv4 by RFC 9568) or `pseudo_header` (v3/IPv6, v3/IPv4 by RFC 5798) |
//! | `auth` | router | `none` or `pass` (v2) |
//! | `transport` | router | `multicast` or `unicast` |
//! | `adverts`, `releases`, `rejected` | router | counts since the first one; releases are included in adverts, rejected are not |
//! | `first_ns`, `last_ns` | router | stamps of the first and the last advert |
//! | `mean_ms`, `min_ms` | router | interval measured on kernel time; null before the second advert |
//! | `max_ms` | router | longest gap, those with missed adverts included |
//! | `jitter_ms` | router | standard deviation of the gaps; null before the third advert |
//! | `missed` | router | adverts lost or late, by gaps of 1.5 intervals and more |
//! | `changes` | `changed` | list of `field`, `from`, `to`; the field `source` is another router taking over |
//! | `reason`, `detail` | `rejected` | label of [`agent_common::Outcome`], and a sentence |
//! | `count` | `rejected` | adverts of this reason and source so far; told every 10 s at most |
//! | `ttl` | `rejected` | TTL or hop limit, null where it could not be read |
//! | `conflict` | `conflict` | `dual_active`, `version`, `interval`, `auth`, `vips` |
//! | `sources`, `detail`, `over` | `conflict` | who, what each says, whether it has ended |
//! | `routers`, `adverts`, `rejected`, `overflow`, `suppressed`, `lost` | `totals` | counts for the link: routers kept, adverts, rejected adverts, adverts of routers beyond [`model::MAX_ROUTERS`], events held back by [`model::MAX_EVENTS`], frames that the kernel had no room for while the monitor did not run |
//! | `interface`, `state` | `link` | `up`, `down`, `gone` |

mod budget;
pub mod conflict;
pub mod event;
mod listen;
pub mod model;
pub mod pace;
mod reason;
pub mod record;
pub mod rejects;
mod screen;
pub mod sight;
mod sink;
pub mod table;
#[cfg(test)]
mod tests;
mod watch;
pub mod words;

use std::{io, time::Duration};

pub use sink::Style;
pub use watch::run;

use crate::config::model::IfName;

/// What to listen on and how to tell.
#[derive(Clone, Debug)]
pub struct Options {
    pub interface: IfName,
    pub style: Style,
    /// `None`: until a signal or a key ends it.
    pub duration: Option<Duration>,
}

/// Why there is nothing to listen to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("there is no interface {interface}; there are {known}")]
    UnknownInterface { interface: String, known: String },
    #[error("no permission to listen on {interface}: CAP_NET_RAW is missing (run as root)")]
    Permission { interface: String },
    #[error("{interface} is gone")]
    Gone { interface: String },
    #[error("cannot listen on {interface}: {source}")]
    Io {
        interface: String,
        source: io::Error,
    },
}
