//! M6: a virtual router with thousands of addresses.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{clock::monotonic, wait::let_pass};

use super::{
    super::{
        blocks::turns,
        conf::Setup,
        context::{Bench, Mode, between},
        data::Scenario,
        pair::{BACKUP, PATIENCE, Pair},
        side::Side,
        target::{Bound, Figure, Target},
    },
    Entry,
    failover::SPACING,
};

pub const ENTRY: Entry = Entry {
    name: "vips",
    metric: "M6",
    title: "Many addresses: until the last one answers",
    method: "A virtual router with N addresses, 20 of them in its adverts. The cable of the Active \
        is cut; from the first advert of the Backup, as captured on a third machine, to the first \
        answer from the last address of the list (and from the first one), each asked for every \
        200 us.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const LAST: &str = "until the last VIP answers";
const FIRST: &str = "until the first VIP answers";
/// Above this many, announcements take so long that they are waited for.
const FEW: usize = 100;
const ANNOUNCED: Duration = Duration::from_secs(6);
/// How many, and the target in milliseconds.
const COUNTS: [(usize, f64); 4] = [(1, 0.5), (100, 0.7), (1000, 3.0), (4000, 8.0)];

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.sides(scenario, &[Side::Failoverd, Side::Keepalived]);
    for (count, _) in COUNTS {
        if count > 100 && bench.mode == Mode::Quick {
            scenario.lacks(format!("{count} VIPs: not in a quick run"));
            continue;
        }
        for (side, rounds) in turns(&sides, bench.rounds(1, 10), 5) {
            bench.show(format!("{side}: {count} VIPs"));
            let part = block(bench, scenario, side, count, rounds);
            scenario.survive(&format!("{side}, {}", case(count)), part)?;
        }
    }
    Ok(())
}

fn case(count: usize) -> String {
    format!("{count} VIPs")
}

fn block(
    bench: &mut Bench,
    scenario: &mut Scenario,
    side: Side,
    count: usize,
    rounds: usize,
) -> Result<()> {
    let setup = |priority| Setup {
        vips: count,
        interval: bench.interval(),
        ..Setup::new(priority)
    };
    let mut pair = Pair::start(side, [setup(200), setup(100)], 3)?;
    let case = case(count);
    for _ in 0..rounds {
        if count > FEW {
            // Announced once more `garp_master_delay` after the election.
            let_pass(ANNOUNCED)?;
            pair.settle()?;
        }
        let began = monotonic();
        let first = pair.probe_of(0, SPACING)?;
        let last = pair.probe_of(count - 1, SPACING)?;
        let fault = pair.cut(bench)?;
        let backup = pair.mac(BACKUP);
        let early = pair.adverts.since(began).into_iter();
        if early
            .take_while(|one| one.time < fault)
            .any(|one| one.from == backup)
        {
            // Counted below as a false one; there is nothing to measure.
            pair.mend()?;
            continue;
        }
        let advert = pair.adverts.wait(backup, fault, PATIENCE)?;
        for (quantity, probe) in [(FIRST, &first), (LAST, &last)] {
            let answer = probe.wait_answer(fault, Some(backup), PATIENCE)?;
            let stall = bench.stall_since(began);
            let row = scenario.series(side.name(), &case, quantity, "ms");
            row.samples.push(between(advert.time, answer));
            row.stalls_ms.push(stall);
        }
        drop((first, last));
        pair.mend()?;
    }
    let (flaps, seconds) = pair.false_take_overs();
    scenario
        .series(side.name(), &case, LAST, "ms")
        .watched(flaps, seconds);
    Ok(())
}

fn targets() -> Vec<Target> {
    let target = |(count, bound)| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(case(count)),
        quantity: LAST,
        figure: Figure::P50,
        bound: Bound::AtMost(bound),
    };
    COUNTS.map(target).to_vec()
}
