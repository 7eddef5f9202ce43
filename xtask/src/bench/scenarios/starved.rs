//! M5: the death of a machine, noticed by a Backup that hardly runs.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::stress::{Class, Stress, pin};

use super::{
    super::{
        blocks::turns,
        context::Bench,
        data::Scenario,
        pair::Pair,
        side::Side,
        target::{Bound, Figure, Target},
    },
    Entry,
    failover::{BLACKOUT, SPACING, cut},
};

pub const ENTRY: Entry = Entry {
    name: "starved",
    metric: "M5",
    title: "Blackout of a dead machine, with a starved Backup",
    method: "As M2 with priority 100, and beside the Backup, on its CPU, four computing processes \
        and one with SCHED_FIFO 50 that computes. A cut that nobody took over within 20 s is \
        told as missing, and counts as 20 s.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const PROCESSOR: usize = 1;
/// What counts for a cut that nobody noticed, in milliseconds.
const NEVER: f64 = 20_000.0;
/// A little more than Active_Down_Interval, 36.1 ms.
const TARGET: f64 = 36.1 + 55.0;

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let mut sides = vec![bench.best(scenario)];
    let keepalived = [Side::Keepalived, Side::KeepalivedRealTime];
    sides.extend(bench.sides(scenario, &keepalived));
    for (side, rounds) in turns(&sides, bench.rounds(2, 30), 5) {
        for round in 0..rounds {
            bench.show(format!("{side}: cut {} of {rounds}", round + 1));
            let part = one(bench, scenario, side);
            scenario.survive(side.name(), part)?;
        }
    }
    Ok(())
}

fn one(bench: &mut Bench, scenario: &mut Scenario, side: Side) -> Result<()> {
    let mut pair = Pair::usual(side, 100, bench.interval())?;
    pin(&pair.backup.family(), PROCESSOR);
    let probe = pair.probe(SPACING)?;
    let limit = Duration::from_secs(60);
    let stress = [
        Stress::start(Class::Hogs, limit)?,
        Stress::start(
            Class::Fifo {
                processor: PROCESSOR,
            },
            limit,
        )?,
    ];
    let blackout = match cut(bench, &mut pair, &probe) {
        Ok(blackout) => blackout,
        Err(error) if failoverd_tests::wait::stopped() => return Err(error),
        Err(error) => {
            scenario.lacks(format!("{side}: {error:#}"));
            NEVER
        }
    };
    drop(stress);
    let (count, seconds) = pair.false_take_overs();
    let row = scenario.series(side.name(), "", BLACKOUT, "ms");
    row.samples.push(blackout);
    row.watched(count, seconds);
    Ok(())
}

fn targets() -> Vec<Target> {
    let target = |figure, bound| Target {
        side: Side::HEARTBEAT.name().to_owned(),
        case: None,
        quantity: BLACKOUT,
        figure,
        bound: Bound::AtMost(bound),
    };
    vec![target(Figure::Max, TARGET), target(Figure::False, 0.0)]
}
