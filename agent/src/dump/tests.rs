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
