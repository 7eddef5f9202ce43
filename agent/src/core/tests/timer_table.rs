//! Timer arithmetic: the exact table of CONFORMANCE 1.2 and its bounds.

use super::*;
use crate::core::timers::{active_down_interval, checkpoint_margin, skew_time};

/// (priority, skew in ns) by the columns v2 1 s = v3 100 cs, v3 10 cs, v3 1 cs.
/// Half nanoseconds are cut off.
const TABLE: [(u8, u64, u64, u64); 8] = [
    (1, 996_093_750, 99_609_375, 9_960_937),
    (50, 804_687_500, 80_468_750, 8_046_875),
    (100, 609_375_000, 60_937_500, 6_093_750),
    (150, 414_062_500, 41_406_250, 4_140_625),
    (200, 218_750_000, 21_875_000, 2_187_500),
    (250, 23_437_500, 2_343_750, 234_375),
    (254, 7_812_500, 781_250, 78_125),
    (255, 3_906_250, 390_625, 39_062),
];

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

// proves: T-01, T-02, T-12
#[test]
fn t01_t02_t12_exact_table_of_1_2() {
    for (priority, second, tenth, hundredth) in TABLE {
        let priority = Priority(priority);
        for (version, centis, skew) in [
            (Version::V2, 100, second),
            (Version::V3, 100, second),
            (Version::V3, 10, tenth),
            (Version::V3, 1, hundredth),
        ] {
            let interval = cs(centis);
            assert_eq!(nanos(skew_time(version, priority, interval)), skew);
            let down = u64::from(centis) * 30_000_000 + skew;
            assert_eq!(
                nanos(active_down_interval(version, priority, interval, 3)),
                down
            );
        }
    }
}

/// v2 keeps a skew base of 1 s at any interval: 3 * 10 s + 156/256 s.
// proves: T-01
#[test]
fn t01_v2_skew_does_not_scale_with_the_interval() {
    for seconds in [1u8, 2, 10, 255] {
        let interval = AdvertInterval::from_v2_seconds(seconds).unwrap();
        let skew = skew_time(Version::V2, Priority(100), interval);
        assert_eq!(nanos(skew), 609_375_000);
        let down = active_down_interval(Version::V2, Priority(100), interval, 3);
        assert_eq!(
            nanos(down),
            u64::from(seconds) * 3_000_000_000 + 609_375_000
        );
    }
}

// proves: T-02, T-12
#[test]
fn t12_never_zero_strictly_ordered_and_exact_over_all_inputs() {
    for centis in 1..=4095u16 {
        let mut better = 0u64;
        for priority in (1..=255u8).rev() {
            let skew = nanos(skew_time(Version::V3, Priority(priority), cs(centis)));
            let exact = u128::from(256 - u16::from(priority)) * u128::from(centis) * 10_000_000;
            assert_eq!(u128::from(skew), exact / 256);
            assert!(skew > better, "worse priorities wait longer");
            better = skew;
        }
    }
}

// proves: T-14
#[test]
fn t14_down_factor_replaces_the_three() {
    for factor in 1..=100u8 {
        let down = active_down_interval(Version::V3, Priority(100), cs(100), factor);
        assert_eq!(nanos(down), u64::from(factor) * 1_000_000_000 + 609_375_000);
    }
}

/// The premises of the two-stage time-out.
#[test]
fn checkpoint_is_one_and_a_half_intervals_and_an_interval_after_the_advert() {
    let down = active_down_interval(Version::V3, Priority(254), cs(100), 3);
    assert_eq!(checkpoint_margin(cs(100), down), ms(1500));
    for factor in 1..=3 {
        for priority in 1..=255 {
            let down = active_down_interval(Version::V3, Priority(priority), cs(100), factor);
            let margin = checkpoint_margin(cs(100), down);
            assert!(margin * 2 <= down && down - margin >= ms(1000) && !margin.is_zero());
        }
    }
}
