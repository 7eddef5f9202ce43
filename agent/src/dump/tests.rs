//! Counters and their meaning; what the files look like is compared with
//! keepalived's own by tests/tests/as_keepalived.

use agent_common::{Outcome, outcome::OutcomeCounters};

use super::Stats;
use crate::core::snapshot::Counters;

fn outcomes(some: &[(Outcome, u64)]) -> OutcomeCounters {
    let mut counters = [0; Outcome::COUNT];
    for (outcome, count) in some {
        counters[outcome.index() as usize] = *count;
    }
    counters
}

/// As keepalived 2.2.7 writes what it is given the same words for.
#[test]
fn a_vip_has_all_its_words() {
    let lines = [
        ("10.77.9.1/24", "10.77.9.1/24 dev eth0 scope global"),
        (
            "10.77.9.4 peer 10.77.10.4",
            "10.77.9.4 dev eth0 scope global peer 10.77.10.4/32",
        ),
        (
            "10.77.9.5/24 noprefixroute no_track",
            "10.77.9.5/24 dev eth0 scope global noprefixroute no_track",
        ),
        ("fd00:7::2", "fd00:7::2 dev eth0 scope global deprecated"),
        (
            "fd00:7::3/128 preferred_lft forever",
            "fd00:7::3 dev eth0 scope global preferred_lft forever",
        ),
        (
            "fd00:7::4/64 -nodad",
            "fd00:7::4/64 dev eth0 scope global -nodad preferred_lft forever",
        ),
        (
            "fd00:7::9/64 preferred_lft 100",
            "fd00:7::9/64 dev eth0 scope global preferred_lft 100",
        ),
    ];
    let given: Vec<&str> = lines.iter().map(|(given, _)| *given).collect();
    let text = format!(
        "vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\nno_accept\n\
         virtual_ipaddress {{\n192.0.2.1\n}}\nvirtual_ipaddress_excluded {{\n{}\n}}\n}}\n",
        given.join("\n")
    );
    let mut config = crate::config::parse_str("k.conf", &text)
        .config
        .expect("good");
    let mut instance = config.instances.remove(0);
    let excluded = instance.vips.iter().filter(|vip| !vip.advertised);
    for (vip, (_, expected)) in excluded.zip(lines) {
        assert_eq!(super::vip::text(vip, &instance, false), expected);
        let set = super::vip::text(vip, &instance, true);
        assert_eq!(set, format!("{expected} set nftable_set"));
    }
    instance.accept = true;
    let set = super::vip::text(&instance.vips[0], &instance, true);
    assert_eq!(set, "192.0.2.1 dev eth0 scope global set");
}

#[test]
fn each_counter_counts_what_keepalived_s_does() {
    let counters = Counters {
        adverts_sent: 7,
        // The kernel's count is the whole one.
        adverts_received: 1,
        became_active: 2,
        left_active: 1,
        addresses_differed: 3,
        priority_zero_sent: 4,
        priority_zero_received: 5,
        ..Counters::default()
    };
    let found = outcomes(&[
        (Outcome::Accepted, 100),
        (Outcome::RingFull, 10),
        (Outcome::AuthFailed, 1),
        (Outcome::AuthType, 2),
        (Outcome::IntervalMismatch, 3),
        (Outcome::Ttl, 4),
        (Outcome::Type, 5),
        (Outcome::Incomplete, 6),
        (Outcome::Checksum, 9),
        (Outcome::OwnSource, 9),
    ]);
    let stats = Stats::new(&counters, &found);
    let expected = Stats {
        received: 116,
        sent: 7,
        became_master: 2,
        released_master: 1,
        length: 6,
        ttl: 4,
        invalid_type: 5,
        interval: 3,
        address_list: 3,
        auth_type: 0,
        auth_mismatch: 2,
        auth_failure: 1,
        zero_received: 5,
        zero_sent: 4,
    };
    assert_eq!(stats, expected);
    assert_eq!(stats.since(&stats), Stats::default());
    assert_eq!(stats.since(&Stats::default()), stats);
    // A core that began anew has counted less: never below 0.
    assert_eq!(Stats::default().since(&stats), Stats::default());
}
