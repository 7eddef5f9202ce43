//! Plots as SVG: distributions, bars with worst cases, and timelines.

use anyhow::{Result, anyhow};
use plotters::{
    coord::{Shift, ranged1d::ValueFormatter, types::RangedCoordf64},
    prelude::*,
};

use super::super::{
    data::{Lane, Run, Scenario, Series},
    scenarios::find,
    stats::{Summary, ecdf, shown},
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Told apart by those who see no colours as well: light and dark in turns.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];
const FONT: &str = "sans-serif";
const LEGEND_HEIGHT: u32 = 20;
/// Rows of a timeline are that high.
const LANE_HEIGHT: u32 = 34;

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

fn label(series: &Series) -> String {
    let parts = [series.side.as_str(), series.case.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// Of a drawing to its SVG.
fn draw(size: (u32, u32), paint: impl FnOnce(&Area<'_>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        paint(&area)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("plot: {error}")
}

/// Shares of samples that are not above a value, a line for each row; on a
/// logarithmic axis where they are far apart.
pub fn distributions(title: &str, rows: &[&Series]) -> Result<Option<String>> {
    let summaries: Vec<Summary> = rows
        .iter()
        .filter_map(|row| Summary::of(&row.samples))
        .collect();
    let low = summaries.iter().map(|one| one.min).fold(f64::MAX, f64::min);
    let high = summaries.iter().map(|one| one.max).fold(f64::MIN, f64::max);
    if summaries.is_empty() {
        return Ok(None);
    }
    let unit = rows.first().map_or("", |row| row.unit.as_str());
    let names = u32::try_from(rows.len()).unwrap_or(1) * LEGEND_HEIGHT;
    draw((860, 410 + names), |area| {
        let (above, below) = area.split_vertically(400);
        legend(&below, rows)?;
        let mut builder = ChartBuilder::on(&above);
        frame(&mut builder, title);
        if low > 0.0 && high / low > 30.0 {
            let range = (low * 0.8..high * 1.25).log_scale();
            let chart = builder.build_cartesian_2d(range, 0.0..1.0);
            return curves(chart.map_err(failed)?, unit, rows, high * 1.25);
        }
        let margin = ((high - low) * 0.05).max(high.abs() * 0.02).max(1e-6);
        let from = if low >= 0.0 { 0.0 } else { low - margin };
        let chart = builder.build_cartesian_2d(from..high + margin, 0.0..1.0);
        curves(chart.map_err(failed)?, unit, rows, high + margin)
    })
    .map(Some)
}

/// Which line is whose, below the plot, where it covers none.
fn legend(area: &Area<'_>, rows: &[&Series]) -> Result<()> {
    for (index, row) in rows.iter().enumerate() {
        let middle = i32::try_from(index as u32 * LEGEND_HEIGHT + LEGEND_HEIGHT / 2)?;
        let line = vec![(64, middle), (94, middle)];
        let style = colour(index).stroke_width(3);
        area.draw(&PathElement::new(line, style)).map_err(failed)?;
        let text = Text::new(label(row), (104, middle - 6), (FONT, 13));
        area.draw(&text).map_err(failed)?;
    }
    Ok(())
}

fn frame(builder: &mut ChartBuilder<'_, '_, SVGBackend<'_>>, title: &str) {
    builder
        .caption(title, (FONT, 17))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(52);
}

fn curves<X>(
    mut chart: ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, RangedCoordf64>>,
    unit: &str,
    rows: &[&Series],
    end: f64,
) -> Result<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(unit)
        .y_desc("share of samples")
        .x_labels(20)
        .x_label_formatter(&|value| shown(*value))
        .light_line_style(WHITE)
        .label_style((FONT, 13))
        .draw()
        .map_err(failed)?;
    for (index, row) in rows.iter().enumerate() {
        let style = colour(index).stroke_width(2);
        let line = LineSeries::new(steps(&row.samples, end), style);
        chart.draw_series(line).map_err(failed)?;
    }
    Ok(())
}

/// The corners of the distribution with the steps between them.
fn steps(samples: &[f64], end: f64) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    let mut share = 0.0;
    for (value, next) in ecdf(samples) {
        line.extend([(value, share), (value, next)]);
        share = next;
    }
    line.push((end, share));
    line
}

/// A bar up to the median, and a mark at the worst, for each row.
pub fn bars(title: &str, rows: &[&Series]) -> Result<Option<String>> {
    let found: Vec<(String, Summary)> = rows
        .iter()
        .filter_map(|row| Some((label(row), Summary::of(&row.samples)?)))
        .collect();
    if found.is_empty() {
        return Ok(None);
    }
    let unit = rows.first().map_or("", |row| row.unit.as_str());
    let high = found.iter().map(|(_, one)| one.max).fold(0.0, f64::max);
    let high = if high > 0.0 { high * 1.08 } else { 1.0 };
    let low = found.iter().map(|(_, one)| one.min).fold(0.0, f64::min);
    let count = found.len();
    let height = 90 + 30 * u32::try_from(count).unwrap_or(1);
    draw((860, height), |area| {
        let mut builder = ChartBuilder::on(area);
        frame(&mut builder, title);
        let mut chart = builder
            .y_label_area_size(300)
            .build_cartesian_2d(low..high, 0.0..count as f64)
            .map_err(failed)?;
        let name = |at: &f64| {
            let row = count.checked_sub(1 + *at as usize);
            let name = row.and_then(|row| found.get(row));
            name.map_or_else(String::new, |(name, _)| name.clone())
        };
        let named = |at: &f64| {
            if at.fract() == 0.5 {
                name(at)
            } else {
                String::new()
            }
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(2 * count + 1)
            .y_label_formatter(&named)
            .x_desc(format!(
                "{unit}: bar to the median, line to p99, cross at the worst"
            ))
            .light_line_style(WHITE)
            .label_style((FONT, 13))
            .draw()
            .map_err(failed)?;
        for (index, (_, one)) in found.iter().enumerate() {
            let middle = (count - index) as f64 - 0.5;
            let colour = colour(index);
            let bar = [(0.0, middle - 0.3), (one.p50, middle + 0.3)];
            let line = vec![(one.p50, middle), (one.p99, middle)];
            chart
                .draw_series([Rectangle::new(bar, colour.mix(0.7).filled())])
                .map_err(failed)?;
            chart
                .draw_series([PathElement::new(line, colour.stroke_width(2))])
                .map_err(failed)?;
            chart
                .draw_series([Cross::new((one.max, middle), 5, colour.stroke_width(2))])
                .map_err(failed)?;
        }
        Ok(())
    })
    .map(Some)
}

/// A row for each lane: how long the Active was silent, as a line up, and each
/// take-over as a mark across.
pub fn timelines(title: &str, lanes: &[Lane]) -> Result<Option<String>> {
    let length = lanes.iter().map(|lane| lane.length_ms).fold(0.0, f64::max);
    if lanes.is_empty() || length <= 0.0 {
        return Ok(None);
    }
    let count = u32::try_from(lanes.len()).unwrap_or(1);
    let longest = lanes.iter().flat_map(|lane| &lane.gaps).map(|gap| gap.1);
    let scale = longest.fold(40.0, f64::max).min(400.0);
    draw((860, 80 + LANE_HEIGHT * count), |area| {
        let mut builder = ChartBuilder::on(area);
        frame(&mut builder, title);
        let mut chart = builder
            .y_label_area_size(300)
            .build_cartesian_2d(0.0..length / 1000.0, 0.0..f64::from(count))
            .map_err(failed)?;
        let name = |at: &f64| {
            let row = lanes.len().checked_sub(1 + *at as usize);
            let lane = row.and_then(|row| lanes.get(row));
            lane.filter(|_| at.fract() == 0.5)
                .map_or_else(String::new, |lane| format!("{}: {}", lane.case, lane.side))
        };
        chart
            .configure_mesh()
            .disable_mesh()
            .y_labels(2 * lanes.len() + 1)
            .y_label_formatter(&name)
            .x_desc(format!(
                "seconds; blue: silence of the Active, full height {scale:.0} ms; red: a false take-over"
            ))
            .label_style((FONT, 12))
            .draw()
            .map_err(failed)?;
        for (index, lane) in lanes.iter().enumerate() {
            let floor = (lanes.len() - 1 - index) as f64;
            let gap = |(at, gap): &(f64, f64)| {
                let top = floor + 0.05 + 0.9 * (gap / scale).min(1.0);
                let line = vec![(at / 1000.0, floor + 0.05), (at / 1000.0, top)];
                PathElement::new(line, COLOURS[0].stroke_width(1))
            };
            let mark = |at: &f64| {
                let line = vec![(at / 1000.0, floor + 0.05), (at / 1000.0, floor + 0.95)];
                PathElement::new(line, RED.mix(0.8).stroke_width(1))
            };
            chart
                .draw_series(lane.gaps.iter().map(gap))
                .map_err(failed)?;
            chart
                .draw_series(lane.take_overs.iter().map(mark))
                .map_err(failed)?;
            let floor_line = vec![(0.0, floor), (length / 1000.0, floor)];
            chart
                .draw_series([PathElement::new(floor_line, RGBColor(210, 210, 210))])
                .map_err(failed)?;
        }
        Ok(())
    })
    .map(Some)
}

/// The plot of the front page: blackouts with the heartbeat, by adverts alone,
/// and of keepalived.
pub fn blackouts(run: &Run) -> Result<Option<String>> {
    let named = |name: &str| {
        let wanted = find(name).map_or("", |entry| entry.name);
        run.scenarios
            .iter()
            .find(|scenario| scenario.name == wanted)
    };
    let rows = |scenario: &'_ Scenario| -> Vec<Series> {
        let blackouts = scenario.series.iter();
        blackouts
            .filter(|series| series.quantity == "blackout")
            .cloned()
            .collect()
    };
    let heartbeat = named("heartbeat").map(rows).unwrap_or_default();
    let rows = if heartbeat.is_empty() {
        named("failover").map(rows).unwrap_or_default()
    } else {
        heartbeat
    };
    let rows: Vec<&Series> = rows.iter().collect();
    distributions(
        "Blackout of a dead machine: share of cuts over within this time",
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn a_distribution_is_drawn_in_steps() {
        assert_eq!(
            steps(&[1.0, 2.0], 3.0),
            [(1.0, 0.0), (1.0, 0.5), (2.0, 0.5), (2.0, 1.0), (3.0, 1.0)]
        );
    }
}
