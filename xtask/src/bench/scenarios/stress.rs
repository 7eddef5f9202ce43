//! M4: take-overs for nothing, on a machine that is busy.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    adverts::take_overs,
    clock::{monotonic, nanos},
    stress::{Class, Stress, pin},
    wait::let_pass,
};

use super::{
    super::{
        blocks::turns,
        context::{Bench, Mode, between},
        data::{Lane, Scenario},
        pair::{ACTIVE, BACKUP, Pair},
        side::Side,
        target::{Bound, Figure, Target},
    },
    Entry,
};

pub const ENTRY: Entry = Entry {
    name: "stress",
    metric: "M4",
    title: "False take-overs on a busy machine",
    method: "10 ms adverts, nothing is cut, the Active on CPU 0 and the Backup on CPU 1, and one \
        class of stress at a time: four computing processes a CPU; pairs of processes that wake \
        each other; processes that wake each 50 us; a SCHED_FIFO 50 process that computes on the \
        CPU of the Active, or of the Backup; processes that take a quarter of the free memory \
        and give it back. A take-over of the Backup as a third machine captures it is a false \
        one. The agent has its heartbeat on where the binary has one.",
    needs: &[],
    usual: true,
    run,
    targets,
};

/// What the false take-overs are told with.
const GAP: &str = "gap between adverts, worst of each second";
/// The processors that the two are kept on.
const PROCESSORS: [usize; 2] = [0, 1];

/// Every class, by the name that it has in the report.
fn classes() -> [(String, Class); 6] {
    let [active, backup] = PROCESSORS;
    let named = |class: Class| (class.to_string(), class);
    [
        named(Class::Hogs),
        named(Class::Churn),
        named(Class::Timers),
        (
            "FIFO hog beside the Active".to_owned(),
            Class::Fifo { processor: active },
        ),
        (
            "FIFO hog beside the Backup".to_owned(),
            Class::Fifo { processor: backup },
        ),
        named(Class::Memory),
    ]
}

/// How often each side has its turn, and how long each class lasts then.
fn turn(bench: &Bench, side: Side) -> (usize, Duration) {
    match bench.mode {
        Mode::Quick => (bench.rounds(1, 1), bench.span(2, 2)),
        Mode::Full => (bench.rounds(3, 3), bench.span(20, 20)),
        Mode::Long if side.is_ours() => (bench.rounds(10, 10), bench.span(60, 60)),
        // Two minutes of each class are enough of what flaps.
        Mode::Long => (bench.rounds(10, 10), bench.span(12, 12)),
    }
}

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        scenario.lacks("the machine has one processor: the Active and the Backup share it");
    }
    let best = bench.best(scenario);
    let mut sides = vec![best];
    let keepalived = [Side::Keepalived, Side::KeepalivedRealTime];
    sides.extend(bench.sides(scenario, &keepalived));
    let (rounds, _) = turn(bench, best);
    for (side, _) in turns(&sides, rounds, 1) {
        let part = all(bench, scenario, side);
        scenario.survive(side.name(), part)?;
    }
    Ok(())
}

/// All classes on one pair.
fn all(bench: &Bench, scenario: &mut Scenario, side: Side) -> Result<()> {
    let mut pair = Pair::usual(side, 100, bench.interval())?;
    let [active, backup] = PROCESSORS;
    pin(&pair.active.family(), active);
    pin(&pair.backup.family(), backup);
    let (_, span) = turn(bench, side);
    for (name, class) in classes() {
        bench.show(format!("{side}: {name}"));
        one(scenario, &mut pair, side, (&name, class), span)?;
    }
    Ok(())
}

fn one(
    scenario: &mut Scenario,
    pair: &mut Pair,
    side: Side,
    (name, class): (&str, Class),
    span: Duration,
) -> Result<()> {
    let stress = Stress::start(class, span + Duration::from_secs(30))?;
    pair.watch();
    let began = monotonic();
    let_pass(span)?;
    let (count, seconds) = pair.false_take_overs();
    let ended = monotonic();
    drop(stress);
    let fresh = lane(pair, side, name, began, ended);
    let row = scenario.series(side.name(), name, GAP, "ms");
    row.samples.extend(worst_of_seconds(&fresh));
    row.watched(count, seconds);
    append(&mut scenario.lanes, fresh);
    pair.settle()
}

