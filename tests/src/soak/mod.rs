//! A soak: routers with 10 ms adverts, faults in a row that a seed tells, and
//! invariants that are looked at from outside.
//!
//! Each round does a fault or two, undoes them, waits until one router serves
//! and watches that it stays so. Then the frames and the addresses of every
//! machine, and the answers to a client, are judged over all of the round.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};

use crate::{
    clock::{Deadline, monotonic, nanos},
    probe::{Probe, Report as Answers},
    stalls::Stalls,
    wait::{eventually, let_pass, stopped},
};

mod answers;
pub mod judge;
mod machine;
pub mod plan;
pub mod report;
mod scout;
pub mod vitals;
mod world;

use judge::{Episode, Finding, Judge, SETTLED, Suffered};
use plan::{Plan, Round};
pub use report::Report;
use scout::{Story, Track};
use vitals::Vitals;
use world::World;

/// One in each family.
const ROUTERS_PER_MACHINE: usize = 2;
/// Their VRIDs.
const VRIDS: [u8; ROUTERS_PER_MACHINE] = [51, 52];
/// Between two adverts.
pub const INTERVAL: Duration = Duration::from_millis(10);
/// Priority of the fast lanes: all of them, and those of whoever else tests on
/// this machine, share its processors, and none comes before the other.
const FAST_LANE: i32 = 60;
/// Between two questions of the client.
const SPACING: Duration = Duration::from_millis(5);
/// What is watched after each round.
const WATCHED: Duration = Duration::from_millis(400);
/// What is told of each machine around a finding.
const BEFORE: Duration = Duration::from_millis(60);
const AFTER: Duration = Duration::from_millis(300);
/// When nobody serves by then, nobody will: the run ends.
const HOPELESS: Duration = Duration::from_secs(40);
/// Frames and addresses that are older are forgotten.
const MEMORY: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub span: Duration,
    pub seed: u64,
    /// Routers: 3 to 8.
    pub routers: usize,
}

/// Runs it. `progress` gets a line now and then, and each finding at once.
///
/// # Errors
/// When the lab itself fails, or nobody serves any more. A broken invariant is
/// in the report.
pub fn run(options: Options, mut progress: impl FnMut(&str)) -> Result<Report> {
    let mut world = World::new(options.routers)?;
    let mut stalls = Stalls::watch_at(FAST_LANE)?;
    // The client's: nobody else changes anything there.
    stalls.watch_rtnl(&world.client().ns)?;
    let mut soak = Soak {
        plan: Plan::new(options.seed, options.routers),
        report: Report::new(options),
        vitals: Vitals::default(),
        stalls,
        begun: monotonic(),
    };
    soak.settle(&world, monotonic())
        .context("before the first fault")?;
    let end = Deadline::after(options.span);
    let mut told = Deadline::after(Duration::ZERO);
    while !end.expired() && !stopped() {
        let round = soak.plan.next_round();
        let done = soak.round(&mut world, &round, &mut progress);
        if let Err(error) = done {
            if stopped() {
                break;
            }
            progress(&soak.lost(&world, &round, &error));
            return Err(error);
        }
        if told.expired() {
            progress(&soak.report.line(monotonic() - soak.begun));
            told = Deadline::after(Duration::from_secs(15));
        }
    }
    soak.report.refused_upgrades = world.refused;
    soak.report.finish(&soak.vitals);
    Ok(soak.report)
}

struct Soak {
    plan: Plan,
    report: Report,
    vitals: Vitals,
    stalls: Stalls,
    begun: u64,
}

impl Soak {
    fn round(
        &mut self,
        world: &mut World,
        round: &Round,
        progress: &mut impl FnMut(&str),
    ) -> Result<()> {
        let client = world.client();
        let mirror = world.mirror().port.v4.into();
        let network = Probe::start(client, mirror, SPACING)?;
        let probes = world.vips.map(|vip| Probe::start(client, vip, SPACING));
        let [v4, v6] = probes;
        let probes = [v4?, v6?];
        let from = monotonic();
        let mut suffered = self.suffer(world, round)?;
        let marks = std::mem::take(&mut suffered.1);
        let mut suffered = suffered.0;
        let_pass(round.hold)?;
        world.heal(&mut suffered, &marks)?;
        let healed = monotonic();
        let settled = self.settle(world, healed)?;
        let_pass(WATCHED)?;
        let to = monotonic();
        let answers = probes.map(Probe::stop);
        // A network that stands still is nobody's fault here.
        self.stalls.note(&network.stop().slow);
        let episode = Episode {
            suffered,
            from,
            to,
            settled,
            right: std::array::from_fn(|router| world.right(router)),
            priorities: world
                .machines
                .iter()
                .map(|machine| machine.priorities)
                .collect(),
            tracks: world
                .machines
                .iter()
                .map(|machine| machine.scout.tracks())
                .collect(),
        };
        self.judge(world, &episode, &answers, healed, progress);
        let before = to.saturating_sub(nanos(MEMORY));
        for machine in &world.machines {
            machine.scout.forget(before);
        }
        self.stalls.forget(before);
        self.vitals.sample(world);
        Ok(())
    }

