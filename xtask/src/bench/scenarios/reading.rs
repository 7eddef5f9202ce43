//! Reading, checking, printing and comparing large configurations.

use std::process::Command;

use anyhow::{Context, Result};
use failoverd_tests::agent;

use super::{
    super::{context::Bench, data::Scenario, target::Target},
    Entry,
};
use crate::build;

pub const ENTRY: Entry = Entry {
    name: "config",
    metric: "",
    title: "Large configurations",
    method: "The library reads and checks 10,000 instances, and as many as one agent has; prints \
        these, and compares them with themselves. Each figure is the median of nine.",
    needs: &[],
    usual: false,
    run,
    targets,
};

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let beside = agent::binary()?
        .parent()
        .map(|directory| directory.join("examples/config_speed"));
    let example = match beside.filter(|path| path.is_file()) {
        Some(path) => path,
        None => build::example("config_speed")?,
    };
    for round in 0..bench.rounds(1, 3) {
        bench.show(format!("run {}", round + 1));
        // It ends with 1 where its own limit is passed, and tells all the same.
        let output = Command::new(&example).output().context("config_speed")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for (what, millis) in text.lines().filter_map(line) {
            scenario.add("failoverd", what, "time", "ms", millis);
        }
    }
    Ok(())
}

/// `printed: 1.5 ms`
fn line(line: &str) -> Option<(&str, f64)> {
    let (what, time) = line.rsplit_once(": ")?;
    Some((what, time.strip_suffix(" ms")?.parse().ok()?))
}

fn targets() -> Vec<Target> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_of_the_example_is_read() {
        let text = "10000 instances (3207 KiB) read and checked: 149.1 ms";
        let what = "10000 instances (3207 KiB) read and checked";
        assert_eq!(line(text), Some((what, 149.1)));
        assert_eq!(line("no figure"), None);
    }
}
