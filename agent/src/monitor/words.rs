//! What the monitor tells, in words.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
    time::Duration,
};

use super::{
    event::{Change, Conflict, Event, LinkState, Rejected, RouterName, RouterReport},
    sight::{Auth, Transport},
};

impl fmt::Display for RouterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VRID {}", self.vrid)?;
        if self.vlan != 0 {
            write!(f, " on VLAN {}", self.vlan)?;
        }
        Ok(())
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
