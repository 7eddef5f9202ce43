//! How regular the adverts of one router are, on kernel time.
//!
//! Gaps below one and a half intervals are samples of the interval: their
//! mean, minimum and standard deviation (the jitter) are kept. In a longer gap
//! at least one advert was lost or late by half an interval: it is counted as
//! missed and shows in the maximum, but it is no sample, or one lost advert
//! would pass for jitter for ever. A gap across silence or a release is neither.

use core::time::Duration;

use agent_common::{AdvertInterval, KernelTime};

/// Running statistics over the gaps between adverts.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    last: Option<KernelTime>,
    samples: u64,
    /// Nanoseconds; Welford's running mean.
    mean: f64,
    /// Sum of squared deviations, nanoseconds squared.
    deviations: f64,
    min: Option<Duration>,
    max: Option<Duration>,
    missed: u64,
}

impl Pace {
    /// Takes the stamp of an advert from a router that promises `interval`.
    pub fn record(&mut self, stamp: KernelTime, interval: AdvertInterval) {
        let Some(last) = self.last.replace(stamp) else {
            return;
        };
        let gap = stamp.since(last);
        self.max = self.max.max(Some(gap));
        let promised = interval.duration();
        if gap.saturating_mul(2) >= promised.saturating_mul(3) {
            self.missed = self.missed.saturating_add(lost(gap, promised));
            return;
        }
        self.min = Some(self.min.map_or(gap, |min| min.min(gap)));
        self.samples = self.samples.saturating_add(1);
        let sample = gap.as_nanos() as f64;
        let before = sample - self.mean;
        self.mean += before / self.samples as f64;
        self.deviations += before * (sample - self.mean);
    }

    /// The next advert starts a new run: no gap leads to it.
    pub fn interrupt(&mut self) {
        self.last = None;
    }

    /// Forgets what was measured of an interval that is no longer the
    /// promised one; what was missed stays counted.
    pub fn restart(&mut self) {
        *self = Self {
            missed: self.missed,
            ..Self::default()
        };
    }

    /// `None` before the second advert.
    pub fn mean(&self) -> Option<Duration> {
        (self.samples > 0).then(|| nanos(self.mean))
    }

    pub fn min(&self) -> Option<Duration> {
        self.min
    }

    /// The longest gap, those with missed adverts included.
    pub fn max(&self) -> Option<Duration> {
        self.max
    }

    /// The standard deviation of the gaps; `None` before the third advert.
    pub fn jitter(&self) -> Option<Duration> {
        let freedom = self.samples.checked_sub(1).filter(|n| *n > 0)?;
        Some(nanos((self.deviations / freedom as f64).sqrt()))
    }

    /// Adverts lost or late by half an interval, by the length of the gaps.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// Adverts that should have come within `gap` and did not, rounded.
fn lost(gap: Duration, promised: Duration) -> u64 {
    let promised = promised.as_nanos().max(1);
    let intervals = (gap.as_nanos() + promised / 2) / promised;
    u64::try_from(intervals.saturating_sub(1)).unwrap_or(u64::MAX)
}

/// A float-to-integer cast saturates, so no value can make this panic.
fn nanos(value: f64) -> Duration {
    Duration::from_nanos(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pace(stamps_ms: &[u64]) -> Pace {
        let mut pace = Pace::default();
        for stamp in stamps_ms {
            pace.record(KernelTime(stamp * MS), AdvertInterval::DEFAULT);
        }
        pace
    }

    fn ms(value: u64) -> Option<Duration> {
        Some(Duration::from_millis(value))
    }

    #[test]
    fn one_advert_measures_nothing() {
        let pace = pace(&[5_000]);
        assert_eq!((pace.mean(), pace.min(), pace.max()), (None, None, None));
        assert_eq!((pace.jitter(), pace.missed()), (None, 0));
    }

    #[test]
    fn mean_minimum_maximum_and_deviation_of_the_gaps() {
        // Gaps of 990, 1000 and 1010 ms.
        let pace = pace(&[0, 990, 1_990, 3_000]);
        assert_eq!(
            (pace.mean(), pace.min(), pace.max()),
            (ms(1_000), ms(990), ms(1_010))
        );
        assert_eq!((pace.jitter(), pace.missed()), (ms(10), 0));
    }

    #[test]
    fn a_lost_advert_is_missed_and_not_jitter() {
        let pace = pace(&[0, 1_000, 2_000, 4_990, 5_990]);
        assert_eq!((pace.missed(), pace.max()), (2, ms(2_990)));
        assert_eq!((pace.mean(), pace.jitter()), (ms(1_000), ms(0)));
    }

    #[test]
    fn one_and_a_half_intervals_hide_an_advert() {
        assert_eq!(pace(&[0, 1_499]).missed(), 0);
        assert_eq!(pace(&[0, 1_500]).missed(), 1);
    }

    #[test]
    fn silence_is_no_gap() {
        let mut pace = pace(&[0, 1_000]);
        pace.interrupt();
        pace.record(KernelTime(90_000 * MS), AdvertInterval::DEFAULT);
        pace.record(KernelTime(91_000 * MS), AdvertInterval::DEFAULT);
        assert_eq!((pace.missed(), pace.max()), (0, ms(1_000)));
    }

    #[test]
    fn stamps_out_of_order_and_at_the_ends_of_the_clock_are_survived() {
        let mut pace = pace(&[10, 5, 0]);
        pace.record(KernelTime(u64::MAX), AdvertInterval::MAX_V3);
        pace.record(KernelTime(0), AdvertInterval::MAX_V3);
        assert!(pace.mean().is_some() && pace.jitter().is_some());
    }
}
