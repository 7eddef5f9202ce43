//! The report: one page that needs nothing else.

use std::fmt::Write as _;

use anyhow::Result;

use super::{
    super::data::{Lane, Run, Scenario, Series},
    plot, table,
};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
    padding:0 1rem;color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0;\
    font-size:13px}td,th{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:left}\
    td.n{text-align:right;font-variant-numeric:tabular-nums}.met{color:#07703c}\
    .no{color:#b00020;font-weight:600}.not{color:#777}svg{max-width:100%;height:auto}\
    .note{color:#666;font-size:13px}h2{margin-top:3rem;border-top:1px solid #ddd;padding-top:1rem}";

/// The whole page.
///
/// # Errors
/// When a plot cannot be drawn.
pub fn page(run: &Run) -> Result<String> {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>failoverd: benchmark</title><style>{STYLE}</style>\n\
         <h1>failoverd: benchmark</h1>\n<p>{}.</p><p><code>{}</code>, a {} run, seed {}.</p>\n",
        escaped(&table::machine(&run.machine)),
        escaped(&run.command),
        escaped(&run.mode),
        run.seed,
    );
    if !run.machine.optimised || run.mode == "quick" {
        page.push_str(
            "<p class=\"no\">Figures to look at, not to publish: a quick run or a debug build.</p>\n",
        );
    }
    contents(&mut page, run);
    for scenario in &run.scenarios {
        section(&mut page, scenario)?;
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn contents(page: &mut String, run: &Run) {
    page.push_str("<ul>\n");
    for scenario in &run.scenarios {
        let count = |met| {
            let checks = scenario.checks.iter();
            checks.filter(|check| check.met == Some(met)).count()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "<li><a href=\"#{}\">{}</a>: {} met, {} not met</li>",
            escaped(&scenario.name),
            escaped(&table::heading(scenario)),
            count(true),
            count(false),
        );
    }
    page.push_str("</ul>\n");
}

fn section(page: &mut String, scenario: &Scenario) -> Result<()> {
    let _ = writeln!(
        page,
        "<h2 id=\"{}\">{}</h2>\n<p>{}</p>",
        escaped(&scenario.name),
        escaped(&table::heading(scenario)),
        escaped(&scenario.method),
    );
    for reason in &scenario.missing {
        let _ = writeln!(page, "<p class=\"no\">Missing: {}</p>", escaped(reason));
    }
    targets(page, scenario);
    figures(page, scenario);
    for svg in plots(scenario)? {
        let _ = writeln!(page, "<figure>{svg}</figure>");
    }
    let _ = writeln!(
        page,
        "<p class=\"note\">{}</p>",
        escaped(&table::disturbance(scenario))
    );
    Ok(())
}

fn targets(page: &mut String, scenario: &Scenario) {
    if scenario.checks.is_empty() {
        return;
    }
    page.push_str("<table><tr><th>target</th><th></th><th>measured</th><th></th></tr>\n");
    for check in &scenario.checks {
        let class = match check.met {
            Some(true) => "met",
            Some(false) => "no",
            None => "not",
        };
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            escaped(&check.what),
            escaped(&check.target),
            escaped(&check.measured),
            check.verdict(),
        );
    }
    page.push_str("</table>\n");
}

fn figures(page: &mut String, scenario: &Scenario) {
    if scenario.series.is_empty() {
        return;
    }
    page.push_str("<table><tr>");
    for column in table::COLUMNS {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>\n");
    for series in &scenario.series {
        page.push_str("<tr>");
        for (index, cell) in table::cells(series).iter().enumerate() {
            let class = if (4..8).contains(&index) {
                " class=\"n\""
            } else {
                ""
            };
            let _ = write!(page, "<td{class}>{}</td>", escaped(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

/// For each quantity its distributions, or bars where there are few samples or
/// many rows; then the timelines.
fn plots(scenario: &Scenario) -> Result<Vec<String>> {
    let mut quantities: Vec<&str> = Vec::new();
    for series in &scenario.series {
        if !quantities.contains(&series.quantity.as_str()) {
            quantities.push(&series.quantity);
        }
    }
    let mut plots = Vec::new();
    for quantity in quantities {
        let rows: Vec<&Series> = scenario
            .series
            .iter()
            .filter(|series| series.quantity == quantity && !series.samples.is_empty())
            .collect();
        let few = rows.iter().any(|row| row.samples.len() < 4);
        if !few && rows.len() <= 8 {
            plots.extend(plot::distributions(quantity, &rows)?);
        }
        plots.extend(plot::bars(quantity, &rows)?);
    }
    let lanes = by_case(&scenario.lanes);
    plots.extend(plot::timelines("Silence and false take-overs", &lanes)?);
    Ok(plots)
}

/// Those of one case together, in the order in which cases and sides came.
fn by_case(lanes: &[Lane]) -> Vec<Lane> {
    let mut sorted = lanes.to_vec();
    sorted.sort_by_key(|lane| lanes.iter().position(|first| first.case == lane.case));
    sorted
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenarios::TABLE;

    /// A run as it was written once: old files stay readable.
    const GOLDEN: &str = include_str!("golden.json");

    #[test]
    fn a_kept_run_is_read_and_every_scenario_is_on_the_page() -> Result<()> {
        let mut run: Run = serde_json::from_str(GOLDEN)?;
        let first = run.scenarios.first().cloned().unwrap_or_default();
        run.scenarios = TABLE
            .iter()
            .map(|entry| Scenario {
                name: entry.name.to_owned(),
                metric: entry.metric.to_owned(),
                title: entry.title.to_owned(),
                method: entry.method.to_owned(),
                ..first.clone()
            })
            .collect();
        let page = page(&run)?;
        for entry in &TABLE {
            assert!(
                page.contains(&format!("id=\"{}\"", entry.name)),
                "{}",
                entry.name
            );
            assert!(page.contains(&escaped(entry.title)), "{}", entry.name);
        }
        // The verdicts in words, the plots inside, nothing from elsewhere.
        assert!(page.contains("not met") && page.contains(">met<"));
        assert!(page.matches("<svg").count() >= 2 * TABLE.len());
        assert!(!page.contains("<script") && !page.contains("src="));
        assert!(page.contains("Missing: keepalived: &lt;none&gt;"));
        Ok(())
    }

    #[test]
    fn a_timeline_has_a_mark_for_each_take_over() -> Result<()> {
        let lane = Lane {
            side: "keepalived".to_owned(),
            case: "CPU hogs".to_owned(),
            interval_ms: 10.0,
            gaps: vec![(100.0, 50.0)],
            take_overs: vec![90.0, 400.0],
            length_ms: 1000.0,
        };
        let count = |lane: &Lane| -> Result<usize> {
            let svg = plot::timelines("x", std::slice::from_ref(lane))?.unwrap_or_default();
            Ok(svg.matches("#FF0000").count())
        };
        assert_eq!(count(&lane)?, 2);
        let quiet = Lane {
            take_overs: Vec::new(),
            ..lane
        };
        assert_eq!(count(&quiet)?, 0);
        assert!(plot::timelines("x", &[])?.is_none());
        Ok(())
    }

    #[test]
    fn what_others_wrote_is_text_on_the_page() {
        assert_eq!(escaped("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
