//! Chance with a seed: a run can be repeated with the same phases of its faults.

use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood 2014): enough for phases, and nothing
/// that anybody has to trust.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any part of a period is as likely as any other.
    pub fn phase(&mut self, period: Duration) -> Duration {
        let period = u128::from(u64::try_from(period.as_nanos()).unwrap_or(u64::MAX));
        // The high half of the product: no bias worth the name.
        let nanos = (u128::from(self.next()) * period) >> 64;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_within_the_period_and_all_over_it() {
        let period = Duration::from_millis(10);
        let mut chance = Chance::new(7);
        let phases: Vec<Duration> = (0..1000).map(|_| chance.phase(period)).collect();
        assert!(phases.iter().all(|phase| *phase < period));
        for tenth in 0..10 {
            let from = period * tenth / 10;
            let within = |phase: &&Duration| **phase >= from && **phase < from + period / 10;
            let count = phases.iter().filter(within).count();
            assert!((60..140).contains(&count), "{tenth}: {count}");
        }
    }

    #[test]
    fn a_seed_repeats_and_another_does_not() {
        let row = |seed| {
            let mut chance = Chance::new(seed);
            [(); 4].map(|()| chance.phase(Duration::from_secs(1)))
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
    }
}
