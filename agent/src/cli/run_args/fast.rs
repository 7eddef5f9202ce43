//! The flags of the kernel heartbeat: any of them turns it on.

use std::{ops::RangeInclusive, time::Duration};

use super::{InstanceArgs, check::Check, interval::Given, usage_error::UsageError};
use crate::config::model::FastDetect;

impl Check {
    pub(super) fn fast_detect(&mut self, args: &InstanceArgs) -> Option<FastDetect> {
        let InstanceArgs {
            fast_detect,
            fast_interval,
            fast_multiplier,
            fast_lease,
            ..
        } = args;
        let settings = [fast_interval, fast_multiplier, fast_lease];
        if !fast_detect && settings.iter().all(|given| given.is_none()) {
            return None;
        }
        let mut fast = FastDetect::default();
        if let Some(text) = fast_interval {
            let good = FastDetect::INTERVALS;
            let interval = self.fast_time("--fast-interval", text, &good, "100us to 1s");
            fast.interval = interval.unwrap_or(fast.interval);
        }
        if let Some(text) = fast_lease {
            let good = FastDetect::LEASES;
            let lease = self.fast_time("--fast-lease", text, &good, "10ms to 60s");
            fast.lease = lease.unwrap_or(fast.lease);
        }
        if let Some(text) = fast_multiplier {
            match text.parse() {
                Ok(number) if FastDetect::MULTIPLIERS.contains(&number) => fast.multiplier = number,
                Ok(_) | Err(_) => self.errors.push(UsageError::BadMultiplier(text.clone())),
            }
        }
        Some(fast)
    }

    fn fast_time(
        &mut self,
        flag: &'static str,
        text: &str,
        good: &RangeInclusive<Duration>,
        range: &'static str,
    ) -> Option<Duration> {
        let time = Given::parse(text).map(Given::duration);
        let time = time.filter(|time| good.contains(time));
        if time.is_none() {
            let text = text.to_owned();
            self.errors
                .push(UsageError::BadFastTime { flag, text, range });
        }
        time
    }
}
