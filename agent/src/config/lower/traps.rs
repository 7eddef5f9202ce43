//! What keepalived accepts in silence and people regret.

use std::collections::HashSet;
use std::net::IpAddr;

use super::global::Globals;
use super::instance::Draft;
use crate::config::diagnostic::Code;
use crate::config::model::{Instance, Transport};
use crate::config::sink::Sink;
use crate::config::tree::Statement;

/// Keywords of global_defs that an instance copies when its line is read.
const COPIED: &[&str] = &[
    "vrrp_garp_master_delay",
    "vrrp_garp_master_repeat",
    "vrrp_garp_master_refresh",
    "vrrp_garp_master_refresh_repeat",
    "vrrp_garp_lower_prio_delay",
    "vrrp_garp_lower_prio_repeat",
    "vrrp_garp_extra_if",
    "vrrp_down_timer_adverts",
    "v3_checksum_as_v2",
    "vrrp_skip_check_adv_addr",
];

/// At its start keepalived reads global_defs first of all; when it reloads, in
/// the order of the file.
pub fn order(tree: &[Statement], sink: &mut Sink) {
    let first = tree
        .iter()
        .position(|statement| statement.keyword() == "vrrp_instance");
    let after = first
        .and_then(|first| tree.get(first..))
        .unwrap_or_default();
    let late = after
        .iter()
        .filter(|statement| statement.keyword() == "global_defs")
        .flat_map(|globals| globals.block.iter().flatten());
    for statement in late {
        if COPIED.contains(&statement.keyword()) {
            let message = format!(
                "{} stands after a vrrp_instance: keepalived would forget it for that one on a reload",
                statement.keyword()
            );
            sink.trap(Code::Order, statement.span(), message)
                .help("move global_defs to the top of the file");
        }
    }
}

/// Addresses that the configuration itself says are this machine's own.
pub fn own_addresses(tree: &[Statement]) -> HashSet<IpAddr> {
    tree.iter()
        .filter(|statement| statement.keyword() == "static_ipaddress")
        .flat_map(|list| list.block.iter().flatten())
        .filter_map(|entry| {
            let text = entry.words.first()?.text.as_str();
            text.split('/').next()?.parse().ok()
        })
        .collect()
}

/// The traps of one instance.
pub fn instance(draft: &Draft, instance: &Instance, globals: &Globals, sink: &mut Sink) {
    prefixes(draft, sink);
    owner(draft, instance, globals, sink);
}

fn prefixes(draft: &Draft, sink: &mut Sink) {
    let Some((address, span)) = draft.bare_vips.first() else {
        return;
    };
    let length = if address.is_ipv4() { 32 } else { 128 };
    let more = match draft.bare_vips.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count.saturating_sub(1)),
    };
    let message = format!(
        "{} VIP {address} has no prefix length{more}: it is /{length}",
        draft.title()
    );
    sink.note(Code::NoPrefix, *span, message).help(
        "write /LENGTH to say what is meant; the network is reached through another address then",
    );
}

fn owner(draft: &Draft, instance: &Instance, globals: &Globals, sink: &mut Sink) {
    if instance.priority.get() != u8::MAX {
        return;
    }
    let source = match instance.transport {
        Transport::Multicast { source } | Transport::Unicast { source, .. } => source,
    };
    let owned =
        |address: IpAddr| globals.own_addresses.contains(&address) || Some(address) == source;
    if !instance.advertised().any(owned) {
        let place = draft.priority_span.unwrap_or(draft.place());
        let message = format!(
            "{} priority 255 says that the VIPs are this machine's own addresses, and nothing here shows that they are",
            draft.title()
        );
        sink.trap(Code::NotOwner, place, message)
            .help("use at most 254: the owner never backs down, not even beside another one");
    }
}

/// Keywords that mean something beside another one only.
pub fn alone(block: &Statement, sink: &mut Sink) {
    let inner = || block.block.iter().flatten();
    let find = |name: &str| inner().find(|statement| statement.keyword() == name);
    let peers = find("unicast_peer").is_some_and(|peers| {
        let mut entries = peers.block.iter().flatten();
        entries.next().is_some()
    });
    let vmac = find("use_vmac").is_some() || find("use_ipvlan").is_some();
    for (name, good, other) in [
        ("unicast_ttl", peers, "unicast peers"),
        ("old_unicast_checksum", peers, "unicast peers"),
        ("vmac_xmit_base", vmac, "use_vmac"),
    ] {
        if let Some(statement) = find(name).filter(|_| !good) {
            let message = format!("{name} means nothing without {other}");
            sink.warn(Code::Conflict, statement.span(), message)
                .help(format!("add {other}, or remove {name}"));
        }
    }
}
