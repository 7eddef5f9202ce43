//! M2: the blackout of a dead machine, by adverts alone, at equal settings.

use std::time::Duration;

use anyhow::Result;

use super::{
    super::{
        blocks::turns,
        context::{Bench, between},
        data::Scenario,
        pair::{BACKUP, PATIENCE, Pair},
        side::Side,
        target::{Bound, Figure, Target},
    },
    BLOCK, Entry,
};
use failoverd_tests::{clock::monotonic, probe::Probe};

pub const ENTRY: Entry = Entry {
    name: "failover",
    metric: "M2",
    title: "Blackout of a dead machine, by adverts alone",
    method: "10 ms adverts. The cable of the Active is cut silently at a random phase, as a power \
        loss does. From the cut to the first answer of the Backup to a client that asks for the \
        VIP by ARP each 200 us; an answer can be seen up to 200 us late.",
    needs: &[],
    usual: true,
    run,
    targets,
};

pub const BLACKOUT: &str = "blackout";
pub const SPACING: Duration = Duration::from_micros(200);
/// Priorities of the Backup.
const PRIORITIES: [u8; 2] = [100, 254];

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.usual_sides(scenario, false);
    for priority in PRIORITIES {
        let case = case(priority);
        for (side, rounds) in turns(&sides, bench.rounds(5, 60), BLOCK) {
            let part = Pair::usual(side, priority, bench.interval()).and_then(|mut pair| {
                block(bench, scenario, &mut pair, (side, &case), rounds, SPACING)
            });
            scenario.survive(side.name(), part)?;
        }
    }
    Ok(())
}

fn case(priority: u8) -> String {
    format!("priority {priority}")
}

/// Several cuts of one pair.
pub fn block(
    bench: &mut Bench,
    scenario: &mut Scenario,
    pair: &mut Pair,
    (side, case): (Side, &str),
    rounds: usize,
    spacing: Duration,
) -> Result<()> {
    let probe = pair.probe(spacing)?;
    let mut probe_late = 0.0_f64;
    for round in 0..rounds {
        bench.show(format!("{side}, {case}: cut {} of {rounds}", round + 1));
        let began = monotonic();
        let blackout = cut(bench, pair, &probe)?;
        let stall = bench.stall_since(began);
        let row = scenario.series(side.name(), case, BLACKOUT, "ms");
        row.samples.push(blackout);
        row.stalls_ms.push(stall);
        pair.mend()?;
    }
    let (count, seconds) = pair.false_take_overs();
    scenario
        .series(side.name(), case, BLACKOUT, "ms")
        .watched(count, seconds);
    let late = probe.stop().own_delay_max.saturating_sub(spacing);
    probe_late = probe_late.max(super::super::context::milliseconds(late));
    scenario.add(side.name(), case, "client late, worst", "ms", probe_late);
    Ok(())
}

/// Milliseconds from a cut to the first answer of the Backup.
pub fn cut(bench: &mut Bench, pair: &mut Pair, probe: &Probe) -> Result<f64> {
    let fault = pair.cut(bench)?;
    let back = probe.wait_answer(fault, Some(pair.mac(BACKUP)), PATIENCE)?;
    Ok(between(fault, back))
}

fn targets() -> Vec<Target> {
    let target = |priority, figure, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(case(priority)),
        quantity: BLACKOUT,
        figure,
        bound,
    };
    let beside = Bound::NotAbove(Side::Keepalived.name());
    vec![
        target(100, Figure::P50, beside),
        target(100, Figure::Max, beside),
        target(254, Figure::P50, Bound::AtMost(25.5)),
        target(254, Figure::Max, Bound::AtMost(30.6)),
        target(100, Figure::False, Bound::AtMost(0.0)),
        target(254, Figure::False, Bound::AtMost(0.0)),
    ]
}
