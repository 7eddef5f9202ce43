//! M10: what the kernel side costs per frame, and a steady Backup in wake-ups.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent,
    usage::{Usage, wakes_of},
    wait::let_pass,
};

use super::{
    super::{
        context::Bench,
        data::Scenario,
        pair::Pair,
        side::{Running, Side},
        target::{Bound, Figure, Target},
    },
    Entry,
};
use crate::{build, shell};

pub const ENTRY: Entry = Entry {
    name: "xdp-cost",
    metric: "M10",
    title: "What a frame costs in the kernel, and how often a steady Backup wakes up",
    method: "BPF_PROG_TEST_RUN of the programs, a million frames each, beside a program that lets \
        everything pass and does nothing else: what a run itself costs on this machine. Told \
        besides is how much more a foreign frame costs than that. Wake-ups: voluntary context \
        switches of the threads of a Backup that hears its Active each 10 ms.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const COST: &str = "time per frame";
const WAKES: &str = "wake-ups of a steady Backup";
const ALL: &str = "all threads";
const FAST: &str = "the fast lane";
const FAST_THREAD: &str = "failoverd-fast";
const FOREIGN: &str = "Xdp: foreign, IPv4";
const EMPTY: &str = "Xdp: nothing: an empty program";
const BEYOND: &str = "time per frame beyond an empty program";
const ADVERT: &str = "Xdp: advert of the Active, v3/IPv4, two addresses";

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let example = example()?;
    for round in 0..bench.rounds(2, 10) {
        bench.show(format!("a million frames of each kind, run {}", round + 1));
        let out = shell::quiet(&mut Command::new(&example))?;
        let costs: Vec<(String, f64)> = out.lines().filter_map(line).collect();
        let cost = |wanted| costs.iter().find(|(what, _)| what == wanted);
        if let (Some((_, foreign)), Some((_, empty))) = (cost(FOREIGN), cost(EMPTY)) {
            scenario.add("failoverd", FOREIGN, BEYOND, "ns", foreign - empty);
        }
        for (what, nanos) in &costs {
            scenario.add("failoverd", what, COST, "ns", *nanos);
        }
    }
    let sides = bench.usual_sides(scenario, false);
    for side in sides {
        bench.show(format!("{side}: wake-ups"));
        let pair = Pair::usual(side, 100, bench.interval())?;
        let span = bench.span(2, 10);
        for _ in 0..bench.rounds(1, 3) {
            let before = wakes(&pair.backup);
            let_pass(span)?;
            let after = wakes(&pair.backup);
            let cases = [ALL, FAST];
            for (case, (before, after)) in cases.into_iter().zip(before.into_iter().zip(after)) {
                let rate = after.saturating_sub(before) as f64 / span.as_secs_f64();
                if case == ALL || side.is_ours() {
                    scenario.add(side.name(), case, WAKES, "/s", rate);
                }
            }
        }
    }
    Ok(())
}

/// Of all threads, and of the fast lane.
fn wakes(running: &Running) -> [u64; 2] {
    let family = running.family();
    [Usage::of(&family).wakes, wakes_of(&family, FAST_THREAD)]
}

/// The example beside the binary under test, else built as that is.
fn example() -> Result<PathBuf> {
    let beside = agent::binary()?
        .parent()
        .map(|directory| directory.join("examples/xdp_cost"));
    match beside.filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => build::example("xdp_cost").context("build of the example"),
    }
}

/// `  30 ns  Xdp  foreign, IPv6`
fn line(line: &str) -> Option<(String, f64)> {
    let (nanos, rest) = line.trim().split_once(" ns ")?;
    let (program, what) = rest.trim().split_once(' ')?;
    let what = format!("{program}: {}", what.trim());
    Some((what, nanos.parse().ok()?))
}

fn targets() -> Vec<Target> {
    let target = |case: &str, quantity, bound| Target {
        side: Side::Failoverd.name().to_owned(),
        case: Some(case.to_owned()),
        quantity,
        figure: Figure::P50,
        bound: Bound::AtMost(bound),
    };
    vec![
        // 20 ns where an empty program takes 13.
        target(FOREIGN, BEYOND, 7.0),
        target(ADVERT, COST, 400.0),
        target(FAST, WAKES, 0.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_example_is_read() {
        assert_eq!(
            line("  201 ns  Xdp  advert of the Active, v3/IPv4, two addresses"),
            Some((ADVERT.to_owned(), 201.0))
        );
        assert_eq!(line("something else"), None);
    }
}
