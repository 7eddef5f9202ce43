//! M7: hundreds of virtual routers with 10 ms adverts.

use anyhow::Result;
use failoverd_tests::wait::let_pass;

use super::{
    super::{
        conf::Setup,
        context::{Bench, Mode},
        data::Scenario,
        pair::Pair,
        side::Side,
        target::{Bound, Figure, Target},
    },
    Entry,
};

pub const ENTRY: Entry = Entry {
    name: "instances",
    metric: "M7",
    title: "Many virtual routers: flaps and processor time",
    method: "N virtual routers with 10 ms adverts on one pair, nothing is cut. Processor time of \
        all processes of the Active and of the Backup as a share of one CPU, and the take-overs \
        of the Backup as a third machine captures them. What the kernel does in soft interrupts \
        for either is not in these figures.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const COUNTS: [u8; 2] = [25, 255];
const ACTIVE_LOAD: &str = "CPU of the Active";
const BACKUP_LOAD: &str = "CPU of the Backup";

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.usual_sides(scenario, false);
    for count in COUNTS {
        if count < 255 && bench.mode == Mode::Quick {
            continue;
        }
        for side in &sides {
            bench.show(format!("{side}: {count} instances"));
            let part = one(bench, scenario, *side, count);
            scenario.survive(&format!("{side}, {}", case(count)), part)?;
        }
    }
    Ok(())
}

fn case(count: u8) -> String {
    format!("{count} instances")
}

fn one(bench: &Bench, scenario: &mut Scenario, side: Side, count: u8) -> Result<()> {
    let setup = |priority| Setup {
        instances: count,
        interval: bench.interval(),
        ..Setup::new(priority)
    };
    let mut pair = Pair::launch(side, [setup(200), setup(100)], 3)?;
    // A pair that never gets there is measured all the same.
    if let Err(error) = pair.settle_within(bench.span(6, 20)) {
        if failoverd_tests::wait::stopped() {
            return Err(error);
        }
        scenario.lacks(format!("{side}, {}: {error:#}", case(count)));
    }
    let span = bench.span(3, 30);
    let before = [pair.active.usage(), pair.backup.usage()];
    pair.watch();
    let_pass(span)?;
    let (flaps, seconds) = pair.false_take_overs();
    let after = [pair.active.usage(), pair.backup.usage()];
    let quantities = [ACTIVE_LOAD, BACKUP_LOAD];
    for (quantity, (before, after)) in quantities.into_iter().zip(before.iter().zip(&after)) {
        let load = after.load_since(before, span) * 100.0;
        let row = scenario.series(side.name(), &case(count), quantity, "%");
        row.samples.push(load);
        row.watched(flaps, seconds);
    }
    Ok(())
}

fn targets() -> Vec<Target> {
    let target = |quantity, figure, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(case(255)),
        quantity,
        figure,
        bound: Bound::AtMost(bound),
    };
    vec![
        target(ACTIVE_LOAD, Figure::Max, 12.0),
        target(BACKUP_LOAD, Figure::Max, 4.0),
        target(BACKUP_LOAD, Figure::False, 0.0),
    ]
}
