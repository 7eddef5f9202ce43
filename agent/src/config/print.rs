//! A configuration as keepalived.conf text: what is in force, said in full.
//!
//! Parsing the text gives the same model again. Includes, conditions,
//! definitions and global defaults are carried out in it, numbers are all
//! there, and switches where they are not at keepalived's default. Keywords
//! that nothing acts on yet are not part of the model, and so not of the text.
//!
//! Every struct of the model is taken apart by name in exactly one function, so
//! that a field that is added cannot be forgotten: `Config` here, the rest in
//! [`instance`] and [`vip`]. [`writer`] knows blocks and quotes, and nothing of
//! keywords.

mod files;
mod instance;
pub(super) mod lvs;
mod machine;
mod packets;
mod paths;
mod tell;
mod tracked;
mod vip;
pub(super) mod writer;

use self::writer::Writer;
use super::diff::{HIDDEN, Portrait, SECRET};
use super::files::Files;
use super::model::{Config, Firewall, Instance, StaticAddress};

/// What becomes of passwords.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrets {
    /// A comment stands in their place, so that the text can be shown to
    /// others. Read again it is a configuration without them.
    Hidden,
    Shown,
}

/// The text of `config`, in the order of its instances. Its size has no other
/// bound than that of the model: thousands of VIPs may be more than one file
/// may have.
pub fn print(config: &Config, secrets: Secrets) -> String {
    let Config {
        router_id,
        pacing,
        start_delay,
        log_unknown_vrids,
        disable_local_igmp,
        files,
        instances,
        trackers,
        process,
        interfaces,
        static_addresses,
        static_paths,
        firewall,
        vmac_addr_prefix,
        tell: telling,
        lvs: virtual_servers,
    } = config;
    let mut writer = Writer::default();
    files::names(files, &mut writer);
    let own_files = Files {
        instance: None,
        namespace: None,
        use_pid_dir: false,
        ..files.clone()
    };
    writer.block_if_any("global_defs", |writer| {
        writer.maybe("router_id", router_id.as_ref());
        files::globals(&own_files, writer);
        machine::globals(process, interfaces, writer);
        packets::globals(&pacing.each, start_delay, writer);
        writer.flag("log_unknown_vrids", *log_unknown_vrids);
        writer.flag("disable_local_igmp", *disable_local_igmp);
        writer.maybe("vmac_addr_prefix", vmac_addr_prefix.as_ref());
        rules(firewall, writer);
        tell::globals(telling, writer);
        lvs::globals(virtual_servers, writer);
    });
    packets::groups(pacing, &mut writer);
    machine::delays(interfaces, &mut writer);
    fixed(static_addresses, instances, &mut writer);
    tracked::definitions(trackers, &mut writer);
    paths::print("static", static_paths, &mut writer);
    for one in instances {
        instance::print(one, secrets, &mut writer);
    }
    tracked::groups(instances, &telling.groups, &mut writer);
    lvs::groups(virtual_servers, &mut writer);
    lvs::servers(virtual_servers, &mut writer);
    writer.finish()
}

fn rules(firewall: &Firewall, writer: &mut Writer) {
    let default = Firewall::default();
    let Firewall {
        table,
        priority,
        by_index,
        counters,
    } = firewall;
    writer.maybe("nftables", (*table != default.table).then_some(table));
    let other = (*priority != default.priority).then_some(priority);
    writer.maybe("nftables_priority", other);
    writer.flag("nftables_ifindex", *by_index);
    writer.flag("nftables_counters", *counters);
}

/// Each address that instances depend on has a group of its own.
fn fixed(addresses: &[StaticAddress], instances: &[Instance], writer: &mut Writer) {
    let members = |address: &StaticAddress| -> Vec<&str> {
        let tracking = |one: &&Instance| one.tracked_addresses.contains(address);
        let tracking = instances.iter().filter(tracking);
        tracking.map(|one| one.name.as_str()).collect()
    };
    let lines = addresses.iter().enumerate().map(|(at, address)| {
        let StaticAddress(vip) = address;
        let group = match members(address).is_empty() {
            true => String::new(),
            false => format!(" track_group static_{at}"),
        };
        vip::line(vip) + &group
    });
    writer.lines("static_ipaddress", lines);
    for (at, address) in addresses.iter().enumerate() {
        let members = members(address);
        if !members.is_empty() {
            writer.named_block("track_group", &format!("static_{at}"), |writer| {
                writer.list("group", members);
            });
        }
    }
}

pub use self::paths::{route_line, rule_line};
pub(super) use self::tell::command_line;

/// For tools: by keyword, with the passwords themselves or without anything of
/// them.
pub fn portrait(config: &Config, secrets: Secrets) -> Portrait {
    let mut portrait = Portrait::from(config);
    for (one, shown) in config.instances.iter().zip(&mut portrait.instances) {
        if let Some(password) = &one.password {
            let text = match secrets {
                Secrets::Hidden => HIDDEN.to_owned(),
                Secrets::Shown => instance::clear(password),
            };
            shown.values.insert(SECRET.to_owned(), vec![text]);
        }
    }
    portrait
}

#[cfg(test)]
mod tests;
