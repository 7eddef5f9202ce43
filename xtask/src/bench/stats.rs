//! Figures out of samples. All samples are kept, so quantiles are those of the
//! samples themselves, by the nearest rank, and not an estimate.

use serde::{Deserialize, Serialize};

/// What is told of a row of samples.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    pub n: usize,
    pub min: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Summary {
    /// `None` without samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let sorted = sorted(samples);
        Some(Self {
            n: sorted.len(),
            min: *sorted.first()?,
            p50: quantile(&sorted, 0.5)?,
            p99: quantile(&sorted, 0.99)?,
            max: *sorted.last()?,
        })
    }
}

/// Ascending, without what is not a number.
pub fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = samples
        .iter()
        .copied()
        .filter(|one| one.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The smallest sample that at least the share `q` of all do not exceed.
/// `sorted` ascends; `None` when it is empty.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The corners of the empirical distribution: of each distinct sample, the
/// share of all that are not above it.
pub fn ecdf(samples: &[f64]) -> Vec<(f64, f64)> {
    let sorted = sorted(samples);
    let count = sorted.len() as f64;
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for (index, value) in sorted.iter().enumerate() {
        let share = (index + 1) as f64 / count;
        match corners.last_mut() {
            Some(last) if last.0 == *value => last.1 = share,
            _ => corners.push((*value, share)),
        }
    }
    corners
}

/// A value with as many digits as mean something.
pub fn shown(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value == value.trunc() && size < 1e15 => format!("{value:.0}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 0.095 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One to a hundred, not in order.
    fn hundred() -> Vec<f64> {
        (0..100).map(|n| f64::from((n * 37) % 100 + 1)).collect()
    }

    #[test]
    fn quantiles_of_one_to_a_hundred_are_their_own_ranks() {
        let sorted = sorted(&hundred());
        for (q, expected) in [
            (0.0, 1.0),
            (0.01, 1.0),
            (0.011, 2.0),
            (0.5, 50.0),
            (0.99, 99.0),
            (0.999, 100.0),
            (1.0, 100.0),
            (7.0, 100.0),
        ] {
            assert_eq!(quantile(&sorted, q), Some(expected), "{q}");
        }
    }

    #[test]
    fn a_summary_of_few_samples_is_made_of_these() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[f64::NAN]), None);
        let one = Summary::of(&[3.5]).unwrap_or_default();
        assert_eq!(
            (one.n, one.min, one.p50, one.p99, one.max),
            (1, 3.5, 3.5, 3.5, 3.5)
        );
        // The median by rank is a sample, never the middle of two.
        let four = Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap_or_default();
        assert_eq!((four.p50, four.p99), (2.0, 4.0));
        // p99 differs from the maximum only from 100 samples on.
        let all = Summary::of(&hundred()).unwrap_or_default();
        assert_eq!((all.n, all.p50, all.p99, all.max), (100, 50.0, 99.0, 100.0));
    }

    #[test]
    fn the_distribution_ends_at_one_and_steps_once_for_each_value() {
        let corners = ecdf(&[2.0, 1.0, 2.0, 5.0]);
        assert_eq!(corners, [(1.0, 0.25), (2.0, 0.75), (5.0, 1.0)]);
        assert_eq!(ecdf(&[]), []);
    }

    #[test]
    fn values_are_shown_with_three_digits_or_so() {
        for (value, text) in [
            (0.0, "0"),
            (4.0, "4"),
            (1234.5, "1234"),
            (32.53, "32.5"),
            (3.456, "3.46"),
            (0.0123, "0.0123"),
            (-0.25, "-0.25"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
