//! From a number of processes to a verdict, with its delays.

use std::time::Duration;

use agent_common::KernelTime;

use crate::{config::model::ProcessSpec, track::Value};

/// What so many processes mean. Pure: it is told the time.
#[derive(Clone, Copy, Debug)]
pub struct Quorum {
    least: u32,
    most: Option<u32>,
    fork_delay: Duration,
    terminate_delay: Duration,
    count: u32,
    told: Option<Value>,
    /// When a verdict that differs from what was told counts.
    due: Option<KernelTime>,
}

impl Quorum {
    pub fn new(spec: &ProcessSpec) -> Self {
        Self {
            least: spec.quorum,
            most: spec.quorum_max,
            fork_delay: spec.fork_delay,
            terminate_delay: spec.terminate_delay,
            count: 0,
            told: None,
            due: None,
        }
    }

    /// Processes there are now. A verdict that changed waits for the delay of
    /// what changed it: another process, or one less. The first one does not.
    pub fn set(&mut self, count: u32, now: KernelTime) {
        let delay = if count > self.count {
            self.fork_delay
        } else {
            self.terminate_delay
        };
        self.count = count;
        match self.told {
            None => self.due = Some(now),
            Some(told) if told == self.verdict() => self.due = None,
            Some(_) => {
                self.due.get_or_insert(now.after(delay));
            }
        }
    }

    pub const fn count(&self) -> u32 {
        self.count
    }

    /// When to ask [`Self::take`] again without a change.
    pub const fn due(&self) -> Option<KernelTime> {
        self.due
    }

    /// A new verdict, once its time has come.
    pub fn take(&mut self, now: KernelTime) -> Option<Value> {
        self.due.take_if(|due| *due <= now)?;
        let verdict = self.verdict();
        self.told = Some(verdict);
        Some(verdict)
    }

    fn verdict(&self) -> Value {
        let enough = self.count >= self.least;
        if enough && self.most.is_none_or(|most| self.count <= most) {
            Value::Up
        } else {
            Value::Down
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> KernelTime {
        KernelTime(millis * 1_000_000)
    }

    fn quorum(least: u32, most: Option<u32>, fork: u64, terminate: u64) -> Quorum {
        Quorum {
            least,
            most,
            fork_delay: Duration::from_millis(fork),
            terminate_delay: Duration::from_millis(terminate),
            count: 0,
            told: None,
            due: None,
        }
    }

    fn step(quorum: &mut Quorum, count: u32, now: u64) -> Option<Value> {
        quorum.set(count, at(now));
        quorum.take(at(now))
    }

    #[test]
    fn the_first_verdict_is_told_at_once() {
        assert_eq!(step(&mut quorum(1, None, 500, 500), 1, 0), Some(Value::Up));
        assert_eq!(
            step(&mut quorum(1, None, 500, 500), 0, 0),
            Some(Value::Down)
        );
    }

    #[test]
    fn a_quorum_has_two_ends() {
        let mut two = quorum(2, Some(3), 0, 0);
        let told: Vec<_> = (0..6).map(|count| step(&mut two, count, 0)).collect();
        let (up, down) = (Some(Value::Up), Some(Value::Down));
        assert_eq!(told, [down, None, up, None, down, None]);
        assert_eq!(
            step(&mut quorum(0, Some(0), 0, 0), 1, 0),
            down,
            "none may run"
        );
    }

    #[test]
    fn a_process_that_is_started_anew_in_time_changes_nothing() {
        let mut one = quorum(1, None, 0, 1000);
        assert_eq!(step(&mut one, 1, 0), Some(Value::Up));
        assert_eq!(step(&mut one, 0, 100), None);
        assert_eq!(one.due(), Some(at(1100)));
        assert_eq!(step(&mut one, 1, 900), None);
        assert_eq!(one.due(), None);
        assert_eq!(step(&mut one, 0, 2000), None);
        assert_eq!(
            step(&mut one, 0, 2500),
            None,
            "the delay runs from the loss on"
        );
        assert_eq!(one.take(at(2999)), None);
        assert_eq!(one.take(at(3000)), Some(Value::Down));
        assert_eq!(one.due(), None);
    }

    #[test]
    fn a_fork_before_an_exec_does_not_count_for_the_delay() {
        let mut only = quorum(1, Some(1), 200, 0);
        assert_eq!(step(&mut only, 1, 0), Some(Value::Up));
        assert_eq!(
            step(&mut only, 2, 100),
            None,
            "it may be about to be another"
        );
        assert_eq!(step(&mut only, 1, 150), None);
        assert_eq!(only.take(at(9_999)), None);
        assert_eq!(step(&mut only, 2, 10_000), None);
        assert_eq!(only.take(at(10_200)), Some(Value::Down));
    }
}
