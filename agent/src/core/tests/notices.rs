//! Notices are rate limited by kind (L-02, L-03, L-08, R-16).

use super::*;

// proves: R-16, L-08
#[test]
fn r16_l08_first_at_once_then_one_per_ten_seconds_whatever_the_source() {
    let mut rig = Rig::up(InstanceConfig {
        priority: Priority(200),
        ..config(200)
    });
    rig.hear(advert(ip(1), 255, at(1)));
    let mut heard = Vec::new();
    for step in 0..30_000u64 {
        let stamp = at(10 + step);
        if step % 900 == 0 {
            rig.hear(advert(ip(1), 255, stamp));
            continue;
        }
        let source = ip(2 + (step % 90) as u8);
        let effects = rig.hear(advert(source, 50, stamp));
        heard.extend(notices(&effects).iter().map(|_| stamp));
    }
    assert_eq!(heard, [at(11), at(10_011), at(20_011)]);
    assert!(rig.snapshot().counters.notices_suppressed > 29_000);
}

// proves: L-03
#[test]
fn l03_one_kind_does_not_silence_another() {
    let mut rig = Rig::up(config(100));
    let odd = Advert {
        address_count: 9,
        ..advert(ip(1), 50, at(1))
    };
    assert_eq!(notices(&rig.hear(odd)).len(), 2);
    assert_eq!(notices(&rig.hear(advert(ip(1), 0, at(2)))).len(), 1);
}

/// Nothing that is accepted in steady state says anything.
#[test]
fn a_healthy_pair_is_silent() {
    let mut rig = Rig::up(config(100));
    let mut effects = Vec::new();
    for step in 0..100 {
        effects.extend(rig.run_until(at(500 + step * 1000)));
        effects.extend(rig.hear(advert(ip(1), 150, at(500 + step * 1000))));
    }
    assert_eq!(effects, [watch(Some(ip(1)))]);
}

// proves: R-15
#[test]
fn r15_other_addresses_are_no_news_where_the_check_is_off() {
    let odd = Advert {
        address_count: 9,
        ..advert(ip(1), 150, at(1))
    };
    let heard = |check_addresses| {
        let mut rig = Rig::up(InstanceConfig {
            check_addresses,
            ..config(100)
        });
        notices(&rig.hear(odd)).len()
    };
    assert_eq!((heard(true), heard(false)), (1, 0));
}
