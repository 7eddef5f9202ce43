//! `cargo xtask bench`: the agent and keepalived, measured side by side.

mod blocks;
mod conf;
mod context;
mod data;
mod machine;
mod pair;
mod phase;
mod report;
mod scenarios;
mod side;
mod stats;
mod target;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{agent, clock::monotonic, netns, privilege, stalls::Stalls, sys, wait};

use crate::{build, shell};
use context::{Against, Bench, Mode, Wishes};
use data::{FORMAT, Run, Scenario};
use scenarios::{Entry, TABLE, find};

#[derive(clap::Args)]
pub struct Arguments {
    /// Scenarios by name or number (M1 to M12); M1 to M12 and `price` unless given; `list` tells them
    names: Vec<String>,
    /// Whom the agent is compared with
    #[arg(long, value_enum, default_value = "keepalived")]
    against: Against,
    /// Everything once, within five minutes: figures to look at, not to publish
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// Ten minutes of each class of stress as well
    #[arg(long)]
    long: bool,
    /// Write everything measured, all samples included
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a report with plots, one file that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the plot of the blackouts alone
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write docs/BENCHMARKS.md, docs/bench and docs/img from this run
    #[arg(long)]
    publish: bool,
    /// Measure nothing: take an earlier run's JSON (.gz too) for the other options
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "long", "names"])]
    from: Option<PathBuf>,
    /// Of the phases of all faults; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds of each side, whatever the mode says
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each measurement that lasts, whatever the mode says
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// Advertisement interval in milliseconds, 10 unless given
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=40_950))]
    interval: Option<u64>,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    if arguments.names.iter().any(|name| name == "list") {
        list();
        return Ok(());
    }
    if let Some(path) = &arguments.from {
        let run = report::read(path)?;
        return report::write(arguments, &run);
    }
    let entries = chosen(&arguments.names)?;
    agent::use_binary(&build::agent()?);
    if !sys::is_root() {
        return again_as_root();
    }
    if let Some(reason) = privilege::missing() {
        bail!("the bench cannot run here: {reason}");
    }
    let run = measure(arguments, &entries)?;
    report::write(arguments, &run)?;
    let failed: Vec<&str> = run
        .scenarios
        .iter()
        .filter(|scenario| scenario.failed())
        .map(|scenario| scenario.name.as_str())
        .collect();
    if !failed.is_empty() {
        bail!("could not be measured: {}", failed.join(", "));
    }
    Ok(())
}

fn list() {
    for entry in &TABLE {
        println!("{:4} {:12} {}", entry.metric, entry.name, entry.title);
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Entry>> {
    if names.is_empty() {
        return Ok(TABLE.iter().filter(|entry| entry.usual).collect());
    }
    let entry = |name: &String| {
        find(name)
            .with_context(|| format!("no scenario '{name}': cargo xtask bench list tells them"))
    };
    names.iter().map(entry).collect()
}

/// With the same arguments; the build was made as the user.
fn again_as_root() -> Result<()> {
    let mut command = shell::as_root("env")?;
    if let Ok(binary) = agent::binary() {
        command.arg(format!("FAILOVERD_BIN={}", binary.display()));
    }
    command.arg(std::env::current_exe().context("path of xtask")?);
    command.args(std::env::args_os().skip(1));
    shell::run(&mut command)
}

fn measure(arguments: &Arguments, entries: &[&'static Entry]) -> Result<Run> {
    let mode = match (arguments.quick, arguments.long) {
        (true, _) => Mode::Quick,
        (false, true) => Mode::Long,
        (false, false) => Mode::Full,
    };
    let seed = arguments.seed.unwrap_or_else(monotonic);
    let wishes = Wishes {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        interval: arguments.interval.map(Duration::from_millis),
    };
    let mut bench = Bench::new(mode, seed, arguments.against, wishes)?;
    eprintln!("{} run, seed {seed}", mode.name());
    let machine = machine::look();
    bench.stalls = Some(Stalls::watch()?);
    let mut scenarios = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        bench.done(index, entries.len());
        let scenario = one(&mut bench, entry)?;
        scenarios.push(scenario);
        if wait::stopped() {
            eprintln!("interrupted: what was measured until now is told");
            break;
        }
    }
    bench.done(entries.len(), entries.len());
    if let left @ [_, ..] = netns::ours().as_slice() {
        eprintln!("left behind: {}", left.join(", "));
    }
    Ok(Run {
        format: FORMAT,
        command: command(std::env::args().skip(1)),
        mode: mode.name().to_owned(),
        seed,
        machine,
        scenarios,
    })
}

/// As one would type it to repeat the measurement: without what only says where
/// results go.
fn command(arguments: impl Iterator<Item = String>) -> String {
    const FILES: [&str; 3] = ["--json", "--html", "--svg"];
    let mut words = vec!["cargo".to_owned(), "xtask".to_owned()];
    let mut value = false;
    for word in arguments {
        let of_file = FILES.iter().any(|file| {
            word.strip_prefix(file)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        if !value && !of_file && word != "--publish" {
            words.push(word.clone());
        }
        value = of_file && !word.contains('=');
    }
    words.join(" ")
}

/// A scenario that fails is told, and the others go on.
fn one(bench: &mut Bench, entry: &Entry) -> Result<Scenario> {
    let mut scenario = Scenario {
        name: entry.name.to_owned(),
        metric: entry.metric.to_owned(),
        title: entry.title.to_owned(),
        method: entry.method.to_owned(),
        ..Scenario::default()
    };
    bench.begin(entry.name, entry.title);
    let missing = entry
        .needs
        .iter()
        .find_map(|need| privilege::missing_program(need))
        .or_else(|| bench.no_time_left());
    let watch = machine::Watch::start()?;
    match missing {
        Some(reason) => scenario.lacks(reason),
        None => {
            if let Err(error) = (entry.run)(bench, &mut scenario) {
                eprintln!("{}: {error:#}", entry.name);
                scenario.fails(format!("{error:#}"));
            }
        }
    }
    scenario.seconds = watch.seconds();
    scenario.disturbance = watch.end(bench.stalls.as_ref())?;
    let targets = (entry.targets)();
    scenario.checks = targets
        .iter()
        .flat_map(|target| target.checks(&scenario))
        .collect();
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_is_kept_names_no_files() {
        let words = "bench --json /a/b.json M3 --html=/c.html --quick --publish --seed 7";
        assert_eq!(
            command(words.split(' ').map(str::to_owned)),
            "cargo xtask bench M3 --quick --seed 7"
        );
    }

    #[test]
    fn scenarios_are_chosen_by_name_and_by_number() {
        let names = |names: &[&str]| -> Result<Vec<&str>> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let entries = chosen(&names)?;
            Ok(entries.iter().map(|entry| entry.name).collect())
        };
        assert_eq!(
            names(&["M4", "config"]).ok(),
            Some(vec!["stress", "config"])
        );
        // M1 to M12, and the price of the heartbeat.
        assert_eq!(names(&[]).map(|all| all.len()).ok(), Some(13));
        assert!(names(&["M13"]).is_err());
    }
}
