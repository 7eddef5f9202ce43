//! Backup: what an advert does to the Active_Down_Timer.

use super::*;

const PEER: IpAddr = ip(10);

/// A Backup of priority 100 that accepted an advert of 150 at `at(500)`.
fn settled() -> Rig {
    let mut rig = Rig::up(config(100));
    rig.hear(advert(PEER, 150, at(500)));
    rig
}

// proves: T-03, S-02
#[test]
fn s02_t03_startup_waits_a_full_active_down_interval_with_the_local_interval() {
    let mut rig = Rig::new(config(100));
    let effects = rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        START,
    );
    let started = transition(State::Initialize, State::Backup, Cause::Started, START);
    assert_eq!(effects, [watch(None), started]);
    assert_eq!(
        rig.deadline(),
        START.after(Duration::from_micros(3_609_375))
    );
    assert_eq!(rig.snapshot().learned_interval, cs(100));
}

// proves: S-18
#[test]
fn s18_the_timer_counts_from_the_stamp_and_not_from_when_it_is_read() {
    let mut rig = Rig::up(config(100));
    rig.hear_late(advert(PEER, 150, at(500)), at(1400));
    assert_eq!(
        rig.deadline(),
        at(500).after(Duration::from_micros(3_609_375))
    );
    assert_eq!(rig.snapshot().last_advert, Some(at(500)));
}

// proves: S-16
#[test]
fn s16_a_silent_active_is_replaced_exactly_at_the_deadline() {
    let mut rig = settled();
    let deadline = rig.deadline();
    let before = rig.run_until(KernelTime(deadline.0 - 1));
    assert_eq!(before, []);
    assert_eq!(rig.machine.poll_timeout(), Some(deadline));
    let effects = rig.timeout(deadline);
    let cause = Cause::ActiveSilent {
        last_advert: Some(at(500)),
        deadline,
    };
    assert_eq!(
        effects,
        [
            send(100),
            Effect::AddAddresses { id: ID },
            Effect::Announce { id: ID, repeat: 5 },
            watch(None),
            transition(State::Backup, State::Active, cause, deadline),
        ]
    );
}

// proves: T-01
#[test]
fn t01_v2_ignores_the_sender_s_interval() {
    let mut rig = Rig::up(InstanceConfig {
        version: Version::V2,
        ..config(100)
    });
    rig.hear(Advert {
        interval: cs(500),
        ..advert(PEER, 150, at(500))
    });
    assert_eq!(rig.snapshot().learned_interval, cs(100));
    assert_eq!(
        rig.deadline(),
        at(500).after(Duration::from_micros(3_609_375))
    );
}

// proves: T-02, T-04, T-05
#[test]
fn t02_t04_t05_v3_learns_and_recomputes_skew_and_down_interval() {
    let mut rig = Rig::up(config(100));
    rig.hear(Advert {
        interval: cs(10),
        ..advert(PEER, 150, at(500))
    });
    let snapshot = rig.snapshot();
    assert_eq!(snapshot.learned_interval, cs(10));
    assert_eq!(snapshot.skew, Duration::from_nanos(60_937_500));
    assert_eq!(
        snapshot.active_down_interval,
        Duration::from_nanos(360_937_500)
    );
    assert_eq!(
        rig.deadline(),
        at(500).after(Duration::from_nanos(360_937_500))
    );
}

// proves: T-06
#[test]
fn t06_a_discarded_advert_teaches_nothing() {
    let mut rig = settled();
    let before = rig.snapshot();
    rig.hear(Advert {
        interval: cs(10),
        ..advert(ip(11), 50, at(600))
    });
    let after = rig.snapshot();
    assert_eq!(after.learned_interval, before.learned_interval);
    assert_eq!(after.deadline, before.deadline);
    assert_eq!(after.active, before.active);
}

// proves: T-07, T-11
#[test]
fn t07_t11_priority_zero_teaches_nothing_and_uses_the_learned_interval() {
    let mut rig = Rig::up(config(100));
    rig.hear(Advert {
        interval: cs(10),
        ..advert(PEER, 150, at(500))
    });
    rig.hear(Advert {
        interval: cs(4000),
        ..advert(PEER, 0, at(550))
    });
    assert_eq!(rig.snapshot().learned_interval, cs(10));
    assert_eq!(
        rig.deadline(),
        at(550).after(Duration::from_nanos(60_937_500))
    );
}

// proves: T-09
#[test]
fn t09_active_sends_at_the_local_interval_whatever_it_learned() {
    let mut rig = Rig::up(config(100));
    rig.hear(Advert {
        interval: cs(10),
        ..advert(PEER, 150, at(500))
    });
    let (_, since) = (rig.run_until(at(2000)), rig.snapshot().since);
    assert_eq!(rig.state(), State::Active);
    assert!(rig.deadline() > since);
    let (first, _) = rig.wake();
    let (second, _) = rig.wake();
    assert_eq!(second.since(first), ms(1000));
    assert_eq!(rig.snapshot().learned_interval, cs(100));
}

// proves: S-17
#[test]
fn s17_release_counts_skew_from_the_stamp_and_names_who_released() {
    let mut rig = settled();
    rig.hear_late(advert(PEER, 0, at(700)), at(1000));
    let deadline = at(700).after(Duration::from_nanos(609_375_000));
    assert_eq!(rig.deadline(), deadline);
    assert_eq!(rig.run_until(KernelTime(deadline.0 - 1)), []);
    let (now, effects) = rig.wake();
    assert_eq!(now, deadline);
    let cause = Cause::ActiveReleased { by: PEER };
    assert_eq!(
        transitions(&effects),
        [(State::Backup, State::Active, cause)]
    );
}

