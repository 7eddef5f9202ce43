//! Where the monitor's findings go: JSON lines, text lines or a screen.

use std::io::{self, Stdout, Write as _};

use agent_common::KernelTime;
use serde::Serialize;

use super::{event::Event, model::Model, screen::Screen, table::View};
use crate::io::clock;

/// How the findings are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Json,
    Text,
    /// A live table; for terminals only.
    Table,
}

/// Text is for reading along: a summary each second would bury the rest.
const TEXT_SUMMARY: u64 = 10;

/// An open output.
#[derive(Debug)]
pub enum Sink {
    Json(Stdout),
    /// With the time that lines count from.
    Text(Stdout, KernelTime),
    Table(Screen),
}

/// An event with the wall clock, which is for log lines only.
#[derive(Serialize)]
struct Stamped<'a> {
    /// Seconds since 1970.
    time: f64,
    /// CLOCK_MONOTONIC nanoseconds, as all `_ns` fields.
    now_ns: u64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Sink {
    /// # Errors
    ///
    /// When the terminal cannot be switched.
    pub fn open(style: Style, now: KernelTime) -> io::Result<Self> {
        Ok(match style {
            Style::Json => Self::Json(io::stdout()),
            Style::Text => Self::Text(io::stdout(), now),
            Style::Table => Self::Table(Screen::open()?),
        })
    }

    /// Tells events; the table shows them in the model.
    pub fn tell(&mut self, events: &[Event], now: KernelTime) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        match self {
            Self::Json(stdout) => {
                let mut lines = Vec::new();
                for event in events {
                    let stamped = Stamped {
                        time: clock::wall().as_secs_f64(),
                        now_ns: now.nanos(),
                        event,
                    };
                    serde_json::to_writer(&mut lines, &stamped)?;
                    lines.push(b'\n');
                }
                write(stdout, &lines)
            }
            Self::Text(stdout, start) => {
                let at = now.since(*start).as_secs_f64();
                let lines: String = events
                    .iter()
                    .map(|event| format!("{at:10.3}  {event}\n"))
                    .collect();
                write(stdout, lines.as_bytes())
            }
            Self::Table(_) => Ok(()),
        }
    }

    /// Tells the summary that is due each second; `last` is the final one.
    pub fn summarise(
        &mut self,
        model: &Model,
        second: u64,
        last: bool,
        now: KernelTime,
    ) -> io::Result<()> {
        let due = match self {
            Self::Json(_) => true,
            Self::Text(..) => last || second.is_multiple_of(TEXT_SUMMARY),
            Self::Table(_) => false,
        };
        if due {
            self.tell(&model.summary(), now)
        } else {
            Ok(())
        }
    }

    pub fn draw(&mut self, model: &Model, view: &View, now: KernelTime) -> io::Result<()> {
        match self {
            Self::Json(_) | Self::Text(..) => Ok(()),
            Self::Table(screen) => screen.draw(model, view, now),
        }
    }
}

fn write(stdout: &Stdout, lines: &[u8]) -> io::Result<()> {
    let mut stdout = stdout.lock();
    stdout.write_all(lines)?;
    stdout.flush()
}
