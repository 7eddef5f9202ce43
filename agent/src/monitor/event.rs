//! What the monitor tells: the JSON objects, and the same in words.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
    time::Duration,
};

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

impl fmt::Display for RouterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VRID {}", self.vrid)?;
        if self.vlan != 0 {
            write!(f, " on VLAN {}", self.vlan)?;
        }
        Ok(())
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

/// A span for people: `1s`, `250ms`, `1.003s`, `42us`.
pub fn span(span: Duration) -> String {
    let micros = span.as_nanos().saturating_add(500) / 1_000;
    let shortened = |whole: f64| {
        let text = format!("{whole:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{}ms", shortened(micros as f64 / 1e3)),
        _ => format!("{}s", shortened(micros as f64 / 1e6)),
    }
}

/// At most `most` addresses, and how many more there are.
pub fn addresses(list: &[IpAddr], most: usize) -> String {
    let mut text = String::new();
    for (index, address) in list.iter().take(most).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{address}");
    }
    match list.len().saturating_sub(most) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

impl RouterReport {
    fn who(&self) -> String {
        let local = if self.local { " (this machine)" } else { "" };
        format!("{} {}{local}", self.router, self.source)
    }

    fn what(&self) -> String {
        let auth = match self.auth {
            Auth::None => "",
            Auth::Pass => " PASS",
        };
        let transport = match self.transport {
            Transport::Multicast => "",
            Transport::Unicast => " unicast",
        };
        format!(
            "v{}{auth}{transport} priority {} every {} VIPs {}",
            self.version as u8,
            self.priority,
            span(self.interval),
            addresses(&self.vips, 8)
        )
    }

    fn measured(&self) -> String {
        let or_dash = |value: Option<Duration>| value.map_or("-".to_owned(), span);
        format!(
            "adverts {} mean {} min {} max {} jitter {} missed {} rejected {}",
            self.adverts,
            or_dash(self.mean),
            or_dash(self.min),
            or_dash(self.max),
            or_dash(self.jitter),
            self.missed,
            self.rejected
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard(report) => write!(f, "heard     {}: {}", report.who(), report.what()),
            Self::Changed { changes, report } => {
                write!(f, "changed   {}:", report.who())?;
                for (index, change) in changes.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ";" };
                    let Change { field, from, to } = change;
                    write!(f, "{comma} {field} {from} -> {to}")?;
                }
                Ok(())
            }
            Self::Silent(report) => write!(
                f,
                "silent    {}: nothing for 3 intervals and its Skew_Time",
                report.who()
            ),
            Self::Released(report) => write!(f, "released  {}: priority 0", report.who()),
            Self::Rejected(rejected) => write!(f, "rejected  {rejected}"),
            Self::Conflict(conflict) => write!(f, "conflict  {conflict}"),
            Self::Summary(report) => write!(
                f,
                "summary   {}: {} {}",
                report.who(),
                report.state.label(),
                report.measured()
            ),
            Self::Totals(totals) => write!(
                f,
                "totals    routers {} adverts {} rejected {} overflow {} suppressed {} lost {}",
                totals.routers,
                totals.adverts,
                totals.rejected,
                totals.overflow,
                totals.suppressed,
                totals.lost
            ),
            Self::Link { interface, state } => match state {
                LinkState::Up => write!(f, "link      {interface} is up"),
                LinkState::Down => write!(f, "link      {interface} is down: waiting for it"),
                LinkState::Gone => write!(f, "link      {interface} is gone"),
            },
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(router) = self.router {
            write!(f, "{router} ")?;
        }
        match self.source {
            Some(source) => write!(f, "{source}")?,
            None => f.write_str("unknown source")?,
        }
        if self.local {
            f.write_str(" (this machine)")?;
        }
        write!(f, ": {} ({})", self.detail, self.reason)?;
        if self.reason == agent_common::Outcome::Ttl.label()
            && let Some(ttl) = self.ttl
        {
            write!(f, ", it is {ttl}")?;
        }
        write!(f, ", {} so far", self.count)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = if self.over { "over: " } else { "" };
        write!(
            f,
            "{}: {over}{}: {}",
            self.router,
            self.conflict.words(),
            self.detail
        )
    }
}
