//! The tree to the model: every statement goes through the keyword table once.
//!
//! A line is an *error*, and the file is not used, where the operator's intent
//! cannot be known (an address, a VRID, an interface, a brace). It is a
//! *warning* where keepalived's daemon reports it, takes a substitute and runs
//! on: the same substitute is taken here, so that the pair stays a pair.

mod across;
mod address;
mod address_options;
mod advert;
mod delays;
mod fast;
mod files;
mod finish;
mod firewall;
mod fixed;
mod global;
mod instance;
mod lvs;
mod pacing;
mod packets;
mod paths;
mod process;
mod statement;
mod strict;
mod tell;
mod track;
mod transport;
mod traps;
mod trust;
mod useless;
mod value;
mod virtual_links;
mod vmac;

pub(crate) use self::paths::{FEATURES, metric as route_metric};
pub use across::MAX_INSTANCES;
pub(crate) use advert::cut as cut_password;
pub use finish::MAX_ADVERTISED;
#[cfg(test)]
pub(crate) use finish::paces;
pub use transport::MAX_PEERS;
pub(crate) use useless::useless;
pub(crate) use vmac::is_ambiguous;

use self::global::Globals;
use self::instance::Draft;
use super::diagnostic::Code;
use super::keywords::{Block, Key, RootKey};
use super::lexer::Span;
use super::machine::Interfaces;
use super::model::Config;
use super::sink::Sink;
use super::survey::Names;
use super::tree::Statement;

pub(crate) use self::address::{
    bad_interface, family as family_of, family_name, parse_host, parse_vip_address,
};
pub use self::statement::Reader;
pub(crate) use self::value::{decimal_micros, seconds};

/// The configuration as far as it can be understood. Only one without an error
/// in `sink` may be used.
pub fn lower(tree: &[Statement], sink: &mut Sink) -> Config {
    Names::check(tree, sink);
    let mut reader = Reader::new(Block::Root);
    let mut instances = Vec::new();
    let mut statics = Vec::new();
    let mut given_delays = delays::Given::default();
    let mut fixed = fixed::Fixed::default();
    let mut trackers = track::Definitions::default();
    let mut groups = Vec::new();
    let mut virtual_servers = lvs::Given::new(tree);
    let mut static_paths = paths::Given::of_the_machine();
    let mut globals = Globals {
        own_addresses: traps::own_addresses(tree),
        ..Globals::default()
    };
    traps::order(tree, sink);
    // keepalived reads all of global_defs before the first instance, wherever
    // they stand in the file.
    for (at, statement) in tree.iter().enumerate() {
        match reader.read(statement, sink) {
            Some(Key::Root(RootKey::GlobalDefs)) => global::lower(statement, &mut globals, sink),
            Some(Key::Root(RootKey::VrrpInstance)) => instances.push((at, statement)),
            Some(Key::Track("vrrp_sync_group")) => {
                globals.tell.group(statement);
                groups.extend(track::group(statement, at, &trackers))
            }
            Some(Key::Lvs("virtual_server_group")) => virtual_servers.group(statement, sink),
            Some(Key::Lvs(_)) => virtual_servers.server(statement, sink),
            Some(Key::Track(_)) => track::define(statement, at, &mut trackers),
            Some(Key::Root(RootKey::GarpGroup)) => {
                pacing::group(statement, &mut globals.pacing, sink);
            }
            Some(Key::Root(RootKey::UpDownDelays)) => {
                delays::lower(statement, &mut given_delays, sink);
            }
            Some(Key::Root(RootKey::StaticIpaddress)) => statics.push(statement),
            Some(Key::Root(RootKey::StaticRoutes)) => static_paths.routes(statement, sink),
            Some(Key::Root(RootKey::StaticRules)) => static_paths.rules(statement, sink),
            Some(Key::Root(RootKey::TrackGroup)) => fixed.group(statement, sink),
            Some(Key::Root(
                key @ (RootKey::Instance | RootKey::NetNamespace | RootKey::UsePidDir),
            )) => files::name(key, statement, &mut globals.files, sink),
            Some(
                Key::Global(_)
                | Key::Instance(_)
                | Key::Auth(_)
                | Key::Tell(_)
                | Key::GarpGroup(_)
                | Key::TrackGroup,
            )
            | None => {}
        }
    }
    for block in statics {
        fixed.block(block, globals.default_interface.as_ref(), sink);
    }
    if instances.is_empty() {
        sink.trap(
            Code::NoInstance,
            Span::FILE,
            "no usable vrrp_instance: there is nothing to do",
        );
    }
    let drafts: Vec<Draft> = instances
        .into_iter()
        .map(|(at, statement)| instance::lower(statement, at, &trackers, sink))
        .collect();
    let mut seen = across::Seen::default();
    let mut preferences = paths::Preferences::default();
    let static_paths = paths::lower(&static_paths, &globals.names, &mut preferences, sink);
    let mut vmacs = virtual_links::Names::new(&drafts, &globals);
    let mut instances: Vec<_> = drafts
        .into_iter()
        .filter_map(|draft| {
            seen.name(&draft, sink);
            let place = draft.place();
            let instance = finish::finish(draft, &globals, &mut preferences, &mut vmacs, sink)?;
            seen.instance(&instance, place, sink);
            Some(instance)
        })
        .collect();
    for script in &mut trackers.trackers.scripts {
        script.run_as = script.run_as.take().or_else(|| globals.script_user.clone());
    }
    let names: Vec<String> = instances.iter().map(|one| one.name.clone()).collect();
    track::join(groups, &mut instances, sink);
    virtual_links::track_below(&mut instances, sink);
    let mut tell = globals.tell.finish(globals.script_user.as_ref(), sink);
    tell.groups
        .retain(|name, _| instances.iter().any(|one| one.group.as_ref() == Some(name)));
    Config {
        vmac_addr_prefix: vmacs.addr_prefix(&instances),
        router_id: globals.router_id,
        pacing: globals.pacing,
        start_delay: globals.start_delay,
        log_unknown_vrids: globals.log_unknown_vrids,
        disable_local_igmp: globals.disable_local_igmp,
        process: globals.process,
        interfaces: Interfaces {
            dynamic: globals.dynamic_interfaces,
            delays: delays::bounded(given_delays, &instances, sink),
        },
        static_paths,
        static_addresses: fixed.finish(&mut instances, sink),
        files: globals.files,
        instances,
        trackers: trackers.trackers,
        firewall: globals.firewall,
        tell,
        lvs: virtual_servers.finish(globals.lvs, &names, sink),
    }
}
