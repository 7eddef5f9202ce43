//! What every scenario is handed: how much it may do, chance, the sides, and
//! where progress is shown.

use std::{io::IsTerminal, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    clock::{Deadline, monotonic},
    privilege,
    stalls::Stalls,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    conf::Setup,
    data::Scenario,
    phase::Chance,
    side::{Side, no_heartbeat},
};

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Everything once, in five minutes.
    Quick,
    /// Figures worth publishing, in an hour.
    Full,
    /// Ten minutes of each class of stress besides.
    Long,
}

impl Mode {
    /// No scenario is begun after that, so that the run ends in time: five
    /// minutes, an hour, and three hours.
    const fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Quick => 255,
            Self::Full => 55 * 60,
            Self::Long => 170 * 60,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Long => "long",
        }
    }
}

/// Whom the agent is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Against {
    /// keepalived as the distribution has it, and with its real-time settings
    Keepalived,
    /// Nobody: only the agent
    Nobody,
}

/// Wishes of the caller that go before what the mode says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    pub rounds: Option<usize>,
    pub seconds: Option<u64>,
    pub interval: Option<Duration>,
}

/// The run.
pub struct Bench {
    pub mode: Mode,
    pub chance: Chance,
    pub wishes: Wishes,
    pub stalls: Option<Stalls>,
    against: Against,
    /// Why there is no heartbeat to measure.
    no_heartbeat: Option<String>,
    no_keepalived: Option<String>,
    progress: ProgressBar,
    limit: Deadline,
}

impl Bench {
    /// # Errors
    /// When the agent cannot be asked what it can do.
    pub fn new(mode: Mode, seed: u64, against: Against, wishes: Wishes) -> Result<Self> {
        let keepalived = match against {
            Against::Keepalived => privilege::missing_program("keepalived"),
            Against::Nobody => None,
        };
        Ok(Self {
            mode,
            chance: Chance::new(seed),
            wishes,
            stalls: None,
            against,
            no_heartbeat: no_heartbeat(&Setup::new(100))?,
            no_keepalived: keepalived,
            progress: bar(),
            limit: Deadline::after(mode.limit()),
        })
    }

    pub fn rounds(&self, quick: usize, full: usize) -> usize {
        self.wishes.rounds.unwrap_or(match self.mode {
            Mode::Quick => quick,
            Mode::Full | Mode::Long => full,
        })
    }

    pub fn span(&self, quick: u64, full: u64) -> Duration {
        let seconds = self.wishes.seconds.unwrap_or(match self.mode {
            Mode::Quick => quick,
            Mode::Full | Mode::Long => full,
        });
        Duration::from_secs(seconds)
    }

    /// 10 ms unless wished otherwise.
    pub fn interval(&self) -> Duration {
        self.wishes.interval.unwrap_or(Duration::from_millis(10))
    }

    /// Those of `sides` that can be measured here; of the others the scenario
    /// is told why not.
    pub fn sides(&self, scenario: &mut Scenario, sides: &[Side]) -> Vec<Side> {
        let can = |side: &&Side| {
            let reason = match side {
                Side::Failoverd => None,
                Side::Heartbeat { .. } => self.no_heartbeat.as_ref(),
                Side::Keepalived | Side::KeepalivedRealTime => {
                    if self.against == Against::Nobody {
                        return false;
                    }
                    self.no_keepalived.as_ref()
                }
            };
            if let Some(reason) = reason {
                scenario.lacks(format!("{side}: {reason}"));
            }
            reason.is_none()
        };
        sides.iter().filter(can).copied().collect()
    }

    /// The agent with all that it has, then keepalived, with its real-time
    /// settings too where time allows or `always`.
    pub fn usual_sides(&self, scenario: &mut Scenario, always: bool) -> Vec<Side> {
        let mut sides = vec![Side::Failoverd, Side::Keepalived];
        if always || self.mode != Mode::Quick {
            sides.push(Side::KeepalivedRealTime);
        }
        self.sides(scenario, &sides)
    }

    /// The agent at its best: with the heartbeat, where there is one.
    pub fn best(&self, scenario: &mut Scenario) -> Side {
        let heartbeat = self.sides(scenario, &[Side::HEARTBEAT]);
        heartbeat.first().copied().unwrap_or(Side::Failoverd)
    }

    /// The longest stall of the machine since `from`, in milliseconds.
    pub fn stall_since(&self, from: u64) -> f64 {
        let longest = |stalls: &Stalls| stalls.longest_within(from, monotonic());
        let stall = self.stalls.as_ref().map(longest).unwrap_or_default();
        milliseconds(stall)
    }

    /// Why no scenario is begun any more.
    pub fn no_time_left(&self) -> Option<String> {
        self.limit.expired().then(|| {
            format!(
                "no time left in a {} run: name it to measure it",
                self.mode.name()
            )
        })
    }

    /// Begins to show the progress of a scenario.
    pub fn begin(&self, name: &str, title: &str) {
        self.progress.set_prefix(name.to_owned());
        self.progress.set_message(title.to_owned());
        if self.progress.is_hidden() {
            eprintln!("{name}: {title}");
        }
    }

    pub fn show(&self, what: impl Into<String>) {
        self.progress.set_message(what.into());
        self.progress.tick();
    }

    /// How far the whole run is.
    pub fn done(&self, done: usize, of: usize) {
        self.progress.set_length(of as u64);
        self.progress.set_position(done as u64);
        if done == of {
            self.progress.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed} {prefix}: {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// With microseconds behind the point.
pub fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

/// Between two times of CLOCK_MONOTONIC, in milliseconds; negative when they
/// come in the other order.
pub fn between(from: u64, to: u64) -> f64 {
    let span = i128::from(to) - i128::from(from);
    (span as f64 / 1e3).round() / 1e3
}