/// Behind what that side and class have already.
fn append(lanes: &mut Vec<Lane>, fresh: Lane) {
    let same = |lane: &&mut Lane| lane.side == fresh.side && lane.case == fresh.case;
    let Some(lane) = lanes.iter_mut().find(same) else {
        lanes.push(fresh);
        return;
    };
    let start = lane.length_ms;
    let gaps = fresh.gaps.iter().map(|(at, gap)| (start + at, *gap));
    lane.gaps.extend(gaps);
    let take_overs = fresh.take_overs.iter().map(|at| start + at);
    lane.take_overs.extend(take_overs);
    lane.length_ms += fresh.length_ms;
}

/// Adverts and take-overs of a span, for the plot.
fn lane(pair: &Pair, side: Side, case: &str, began: u64, ended: u64) -> Lane {
    let heard = pair.adverts.since(began);
    let interval = nanos(pair.setups[0].interval);
    let times: Vec<u64> = heard
        .iter()
        .filter(|one| one.from == pair.mac(ACTIVE) && one.time < ended)
        .map(|one| one.time)
        .collect();
    // Silence at the end is a gap as well.
    let borders = times.iter().copied().chain([ended]);
    let mut last = began;
    let mut gaps = Vec::new();
    for time in borders {
        let gap = time.saturating_sub(last);
        if gap > interval + interval / 2 {
            gaps.push((between(began, time), between(last, time)));
        }
        last = time;
    }
    let found = take_overs(&heard, pair.mac(BACKUP), nanos(pair.down()));
    Lane {
        side: side.name().to_owned(),
        case: case.to_owned(),
        interval_ms: interval as f64 / 1e6,
        gaps,
        take_overs: found.iter().map(|one| between(began, one.time)).collect(),
        length_ms: between(began, ended),
    }
}

/// The longest gap that ended in each second; one interval where all were
/// shorter than one and a half.
fn worst_of_seconds(lane: &Lane) -> Vec<f64> {
    let seconds = (lane.length_ms / 1000.0).round().max(1.0) as usize;
    let mut worst = vec![lane.interval_ms; seconds];
    for (at, gap) in &lane.gaps {
        let second = ((at / 1000.0) as usize).min(seconds - 1);
        if let Some(worst) = worst.get_mut(second) {
            *worst = worst.max(*gap);
        }
    }
    worst
}

fn targets() -> Vec<Target> {
    let target = |side: Side| {
        let case = |(name, _): (String, Class)| Target {
            side: side.name().to_owned(),
            case: Some(name),
            quantity: GAP,
            figure: Figure::False,
            bound: Bound::AtMost(0.0),
        };
        classes().map(case)
    };
    target(Side::HEARTBEAT).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_has_its_worst_gap() {
        let lane = Lane {
            interval_ms: 10.0,
            gaps: vec![(100.0, 16.0), (900.0, 40.0), (2999.0, 20.0)],
            length_ms: 3000.0,
            ..Lane::default()
        };
        assert_eq!(worst_of_seconds(&lane), [40.0, 10.0, 20.0]);
        let later = Lane {
            gaps: vec![(500.0, 30.0)],
            take_overs: vec![510.0],
            length_ms: 1000.0,
            ..lane.clone()
        };
        let mut lanes = vec![lane];
        append(&mut lanes, later.clone());
        append(
            &mut lanes,
            Lane {
                case: "another".to_owned(),
                ..later
            },
        );
        assert_eq!(lanes.len(), 2);
        assert_eq!(lanes[0].gaps.last(), Some(&(3500.0, 30.0)));
        assert_eq!(lanes[0].take_overs, [3510.0]);
    }
}
