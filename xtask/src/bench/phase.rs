//! Chance with a seed: a run can be repeated with the same phases of its faults.

use std::time::Duration;

use failoverd_tests::random::Random;

/// Where in a period things happen.
#[derive(Clone, Debug)]
pub struct Chance(Random);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    /// Any part of a period is as likely as any other.
    pub fn phase(&mut self, period: Duration) -> Duration {
        let period = u128::from(u64::try_from(period.as_nanos()).unwrap_or(u64::MAX));
        // The high half of the product: no bias worth the name.
        let nanos = (u128::from(self.0.number()) * period) >> 64;
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
