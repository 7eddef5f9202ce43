//! Records as people read them.

use std::fmt::Write as _;

use super::{Packet, Record, Steps};
use crate::{dump::calendar, tell::feed::State};

const COLUMNS: [&str; 10] = [
    "TIME", "INSTANCE", "CHANGE", "DEADLINE", "AWAKE", "ADVERT", "VIPS", "GARP", "PACKET", "CAUSE",
];
/// Columns of text; the others are numbers.
const TEXT: [usize; 4] = [0, 1, 2, 9];

/// A table with a line for each record, and one with the parts of a blackout.
pub fn text(records: &[Record]) -> String {
    if records.is_empty() {
        return "nothing has happened yet\n".to_owned();
    }
    let rows: Vec<[String; 10]> = records.iter().map(row).collect();
    let mut widths = COLUMNS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    line(&mut out, &COLUMNS.map(str::to_owned), &widths);
    for (row, record) in rows.iter().zip(records) {
        line(&mut out, row, &widths);
        let lines = [blackout(record), refused(record)];
        let parts: Vec<String> = lines.into_iter().flatten().collect();
        if !parts.is_empty() {
            let _ = writeln!(out, "    {}", parts.join(", "));
        }
    }
    out.push_str(
        "Columns in us after the last sign of life of the router before, or after AWAKE \
         where there is no such router.\n",
    );
    out
}

fn line(out: &mut String, cells: &[String; 10], widths: &[usize; 10]) {
    let start = out.len();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Writing to a string does not fail.
        let _ = match TEXT.contains(&at) {
            true => write!(out, "{cell:<width$}  "),
            false => write!(out, "{cell:>width$}  "),
        };
    }
    out.truncate(start.max(out.trim_end().len()));
    out.push('\n');
}

fn row(record: &Record) -> [String; 10] {
    let stamps = record.stamps;
    let origin = record.origin();
    let after = |at: Option<u64>| {
        at.map_or_else(
            || "-".to_owned(),
            |at| (at.saturating_sub(origin) / 1000).to_string(),
        )
    };
    let packet = match record.packet {
        Packet::Unknown => "-".to_owned(),
        Packet::Awaited => "awaited".to_owned(),
        Packet::None => "none".to_owned(),
        Packet::Seen => after(stamps.first_packet),
    };
    let deadline = stamps.deadline.filter(|_| record.sign_of_life().is_some());
    let addresses = match record.is_refused() {
        true => "refused".to_owned(),
        false => after(stamps.addresses),
    };
    [
        calendar::iso(record.time_us),
        record.instance.clone(),
        change(record),
        after(deadline),
        after(Some(stamps.woke)),
        after(stamps.advert),
        addresses,
        after(stamps.first_announcement),
        packet,
        record.text.clone(),
    ]
}

fn change(record: &Record) -> String {
    format!("{} -> {}", record.from.word(), record.to.word())
}

fn refused(record: &Record) -> Option<String> {
    let refused = record.vips_refused;
    (refused > 0).then(|| format!("{refused} VIPs refused"))
}

/// How long nobody served, as far as this machine can know, and why.
pub fn blackout(record: &Record) -> Option<String> {
    let Steps {
        detection,
        decision,
        send,
        addresses,
        announcement,
        blackout,
        blackout_to_packet,
    } = record.steps_us;
    let mut text = format!("blackout {} ms", millis(blackout?));
    let parts = [
        ("detection", detection),
        ("decision", decision),
        ("send", send),
        ("addresses", addresses),
        ("announcement", announcement),
    ];
    let known = parts
        .iter()
        .filter_map(|(name, span)| Some((name, (*span)?)));
    for (at, (name, span)) in known.enumerate() {
        let sign = if at == 0 { "=" } else { "+" };
        let _ = write!(text, " {sign} {name} {}", millis(span));
    }
    if let Some(packet) = blackout_to_packet {
        let _ = write!(text, "; first packet after {} ms", millis(packet));
    }
    Some(text)
}

/// The same in short, as a line of the log that has the name already.
pub fn short(record: &Record) -> String {
    let mut line = format!("{}, {}", change(record), record.text);
    if let Some(parts) = blackout(record) {
        let _ = write!(line, ": {parts}");
    } else if let Some(at) = record.stamps.addresses.filter(|_| !record.is_refused()) {
        let span = at.saturating_sub(record.stamps.woke) / 1000;
        let done = match record.to {
            State::Active => "added",
            State::Initialize | State::Backup | State::Fault | State::Stopped => "removed",
        };
        let _ = write!(
            line,
            ": {} VIPs {done} within {} ms",
            record.vips,
            millis(span)
        );
    }
    if let Some(refused) = refused(record) {
        let _ = write!(line, ", {refused}");
    }
    line
}

fn millis(micros: u64) -> String {
    format!("{}.{:03}", micros / 1000, micros % 1000)
}
