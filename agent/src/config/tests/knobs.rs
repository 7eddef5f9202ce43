//! Settings of packets, announcements and the start.

use std::time::Duration;

use super::*;
use crate::config::Code;
use crate::config::model::{Interval, OldChecksum, PeerTtl, Transport};

fn address(text: &str) -> std::net::IpAddr {
    text.parse().expect(text)
}

const PEERS: &str = "unicast_peer {\n192.0.2.3 min_ttl 64\n192.0.2.4 max_ttl 254\n192.0.2.5\n}";

#[test]
fn ttl_limits_turn_the_check_of_the_source_on() {
    let limited = |more: &str| accepted(&with(&format!("{PEERS}\n{more}"))).0;
    let config = limited("check_unicast_src off\nunicast_ttl 70");
    let instance = &config.instances[0];
    let limit = |peer, min, max| PeerTtl {
        peer: address(peer),
        min,
        max,
    };
    assert_eq!(
        instance.packets.peer_ttl,
        [limit("192.0.2.3", 64, 255), limit("192.0.2.4", 0, 254)]
    );
    assert_eq!(instance.packets.unicast_ttl, 70);
    assert!(matches!(
        instance.transport,
        Transport::Unicast {
            check_source: true,
            ..
        }
    ));
    assert_eq!(
        limited("unicast_ttl 0").instances[0].packets.unicast_ttl,
        255
    );
}

// proves: K-06
#[test]
fn k06_old_checksums() {
    let old = |line: &str| {
        clean(&with(&format!("{PEERS}\n{line}")))
            .packets
            .old_checksum
    };
    assert_eq!(old(""), OldChecksum::Detect);
    assert_eq!(old("old_unicast_checksum"), OldChecksum::Always);
    assert_eq!(old("old_unicast_checksum never"), OldChecksum::Never);
}

#[test]
fn no_peers_is_multicast_or_a_fault() {
    let transport = |lines: &str| accepted(&with(lines)).0.instances.remove(0).transport;
    assert!(matches!(
        transport("unicast_src_ip 192.0.2.7"),
        Transport::Multicast { .. }
    ));
    let Transport::Unicast { peers, .. } =
        transport("unicast_src_ip 192.0.2.7\nunicast_fault_no_peer")
    else {
        panic!("multicast");
    };
    assert!(peers.is_empty());
    // Without a word of unicast it says nothing.
    assert!(matches!(
        transport("unicast_fault_no_peer"),
        Transport::Multicast { .. }
    ));
}

#[test]
fn groups_of_both_families() {
    let globals = "vrrp_mcast_group4 224.0.0.77\nvrrp_mcast_group6 ff02::77";
    let group = |lines: &str| clean(&with_globals(globals, lines)).packets.group;
    assert_eq!(group(""), Some(address("224.0.0.77")));
    assert_eq!(
        group("mcast_dst_ip 224.0.0.78"),
        Some(address("224.0.0.78"))
    );
    assert_eq!(group(PEERS), None);
    let other = refused(&with("mcast_dst_ip ff02::9"));
    assert_eq!(other[0].code, Code::WrongFamily);
    let (config, found) = accepted(&with_globals("vrrp_mcast_group4 192.0.2.1", ""));
    assert_eq!(config.instances[0].packets.group, None);
    assert!(found.contains(&Code::BadAddress), "{found:?}");
}

#[test]
fn limits_of_announcements() {
    let text = "garp_group {\ngarp_interval 0.5\ninterfaces {\neth1\neth2\n}\n}\n".to_owned()
        + &with_globals(
            "vrrp_garp_interval 0.001\nvrrp_gna_interval 2",
            "virtual_ipaddress {\n192.0.2.8/24 dev eth2\n192.0.2.9/24 dev eth1\n}",
        );
    let instance = clean(&text);
    let found: Vec<_> = instance
        .paces
        .iter()
        .map(|pace| (pace.interface.as_str(), pace.group, pace.interval))
        .collect();
    let millis = Duration::from_millis;
    let shared = Interval {
        garp: millis(500),
        na: Duration::ZERO,
    };
    let each = Interval {
        garp: millis(1),
        na: millis(2000),
    };
    assert_eq!(
        found,
        [
            ("eth0", None, each),
            ("eth1", Some(0), shared),
            ("eth2", Some(0), shared)
        ]
    );
    assert!(clean(&with("")).paces.is_empty());
}

