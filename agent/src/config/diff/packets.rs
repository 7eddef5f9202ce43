//! Settings of adverts and announcements in words.

use super::{Values, seconds};
use crate::config::model::{Interval, OldChecksum, Pace, PacketPolicy, PeerTtl};

impl Values {
    pub(super) fn packets(&mut self, packets: &PacketPolicy) {
        let PacketPolicy {
            group,
            unicast_ttl,
            peer_ttl,
            old_checksum,
            fault_without_peers,
            skip_address_check,
            allowed_sources,
            max_learned,
        } = packets;
        self.list("mcast_dst_ip", group);
        self.list(
            "unicast_ttl",
            (*unicast_ttl != u8::MAX).then_some(unicast_ttl),
        );
        self.list(
            "min_ttl, max_ttl",
            peer_ttl
                .iter()
                .map(|PeerTtl { peer, min, max }| format!("{peer} {min}..{max}")),
        );
        let old = match old_checksum {
            OldChecksum::Detect => None,
            OldChecksum::Always => Some("always"),
            OldChecksum::Never => Some("never"),
        };
        self.list("old_unicast_checksum", old);
        self.flag("unicast_fault_no_peer", *fault_without_peers);
        self.flag("skip_check_adv_addr", *skip_address_check);
        self.list("allowed_sources", allowed_sources);
        self.list(
            "max_learned_interval",
            max_learned.map(|limit| seconds(limit.duration())),
        );
    }
}

/// The limit of one interface.
pub(super) fn pace(pace: &Pace) -> String {
    let Pace {
        interface,
        group,
        interval: Interval { garp, na },
    } = pace;
    let group = group.map_or(String::new(), |group| format!(" in garp_group {group}"));
    format!(
        "{interface}{group}: GARP {}, NA {}",
        seconds(*garp),
        seconds(*na)
    )
}