    /// What was done, and how long the logs were before.
    fn suffer(&mut self, world: &mut World, round: &Round) -> Result<(Vec<Suffered>, Vec<usize>)> {
        let marks = world.marks(&round.faults);
        let mut suffered = Vec::new();
        for planned in &round.faults {
            self.report.fault(planned.fault);
            let seed = self.plan.seed();
            suffered.push(world.inflict(*planned, seed)?);
        }
        Ok((suffered, marks))
    }

    /// Waits until the right machine serves each virtual router, and nobody
    /// else; since when.
    fn settle(&self, world: &World, since: u64) -> Result<u64> {
        eventually(HOPELESS, "one router that serves", || {
            let now = monotonic();
            let routers = 0..ROUTERS_PER_MACHINE;
            let times: Option<Vec<u64>> =
                routers.map(|router| settled(world, router, now)).collect();
            let last = times?.into_iter().max()?;
            Some(last.max(since))
        })
    }

    fn judge(
        &mut self,
        world: &World,
        episode: &Episode,
        answers: &[Answers; ROUTERS_PER_MACHINE],
        healed: u64,
        progress: &mut impl FnMut(&str),
    ) {
        let (mut found, measured) = Judge::judge(episode, &self.stalls);
        found.extend(answers::judge(world, episode, answers, &self.stalls));
        let took = Duration::from_nanos(episode.settled.saturating_sub(healed));
        let stalled = self.stalls.time_within(healed, episode.settled);
        if took > SETTLED {
            found.push(Finding {
                invariant: 30,
                at: healed,
                text: format!("settled after {took:?}, stalled {stalled:?}"),
                excused: took <= SETTLED + stalled,
            });
        }
        let violated = found.iter().any(|finding| !finding.excused);
        for finding in &found {
            if !finding.excused {
                progress(&self.tell(finding, episode));
                story(finding.at, episode, progress);
            }
        }
        if violated {
            for (index, machine) in world.machines.iter().enumerate() {
                for line in machine.last_lines(8) {
                    progress(&format!("    machine {index}: {line}"));
                }
            }
        }
        self.report.round(took, measured, found, answers);
        self.report
            .adverts(&episode.tracks, episode.from, episode.to);
    }

    fn tell(&self, finding: &Finding, episode: &Episode) -> String {
        let at = Duration::from_nanos(finding.at.saturating_sub(self.begun));
        let faults: Vec<String> = episode
            .suffered
            .iter()
            .map(|suffered| format!("{} of machine {}", suffered.fault.name(), suffered.machine))
            .collect();
        format!(
            "VIOLATION of invariant {} at {:.3} s (seed {}, round {}: {}; {} after the fault): {}",
            finding.invariant,
            at.as_secs_f64(),
            self.report.options.seed,
            self.report.rounds + 1,
            faults.join(" and "),
            millis(finding.at.saturating_sub(episode.from)),
            finding.text,
        )
    }

    fn lost(&self, world: &World, round: &Round, error: &anyhow::Error) -> String {
        let mut text = format!(
            "seed {}, round {}, {round:?}: {error:#}",
            self.report.options.seed,
            self.report.rounds + 1
        );
        for (index, machine) in world.machines.iter().enumerate() {
            for line in machine.last_lines(12) {
                text.push_str(&format!("\n    machine {index}: {line}"));
            }
        }
        text
    }
}

/// What each machine did around that time.
fn story(at: u64, episode: &Episode, progress: &mut impl FnMut(&str)) {
    let (from, to) = (
        at.saturating_sub(nanos(BEFORE)),
        at.saturating_add(nanos(AFTER)),
    );
    for (index, tracks) in episode.tracks.iter().enumerate() {
        for (track, family) in tracks.iter().zip(["IPv4", "IPv6"]) {
            let story = Story { track, from, to };
            progress(&format!("    machine {index} {family}:{story}"));
        }
    }
}

fn millis(span: u64) -> String {
    format!("{:.1} ms", Duration::from_nanos(span).as_secs_f64() * 1e3)
}

/// Since when the right machine alone has the VIP and says so.
fn settled(world: &World, router: usize, now: u64) -> Option<u64> {
    const FRESH: u64 = 30_000_000;
    /// Longer than any of them waits for an advert that is due.
    const SILENT: u64 = 50_000_000;
    let right = world.right(router);
    let mut since = 0;
    for (index, machine) in world.machines.iter().enumerate() {
        let (holds, said, left) = machine.scout.look(router, |track| {
            let said = track.claims(0, now).next_back();
            let left = track.held.last().and_then(|held| held.to);
            (track.holds_since(), said, left)
        });
        if index == right {
            since = since.max(holds?);
            if said? + FRESH < now {
                return None;
            }
        } else {
            if holds.is_some() || said.is_some_and(|said| said + SILENT > now) {
                return None;
            }
            since = since.max(left.unwrap_or(0)).max(said.unwrap_or(0));
        }
    }
    Some(since)
}

/// How often each kind of something happened.
type Tally = BTreeMap<&'static str, usize>;

/// All that one machine said.
type Tracks = [Track; ROUTERS_PER_MACHINE];
