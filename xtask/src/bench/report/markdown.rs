//! The figures as tables in Markdown.

use std::fmt::Write as _;

use super::{
    super::data::{Run, Scenario},
    table,
};

/// The part of docs/BENCHMARKS.md that comes from a run.
pub fn figures(run: &Run) -> String {
    let mut text = format!(
        "{}.\n\n`{}`, a {} run, seed {}.\n",
        table::machine(&run.machine),
        run.command,
        run.mode,
        run.seed
    );
    for scenario in &run.scenarios {
        section(&mut text, scenario);
    }
    text
}

fn section(text: &mut String, scenario: &Scenario) {
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n### {}\n\n`cargo xtask bench {}`: {}\n",
        table::heading(scenario),
        scenario.name,
        scenario.method
    );
    if !scenario.series.is_empty() {
        let _ = writeln!(text, "\n{}", row(table::COLUMNS.map(str::to_owned)));
        text.push_str("|---|---|---|---|--:|--:|--:|--:|---|\n");
        for series in &scenario.series {
            let _ = writeln!(text, "{}", row(table::cells(series)));
        }
    }
    if !scenario.checks.is_empty() {
        text.push_str("\n| target | | measured | |\n|---|---|---|---|\n");
        for check in &scenario.checks {
            let cells = [&check.what, &check.target, &check.measured];
            let verdict = check.verdict().to_owned();
            let _ = writeln!(
                text,
                "{}",
                row([
                    cells[0].clone(),
                    cells[1].clone(),
                    cells[2].clone(),
                    verdict
                ])
            );
        }
    }
    for reason in &scenario.missing {
        let _ = write!(text, "\nMissing: {}.\n", reason.replace('\n', " "));
    }
    let _ = write!(text, "\n{}\n", table::disturbance(scenario));
}

fn row<const N: usize>(cells: [String; N]) -> String {
    format!(
        "| {} |",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}
