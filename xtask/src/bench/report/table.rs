//! The run as tables on a terminal.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::super::{
    data::{Disturbance, Machine, Run, Scenario, Series},
    stats::{Summary, shown},
};

/// A line below the header, and no other.
const LINES: &str = "     ──            ";

/// Columns of the figures, each with its text.
pub const COLUMNS: [&str; 9] = [
    "side",
    "case",
    "quantity",
    "unit",
    "n",
    "p50",
    "p99",
    "max",
    "false take-overs",
];

/// One row of figures.
pub fn cells(series: &Series) -> [String; 9] {
    let summary = Summary::of(&series.samples);
    let figure = |of: fn(&Summary) -> f64| summary.as_ref().map(of).map(shown).unwrap_or_default();
    [
        series.side.clone(),
        series.case.clone(),
        series.quantity.clone(),
        series.unit.clone(),
        series.samples.len().to_string(),
        figure(|summary| summary.p50),
        figure(|summary| summary.p99),
        figure(|summary| summary.max),
        take_overs(series),
    ]
}

/// How many, in how long; empty where none can be told apart.
fn take_overs(series: &Series) -> String {
    match series.false_take_overs {
        Some(count) => format!("{count} in {} s", shown(series.watched_s.round())),
        None => String::new(),
    }
}

/// A scenario's name as a heading.
pub fn heading(scenario: &Scenario) -> String {
    match scenario.metric.as_str() {
        "" => scenario.title.clone(),
        metric => format!("{metric}: {}", scenario.title),
    }
}

/// What the machine did meanwhile, as a sentence.
pub fn disturbance(scenario: &Scenario) -> String {
    let Disturbance {
        steal_ms,
        stalls,
        longest_stall_ms,
        load,
    } = scenario.disturbance;
    format!(
        "{} s; steal {} ms, {stalls} stalls of 2 ms or more, the longest {} ms, load {}.",
        shown(scenario.seconds.round()),
        shown(steal_ms.round()),
        shown(longest_stall_ms),
        shown(load),
    )
}

/// Where it ran, as a line.
pub fn machine(machine: &Machine) -> String {
    let Machine {
        kernel,
        processor,
        processors,
        memory_mib,
        started: _,
        failoverd,
        keepalived,
        commit,
        optimised,
        load_before,
    } = machine;
    let build = if *optimised { "" } else { " (debug build)" };
    format!(
        "{processors} x {processor}, {memory_mib} MiB, Linux {kernel}, load {} before; \
         {failoverd}{build} at {commit}; {keepalived}",
        shown(*load_before),
    )
}

/// All of it.
pub fn text(run: &Run) -> String {
    let mut text = format!("\n{}\nseed {}\n", machine(&run.machine), run.seed);
    for scenario in &run.scenarios {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{} ({})", heading(scenario), scenario.name);
        if !scenario.series.is_empty() {
            let _ = writeln!(text, "{}", figures(scenario));
        }
        if !scenario.checks.is_empty() {
            let _ = writeln!(text, "{}", targets(scenario));
        }
        for reason in &scenario.missing {
            let _ = writeln!(text, "missing: {reason}");
        }
        let _ = writeln!(text, "{}", disturbance(scenario));
    }
    text
}

fn plain() -> Table {
    let mut table = Table::new();
    table
        .load_preset(LINES)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn figures(scenario: &Scenario) -> Table {
    let mut table = plain();
    table.set_header(COLUMNS);
    for series in &scenario.series {
        table.add_row(cells(series));
    }
    for column in 4..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn targets(scenario: &Scenario) -> Table {
    let mut table = plain();
    table.set_header(["target", "", "measured", ""]);
    for check in &scenario.checks {
        table.add_row([&check.what, &check.target, &check.measured, check.verdict()]);
    }
    table
}
