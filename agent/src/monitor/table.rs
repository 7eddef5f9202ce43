//! The picture on a terminal: a table of routers, and below it what is wrong.

use std::time::Duration;

use agent_common::KernelTime;
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table},
};

use super::{
    event::{LinkState, State},
    model::Model,
    record::Record,
    sight::Auth,
    words::{addresses, span},
};

/// VIPs named in a row.
const VIPS: usize = 4;
/// Lines of the lower part that are kept free at least, its title included.
const WRONG_MIN: u16 = 4;

/// A column: its title, its least width, and whether it takes the width of
/// its longest cell. Those that measure do not, or the table would flicker.
struct Column(&'static str, u16, bool);

const COLUMNS: [Column; 13] = [
    Column("VRID", 4, true),
    Column("Version", 7, false),
    Column("Source", 9, true),
    Column("State", 8, false),
    Column("Prio", 4, false),
    Column("Every", 6, false),
    Column("Mean", 9, false),
    Column("Jitter", 9, false),
    Column("Max", 9, false),
    Column("Missed", 6, false),
    Column("Adverts", 7, false),
    Column("Age", 5, true),
    // All that is left.
    Column("VIPs", 15, false),
];
const VIPS_COLUMN: usize = COLUMNS.len() - 1;
/// What a narrow terminal does without, the first first: Adverts, Max, Age,
/// Missed, Every, Jitter.
const DISPENSABLE: [usize; 6] = [10, 8, 11, 9, 5, 7];

/// What the picture shows besides the model.
#[derive(Clone, Debug)]
pub struct View {
    pub interface: String,
    pub link: LinkState,
    /// The first router that is shown.
    pub scroll: usize,
    /// Things about the monitor itself that the operator should know.
    pub notes: Vec<String>,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model, view: &View, now: KernelTime) {
    let wrong = wrong(model, view);
    // A third of the screen at most, unless the routers leave more.
    let height = frame.area().height;
    let routers = u16::try_from(model.routers().count()).unwrap_or(u16::MAX);
    let left = height.saturating_sub(routers.saturating_add(3));
    let wanted = u16::try_from(wrong.len())
        .unwrap_or(u16::MAX)
        .saturating_add(1);
    let below = wanted.clamp(WRONG_MIN, left.max(height / 3).max(WRONG_MIN));
    let [above, below, foot] = Layout::vertical([
        Constraint::Min(3),
        Constraint::Length(below),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(table(model, view, now, above.width), above);
    let title = Block::new().borders(Borders::TOP).title(" What is wrong ");
    frame.render_widget(Paragraph::new(wrong).block(title), below);
    let dim = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Line::styled(footer(model), dim), foot);
}

fn footer(model: &Model) -> String {
    let totals = model.totals();
    let mut text = format!(
        " q ends, up and down scroll | {} adverts, {} rejected",
        totals.adverts, totals.rejected
    );
    if totals.overflow > 0 {
        text.push_str(&format!(
            ", {} of routers beyond the table",
            totals.overflow
        ));
    }
    if totals.lost > 0 {
        text.push_str(&format!(", {} frames lost here", totals.lost));
    }
    text.push_str(" | * sent by this machine");
    text
}

fn table(model: &Model, view: &View, now: KernelTime, width: u16) -> Table<'static> {
    let link = match view.link {
        LinkState::Up => "",
        LinkState::Down => " is down: waiting for it",
        LinkState::Gone => " is gone",
    };
    let title = format!(" Virtual routers on {}{link} ", view.interface);
    let rows: Vec<_> = model
        .routers()
        .skip(view.scroll)
        .map(|r| row(r, now))
        .collect();
    let widths = widths(&rows);
    let kept = kept(&widths, width);
    let pick = |cells: [Span<'static>; COLUMNS.len()]| {
        let cells = cells.into_iter().enumerate();
        Row::new(
            cells
                .filter(|(i, _)| kept.contains(i))
                .map(|(_, cell)| cell),
        )
    };
    let header = pick(COLUMNS.map(|Column(name, _, _)| Span::raw(name)))
        .style(Style::new().add_modifier(Modifier::BOLD));
    let constraints = kept.iter().map(|column| match widths.get(*column) {
        Some(width) if *column != VIPS_COLUMN => Constraint::Length(*width),
        Some(_) | None => Constraint::Fill(1),
    });
    Table::new(rows.into_iter().map(pick), constraints)
        .header(header)
        .block(Block::new().borders(Borders::TOP).title(title))
}

fn widths(rows: &[[Span<'static>; COLUMNS.len()]]) -> [u16; COLUMNS.len()] {
    let mut widths = COLUMNS.map(|Column(_, least, _)| least);
    for row in rows {
        for ((width, cell), Column(_, _, grows)) in widths.iter_mut().zip(row).zip(COLUMNS) {
            if grows {
                *width = u16::try_from(cell.width()).unwrap_or(u16::MAX).max(*width);
            }
        }
    }
    widths
}

/// The columns that fit, with a blank between each two.
fn kept(widths: &[u16; COLUMNS.len()], width: u16) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..COLUMNS.len()).collect();
    for column in DISPENSABLE {
        let of = |i: &usize| {
            widths
                .get(*i)
                .copied()
                .unwrap_or_default()
                .saturating_add(1)
        };
        let needed = kept.iter().map(of).fold(0, u16::saturating_add);
        if needed <= width.saturating_add(1) {
            break;
        }
        kept.retain(|other| *other != column);
    }
    kept
}

fn who(record: &Record) -> String {
    let local = if record.advert.local { "*" } else { "" };
    format!("{}{local}", record.advert.source)
}

fn row(record: &Record, now: KernelTime) -> [Span<'static>; COLUMNS.len()] {
    let advert = &record.advert;
    let vlan = match advert.router.vlan {
        0 => String::new(),
        vlan => format!("@{vlan}"),
    };
    let pass = match advert.auth {
        Auth::None => "",
        Auth::Pass => " PASS",
    };
    let color = match record.state {
        State::Active => Color::Green,
        State::Released => Color::Yellow,
        State::Silent => Color::Red,
    };
    let or_dash = |value: Option<Duration>| value.map_or("-".to_owned(), span);
    let missed = match record.pace.missed() {
        0 => Span::raw("0"),
        missed => Span::styled(missed.to_string(), Color::Yellow),
    };
    [
        Span::raw(format!("{}{vlan}", advert.router.vrid)),
        Span::raw(format!("{}{pass}", advert.version as u8)),
        Span::raw(who(record)),
        Span::styled(record.state.label(), color),
        Span::raw(advert.priority.to_string()),
        Span::raw(span(advert.interval.duration())),
        Span::raw(or_dash(record.pace.mean())),
        Span::raw(or_dash(record.pace.jitter())),
        Span::raw(or_dash(record.pace.max())),
        missed,
        Span::raw(record.adverts.to_string()),
        Span::raw(age(record.age(now))),
        Span::raw(addresses(&advert.vips, VIPS)),
    ]
}

/// Coarse, so that it does not flicker.
fn age(age: Duration) -> String {
    match age.as_secs() {
        0..10 => format!("{:.1}s", age.as_secs_f64()),
        10..600 => format!("{}s", age.as_secs()),
        _ => format!("{}min", age.as_secs() / 60),
    }
}

fn wrong(model: &Model, view: &View) -> Vec<Line<'static>> {
    let conflicts = model
        .conflicts()
        .map(|conflict| Line::styled(format!(" {conflict}"), Color::Red));
    let rejects = model
        .rejects()
        .into_iter()
        .map(|reject| Line::styled(format!(" {}", reject.told()), Color::Yellow));
    let notes = view.notes.iter().map(|note| Line::raw(format!(" {note}")));
    let mut lines: Vec<_> = notes.chain(conflicts).chain(rejects).collect();
    if lines.is_empty() {
        lines.push(Line::raw(" nothing"));
    }
    lines
}
