//! Trackers, who tracks them, and sync groups.
//!
//! That the words are good is checked by [`crate::config::survey`], which
//! reports; here what is good is taken, in keepalived's order: a tracker that
//! is defined further down is not seen.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::instance::Draft;
use super::value::decimal_micros;
use crate::config::diagnostic::Code;
use crate::config::lexer::{Span, Word};
use crate::config::model::{
    FileSpec, IfName, InitFile, Instance, ParamMatch, ProcessSpec, ScriptSpec, Track, Trackers,
    Weight,
};
use crate::config::sink::Sink;
use crate::config::tree::Statement;
use crate::track::{Kind, TrackerId};

/// The longest interval of a script, in microseconds.
const LONGEST: u64 = 1_000_000_000;
/// The longest delay of a process: an hour, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// All definitions, and where each stands.
#[derive(Debug, Default)]
pub struct Definitions {
    pub trackers: Trackers,
    known: HashMap<TrackerId, (usize, Weight)>,
}

impl Definitions {
    /// The weight that a tracker was defined with ahead of statement `at` of
    /// the file.
    fn before(&self, tracker: &TrackerId, at: usize) -> Option<Weight> {
        let (place, weight) = self.known.get(tracker)?;
        (*place < at).then_some(*weight)
    }
}

/// A definition, statement `at` of the file, if it has all that it needs and a
/// name of its own.
pub fn define(statement: &Statement, at: usize, definitions: &mut Definitions) {
    let Some(name) = statement.arguments().first().map(|word| word.text.clone()) else {
        return;
    };
    let known = match statement.keyword() {
        "vrrp_script" => Kind::Script,
        "vrrp_track_process" => Kind::Process,
        _ => Kind::File,
    };
    let tracker = TrackerId::new(known, &name);
    let Definitions { trackers, known } = definitions;
    if known.contains_key(&tracker) {
        return;
    }
    let weight = match tracker.kind {
        Kind::Script => script(name, statement).map(|spec| {
            let weight = spec.weight;
            trackers.scripts.push(spec);
            weight
        }),
        Kind::Process => process(name, statement).map(|spec| {
            let weight = spec.weight;
            trackers.processes.push(spec);
            weight
        }),
        Kind::File | Kind::Interface => file(name, statement).map(|spec| {
            let weight = spec.weight;
            trackers.files.push(spec);
            weight
        }),
    };
    if let Some(weight) = weight {
        known.insert(tracker, (at, weight));
    }
}

fn script(name: String, block: &Statement) -> Option<ScriptSpec> {
    let words = match find(block, "script")?.arguments() {
        // A command line in one pair of quotes.
        [line] => split(&line.text),
        words => texts(words),
    };
    words.first()?;
    let time = |keyword| micros(find(block, keyword)?, 1000..=LONGEST);
    let interval = time("interval").unwrap_or(Duration::from_secs(1));
    let count = |keyword| number(find(block, keyword)?, 1..=i64::from(i32::MAX));
    let count = |keyword| count(keyword).and_then(|count| u32::try_from(count).ok());
    let run_as = find(block, "user").and_then(|user| super::global::run_as(user.arguments()));
    Some(ScriptSpec {
        name,
        words,
        interval,
        timeout: time("timeout").unwrap_or(interval),
        rise: count("rise").unwrap_or(1),
        fall: count("fall").unwrap_or(1),
        weight: weight(block, 253).unwrap_or_default(),
        init_fail: find(block, "init_fail").is_some(),
        run_as,
    })
}

fn file(name: String, block: &Statement) -> Option<FileSpec> {
    let path = find(block, "file")?.arguments().first()?.text.clone();
    let init = find(block, "init_file").map(|init| InitFile {
        value: init
            .arguments()
            .iter()
            .find_map(|word| word.text.parse().ok())
            .unwrap_or(0),
        overwrite: init.arguments().iter().any(|word| word.text == "overwrite"),
    });
    Some(FileSpec {
        name,
        path,
        weight: weight(block, i64::from(i32::MAX)).unwrap_or(ONE),
        init,
    })
}

const ONE: Weight = Weight {
    value: 1,
    reverse: false,
};

