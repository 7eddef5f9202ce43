//! What instances track, and the sync groups that they are in.
//!
//! The trackers of a sync group are listed with each member, which is where
//! they count.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use super::{Facts, InstanceFacts};
use crate::{
    config::{
        Instance,
        model::{Trackers, Weight},
    },
    core::Fault,
    track::Kind,
};

/// Names of the interfaces, as the `.json` file lists them.
pub fn interfaces(config: &Instance) -> Vec<String> {
    let entries = entries(config, Kind::Interface);
    entries.into_iter().map(|(name, _)| name).collect()
}

/// The commands of the scripts, each word in quotes.
pub fn commands(config: &Instance, trackers: &Trackers) -> Vec<String> {
    let entries = entries(config, Kind::Script).into_iter();
    let commands = entries.filter_map(|(name, _)| {
        let spec = trackers.scripts.iter().find(|spec| spec.name == name)?;
        let words: Vec<String> = spec.words.iter().map(|word| format!("'{word}'")).collect();
        Some(words.join(" "))
    });
    commands.collect()
}

fn entries(config: &Instance, kind: Kind) -> Vec<(String, Weight)> {
    let plain = match kind {
        Kind::Interface => config.track_interfaces.as_slice(),
        Kind::Script | Kind::File | Kind::Process => &[],
    };
    let plain = plain
        .iter()
        .map(|name| (name.to_string(), Weight::default()));
    let tracks = config.tracks.iter();
    let others = tracks
        .filter(|track| track.tracker.kind == kind)
        .map(|track| (track.tracker.name.to_string(), track.weight));
    plain.chain(others).collect()
}

/// The lists of an instance in the `.data` file.
pub fn lists(out: &mut String, config: &Instance) -> fmt::Result {
    let lists = [
        (Kind::Interface, "interfaces", ""),
        (Kind::Script, "scripts", ""),
        (Kind::File, "files", ","),
        (Kind::Process, "processes", ","),
    ];
    for (kind, title, comma) in lists {
        let entries = entries(config, kind);
        if !entries.is_empty() {
            writeln!(out, "   Tracked {title} :")?;
        }
        for (name, Weight { value, reverse }) in entries {
            let reverse = ["", " reverse"][usize::from(reverse)];
            writeln!(out, "     {name}{comma} weight {value}{reverse}")?;
        }
    }
    Ok(())
}

/// The section of the groups in the `.data` file; their state is that of the
/// first member, which is that of all.
pub fn groups(out: &mut String, facts: &Facts<'_>) -> fmt::Result {
    let mut groups: BTreeMap<&str, Vec<&InstanceFacts<'_>>> = BTreeMap::new();
    for instance in &facts.instances {
        if let Some(name) = &instance.config.group {
            groups.entry(name).or_default().push(instance);
        }
    }
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "------< VRRP Sync groups >------")?;
    for (name, members) in groups {
        let state = members.first().map_or("INIT", |member| member.state().0);
        let count = |meant: fn(Fault) -> bool| {
            let faults = members.iter().filter_map(|member| member.snapshot.fault);
            faults.filter(|fault| meant(*fault)).count()
        };
        let faults = count(|fault| fault != Fault::Group && fault != Fault::Unread);
        let init = count(|fault| fault == Fault::Unread);
        writeln!(out, " VRRP Sync Group = {name}, {state}")?;
        writeln!(out, "   Num member fault {faults}, num member init {init}")?;
        writeln!(out, "   VRRP member instances :")?;
        for member in &members {
            writeln!(out, "     {}", member.config.name)?;
        }
    }
    Ok(())
}
