//! What adverts and announcements are sent with, as [`crate::config::model`]
//! has it.

use std::time::Duration;

use super::instance::micros;
use super::writer::Writer;
use crate::config::model::{
    Interval, OldChecksum, PaceGroup, Pacing, PacketPolicy, PeerTtl, StartDelay,
};

/// Lines of `global_defs`.
pub fn globals(each: &Interval, start: &StartDelay, writer: &mut Writer) {
    let Interval { garp, na } = each;
    writer.maybe("vrrp_garp_interval", given(*garp));
    writer.maybe("vrrp_gna_interval", given(*na));
    let StartDelay {
        after_start,
        after_boot,
    } = start;
    writer.maybe("vrrp_startup_delay", given(*after_start));
    writer.maybe("vrrp_delay_after_boot", given(*after_boot));
}

/// The `garp_group` blocks.
pub fn groups(pacing: &Pacing, writer: &mut Writer) {
    // What all other interfaces have is part of `global_defs`.
    let Pacing { each: _, groups } = pacing;
    for group in groups {
        let PaceGroup {
            interval: Interval { garp, na },
            interfaces,
        } = group;
        writer.block("garp_group", |writer| {
            writer.maybe("garp_interval", given(*garp));
            writer.maybe("gna_interval", given(*na));
            writer.list("interfaces", interfaces);
        });
    }
}

/// Lines of an instance; those of its peers are in [`peer`].
pub fn policy(packets: &PacketPolicy, writer: &mut Writer) {
    let PacketPolicy {
        group,
        unicast_ttl,
        peer_ttl: _,
        old_checksum,
        fault_without_peers,
        skip_address_check,
        allowed_sources,
        max_learned,
    } = packets;
    writer.maybe("mcast_dst_ip", group.as_ref());
    writer.maybe("unicast_ttl", Some(unicast_ttl).filter(|ttl| **ttl < 255));
    match old_checksum {
        OldChecksum::Detect => {}
        OldChecksum::Always => writer.line("old_unicast_checksum"),
        OldChecksum::Never => writer.line("old_unicast_checksum never"),
    }
    writer.flag("unicast_fault_no_peer", *fault_without_peers);
    writer.switch("skip_check_adv_addr", *skip_address_check, false);
    for source in allowed_sources {
        writer.set("allowed_sources", source);
    }
    writer.maybe(
        "max_learned_interval",
        max_learned.map(|limit| micros(limit.duration())),
    );
}

/// A line of `unicast_peer`.
pub fn peer(peer: &std::net::IpAddr, packets: &PacketPolicy) -> String {
    let limits = packets.peer_ttl.iter().find(|limit| limit.peer == *peer);
    match limits {
        None => peer.to_string(),
        Some(PeerTtl { peer, min, max }) => format!("{peer} min_ttl {min} max_ttl {max}"),
    }
}

fn given(span: Duration) -> Option<String> {
    (!span.is_zero()).then(|| micros(span))
}
