//! How many events a second the monitor tells, whatever is on the wire.

use core::time::Duration;

use agent_common::KernelTime;

/// A bucket that holds one second's worth of events.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    per_second: u32,
    left: u32,
    refilled: KernelTime,
}

impl Budget {
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            left: per_second,
            refilled: KernelTime(0),
        }
    }

    /// Whether one more event fits.
    pub fn take(&mut self, now: KernelTime) -> bool {
        if now.since(self.refilled) >= Duration::from_secs(1) {
            self.left = self.per_second;
            self.refilled = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_as_many_as_it_may() {
        let mut budget = Budget::new(3);
        let told =
            |budget: &mut Budget, at| (0..10).filter(|_| budget.take(KernelTime(at))).count();
        assert_eq!(told(&mut budget, 5_000_000_000), 3);
        assert_eq!(told(&mut budget, 5_999_999_999), 0);
        assert_eq!(told(&mut budget, 6_000_000_000), 3);
    }
}