fn process(name: String, block: &Statement) -> Option<ProcessSpec> {
    let (process, params) = find(block, "process")?.arguments().split_first()?;
    let time = |keyword| micros(find(block, keyword)?, 1..=HOUR);
    let both = time("delay").unwrap_or_default();
    let count = |keyword, least| number(find(block, keyword)?, least..=65_535);
    let count = |keyword, least| count(keyword, least).and_then(|n| u32::try_from(n).ok());
    let param_match = match find(block, "param_match").and_then(|way| way.arguments().first()) {
        Some(way) if way.text == "initial" => ParamMatch::Initial,
        Some(way) if way.text == "partial" => ParamMatch::Partial,
        Some(_) | None => ParamMatch::Exact,
    };
    Some(ProcessSpec {
        name,
        process: process.text.clone(),
        params: texts(params),
        param_match,
        weight: weight(block, 254).unwrap_or(ONE),
        quorum: count("quorum", 1).unwrap_or(1),
        quorum_max: count("quorum_max", 0),
        fork_delay: time("fork_delay").unwrap_or(both),
        terminate_delay: time("terminate_delay").unwrap_or(both),
        full_command: find(block, "full_command").is_some(),
    })
}

/// What a list of statement `at` of the file tracks, each with its place.
pub fn tracked(
    block: &Statement,
    kind: Kind,
    at: usize,
    definitions: &Definitions,
) -> Vec<(Track, Span)> {
    let most = match kind {
        Kind::Interface | Kind::Script => 253,
        Kind::Process => 254,
        Kind::File => i64::from(i32::MAX),
    };
    let entries = block.block.iter().flatten();
    let found = entries.filter_map(|entry| {
        let name = entry.words.first()?;
        let tracker = TrackerId::new(kind, &name.text);
        let defined = match kind {
            Kind::Interface => IfName::new(&name.text).map(|_| Weight::default())?,
            Kind::Script | Kind::File | Kind::Process => definitions.before(&tracker, at)?,
        };
        let weight = entry_weight(entry.arguments(), most, kind, defined)?;
        Some((Track { tracker, weight }, name.span))
    });
    found.collect()
}

/// `weight N [reverse|noreverse]` behind a name. `None` where keepalived
/// leaves the whole entry out.
fn entry_weight(words: &[Word], most: i64, kind: Kind, defined: Weight) -> Option<Weight> {
    let [keyword, value, rest @ ..] = words else {
        return Some(defined);
    };
    if keyword.text != "weight" {
        return Some(defined);
    }
    let value = value.text.parse::<i64>().ok();
    let value = value.filter(|value| (-most..=most).contains(value));
    let value = value.and_then(|value| i32::try_from(value).ok());
    match value {
        Some(value) => Some(Weight {
            value,
            reverse: match rest.first().map(|word| word.text.as_str()) {
                Some("reverse") => true,
                Some("noreverse") => false,
                Some(_) | None => defined.reverse,
            },
        }),
        None if kind == Kind::Interface => None,
        None => Some(defined),
    }
}

/// A `vrrp_sync_group`.
#[derive(Debug)]
pub struct Group {
    name: Word,
    members: Vec<Word>,
    tracks: Vec<(Track, Span)>,
    /// Weights of members count.
    weights: bool,
}

/// The keyword of each list of trackers.
pub const LISTS: [(&str, Kind); 4] = [
    ("track_interface", Kind::Interface),
    ("track_script", Kind::Script),
    ("track_file", Kind::File),
    ("track_process", Kind::Process),
];

pub fn group(block: &Statement, at: usize, definitions: &Definitions) -> Option<Group> {
    let inner = |keyword: &'static str| {
        let all = block.block.iter().flatten();
        all.filter(move |statement| statement.keyword() == keyword)
    };
    let lists = LISTS.into_iter().flat_map(|(keyword, kind)| {
        inner(keyword).flat_map(move |list| tracked(list, kind, at, definitions))
    });
    let members = inner("group").flat_map(|list| list.block.iter().flatten());
    Some(Group {
        name: block.arguments().first()?.clone(),
        members: members.flat_map(|entry| entry.words.clone()).collect(),
        tracks: lists.collect(),
        weights: inner("sync_group_tracking_weight").next().is_some()
            || inner("global_tracking").next().is_some(),
    })
}

/// Puts members into their groups and gives each what the group tracks.
pub fn join(groups: Vec<Group>, instances: &mut [Instance], sink: &mut Sink) {
    let mut names: HashSet<String> = HashSet::new();
    let places: HashMap<String, usize> = instances
        .iter()
        .enumerate()
        .map(|(at, instance)| (instance.name.clone(), at))
        .collect();
    for group in groups {
        let name = group.name.text.clone();
        if names.contains(&name) {
            let message = format!("vrrp sync group {name} already defined");
            sink.warn(Code::Duplicate, group.name.span, message)
                .help("put all members into one group block");
            continue;
        }
        let mut count = 0_usize;
        for member in &group.members {
            let place = places.get(&member.text);
            // That there is no such instance was said.
            let Some(instance) = place.and_then(|at| instances.get_mut(*at)) else {
                continue;
            };
            if instance.group.is_some() {
                let message = format!(
                    "Virtual router {} cannot exist in more than one sync group; ignoring {name}",
                    member.text
                );
                sink.trap(Code::Duplicate, member.span, message);
                continue;
            }
            instance.group = Some(name.clone());
            count = count.saturating_add(1);
            join_one(&group, instance, sink);
        }
        if count < 2 {
            let message = format!(
                "Sync group {name} has only {count} virtual router(s) - this probably isn't what you want"
            );
            sink.trap(Code::Incomplete, group.name.span, message);
        }
        names.insert(name);
    }
    // One list of each kind, as they are printed.
    for instance in instances {
        instance.tracks.sort_by_key(|track| track.tracker.kind);
    }
}

