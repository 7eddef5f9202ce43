//! Active: adverts, elections, the limit on answers, and late wake-ups.

use super::*;

const PEER: IpAddr = ip(10);
const INTERVAL: Duration = ms(1000);

// proves: S-38
#[test]
fn s38_adverts_keep_their_cadence_without_drift() {
    let (mut rig, since) = Rig::active(config(100));
    let mut due = since.after(INTERVAL);
    for lateness in [0, 3, 250, 999, 1, 0] {
        assert_eq!(rig.deadline(), due);
        let effects = rig.timeout(due.after(ms(lateness)));
        assert_eq!(sent(&effects), [100]);
        due = due.after(INTERVAL);
    }
    assert_eq!(rig.deadline(), due);
}

/// T9: late by n intervals sends one advert, not n, and goes on from now.
// proves: S-38, L-01
#[test]
fn t9_s38_a_late_active_sends_one_advert_and_no_burst() {
    for intervals in [1u32, 2, 3, 100] {
        let (mut rig, _) = Rig::active(config(100));
        let now = rig.deadline().after(INTERVAL * intervals);
        let effects = rig.timeout(now);
        assert_eq!(sent(&effects), [100]);
        assert_eq!(rig.deadline(), now.after(INTERVAL));
        assert!(sent(&rig.timeout(now)).is_empty());
        let late = Notice::AdvertLate {
            late_by: INTERVAL * intervals,
        };
        let expected = if intervals > 1 { vec![late] } else { vec![] };
        assert_eq!(notices(&effects), expected);
    }
}

// proves: S-39
#[test]
fn s39_a_release_is_answered_at_once_and_restarts_adver_timer() {
    let (mut rig, since) = Rig::active(config(100));
    let stamp = since.after(ms(400));
    let effects = rig.hear(advert(PEER, 0, stamp));
    assert_eq!(sent(&effects), [100]);
    assert_eq!(rig.state(), State::Active);
    assert_eq!(rig.deadline(), stamp.after(INTERVAL));
    assert_eq!(rig.snapshot().counters.priority_zero_not_active, 1);
}

/// FAILURES 8.3, 22: an Active that was stopped reads what waited in the order
/// of its arrival, and a better router's advert may be the last of it.
// proves: S-40
#[test]
fn s40_inv22_nothing_is_answered_before_all_that_waited_is_read() {
    let (mut rig, since) = Rig::active(config(100));
    let thaw = since.after(ms(10_000));
    let early = |millis| since.after(ms(millis));
    let worse = rig.read(advert(PEER, 50, early(4000)), thaw);
    assert!(
        sent(&worse).is_empty() && announced(&worse).is_empty(),
        "{worse:?}"
    );
    let release = rig.read(advert(PEER, 0, early(5000)), thaw);
    assert!(sent(&release).is_empty() && announced(&release).is_empty());
    let better = rig.read(advert(ip(11), 200, early(9900)), thaw);
    assert_eq!(rig.state(), State::Backup);
    let after = rig.timeout(thaw);
    for effects in [better, after] {
        assert!(sent(&effects).is_empty() && announced(&effects).is_empty());
    }
}

/// Several that are read together get one answer, the strongest.
// proves: S-39, S-42
#[test]
fn s39_s42_what_is_read_together_is_answered_once() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(400));
    rig.read(advert(PEER, 0, now.before(ms(3))), now);
    rig.read(advert(ip(11), 50, now.before(ms(2))), now);
    rig.read(advert(PEER, 60, now.before(ms(1))), now);
    let effects = rig.timeout(now);
    assert_eq!(sent(&effects), [100]);
    assert_eq!(announced(&effects), [5]);
    assert_eq!(rig.deadline(), now.after(INTERVAL));
    assert!(sent(&rig.timeout(now)).is_empty());
}

// proves: S-42
#[test]
fn s42_a_lower_advert_is_answered_and_adver_timer_goes_on() {
    let (mut rig, since) = Rig::active(config(100));
    let deadline = rig.deadline();
    let effects = rig.hear(advert(PEER, 99, since.after(ms(400))));
    assert_eq!(sent(&effects), [100]);
    let asserted = Notice::LowerPriorityAsserted {
        from: PEER,
        priority: Priority(99),
    };
    assert_eq!(notices(&effects), [asserted]);
    assert_eq!(rig.deadline(), deadline);
}

