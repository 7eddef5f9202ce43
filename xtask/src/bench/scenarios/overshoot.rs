//! M1: how late a take-over is, beyond what VRRP itself takes.

use anyhow::{Context, Result};
use failoverd_tests::clock::{monotonic, nanos};

use super::{
    super::{
        blocks::turns,
        context::{Bench, between},
        data::Scenario,
        pair::{ACTIVE, BACKUP, PATIENCE, Pair},
        side::Side,
        target::{Bound, Figure, Target},
    },
    BLOCK, Entry,
};

pub const ENTRY: Entry = Entry {
    name: "overshoot",
    metric: "M1",
    title: "Overshoot: how late the first frame of a take-over is",
    method: "The cable of the Active is cut silently at a random phase of its adverts (10 ms), \
        priority 100 in Backup. From the last advert of the Active plus Active_Down_Interval to \
        the first advert of the Backup, both by the kernel's time stamps on a third machine. \
        Nothing else runs. Below zero is too early.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const OVERSHOOT: &str = "overshoot";

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.usual_sides(scenario, false);
    for (side, rounds) in turns(&sides, bench.rounds(6, 60), BLOCK) {
        let part = block(bench, scenario, side, rounds);
        scenario.survive(side.name(), part)?;
    }
    Ok(())
}

fn block(bench: &mut Bench, scenario: &mut Scenario, side: Side, rounds: usize) -> Result<()> {
    let mut pair = Pair::usual(side, 100, bench.interval())?;
    for round in 0..rounds {
        bench.show(format!("{side}: cut {} of {rounds}", round + 1));
        let overshoot = cut(bench, &mut pair)?;
        let row = scenario.series(side.name(), "", OVERSHOOT, "us");
        row.samples.push(overshoot.0);
        row.stalls_ms.push(overshoot.1);
    }
    let (count, seconds) = pair.false_take_overs();
    scenario
        .series(side.name(), "", OVERSHOOT, "us")
        .watched(count, seconds);
    Ok(())
}

/// Microseconds, and the longest stall meanwhile.
fn cut(bench: &mut Bench, pair: &mut Pair) -> Result<(f64, f64)> {
    let began = monotonic();
    let fault = pair.cut(bench)?;
    let first = pair.adverts.wait(pair.mac(BACKUP), fault, PATIENCE)?;
    let stall = bench.stall_since(began);
    let last = pair
        .adverts
        .since(began)
        .into_iter()
        .rfind(|one| one.from == pair.mac(ACTIVE) && one.time < first.time)
        .context("no advert of the Active before the cut")?;
    pair.mend()?;
    let due = last.time + nanos(pair.down());
    Ok((between(due, first.time) * 1e3, stall))
}

fn targets() -> Vec<Target> {
    let target = |figure, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: None,
        quantity: OVERSHOOT,
        figure,
        bound,
    };
    vec![
        target(Figure::P50, Bound::AtMost(40.0)),
        target(Figure::P99, Bound::AtMost(150.0)),
        target(Figure::P50, Bound::NotAbove(Side::Keepalived.name())),
        target(Figure::False, Bound::AtMost(0.0)),
    ]
}
