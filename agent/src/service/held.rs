//! The delay after the start, in which adverts are received and nothing is done.

use std::time::Duration;

use agent_common::KernelTime;
use tracing::info;

use crate::{config::model::StartDelay, io::clock};

/// Until when instances are held back.
#[derive(Debug)]
pub(super) struct Held {
    until: KernelTime,
}

impl Held {
    /// From now on, and from the time that the machine has run.
    pub(super) fn new(delay: StartDelay) -> Self {
        let now = clock::now();
        let wait = wait(delay, clock::since_boot());
        if !wait.is_zero() {
            let seconds = wait.as_secs_f64();
            info!(
                "Waiting {seconds:.1} s before any instance takes part \
                 (vrrp_startup_delay, vrrp_delay_after_boot)"
            );
        }
        Self {
            until: now.after(wait),
        }
    }

    /// As an agent before us has begun it.
    pub(super) fn until_then(until: KernelTime) -> Self {
        Self { until }
    }

    pub(super) fn until(&self) -> KernelTime {
        self.until
    }

    pub(super) fn is_on(&self) -> bool {
        self.rest().is_some()
    }

    /// What is left of the delay; `None` when it is over.
    pub(super) fn rest(&self) -> Option<Duration> {
        let now = clock::now();
        (now < self.until).then(|| self.until.since(now))
    }
}

/// The later end counts.
fn wait(delay: StartDelay, since_boot: Duration) -> Duration {
    let StartDelay {
        after_start,
        after_boot,
    } = delay;
    after_start.max(after_boot.saturating_sub(since_boot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_counts() {
        let seconds = Duration::from_secs;
        let delay = |start, boot| StartDelay {
            after_start: seconds(start),
            after_boot: seconds(boot),
        };
        assert_eq!(wait(delay(0, 0), seconds(9)), Duration::ZERO);
        assert_eq!(wait(delay(5, 0), seconds(9)), seconds(5));
        assert_eq!(wait(delay(5, 60), seconds(9)), seconds(51));
        assert_eq!(wait(delay(5, 60), seconds(900)), seconds(5));
    }
}
