//! The picture on a terminal: a table of routers, and below it what is wrong.

use std::time::Duration;

use agent_common::KernelTime;
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Paragraph, Row, Table},
};

use super::{
    event::{LinkState, State, addresses, span},
    model::Model,
    record::Record,
    sight::Auth,
};

/// VIPs named in a row.
const VIPS: usize = 4;
/// Lines of the lower part that are kept free at least, its title included.
const WRONG_MIN: u16 = 4;

/// An IPv4 address; the column grows to the longest address that is heard.
const SOURCE_MIN: u16 = 15;
const SOURCE: usize = 2;

const COLUMNS: [(&str, Constraint); 13] = [
    ("VRID", Constraint::Length(8)),
    ("Version", Constraint::Length(7)),
    ("Source", Constraint::Length(SOURCE_MIN)),
    ("State", Constraint::Length(8)),
    ("Prio", Constraint::Length(4)),
    ("Every", Constraint::Length(6)),
    ("Mean", Constraint::Length(9)),
    ("Jitter", Constraint::Length(9)),
    ("Max", Constraint::Length(9)),
    ("Missed", Constraint::Length(6)),
    ("Adverts", Constraint::Length(7)),
    ("Age", Constraint::Length(7)),
    ("VIPs", Constraint::Fill(1)),
];

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
    frame.render_widget(table(model, view, now), above);
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

fn table<'a>(model: &'a Model, view: &View, now: KernelTime) -> Table<'a> {
    let header = Row::new(COLUMNS.map(|(name, _)| Cell::from(name)))
        .style(Style::new().add_modifier(Modifier::BOLD));
    let link = match view.link {
        LinkState::Up => "",
        LinkState::Down => " is down: waiting for it",
        LinkState::Gone => " is gone",
    };
    let title = format!(" Virtual routers on {}{link} ", view.interface);
    let rows = model.routers().skip(view.scroll).map(|r| row(r, now));
    let mut widths = COLUMNS.map(|(_, width)| width);
    let source = |r: &Record| who(r).len();
    let longest = model.routers().map(source).max().unwrap_or_default();
    let longest = u16::try_from(longest).unwrap_or(u16::MAX);
    if let Some(width) = widths.get_mut(SOURCE) {
        *width = Constraint::Length(longest.max(SOURCE_MIN));
    }
    Table::new(rows, widths)
        .header(header)
        .block(Block::new().borders(Borders::TOP).title(title))
}

fn who(record: &Record) -> String {
    let local = if record.advert.local { "*" } else { "" };
    format!("{}{local}", record.advert.source)
}

fn row(record: &Record, now: KernelTime) -> Row<'static> {
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
    Row::new([
        Cell::from(format!("{}{vlan}", advert.router.vrid)),
        Cell::from(format!("{}{pass}", advert.version as u8)),
        Cell::from(who(record)),
        Cell::from(Span::styled(record.state.label(), color)),
        Cell::from(advert.priority.to_string()),
        Cell::from(span(advert.interval.duration())),
        Cell::from(or_dash(record.pace.mean())),
        Cell::from(or_dash(record.pace.jitter())),
        Cell::from(or_dash(record.pace.max())),
        Cell::from(missed),
        Cell::from(record.adverts.to_string()),
        Cell::from(age(record.age(now))),
        Cell::from(addresses(&advert.vips, VIPS)),
    ])
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
