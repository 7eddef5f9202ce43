//! What a run leaves: everything measured, as it is written and read as JSON.

use anyhow::Result;
use failoverd_tests::wait;
use serde::{Deserialize, Serialize};

/// Raised when an older reader would misread.
pub const FORMAT: u32 = 1;

/// What begins the reason of a scenario that broke off.
const FAILED: &str = "broke off: ";

/// One run of the benchmark.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    pub format: u32,
    /// How it was called.
    pub command: String,
    /// `quick`, `full` or `long`.
    pub mode: String,
    /// Of the phases of all faults.
    pub seed: u64,
    pub machine: Machine,
    pub scenarios: Vec<Scenario>,
}

/// Where and with what it ran.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub kernel: String,
    pub processor: String,
    pub processors: usize,
    pub memory_mib: u64,
    /// Seconds since the epoch at the start.
    pub started: u64,
    pub failoverd: String,
    pub keepalived: String,
    /// The commit, with `-dirty` where the work tree differed.
    pub commit: String,
    /// False for a debug build, whose figures mean little.
    pub optimised: bool,
    /// Threads that wanted a processor in the minute before.
    pub load_before: f64,
}

/// What the machine itself did meanwhile.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Disturbance {
    /// Milliseconds of processor time that the hypervisor gave to others.
    pub steal_ms: f64,
    /// Times at which a processor ran not even the highest priority for 2 ms
    /// or more.
    pub stalls: usize,
    pub longest_stall_ms: f64,
    pub load: f64,
}

/// One scenario, whether it could run or not.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    /// M1 to M12, empty for those beyond.
    pub metric: String,
    pub title: String,
    /// How it is measured.
    pub method: String,
    pub seconds: f64,
    pub disturbance: Disturbance,
    pub series: Vec<Series>,
    pub lanes: Vec<Lane>,
    pub checks: Vec<Check>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
}

/// One quantity of one side in one case.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    pub side: String,
    /// What else distinguishes it: a priority, a stress class, a count.
    pub case: String,
    pub quantity: String,
    pub unit: String,
    /// In the order in which they were taken.
    pub samples: Vec<f64>,
    /// For each sample the longest stall of the machine in its time, in
    /// milliseconds; empty where samples are no spans of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stalls_ms: Vec<f64>,
    /// Take-overs while the Active was alive and reachable; `None` where none
    /// can be told apart.
    pub false_take_overs: Option<usize>,
    /// For how long false take-overs were watched for.
    #[serde(default)]
    pub watched_s: f64,
}

/// Adverts of the Active and take-overs of the Backup over time, for a plot.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Lane {
    pub side: String,
    pub case: String,
    pub interval_ms: f64,
    /// Of each advert of the Active: when, and how long after the one before,
    /// in milliseconds. Gaps below one and a half intervals are left out.
    pub gaps: Vec<(f64, f64)>,
    /// When the Backup took over, in milliseconds.
    pub take_overs: Vec<f64>,
    pub length_ms: f64,
}

/// A target and whether it was met.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Check {
    pub what: String,
    pub target: String,
    /// In words; empty when nothing was measured.
    pub measured: String,
    /// `None` when nothing was measured.
    pub met: Option<bool>,
}

impl Check {
    /// In plain words.
    pub fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        }
    }
}

impl Scenario {
    /// The row of that side, case and quantity; made where there is none.
    pub fn series(&mut self, side: &str, case: &str, quantity: &str, unit: &str) -> &mut Series {
        let same = |one: &Series| one.side == side && one.case == case && one.quantity == quantity;
        let at = match self.series.iter().position(same) {
            Some(at) => at,
            None => {
                self.series.push(Series {
                    side: side.to_owned(),
                    case: case.to_owned(),
                    quantity: quantity.to_owned(),
                    unit: unit.to_owned(),
                    ..Series::default()
                });
                self.series.len() - 1
            }
        };
        &mut self.series[at]
    }

    /// Adds one sample to such a row.
    pub fn add(&mut self, side: &str, case: &str, quantity: &str, unit: &str, sample: f64) {
        self.series(side, case, quantity, unit).samples.push(sample);
    }

    /// Goes on after a part that broke off, and says so.
    ///
    /// # Errors
    /// When everything is to stop.
    pub fn survive(&mut self, what: &str, part: Result<()>) -> Result<()> {
        match part {
            Err(error) if wait::stopped() => Err(error),
            Err(error) => {
                eprintln!("{}: {what}: {error:#}", self.name);
                self.fails(format!("{what}: {error:#}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Says that it broke off.
    pub fn fails(&mut self, reason: String) {
        self.lacks(format!("{FAILED}{reason}"));
    }

    /// Whether it broke off.
    pub fn failed(&self) -> bool {
        self.missing.iter().any(|reason| reason.starts_with(FAILED))
    }

    /// Says that something could not be measured; once.
    pub fn lacks(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if !self.missing.contains(&reason) {
            self.missing.push(reason);
        }
    }
}

impl Series {
    /// Adds false take-overs that were counted over some seconds.
    pub fn watched(&mut self, take_overs: usize, seconds: f64) {
        self.false_take_overs = Some(self.false_take_overs.unwrap_or(0) + take_overs);
        self.watched_s += seconds;
    }
}