#[test]
fn announcements_may_be_few_or_many() {
    let announce = |globals: &str, lines: &str| clean(&with_globals(globals, lines)).announce;
    let few = announce("vrrp_min_garp", "");
    assert_eq!((few.repeat, few.delay), (1, Duration::ZERO));
    let own = announce("vrrp_min_garp", "garp_master_repeat 4");
    assert_eq!((own.repeat, own.delay), (4, Duration::ZERO));
    let seconds = Duration::from_secs;
    let extra = |globals: &str, lines: &str| announce(globals, lines).extra;
    assert_eq!(extra("vrrp_garp_extra_if all 9", ""), Some(seconds(9)));
    assert_eq!(
        extra("vrrp_garp_extra_if all 9", "garp_extra_if all 0"),
        None
    );
}

#[test]
fn the_start_may_be_delayed() {
    let globals =
        "vrrp_startup_delay 5.5\nvrrp_delay_after_boot 60\nlog_unknown_vrids\ndisable_local_igmp";
    let (config, _) = accepted(&with_globals(globals, ""));
    assert_eq!(config.start_delay.after_start, Duration::from_millis(5500));
    assert_eq!(config.start_delay.after_boot, Duration::from_secs(60));
    assert!(config.log_unknown_vrids && config.disable_local_igmp);
}

#[test]
fn strict_mode_takes_back_what_it_can() {
    let lines = "authentication {\nauth_type PASS\nauth_pass x\n}\nstate MASTER\npriority 9\n\
        preempt_delay 5\nhigher_prio_send_advert\nlower_prio_no_advert off\ngarp_lower_prio_repeat 3\nnopreempt";
    let (config, found) = accepted(&with_globals("vrrp_strict", lines));
    let instance = &config.instances[0];
    assert_eq!(instance.password, None);
    assert!(!instance.assert_on_lower && !instance.higher_prio_send_advert);
    assert_eq!(instance.announce.lower_prio_repeat, 0);
    assert!(instance.preempt_delay.is_zero());
    assert!(!instance.preempt, "nopreempt goes with state BACKUP");
    let strict = found.iter().filter(|code| **code == Code::Strict).count();
    assert_eq!(strict, 6, "{found:?}");
    let owner = accepted(&with("strict_mode\npriority 255")).0;
    assert!(owner.instances[0].owner_ignores);
    let off = accepted(&with_globals(
        "vrrp_strict",
        "strict_mode off\npriority 255",
    ))
    .0;
    assert!(!off.instances[0].owner_ignores);
}

/// RFC 9568 6.1: only version 3 may accept what is not the owner's.
#[test]
fn strict_mode_accepts_nothing_for_the_owner() {
    let accept = |lines: &str| accepted(&with(lines)).0.instances[0].accept;
    assert!(accept(""));
    assert!(!accept("strict_mode"));
    assert!(!accept("strict_mode\naccept"), "version 2 has no say");
    assert!(accept("strict_mode\nversion 3\naccept"));
    assert!(accept("strict_mode\npriority 255"));
    // Of which family it is the advertised ones say.
    let other = "virtual_ipaddress_excluded {\nfd00::1\n}\nstrict_mode\naccept";
    assert!(!accept(other));
}

#[test]
fn limits_of_ourselves_are_none() {
    let lines =
        "unicast_src_ip 192.0.2.3\nunicast_peer {\n192.0.2.3 min_ttl 9\n192.0.2.4 min_ttl 8\n}";
    let packets = accepted(&with(lines)).0.instances.remove(0).packets;
    let peers: Vec<_> = packets.peer_ttl.iter().map(|limit| limit.peer).collect();
    assert_eq!(peers, [address("192.0.2.4")]);
}

// proves: F-22
#[test]
fn strict_mode_refuses_what_it_must() {
    for text in [
        with("strict_mode\nunicast_peer {\n192.0.2.2\n}"),
        with("strict_mode").replace("192.0.2.1/24", "2001:db8::1/64"),
    ] {
        let errors = refused(&text);
        assert_eq!(errors[0].code, Code::Strict, "{text}");
    }
    accepted(&with("strict_mode").replace("192.0.2.1/24", "fe80::1/64"));
}
