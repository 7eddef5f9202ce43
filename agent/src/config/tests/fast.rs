//! `fast_detect`: one line, in every form.

use std::time::Duration;

use super::*;
use crate::config::model::FastDetect;

/// What is in force, and how many problems the line has.
fn fast(line: &str) -> (Option<Duration>, usize) {
    let (config, problems) = accepted(&with(line));
    let fast = config.instances[0].fast_detect;
    (fast.map(|fast| fast.lease), problems.len())
}

#[test]
fn fast_detect_is_off_unless_given() {
    let silent = fast("").1;
    for line in ["", "fast_detect off", "fast_detect on\nfast_detect no"] {
        let (lease, _) = fast(line);
        assert_eq!(lease, None, "{line}");
    }
    assert_eq!(fast("fast_detect off").1, silent);
}

#[test]
fn fast_detect_takes_its_settings_with_and_without_on() {
    let silent = fast("").1;
    for (line, millis) in [
        ("fast_detect", 200),
        ("fast_detect on", 200),
        ("fast_detect lease 300ms", 300),
        ("fast_detect on lease 0.5s", 500),
        ("fast_detect lease 15000us", 15),
        ("fast_detect lease 10ms", 10),
        ("fast_detect lease 60s", 60_000),
    ] {
        let lease = Some(Duration::from_millis(millis));
        assert_eq!(fast(line), (lease, silent), "{line}");
    }
}

/// It stays on, with what is usual in the place of what cannot be read.
#[test]
fn a_wrong_setting_is_said_and_not_used() {
    let silent = fast("").1;
    for line in [
        "fast_detect lease",
        "fast_detect lease 9ms",
        "fast_detect lease 61s",
        "fast_detect lease 200",
        "fast_detect lease -1s",
        "fast_detect on quickly",
        "fast_detect maybe",
    ] {
        let (lease, problems) = fast(line);
        assert_eq!(lease, Some(FastDetect::LEASE), "{line}");
        assert_eq!(problems, silent + 1, "{line}");
    }
}

#[test]
fn probes_have_an_interval_and_a_multiplier() {
    let silent = fast("").1;
    for (line, micros, multiplier, problems) in [
        ("fast_detect", 1_000, 3, 0),
        ("fast_detect interval 100us", 100, 3, 0),
        ("fast_detect interval 1s multiplier 20", 1_000_000, 20, 0),
        (
            "fast_detect on multiplier 2 lease 1s interval 0.5ms",
            500,
            2,
            0,
        ),
        ("fast_detect interval 99us", 1_000, 3, 1),
        ("fast_detect interval 1001ms", 1_000, 3, 1),
        ("fast_detect interval", 1_000, 3, 1),
        ("fast_detect multiplier 1", 1_000, 3, 1),
        ("fast_detect multiplier 21 interval 2ms", 2_000, 3, 1),
        ("fast_detect multiplier many", 1_000, 3, 1),
        ("fast_detect multiplier", 1_000, 3, 1),
    ] {
        let (config, found) = accepted(&with(line));
        let fast = config.instances[0].fast_detect.unwrap();
        assert_eq!(fast.interval, Duration::from_micros(micros), "{line}");
        assert_eq!(fast.multiplier, multiplier, "{line}");
        assert_eq!(found.len(), silent + problems, "{line}");
    }
}
