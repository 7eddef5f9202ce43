//! `500us`, `10ms`, `1s`, `0.5s`, `1`: an interval of the command line.

use std::time::Duration;

use agent_common::{AdvertInterval, Version};

use crate::config::decimal_micros;

/// Nanoseconds of a centisecond, the unit of v3.
const CENTI: u64 = 10_000_000;
const SECOND: u64 = 1_000_000_000;

/// An interval as it was given, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Given(u64);

impl Given {
    /// `None` where it is no time, or too long to hold.
    pub fn parse(text: &str) -> Option<Self> {
        // A millionth of a millisecond is a nanosecond.
        if let Some(millis) = text.strip_suffix("ms") {
            return decimal_micros(millis.trim_end()).map(Self);
        }
        if let Some(micros) = text.strip_suffix("us") {
            return decimal_micros(micros.trim_end()).map(|picos| Self(picos / 1000));
        }
        let text = text.strip_suffix('s').unwrap_or(text);
        decimal_micros(text.trim_end())?.checked_mul(1000).map(Self)
    }

    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    pub const fn is_sub_second(self) -> bool {
        self.0 < SECOND
    }

    /// `None` where `version` cannot carry it exactly.
    pub fn interval(self, version: Version) -> Option<AdvertInterval> {
        match version {
            Version::V2 if self.0.is_multiple_of(SECOND) => u8::try_from(self.0 / SECOND)
                .ok()
                .and_then(AdvertInterval::from_v2_seconds),
            Version::V3 if self.0.is_multiple_of(CENTI) => u16::try_from(self.0 / CENTI)
                .ok()
                .filter(|&centis| centis <= AdvertInterval::MAX_V3.centis())
                .and_then(AdvertInterval::from_centis),
            Version::V2 | Version::V3 => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centis(text: &str, version: Version) -> Option<u16> {
        Given::parse(text)?
            .interval(version)
            .map(AdvertInterval::centis)
    }

    #[test]
    fn forms() {
        for (text, expected) in [
            ("10ms", Some(1)),
            ("10 ms", Some(1)),
            ("10000us", Some(1)),
            ("10.0ms", Some(1)),
            ("1s", Some(100)),
            ("0.5s", Some(50)),
            (".5", Some(50)),
            ("1", Some(100)),
            ("40.95s", Some(4095)),
            ("40950ms", Some(4095)),
            ("40.96s", None),
            ("5ms", None),
            ("15ms", None),
            ("0", None),
            ("0ms", None),
            ("-1", None),
            ("1m", None),
            ("ms", None),
            ("", None),
            ("s", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(centis(text, Version::V3), expected, "{text}");
        }
    }

    // proves: T-15
    #[test]
    fn t15_version_2_has_whole_seconds_to_255() {
        for (text, expected) in [
            ("1", Some(100)),
            ("1000ms", Some(100)),
            ("255s", Some(25_500)),
            ("256s", None),
            ("1.5s", None),
            ("10ms", None),
            ("0", None),
        ] {
            assert_eq!(centis(text, Version::V2), expected, "{text}");
        }
    }
}
