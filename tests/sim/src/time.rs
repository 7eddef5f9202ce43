//! Simulated time, and the clock of each router, which is another one.

use agent_common::KernelTime;

/// Nanoseconds since the start of the simulation.
pub type At = u64;

pub const US: u64 = 1_000;
pub const MS: u64 = 1_000_000;
pub const SEC: u64 = 1_000_000_000;

/// CLOCK_MONOTONIC of one machine: started some time ago, and a little fast or slow.
#[derive(Clone, Copy, Debug)]
pub struct LocalClock {
    /// What it showed at the start of the simulation, nanoseconds.
    pub offset: u64,
    /// Parts per million, within what crystals do.
    pub ppm: i32,
}

impl LocalClock {
    pub fn local(&self, at: At) -> KernelTime {
        let drift = i128::from(at) * i128::from(self.ppm) / 1_000_000;
        let local = i128::from(self.offset) + i128::from(at) + drift;
        KernelTime(u64::try_from(local).unwrap_or(0))
    }

    /// The first moment at which this clock shows `local` or more.
    pub fn when(&self, local: KernelTime) -> At {
        let span = i128::from(local.0) - i128::from(self.offset);
        let guess = span * 1_000_000 / (1_000_000 + i128::from(self.ppm));
        let mut at = u64::try_from(guess).unwrap_or(0);
        while self.local(at) < local {
            at += 1;
        }
        while at > 0 && self.local(at - 1) >= local {
            at -= 1;
        }
        at
    }

    /// A span of this clock in simulated nanoseconds, rounded up.
    pub fn span(&self, local: std::time::Duration) -> u64 {
        let nanos = i128::try_from(local.as_nanos()).unwrap_or(i128::MAX);
        u64::try_from(nanos * 1_000_000 / (1_000_000 + i128::from(self.ppm)) + 1)
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_is_the_inverse_of_local() {
        for ppm in [-100, 0, 1, 100] {
            let clock = LocalClock {
                offset: 77 * SEC,
                ppm,
            };
            for at in [0, 1, 999_999, 12_345_678_901] {
                let local = clock.local(at);
                let first = clock.when(local);
                assert!(first <= at && clock.local(first) == local, "{ppm} {at}");
                assert!(first == 0 || clock.local(first - 1) < local);
            }
        }
    }
}
