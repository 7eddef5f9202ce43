//! Announcements: order at promotion, second burst, refresh, and S-47.

use super::*;

const PEER: IpAddr = ip(10);

fn quiet() -> AnnouncePolicy {
    AnnouncePolicy {
        delay: Duration::ZERO,
        lower_prio_delay: Duration::ZERO,
        ..AnnouncePolicy::default()
    }
}

/// Announcements from `from` to `to`, with their times.
fn bursts(rig: &mut Rig, to: KernelTime) -> Vec<(KernelTime, u8)> {
    let mut seen = Vec::new();
    while rig.machine.poll_timeout().is_some_and(|due| due <= to) {
        let (now, effects) = rig.wake();
        seen.extend(announced(&effects).into_iter().map(|repeat| (now, repeat)));
    }
    seen
}

// proves: D-22, D-23
#[test]
fn d22_d23_the_owner_s_promotion_is_advert_then_vips_then_garp() {
    let mut rig = Rig::new(config(255));
    let effects = rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        START,
    );
    assert_eq!(
        effects,
        [
            send(255),
            Effect::AddAddresses { id: ID },
            Effect::Announce { id: ID, repeat: 5 },
            watch(None),
            transition(State::Initialize, State::Active, Cause::Owner, START),
        ]
    );
}

// proves: D-22
#[test]
fn d22_the_second_burst_comes_once_after_its_delay() {
    let (mut rig, since) = Rig::active(config(100));
    assert_eq!(
        bursts(&mut rig, since.after(ms(60_000))),
        [(since.after(ms(5000)), 5)]
    );
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce: quiet(),
        ..config(100)
    });
    assert_eq!(bursts(&mut rig, since.after(ms(60_000))), []);
}

// proves: D-22
#[test]
fn d22_the_refresh_keeps_its_period_and_skips_what_was_missed() {
    let announce = AnnouncePolicy {
        refresh: Some(ms(10_000)),
        refresh_repeat: 2,
        ..quiet()
    };
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce,
        ..config(100)
    });
    let seen = bursts(&mut rig, since.after(ms(30_000)));
    let expected = [10_000, 20_000, 30_000].map(|millis| (since.after(ms(millis)), 2));
    assert_eq!(seen, expected);
    let effects = rig.timeout(since.after(ms(75_000)));
    assert_eq!(
        announced(&effects)
            .iter()
            .filter(|repeat| **repeat == 2)
            .count(),
        1
    );
}

/// A refresh of zero is none, not an endless loop.
// proves: D-22
#[test]
fn d22_a_zero_refresh_is_none() {
    let announce = AnnouncePolicy {
        refresh: Some(Duration::ZERO),
        ..quiet()
    };
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce,
        ..config(100)
    });
    assert_eq!(bursts(&mut rig, since.after(ms(10_000))), []);
}

// proves: S-47
#[test]
fn s47_a_lower_advert_is_followed_by_announcements_now_and_later() {
    let (mut rig, since) = Rig::active(config(100));
    bursts(&mut rig, since.after(ms(10_000)));
    let stamp = since.after(ms(10_400));
    let effects = rig.hear(advert(PEER, 99, stamp));
    assert_eq!(
        effects[1..],
        [send(100), Effect::Announce { id: ID, repeat: 5 }]
    );
    assert_eq!(
        bursts(&mut rig, since.after(ms(60_000))),
        [(stamp.after(ms(5000)), 5)]
    );
}

/// Somebody released, so somebody was Active; and RFC 5798 mode announces too.
// proves: S-47
#[test]
fn s47_a_release_and_an_unanswered_lower_advert_are_evidence_too() {
    for (priority, assert_on_lower) in [(0, true), (0, false), (99, false)] {
        let (mut rig, since) = Rig::active(InstanceConfig {
            assert_on_lower,
            ..config(100)
        });
        let effects = rig.hear(advert(PEER, priority, since.after(ms(400))));
        assert_eq!(announced(&effects), [5]);
    }
}

