//! What the monitor tells, as JSON has it.

use std::{net::IpAddr, time::Duration};

use agent_common::{Family, Version};
use serde::{Serialize, Serializer};

use super::sight::{Auth, Checksum, RouterKey, Transport};

/// Whether a router is Active as far as its adverts show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its adverts come.
    Active,
    /// It sent priority 0.
    Released,
    /// Nothing for one Active_Down_Interval of its own values.
    Silent,
}

impl State {
    pub fn label(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Released => "released",
            Self::Silent => "silent",
        }
    }
}

/// A virtual router in JSON: `vlan`, `family` and `vrid`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct RouterName {
    pub vlan: u16,
    pub family: &'static str,
    pub vrid: u8,
}

impl From<RouterKey> for RouterName {
    fn from(key: RouterKey) -> Self {
        Self {
            vlan: key.vlan,
            family: match key.family() {
                Family::V4 => "ipv4",
                Family::V6 => "ipv6",
            },
            vrid: key.vrid.get(),
        }
    }
}

/// Everything known of one router, the fields of most events.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RouterReport {
    #[serde(flatten)]
    pub router: RouterName,
    pub source: IpAddr,
    #[serde(serialize_with = "mac")]
    pub mac: [u8; 6],
    pub local: bool,
    pub state: State,
    #[serde(serialize_with = "version")]
    pub version: Version,
    pub priority: u8,
    #[serde(rename = "interval_ms", serialize_with = "millis")]
    pub interval: Duration,
    pub vips: Vec<IpAddr>,
    pub checksum: Checksum,
    pub auth: Auth,
    pub transport: Transport,
    pub ttl: u8,
    pub adverts: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    #[serde(rename = "mean_ms", serialize_with = "maybe_millis")]
    pub mean: Option<Duration>,
    #[serde(rename = "min_ms", serialize_with = "maybe_millis")]
    pub min: Option<Duration>,
    #[serde(rename = "max_ms", serialize_with = "maybe_millis")]
    pub max: Option<Duration>,
    #[serde(rename = "jitter_ms", serialize_with = "maybe_millis")]
    pub jitter: Option<Duration>,
    pub missed: u64,
    pub releases: u64,
    pub rejected: u64,
}

/// One value of a router that is not what it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change {
    pub field: &'static str,
    pub from: String,
    pub to: String,
}

/// How the routers of one VRID contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Two or more send adverts at the same time.
    DualActive,
    Version,
    Interval,
    Auth,
    Vips,
}

impl ConflictKind {
    pub const ALL: [Self; 5] = [
        Self::DualActive,
        Self::Version,
        Self::Interval,
        Self::Auth,
        Self::Vips,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::DualActive => "more than one Active",
            Self::Version => "different versions",
            Self::Interval => "different intervals",
            Self::Auth => "different authentication",
            Self::Vips => "different VIPs",
        }
    }
}

/// A contradiction between routers, beginning or over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Conflict {
    pub conflict: ConflictKind,
    #[serde(flatten)]
    pub router: RouterName,
    /// Who takes part; at most [`super::conflict::NAMED`].
    pub sources: Vec<IpAddr>,
    pub detail: String,
    pub over: bool,
}

/// A rejected advert, standing for those of its kind since the last event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Rejected {
    /// [`agent_common::Outcome::label`].
    pub reason: &'static str,
    pub detail: &'static str,
    #[serde(flatten)]
    pub router: Option<RouterName>,
    pub source: Option<IpAddr>,
    pub local: bool,
    pub ttl: Option<u8>,
    /// Of this reason and source so far.
    pub count: u64,
}

/// What the monitor has to say.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Heard(Box<RouterReport>),
    Changed {
        changes: Vec<Change>,
        #[serde(flatten)]
        report: Box<RouterReport>,
    },
    Silent(Box<RouterReport>),
    Released(Box<RouterReport>),
    Rejected(Rejected),
    Conflict(Conflict),
    Summary(Box<RouterReport>),
    Totals(Totals),
    Link {
        interface: String,
        state: LinkState,
    },
}

/// Counters of the whole link.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    pub routers: usize,
    pub adverts: u64,
    pub rejected: u64,
    /// Adverts of routers that there was no room for.
    pub overflow: u64,
    /// Events held back by the limit on events.
    pub suppressed: u64,
    /// Frames that the kernel had no room to keep until we read them.
    pub lost: u64,
}

/// What happened to the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    Up,
    Down,
    Gone,
}

fn mac<S: Serializer>(mac: &[u8; 6], serializer: S) -> Result<S::Ok, S::Error> {
    let [a, b, c, d, e, f] = mac;
    serializer.collect_str(&format_args!(
        "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
    ))
}

fn version<S: Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*version as u8)
}

fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_nanos() as f64 / 1e6)
}

fn maybe_millis<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => millis(span, serializer),
        None => serializer.serialize_none(),
    }
}
