//! `failoverd monitor`.

use std::{
    io::{IsTerminal, stdin, stdout},
    process::ExitCode,
    time::Duration,
};

use clap::Args;

use super::exit;
use crate::{
    config::model::IfName,
    monitor::{self, Failure, Options, Style},
};

/// Show every virtual router heard on a link, without taking part
///
/// For each router: version, VRID, priority, source, VIPs, its interval as
/// measured on kernel time with its jitter, and what is wrong with adverts
/// that are rejected. A live table on a terminal, lines elsewhere. No BPF
/// program is attached and no advert is sent.
///
/// Exit codes: 0 ended as asked, 1 the interface went away, 2 bad arguments or
/// no such interface, 4 no permission.
#[derive(Args, Clone, Debug)]
pub struct MonitorArgs {
    /// Interface to listen on
    #[arg(long, value_name = "IF", value_parser = interface)]
    iface: IfName,

    /// One JSON object per event and line
    #[arg(long)]
    json: bool,

    /// End after this time: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
}

pub fn run(arguments: &MonitorArgs) -> ExitCode {
    let style = if arguments.json {
        Style::Json
    } else {
        fitting()
    };
    monitor(&Options {
        interface: arguments.iface.clone(),
        style,
        duration: arguments.duration,
    })
}

/// Monitors `interface` until a signal or a key ends it.
pub fn on(interface: &IfName) -> ExitCode {
    monitor(&Options {
        interface: interface.clone(),
        style: fitting(),
        duration: None,
    })
}

/// The table needs keys to be ended with, so both ends must be a terminal.
fn fitting() -> Style {
    if stdin().is_terminal() && stdout().is_terminal() {
        Style::Table
    } else {
        Style::Text
    }
}

fn monitor(options: &Options) -> ExitCode {
    let Err(failure) = monitor::run(options) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("failoverd: {failure}");
    ExitCode::from(match failure {
        Failure::UnknownInterface { .. } => exit::USAGE,
        Failure::Permission { .. } => exit::PERMISSION,
        Failure::Gone { .. } | Failure::Io { .. } => exit::FAILURE,
    })
}

fn interface(name: &str) -> Result<IfName, String> {
    IfName::new(name).ok_or_else(|| "an interface name has 1 to 15 bytes".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let value: u32 = digits
        .parse()
        .map_err(|_| "a whole number and a unit, such as 500ms, 5s or 2m".to_owned())?;
    let span = match unit {
        "ms" => Duration::from_millis(value.into()),
        "" | "s" => Duration::from_secs(value.into()),
        "m" | "min" => Duration::from_secs(u64::from(value) * 60),
        "h" => Duration::from_secs(u64::from(value) * 3_600),
        other => return Err(format!("{other} is not a unit of time: use ms, s, m or h")),
    };
    if span.is_zero() {
        return Err("the time must not be 0".to_owned());
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_their_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("7", 7_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "0s", "-1s", "5x", "1.5s", "99999999999s", "5 s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
