//! M11: an Active whose daemon hangs while its kernel lives.

use anyhow::Result;
use failoverd_tests::{clock::monotonic, wait::let_pass};

use super::{
    super::{
        blocks::turns,
        context::{Bench, milliseconds},
        data::Scenario,
        pair::Pair,
        side::Side,
        target::{Bound, Figure, Target},
    },
    Entry,
    failover::SPACING,
};

pub const ENTRY: Entry = Entry {
    name: "hung",
    metric: "M11",
    title: "A hung daemon: how long two machines answer for the VIP",
    method: "SIGSTOP to all processes of the Active, for some seconds. How long both machines \
        answer the ARP requests of a client, which asks each 200 us: so many requests with two \
        answers, times their spacing. The default lease is 200 ms.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const BOTH: &str = "both answer";
const HUNG: &str = "the daemon hangs";
/// The lease that `fast_detect` has by default, in milliseconds.
const LEASE: f64 = 200.0;

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let mut sides = vec![bench.best(scenario)];
    sides.extend(bench.sides(scenario, &[Side::Keepalived]));
    for (side, rounds) in turns(&sides, bench.rounds(1, 10), 5) {
        for round in 0..rounds {
            bench.show(format!("{side}: {} of {rounds}", round + 1));
            let part = one(bench, scenario, side);
            scenario.survive(side.name(), part)?;
        }
    }
    Ok(())
}

fn one(bench: &mut Bench, scenario: &mut Scenario, side: Side) -> Result<()> {
    let pair = Pair::usual(side, 100, bench.interval())?;
    let probe = pair.probe(SPACING)?;
    let_pass(bench.chance.phase(bench.interval()))?;
    let began = monotonic();
    pair.active.freeze(true)?;
    let_pass(bench.span(2, 5))?;
    let found = probe.report_since(began);
    let hung = std::time::Duration::from_nanos(monotonic().saturating_sub(began));
    pair.active.freeze(false)?;
    let spacing = hung.as_secs_f64() * 1000.0 / found.sent.max(1) as f64;
    let both = found.double_answers as f64 * spacing;
    let row = scenario.series(side.name(), "", BOTH, "ms");
    row.samples.push(both);
    scenario.add(side.name(), "", HUNG, "ms", milliseconds(hung));
    Ok(())
}

fn targets() -> Vec<Target> {
    vec![Target {
        side: Side::HEARTBEAT.name().to_owned(),
        case: None,
        quantity: BOTH,
        figure: Figure::Max,
        bound: Bound::AtMost(LEASE),
    }]
}
