//! A violation with as few faults as show it.

use crate::{check::Rule, run::run, schedule::Schedule};

/// The numbers of the faults that are needed for `rule` to break: none of them
/// can be left out alone.
pub fn shrink(schedule: &Schedule, rule: Rule) -> Vec<usize> {
    let mut keep: Vec<usize> = (0..schedule.faults.len()).collect();
    let breaks = |keep: &[usize]| {
        let outcome = run(&schedule.only(keep), false);
        outcome.broken.is_some_and(|broken| broken.rule == rule)
    };
    let mut at = 0;
    while at < keep.len() {
        let mut fewer = keep.clone();
        fewer.remove(at);
        if breaks(&fewer) {
            keep = fewer;
            at = 0;
        } else {
            at += 1;
        }
    }
    keep
}