/// S-17, T-08: an Active that comes back before the skew ends is followed again.
// proves: S-18
#[test]
fn s18_an_advert_after_a_release_restores_the_full_interval() {
    let mut rig = settled();
    rig.hear(advert(PEER, 0, at(700)));
    rig.hear(advert(ip(11), 120, at(800)));
    assert_eq!(
        rig.deadline(),
        at(800).after(Duration::from_micros(3_609_375))
    );
    let (_, effects) = (rig.run_until(at(2000)), rig.run_until(at(5000)));
    let cause = transitions(&effects)[0].2;
    assert!(
        matches!(cause, Cause::ActiveSilent { last_advert: Some(stamp), .. } if stamp == at(800))
    );
}

// proves: R-27
#[test]
fn r27_a_release_from_a_stranger_is_obeyed_and_counted() {
    let mut rig = settled();
    rig.hear(advert(ip(66), 0, at(700)));
    assert_eq!(
        rig.deadline(),
        at(700).after(Duration::from_nanos(609_375_000))
    );
    let counters = rig.snapshot().counters;
    assert_eq!(
        (
            counters.priority_zero_received,
            counters.priority_zero_not_active
        ),
        (1, 1)
    );
    rig.hear(advert(PEER, 0, at(701)));
    let counters = rig.snapshot().counters;
    assert_eq!(
        (
            counters.priority_zero_received,
            counters.priority_zero_not_active
        ),
        (2, 1)
    );
}

// proves: R-24
#[test]
fn r24_the_same_advert_from_ring_and_latest_counts_once() {
    let mut rig = settled();
    rig.hear(advert(PEER, 0, at(700)));
    let before = rig.snapshot();
    // The ring is behind: both were handed in already, or are older.
    for stale in [
        advert(PEER, 0, at(700)),
        advert(PEER, 150, at(500)),
        advert(PEER, 150, at(650)),
    ] {
        assert_eq!(rig.hear_late(stale, at(800)), []);
    }
    let mut after = rig.snapshot();
    assert_eq!(after.counters.adverts_stale, 3);
    after.counters.adverts_stale = 0;
    assert_eq!(after, before);
}

/// An older stamp never moves a deadline backwards, nor undoes newer news.
// proves: R-24
#[test]
fn r24_an_older_stamp_of_another_router_changes_nothing() {
    let mut rig = settled();
    let before = rig.snapshot();
    for priority in [0, 150, 200] {
        let late = Advert {
            interval: cs(10),
            ..advert(ip(11 + priority), priority, at(400))
        };
        rig.hear_late(late, at(600));
    }
    let after = rig.snapshot();
    assert_eq!(after.deadline, before.deadline);
    assert_eq!(after.learned_interval, before.learned_interval);
    assert_eq!(
        (after.active, after.watched),
        (before.active, before.watched)
    );
}

// proves: S-18
#[test]
fn s18_the_watched_router_follows_the_accepted_one_and_is_said_once() {
    let mut rig = Rig::up(config(100));
    assert_eq!(watches(&rig.hear(advert(PEER, 150, at(500)))), [Some(PEER)]);
    assert_eq!(watches(&rig.hear(advert(PEER, 150, at(1500)))), []);
    assert_eq!(
        watches(&rig.hear(advert(ip(11), 160, at(1600)))),
        [Some(ip(11))]
    );
}

// proves: S-19
#[test]
fn s19_a_discarded_router_is_never_watched() {
    let mut rig = settled();
    assert_eq!(watches(&rig.hear(advert(ip(11), 50, at(600)))), []);
    assert_eq!(rig.snapshot().watched, Some(PEER));
    // The Active itself falls below us: its adverts must wake us again.
    assert_eq!(watches(&rig.hear(advert(PEER, 50, at(700)))), [None]);
    assert_eq!(watches(&rig.hear(advert(PEER, 50, at(800)))), []);
}

// proves: S-20
#[test]
fn s20_no_address_is_compared_in_backup() {
    for source in [ip(1), ip(250)] {
        let mut rig = Rig::up(config(100));
        rig.hear(advert(source, 100, at(500)));
        assert_eq!(
            rig.deadline(),
            at(500).after(Duration::from_micros(3_609_375))
        );
    }
}

/// a different interval in v3 is reported and never dropped. R-15: nor
/// is a different address list.
// proves, L-03
#[test]
fn r14_r15_differences_are_reported_and_accepted() {
    let mut rig = Rig::up(config(100));
    let odd = Advert {
        interval: cs(50),
        address_count: 3,
        ..advert(PEER, 150, at(500))
    };
    let effects = rig.hear(odd);
    assert_eq!(
        notices(&effects),
        [
            Notice::IntervalDiffers {
                from: PEER,
                theirs: cs(50),
                ours: cs(100)
            },
            Notice::AddressesDiffer {
                from: PEER,
                theirs: 3,
                ours: 1
            },
        ]
    );
    assert_eq!(rig.snapshot().active, Some(PEER));
}

/// our own farewell, sent when our VIPs were taken and come back to us.
// proves: R-23
#[test]
fn r23_our_own_release_reflected_does_not_shorten_the_wait() {
    let mut rig = settled();
    let before = rig.snapshot().deadline;
    let effects = rig.hear(advert(OWN, 0, at(700)));
    assert_eq!(notices(&effects), [Notice::OwnAddressHeard { from: OWN }]);
    assert_eq!(rig.snapshot().deadline, before);
}

/// An IPv6 source in an IPv4 instance is no router of ours.
// proves: R-07
#[test]
fn r07_another_family_is_ignored() {
    let mut rig = settled();
    let before = rig.snapshot();
    assert_eq!(
        rig.hear(advert("fe80::1".parse().unwrap(), 200, at(700))),
        []
    );
    assert_eq!(rig.snapshot(), before);
}