// proves: S-41
#[test]
fn s41_without_assertion_a_lower_advert_is_not_answered() {
    let (mut rig, since) = Rig::active(InstanceConfig {
        assert_on_lower: false,
        ..config(100)
    });
    let effects = rig.hear(advert(PEER, 99, since.after(ms(400))));
    let heard = Notice::LowerPriorityHeard {
        from: PEER,
        priority: Priority(99),
    };
    assert_eq!((sent(&effects), notices(&effects)), (vec![], vec![heard]));
}

// proves: S-40, S-43
#[test]
fn s40_s43_a_higher_priority_wins_even_without_preempt_mode() {
    for preempt in [true, false] {
        let (mut rig, since) = Rig::active(InstanceConfig {
            preempt,
            ..config(100)
        });
        let stamp = since.after(ms(400));
        let effects = rig.hear(Advert {
            interval: cs(50),
            ..advert(PEER, 101, stamp)
        });
        let cause = Cause::Outranked {
            by: PEER,
            priority: Priority(101),
        };
        let back = transition(State::Active, State::Backup, cause, stamp);
        assert_eq!(effects[..3], [remove(), watch(Some(PEER)), back]);
        assert_eq!(rig.snapshot().learned_interval, cs(50));
        assert_eq!(
            rig.deadline(),
            stamp.after(rig.snapshot().active_down_interval)
        );
    }
}

// proves: S-40
#[test]
fn s40_higher_prio_send_advert_sends_one_before_yielding() {
    let config = InstanceConfig {
        higher_prio_send_advert: true,
        ..config(100)
    };
    let (mut rig, since) = Rig::active(config);
    let effects = rig.hear(advert(PEER, 101, since.after(ms(400))));
    assert_eq!(effects[..3], [send(100), remove(), watch(Some(PEER))]);
}

/// Unsigned and in network byte order: 10.0.0.200 > 10.0.0.100, 200.0.0.1 >
/// 100.0.0.2, 10.0.1.0 > 10.0.0.255.
// proves: S-40
#[test]
fn s40_ties_are_broken_by_the_unsigned_big_endian_address() {
    let cases = [
        ("10.0.0.100", "10.0.0.200", true),
        ("10.0.0.200", "10.0.0.100", false),
        ("100.0.0.2", "200.0.0.1", true),
        ("200.0.0.1", "100.0.0.2", false),
        ("10.0.0.255", "10.0.1.0", true),
        ("10.0.1.0", "10.0.0.255", false),
    ];
    for (own, other, loses) in cases {
        let mut rig = Rig::new(config(255));
        rig.input(
            Input::Up {
                id: ID,
                source: own.parse().unwrap(),
            },
            START,
        );
        rig.hear(advert(other.parse().unwrap(), 255, at(100)));
        assert_eq!(rig.state() == State::Backup, loses, "{own} against {other}");
    }
    for (own, other, loses) in [
        ("fe80::7f", "fe80::80", true),
        ("fe80::8000:1", "fe80::1", false),
    ] {
        let mut rig = Rig::new(InstanceConfig {
            family: Family::V6,
            ..config(255)
        });
        rig.input(
            Input::Up {
                id: ID,
                source: own.parse().unwrap(),
            },
            START,
        );
        rig.hear(advert(other.parse().unwrap(), 255, at(100)));
        assert_eq!(rig.state() == State::Backup, loses, "{own} against {other}");
    }
}

// proves, S-45
#[test]
fn s45_r23_our_own_address_and_priority_are_only_reported() {
    let (mut rig, since) = Rig::active(config(100));
    let before = rig.snapshot();
    let effects = rig.hear(advert(OWN, 100, since.after(ms(400))));
    let heard = Effect::Notice {
        id: ID,
        notice: Notice::OwnAddressHeard { from: OWN },
    };
    assert_eq!(effects, [heard]);
    // A storm of them stays without an answer.
    for step in 401..600 {
        assert_eq!(rig.hear(advert(OWN, 100, since.after(ms(step)))), []);
    }
    let after = rig.snapshot();
    assert_eq!(
        (after.state, after.deadline),
        (before.state, before.deadline)
    );
    assert_eq!(after.counters.adverts_sent, before.counters.adverts_sent);
}

