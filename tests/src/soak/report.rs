//! What came of it: a line while it runs, a table and JSON at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde_json::{Value, json};

use crate::probe::Report as Answers;

use super::{
    Options, ROUTERS_PER_MACHINE, Tally, Tracks,
    judge::{Finding, Measured},
    plan::Fault,
    vitals::{Life, Vitals},
};

/// Findings that are kept; all are counted.
const KEPT: usize = 200;

/// All of it.
#[derive(Clone, Debug)]
pub struct Report {
    pub options: Options,
    pub rounds: usize,
    pub faults: Tally,
    pub adverts: usize,
    /// Of the client, all and those without an answer.
    pub asked: usize,
    pub unanswered: usize,
    pub doubly_answered: usize,
    /// What should not be.
    pub violations: Vec<Finding>,
    pub violated: usize,
    /// By invariant: what was late by no more than the machine stood still.
    pub excused: BTreeMap<u8, usize>,
    pub refused_upgrades: usize,
    pub settled: Vec<Duration>,
    pub fail_overs: BTreeMap<&'static str, Vec<Duration>>,
    pub hand_overs: Vec<Duration>,
    pub duals: Vec<Duration>,
    pub restored: Vec<Duration>,
    pub leases: Vec<Duration>,
    /// From the first advert to the VIP, of each family.
    pub vips: [Vec<Duration>; ROUTERS_PER_MACHINE],
    pub lives: Vec<Life>,
}

impl Report {
    pub fn new(options: Options) -> Self {
        Self {
            options,
            rounds: 0,
            faults: Tally::new(),
            adverts: 0,
            asked: 0,
            unanswered: 0,
            doubly_answered: 0,
            violations: Vec::new(),
            violated: 0,
            excused: BTreeMap::new(),
            refused_upgrades: 0,
            settled: Vec::new(),
            fail_overs: BTreeMap::new(),
            hand_overs: Vec::new(),
            duals: Vec::new(),
            restored: Vec::new(),
            leases: Vec::new(),
            vips: Default::default(),
            lives: Vec::new(),
        }
    }

    /// Whether every invariant held, and every process stayed as large as it was.
    pub fn is_clean(&self) -> bool {
        self.violated == 0 && self.lives.iter().all(Life::is_flat)
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
    }

    pub(super) fn adverts(&mut self, tracks: &[Tracks], from: u64, to: u64) {
        let all = tracks.iter().flatten().flat_map(|track| &track.sent);
        self.adverts += all.filter(|(time, _)| (from..to).contains(time)).count();
    }

    pub(super) fn round(
        &mut self,
        settled: Duration,
        measured: Measured,
        found: Vec<Finding>,
        answers: &[Answers],
    ) {
        self.rounds += 1;
        self.settled.push(settled);
        for (name, took) in measured.fail_overs {
            self.fail_overs.entry(name).or_default().push(took);
        }
        self.hand_overs.extend(measured.hand_overs);
        self.duals.extend(measured.duals);
        self.restored.extend(measured.restored);
        self.leases.extend(measured.leases);
        for (all, more) in self.vips.iter_mut().zip(measured.vips) {
            all.extend(more);
        }
        for answers in answers {
            self.asked += answers.sent;
            self.unanswered += answers.sent - answers.answered;
            self.doubly_answered += answers.double_answers;
        }
        for finding in found {
            if finding.excused {
                *self.excused.entry(finding.invariant).or_default() += 1;
                continue;
            }
            self.violated += 1;
            if self.violations.len() < KEPT {
                self.violations.push(finding);
            }
        }
    }

    pub(super) fn finish(&mut self, vitals: &Vitals) {
        self.lives = vitals.lives();
    }

    /// How far it is.
    pub fn line(&self, since: u64) -> String {
        format!(
            "{:>6.0} s  {:>4} rounds  {:>4} faults  {:>8} adverts  {} violations  {} excused",
            Duration::from_nanos(since).as_secs_f64(),
            self.rounds,
            self.faults.values().sum::<usize>(),
            self.adverts,
            self.violated,
            self.excused.values().sum::<usize>(),
        )
    }

