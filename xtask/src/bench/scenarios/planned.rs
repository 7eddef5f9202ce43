//! M9: what a client loses when somebody means well.

use std::time::Duration;

use anyhow::{Result, ensure};
use failoverd_tests::{clock::monotonic, probe::Probe, wait::let_pass};

use super::{
    super::{
        conf::Setup,
        context::{Bench, milliseconds},
        data::Scenario,
        pair::{BACKUP, PATIENCE, Pair},
        side::{Running, Side},
        target::{Bound, Figure, Target},
    },
    Entry,
    failover::SPACING,
};

pub const ENTRY: Entry = Entry {
    name: "planned",
    metric: "M9",
    title: "Planned: hand-over, reload, upgrade",
    method: "10 ms adverts, priority 100 in Backup, a client that asks each 200 us. Hand-over: \
        SIGTERM to the Active. Reload: the Active reads its unchanged file again. Upgrade: \
        `failoverd upgrade` of the Active; keepalived, which has none, is ended and started \
        anew. Told are the requests without an answer and the longest time without one.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const LOST: &str = "lost probes";
const BLACKOUT: &str = "longest time without an answer";
/// Watched after what is done.
const AFTER: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    HandOver,
    Reload,
    Upgrade,
}

impl Event {
    const fn case(self) -> &'static str {
        match self {
            Self::HandOver => "hand-over (SIGTERM)",
            Self::Reload => "reload",
            Self::Upgrade => "upgrade",
        }
    }
}

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let sides = bench.sides(scenario, &[Side::Failoverd, Side::Keepalived]);
    for side in sides {
        let part = all(bench, scenario, side);
        scenario.survive(side.name(), part)?;
    }
    Ok(())
}

fn all(bench: &mut Bench, scenario: &mut Scenario, side: Side) -> Result<()> {
    let mut pair = Pair::usual(side, 100, bench.interval())?;
    for event in [Event::Reload, Event::Upgrade, Event::HandOver] {
        let rounds = bench.rounds(1, 20);
        for round in 0..rounds {
            bench.show(format!(
                "{side}: {} {} of {rounds}",
                event.case(),
                round + 1
            ));
            one(bench, scenario, &mut pair, side, event)?;
        }
    }
    Ok(())
}

fn one(
    bench: &mut Bench,
    scenario: &mut Scenario,
    pair: &mut Pair,
    side: Side,
    event: Event,
) -> Result<()> {
    let probe = pair.probe(SPACING)?;
    let began = monotonic();
    probe.wait_answer(began, None, PATIENCE)?;
    let_pass(Duration::from_millis(50) + bench.chance.phase(bench.interval()))?;
    pair.expect_take_over();
    let start = monotonic();
    perform(pair, &probe, event)?;
    probe.wait_answer(monotonic(), None, PATIENCE)?;
    let_pass(AFTER)?;
    let found = probe.report_since(start);
    let lost: usize = found.gaps.iter().map(|gap| gap.lost).sum();
    let stall = bench.stall_since(start);
    let row = scenario.series(side.name(), event.case(), BLACKOUT, "ms");
    row.samples.push(milliseconds(found.blackout_max()));
    row.stalls_ms.push(stall);
    scenario.add(side.name(), event.case(), LOST, "", lost as f64);
    drop(probe);
    if event == Event::HandOver {
        pair.active.stop()?;
        pair.start_active()?;
    }
    pair.settle()
}

fn perform(pair: &mut Pair, probe: &Probe, event: Event) -> Result<()> {
    match (event, &mut pair.active) {
        (Event::HandOver, active) => {
            let start = monotonic();
            active.terminate()?;
            let backup = pair.mac(BACKUP);
            probe.wait_answer(start, Some(backup), PATIENCE).map(drop)
        }
        (Event::Reload, active) => active.reload(),
        (Event::Upgrade, Running::Agent(agent)) => {
            let ended = agent.ask("upgrade", &[])?;
            ensure!(ended.code == Some(0), "upgrade: {:?}", ended.output);
            Ok(())
        }
        (Event::Upgrade, Running::Keepalived(keepalived)) => {
            keepalived.stop()?;
            pair.start_active()
        }
    }
}

fn targets() -> Vec<Target> {
    let target = |event: Event, quantity, figure, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(event.case().to_owned()),
        quantity,
        figure,
        bound: Bound::AtMost(bound),
    };
    let skew = milliseconds(Setup::new(100).skew());
    vec![
        target(Event::HandOver, BLACKOUT, Figure::P50, skew + 0.3),
        target(Event::HandOver, BLACKOUT, Figure::Max, skew + 0.3),
        target(Event::Reload, LOST, Figure::Max, 0.0),
        target(Event::Upgrade, LOST, Figure::Max, 0.0),
    ]
}