// proves: S-46
#[test]
fn s46_answers_stop_at_ten_per_interval_and_the_first_is_immediate() {
    for priority in [0, 50] {
        let (mut rig, since) = Rig::active(config(100));
        let mut answered = Vec::new();
        for step in 0..3000 {
            let stamp = since.after(ms(1 + step));
            rig.run_until(stamp);
            let effects = rig.hear(advert(ip(1 + (step % 90) as u8), priority, stamp));
            answered.extend(sent(&effects).iter().map(|_| stamp));
        }
        assert_eq!(answered[0], since.after(ms(1)));
        assert!(answered.len() <= 31, "{}", answered.len());
        for window in answered.windows(11) {
            assert!(window[10].since(window[0]) >= INTERVAL);
        }
        assert!(rig.snapshot().counters.asserts_limited > 2900);
    }
}

/// A flood of priority 0 must not silence us by restarting Adver_Timer.
// proves: S-39, S-46
#[test]
fn s46_s39_a_flood_of_releases_does_not_stop_the_adverts() {
    let (mut rig, since) = Rig::active(config(100));
    let mut last = since;
    for step in 1..10_000 {
        let stamp = since.after(ms(step));
        let mut effects = rig.run_until(stamp);
        effects.extend(rig.hear(advert(PEER, 0, stamp)));
        if !sent(&effects).is_empty() {
            assert!(stamp.since(last) <= INTERVAL);
            last = stamp;
        }
    }
    assert!(since.after(ms(10_000)).since(last) <= INTERVAL);
}

/// A release that the limit left unanswered does not move Adver_Timer either.
// proves: S-39, S-46
#[test]
fn s46_s39_an_unanswered_release_does_not_restart_adver_timer() {
    let (mut rig, since) = Rig::active(config(100));
    for step in 1..=11 {
        let answers = sent(&rig.hear(advert(PEER, 0, since.after(ms(step * 10)))));
        assert_eq!(answers.len(), usize::from(step <= 10));
    }
    assert_eq!(rig.deadline(), since.after(ms(100)).after(INTERVAL));
}

// proves: R-08, S-48, L-04
#[test]
fn s48_two_owners_settle_by_address_and_are_reported() {
    let mut winner = Rig::up(config(255));
    let effects = winner.hear(advert(ip(99), 255, at(100)));
    assert_eq!(winner.state(), State::Active);
    assert!(notices(&effects).contains(&Notice::TwoOwners { other: ip(99) }));
    assert_eq!(sent(&effects), [255]);

    let mut loser = Rig::up(config(255));
    let effects = loser.hear(advert(ip(101), 255, at(100)));
    assert_eq!(loser.state(), State::Backup);
    assert!(notices(&effects).contains(&Notice::TwoOwners { other: ip(101) }));
}

/// a second copy, read from LATEST, is not answered again.
// proves: R-24
#[test]
fn r24_a_duplicate_is_not_answered_twice() {
    let (mut rig, since) = Rig::active(config(100));
    let lower = advert(PEER, 99, since.after(ms(400)));
    assert_eq!(sent(&rig.hear(lower)), [100]);
    assert_eq!(rig.hear(lower), []);
}

/// An old higher advert that was read late demotes, and the timer counts
/// from its stamp.
// proves: S-40
#[test]
fn s40_the_new_timer_counts_from_the_stamp() {
    let (mut rig, since) = Rig::active(config(100));
    let stamp = since.after(ms(100));
    rig.hear_late(advert(PEER, 200, stamp), since.after(ms(900)));
    assert_eq!(
        rig.deadline(),
        stamp.after(Duration::from_nanos(3_609_375_000))
    );
    assert_eq!(rig.snapshot().since, since.after(ms(900)));
}