    pub fn as_json(&self) -> Value {
        let fail_overs: BTreeMap<_, _> = self
            .fail_overs
            .iter()
            .map(|(name, spans)| (*name, spread_json(spans)))
            .collect();
        let violations: Vec<Value> = self
            .violations
            .iter()
            .map(|finding| {
                json!({
                    "invariant": finding.invariant,
                    "at_ns": finding.at,
                    "what": finding.text,
                })
            })
            .collect();
        json!({
            "seed": self.options.seed,
            "routers": self.options.routers,
            "seconds": self.options.span.as_secs(),
            "rounds": self.rounds,
            "faults": self.faults,
            "adverts": self.adverts,
            "requests": self.asked,
            "unanswered": self.unanswered,
            "answered_by_two": self.doubly_answered,
            "violations": violations,
            "violated": self.violated,
            "excused_by_invariant": self.excused,
            "upgrades_refused": self.refused_upgrades,
            "fail_over_ms": fail_overs,
            "hand_over_ms": spread_json(&self.hand_overs),
            "two_at_once_ms": spread_json(&self.duals),
            "vip_put_back_ms": spread_json(&self.restored),
            "vip_of_a_killed_agent_ms": spread_json(&self.leases),
            "vip_after_the_advert_ms": self.vips.each_ref().map(|spans| spread_json(spans)),
            "settled_ms": spread_json(&self.settled),
            "processes": self.lives.iter().map(Life::as_json).collect::<Vec<_>>(),
        })
    }
}

/// Number, median and largest, in milliseconds.
fn spread(spans: &[Duration]) -> (usize, f64, f64) {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let millis = |span: Option<&Duration>| span.map_or(0.0, |span| span.as_secs_f64() * 1e3);
    let median = millis(sorted.get(sorted.len() / 2));
    (sorted.len(), median, millis(sorted.last()))
}

fn spread_json(spans: &[Duration]) -> Value {
    let (count, median, largest) = spread(spans);
    let round = |millis: f64| (millis * 1e3).round() / 1e3;
    json!({ "n": count, "p50": round(median), "max": round(largest) })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}, {} routers, {} s: {} rounds, {} adverts, {} requests of the client",
            self.options.seed,
            self.options.routers,
            self.options.span.as_secs(),
            self.rounds,
            self.adverts,
            self.asked
        )?;
        for (name, count) in &self.faults {
            writeln!(f, "  {count:>4} x {name}")?;
        }
        writeln!(f, "{:<44} {:>5} {:>9} {:>9}", "ms", "n", "p50", "max")?;
        let mut row = |name: &str, spans: &[Duration]| {
            let (count, median, largest) = spread(spans);
            writeln!(f, "{name:<44} {count:>5} {median:>9.1} {largest:>9.1}")
        };
        for (name, spans) in &self.fail_overs {
            row(&format!("nobody serves: {name}"), spans)?;
        }
        row("priority 0 to the next one's advert", &self.hand_overs)?;
        row("two at once that hear each other", &self.duals)?;
        row("a VIP that was removed is back", &self.restored)?;
        row("the VIP of a killed agent goes", &self.leases)?;
        row("the first advert to the VIP, IPv4", &self.vips[0])?;
        row("the first advert to the VIP, IPv6", &self.vips[1])?;
        row("one serves after the last fault", &self.settled)?;
        for life in &self.lives {
            writeln!(
                f,
                "machine {} {:<6} {:>4} samples: {} -> {} KiB, {} -> {} descriptors, {} -> {} threads{}",
                life.machine,
                life.name(),
                life.samples,
                life.memory.0,
                life.memory.1,
                life.descriptors.0,
                life.descriptors.1,
                life.threads.0,
                life.threads.1,
                if life.is_flat() { "" } else { "  GROWS" },
            )?;
        }
        if self.refused_upgrades > 0 {
            writeln!(f, "{} upgrades were refused", self.refused_upgrades)?;
        }
        for (invariant, count) in &self.excused {
            writeln!(
                f,
                "invariant {invariant}: {count} times late by no more than the machine stood still"
            )?;
        }
        for finding in &self.violations {
            writeln!(f, "invariant {}: {}", finding.invariant, finding.text)?;
        }
        write!(f, "{} violations", self.violated)
    }
}
