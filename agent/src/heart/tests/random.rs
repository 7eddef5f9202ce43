//! Whatever keeps the process from running: no verdict on who answers, and one
//! on who does not.

use proptest::prelude::*;

use super::*;

/// How late wake-ups are, in microseconds: often not at all, and at times for
/// very long.
fn delays() -> impl Strategy<Value = Vec<u64>> {
    let late = prop_oneof![
        6 => Just(0_u64),
        4 => 0_u64..300,
        3 => 300_u64..3_000,
        2 => 3_000_u64..50_000,
        1 => 50_000_u64..5_000_000,
    ];
    prop::collection::vec(late, 1..200)
}

fn cycle(delays: Vec<u64>) -> impl FnMut() -> Duration {
    let mut all = delays.into_iter().cycle();
    move || us(all.next().unwrap_or(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_answers_within_the_patience_is_never_down(delays in delays(), way in 0_u64..=250) {
        let mut rig = Rig::new();
        rig.way = us(way);
        rig.run_with(Duration::from_secs(2), cycle(delays));
        prop_assert_eq!(rig.downs(), []);
    }

    #[test]
    fn who_is_dead_is_found_in_a_few_wake_ups(delays in delays(), alive in 5_u32..50) {
        let mut rig = Rig::armed();
        let mut late = cycle(delays);
        rig.run_with(T * alive, &mut late);
        prop_assert_eq!(rig.downs(), []);
        // What was under way is lost with it.
        rig.under_way.clear();
        rig.is(None);
        // For each time that is not counted, and once more: three probes, a
        // look after the last one, and the wake-up that was late.
        let (mut rounds, most) = (0, (u32::from(MAX_VOIDS) + 1) * (3 + 2));
        while rig.downs().is_empty() {
            let due = rig.heart.poll_timeout().unwrap();
            rig.now = rig.now.max(due).after(late());
            rig.round();
            rounds += 1;
            prop_assert!(rounds <= most, "{} wake-ups", rounds);
        }
    }

    #[test]
    fn on_time_a_dead_machine_is_found_within_the_multiplier_and_one(
        early in 0_u64..1_000,
        multiplier in 2_u8..=20,
    ) {
        let mut rig = Rig::new();
        rig.heart.configure(ID, Some(Plan { multiplier, ..plan(51) }), START);
        rig.run(T * 10 + us(early));
        let died = rig.now;
        rig.under_way.clear();
        rig.is(None);
        rig.run(T * 50);
        let downs = rig.downs();
        prop_assert_eq!(downs.len(), 1);
        let waited = downs[0].0.since(died);
        prop_assert!(waited <= T * (u32::from(multiplier) + 1), "{:?}", waited);
    }
}