// proves: S-47
#[test]
fn s47_zero_repeats_switch_it_off() {
    let announce = AnnouncePolicy {
        lower_prio_repeat: 0,
        ..quiet()
    };
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce,
        ..config(100)
    });
    let effects = rig.hear(advert(PEER, 99, since.after(ms(400))));
    assert_eq!((sent(&effects), announced(&effects)), (vec![100], vec![]));
}

/// At most one per interval under a flood, and the last evidence is answered.
// proves: S-46, S-47
#[test]
fn s46_s47_a_flood_does_not_multiply_announcements() {
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce: quiet(),
        ..config(100)
    });
    let mut times = Vec::new();
    for step in 1..=2500 {
        let stamp = since.after(ms(step));
        times.extend(bursts(&mut rig, stamp));
        let effects = rig.hear(advert(PEER, 99, stamp));
        times.extend(
            announced(&effects)
                .into_iter()
                .map(|repeat| (stamp, repeat)),
        );
    }
    times.extend(bursts(&mut rig, since.after(ms(10_000))));
    let expected = [1, 1001, 2001, 3001].map(|millis| (since.after(ms(millis)), 5));
    assert_eq!(times, expected);
}

/// S-47 and invariant 22: stopped for longer than the peers wait, still Active.
// proves: S-47
#[test]
fn s47_after_our_own_gap_hosts_are_told_again() {
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce: quiet(),
        ..config(100)
    });
    let short = since.after(Duration::from_nanos(3_609_375_000));
    assert!(announced(&rig.clone().timeout(short)).is_empty());
    let effects = rig.timeout(KernelTime(short.0 + 1));
    assert_eq!(
        effects[..2],
        [send(100), Effect::Announce { id: ID, repeat: 5 }]
    );
    assert!(matches!(notices(&effects)[..], [Notice::AdvertLate { .. }]));
}

/// The queue is read first: with a better router about, nothing is announced.
// proves: S-47
#[test]
fn s47_inv22_a_gap_that_ends_with_a_better_active_announces_nothing() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(60_000));
    let mut effects = rig.hear_late(advert(PEER, 150, now.before(ms(300))), now);
    effects.extend(rig.timeout(now));
    assert_eq!((sent(&effects), announced(&effects)), (vec![], vec![]));
    assert_eq!(rig.state(), State::Backup);
}

#[test]
fn inv14_nothing_is_announced_after_leaving_active() {
    let announce = AnnouncePolicy {
        refresh: Some(ms(700)),
        ..AnnouncePolicy::default()
    };
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce,
        ..config(100)
    });
    rig.hear(advert(PEER, 99, since.after(ms(100))));
    rig.hear(advert(PEER, 99, since.after(ms(200))));
    rig.hear(advert(PEER, 200, since.after(ms(300))));
    assert_eq!(bursts(&mut rig, since.after(ms(3800))), []);
}

#[test]
fn garp_extra_if_goes_on_for_as_long_as_the_role_does() {
    let announce = AnnouncePolicy {
        extra: Some(ms(7000)),
        ..quiet()
    };
    let (mut rig, since) = Rig::active(InstanceConfig {
        announce,
        ..config(100)
    });
    let elsewhere = |rig: &mut Rig, to: KernelTime| {
        let mut seen = Vec::new();
        while rig.machine.poll_timeout().is_some_and(|due| due <= to) {
            let (now, effects) = rig.wake();
            let hits = effects
                .iter()
                .filter(|effect| **effect == Effect::AnnounceElsewhere { id: ID });
            seen.extend(hits.map(|_| now));
        }
        seen
    };
    let beats = [since.after(ms(7000)), since.after(ms(14_000))];
    assert_eq!(elsewhere(&mut rig, since.after(ms(15_000))), beats);
    rig.hear(advert(PEER, 200, since.after(ms(15_001))));
    rig.hear(advert(PEER, 200, since.after(ms(18_000))));
    assert_eq!(elsewhere(&mut rig, since.after(ms(18_500))), []);
}
