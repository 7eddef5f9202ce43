//! M3: the blackout of a dead machine with the kernel heartbeat.

use std::time::Duration;

use anyhow::Result;

use super::{
    super::{
        blocks::turns,
        context::Bench,
        data::Scenario,
        pair::Pair,
        side::Side,
        target::{Bound, Figure, Target},
    },
    BLOCK, Entry,
    failover::{BLACKOUT, block},
};

pub const ENTRY: Entry = Entry {
    name: "heartbeat",
    metric: "M3",
    title: "Blackout of a dead machine, with the kernel heartbeat",
    method: "As M2, but the client asks each 100 us, the priority of the Backup is 100, and the \
        agents probe each other (fast_detect interval T multiplier k). A cut lasts for two \
        Active_Down_Intervals at least, because an Active that is back at once counts as a false \
        alarm. Beside them, by adverts alone, the agent and keepalived at its fastest, 10 ms \
        adverts.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const SPACING: Duration = Duration::from_micros(100);
const PRIORITY: u8 = 100;
/// Period in microseconds, and misses.
const HEARTBEATS: [(u32, u8); 2] = [(1000, 3), (200, 3)];
const ALONE: &str = "10 ms adverts alone";

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let mut cases = Vec::new();
    for (period_us, misses) in HEARTBEATS {
        let side = Side::Heartbeat { period_us, misses };
        let able = bench.sides(scenario, &[side]);
        let rounds = bench.rounds(5, 200);
        cases.push((able, case(period_us, misses), rounds));
    }
    let beside = bench.usual_sides(scenario, false);
    cases.push((beside, ALONE.to_owned(), bench.rounds(3, 60)));
    for (sides, case, rounds) in cases {
        for (side, rounds) in turns(&sides, rounds, 2 * BLOCK) {
            let part = Pair::usual(side, PRIORITY, bench.interval()).and_then(|mut pair| {
                block(bench, scenario, &mut pair, (side, &case), rounds, SPACING)
            });
            scenario.survive(side.name(), part)?;
        }
    }
    Ok(())
}

fn case(period_us: u32, misses: u8) -> String {
    if period_us.is_multiple_of(1000) {
        format!("{} ms x {misses}", period_us / 1000)
    } else {
        format!("{period_us} us x {misses}")
    }
}

fn targets() -> Vec<Target> {
    let [slow, fast] = HEARTBEATS;
    let target = |(period, misses), figure, bound| Target {
        side: Side::HEARTBEAT.name().to_owned(),
        case: Some(case(period, misses)),
        quantity: BLACKOUT,
        figure,
        bound: Bound::AtMost(bound),
    };
    vec![
        target(slow, Figure::P50, 3.5),
        target(slow, Figure::P99, 5.0),
        target(fast, Figure::P99, 1.5),
        target(slow, Figure::False, 0.0),
        target(fast, Figure::False, 0.0),
    ]
}
