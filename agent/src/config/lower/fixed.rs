//! `static_ipaddress`, and the `track_group`s that depend on its addresses.

use std::collections::{HashMap, HashSet};

use super::address::static_address;
use super::instance::entries;
use super::statement::Reader;
use super::value::first;
use crate::config::diagnostic::Code;
use crate::config::keywords::{Block, Key};
use crate::config::lexer::Word;
use crate::config::model::{IfName, Instance, StaticAddress};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// What the blocks of a file say together.
#[derive(Debug, Default)]
pub struct Fixed {
    pub addresses: Vec<StaticAddress>,
    /// Each with the name of a group.
    tracked: Vec<(StaticAddress, Word)>,
    /// Instances by the name of their group.
    groups: HashMap<String, HashSet<String>>,
}

impl Fixed {
    /// The entries of a `static_ipaddress` block, each once; those without
    /// `dev` are on `default`.
    pub fn block(&mut self, block: &Statement, default: Option<&IfName>, sink: &mut Sink) {
        for entry in entries(block, sink) {
            let Some((address, group, span)) = static_address(entry, default, sink) else {
                continue;
            };
            let StaticAddress(new) = &address;
            let same = |StaticAddress(old): &StaticAddress| {
                (old.address, old.prefix, &old.device) == (new.address, new.prefix, &new.device)
            };
            if self.addresses.iter().any(same) {
                let message = format!(
                    "static address {}/{} is listed twice; the first one counts",
                    new.address, new.prefix
                );
                sink.trap(Code::Duplicate, span, message);
                continue;
            }
            if let Some(group) = group {
                self.track(&address, group, sink);
            }
            self.addresses.push(address);
        }
    }

    fn track(&mut self, address: &StaticAddress, group: Word, sink: &mut Sink) {
        let StaticAddress(vip) = address;
        if vip.options.untracked {
            let message = format!(
                "track_group of {} is nothing with no_track; it is ignored",
                vip.address
            );
            sink.trap(Code::Conflict, group.span, message);
        } else {
            self.tracked.push((address.clone(), group));
        }
    }

    /// A `track_group` block. That its instances exist is checked elsewhere.
    pub fn group(&mut self, block: &Statement, sink: &mut Sink) {
        let mut members = HashSet::new();
        let mut reader = Reader::new(Block::TrackGroup);
        for statement in block.block.iter().flatten() {
            match reader.read(statement, sink) {
                Some(Key::TrackGroup) => {
                    let names = entries(statement, sink).into_iter().flat_map(|e| &e.words);
                    members.extend(names.map(|name| name.text.clone()));
                }
                Some(
                    Key::Root(_)
                    | Key::Global(_)
                    | Key::Instance(_)
                    | Key::Auth(_)
                    | Key::Track(_)
                    | Key::Tell(_)
                    | Key::Lvs(_)
                    | Key::GarpGroup(_),
                )
                | None => {}
            }
        }
        if let Some(name) = first(block) {
            if members.is_empty() {
                let message = format!("track_group {} has no group entries", name.text);
                sink.warn(Code::Incomplete, name.span, message)
                    .help("name its instances: group { INSTANCE }");
            }
            self.groups
                .entry(name.text.clone())
                .or_default()
                .extend(members);
        }
    }

    /// Tells the instances of each group on which addresses they depend.
    pub fn finish(self, instances: &mut [Instance], sink: &mut Sink) -> Vec<StaticAddress> {
        for (address, group) in self.tracked {
            let Some(members) = self.groups.get(&group.text) else {
                let message = format!("track_group {} not found, ignoring...", group.text);
                sink.warn(Code::UnknownName, group.span, message)
                    .help("names are case sensitive; look for a misspelling");
                continue;
            };
            let tracking = instances.iter_mut().filter(|i| members.contains(&i.name));
            tracking.for_each(|instance| instance.tracked_addresses.push(address.clone()));
        }
        self.addresses
    }
}