fn join_one(group: &Group, instance: &mut Instance, sink: &mut Sink) {
    let title = &instance.name;
    if !group.weights {
        instance.tracks.retain(|track| {
            let weighted = track.weight.value != 0;
            if weighted {
                let message = format!(
                    "({title}) ignoring tracked {} with weights due to SYNC group",
                    track.tracker
                );
                sink.trap(Code::Conflict, group.name.span, message).help(
                    "track it in the group, so that all members have it, or use sync_group_tracking_weight",
                );
            }
            !weighted
        });
    }
    let plain = instance.track_interfaces.iter();
    let plain = plain.map(|name| TrackerId::new(Kind::Interface, name.as_str()));
    let tracks = instance.tracks.iter().map(|track| track.tracker.clone());
    let mut known: HashSet<TrackerId> = plain.chain(tracks).collect();
    for (track, _) in &group.tracks {
        add(track.clone(), instance, &mut known);
    }
}

/// What was tracked before stays as it is. An interface without a weight is
/// for the fast lane.
fn add(track: Track, instance: &mut Instance, known: &mut HashSet<TrackerId>) -> bool {
    let name = &*track.tracker.name;
    let interface = track.tracker.kind == Kind::Interface;
    let own = interface && instance.interface.as_str() == name;
    if own || !known.insert(track.tracker.clone()) {
        return false;
    }
    if interface && track.weight == Weight::default() {
        instance.track_interfaces.extend(IfName::new(name));
    } else {
        instance.tracks.push(track);
    }
    true
}

/// The trackers of an instance's own block.
pub fn own(draft: &Draft, instance: &mut Instance, sink: &mut Sink) {
    let mut known = HashSet::new();
    for (track, span) in &draft.tracks {
        let (kind, name) = (track.tracker.kind, &track.tracker.name);
        let title = draft.title();
        if instance.priority.is_owner() && track.weight.value != 0 {
            let message = format!(
                "{title} Cannot have weight != 0 for track {} with priority 255",
                track.tracker
            );
            sink.trap(Code::Conflict, *span, message)
                .help("an owner has priority 255 whatever happens: use weight 0");
        } else if kind == Kind::Interface && **name == *instance.interface.as_str() {
            let message = format!("{title} Ignoring track_interface {name} since own interface");
            sink.remark(Code::OwnInterface, *span, message)
                .help("the loss of an instance's own interface is a fault anyway");
        } else if !add(track.clone(), instance, &mut known) {
            let word = kind.word();
            let message = format!("{title} duplicate track_{word} {name} - ignoring");
            sink.trap(Code::Duplicate, *span, message);
        }
    }
}

fn find<'a>(block: &'a Statement, keyword: &str) -> Option<&'a Statement> {
    let statements = block.block.as_ref()?;
    statements
        .iter()
        .rfind(|statement| statement.keyword() == keyword)
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.text.clone()).collect()
}

fn weight(block: &Statement, most: i64) -> Option<Weight> {
    let statement = find(block, "weight")?;
    let value = number(statement, -most..=most)?;
    let reverse = statement.arguments().get(1);
    Some(Weight {
        value: i32::try_from(value).ok()?,
        reverse: reverse.is_some_and(|word| word.text == "reverse"),
    })
}

fn number(statement: &Statement, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let value = statement.arguments().first()?.text.parse().ok()?;
    range.contains(&value).then_some(value)
}

fn micros(statement: &Statement, range: std::ops::RangeInclusive<u64>) -> Option<Duration> {
    let micros = decimal_micros(&statement.arguments().first()?.text)?;
    range
        .contains(&micros)
        .then(|| Duration::from_micros(micros))
}

/// At white space outside of quotes; there is no other meaning to any
/// character.
pub fn split(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quote, mut open) = (None, false);
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                if !open {
                    words.push(String::new());
                    open = true;
                }
            }
            None if c.is_ascii_whitespace() => open = false,
            Some(_) | None => {
                if !open {
                    words.push(String::new());
                    open = true;
                }
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words
}
