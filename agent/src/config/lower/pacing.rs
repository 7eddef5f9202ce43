//! `garp_group`: interfaces that share a limit on announcements.

use std::time::Duration;

use super::instance::entries;
use super::statement::Reader;
use super::value::{MICROS, first, timer};
use crate::config::diagnostic::Code;
use crate::config::keywords::{Block, GarpGroupKey, Key};
use crate::config::lexer::Word;
use crate::config::model::{IfName, PaceGroup, Pacing};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

const HOUR: u64 = 3600 * MICROS;

/// Adds the group of one block to `pacing`.
pub fn group(block: &Statement, pacing: &mut Pacing, sink: &mut Sink) {
    let mut group = PaceGroup {
        interval: Default::default(),
        interfaces: Vec::new(),
    };
    let mut named = Vec::new();
    let mut reader = Reader::new(Block::GarpGroup);
    for statement in block.block.iter().flatten() {
        let Some(Key::GarpGroup(key)) = reader.read(statement, sink) else {
            continue;
        };
        match key {
            GarpGroupKey::GarpInterval => interval(statement, &mut group.interval.garp, sink),
            GarpGroupKey::GnaInterval => interval(statement, &mut group.interval.na, sink),
            GarpGroupKey::Interface => named.extend(first(statement)),
            GarpGroupKey::Interfaces => {
                named.extend(entries(statement, sink).iter().flat_map(|line| &line.words));
            }
        }
    }
    for word in named {
        interface(word, pacing, &mut group, sink);
    }
    let place = block.span();
    if group.interval == Default::default() {
        sink.warn(
            Code::MissingValue,
            place,
            "garp_group has no garp_interval and no gna_interval; it is left out",
        )
        .help("give it at least one of them, in seconds");
    } else if group.interfaces.is_empty() {
        sink.trap(
            Code::MissingValue,
            place,
            "garp_group has no interfaces; it is left out",
        )
        .help("list them in interfaces { }, or use vrrp_garp_interval for all");
    } else {
        pacing.groups.push(group);
    }
}

fn interval(statement: &Statement, slot: &mut Duration, sink: &mut Sink) {
    if let Some((micros, _)) = timer(statement, 1..=HOUR, "it is ignored", sink) {
        *slot = Duration::from_micros(micros);
    }
}

fn interface(word: &Word, pacing: &Pacing, group: &mut PaceGroup, sink: &mut Sink) {
    let Some(name) = IfName::new(&word.text) else {
        super::address::bad_interface(word, sink);
        return;
    };
    let has = |group: &PaceGroup| group.interfaces.contains(&name);
    if has(group) || pacing.groups.iter().any(has) {
        let message = format!("garp_group already specified for {name} - ignoring");
        sink.warn(Code::Duplicate, word.span, message)
            .help("an interface can be in one garp_group, once");
    } else {
        group.interfaces.push(name);
    }
}
