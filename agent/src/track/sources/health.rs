//! From single runs of a script to what it is: `rise` and `fall`.

use crate::track::Value;

/// What a script is, by its runs.
///
/// The first run decides, as with keepalived: a machine that starts knows
/// nothing else. From then on it takes `fall` failures in a row to be bad and
/// `rise` successes in a row to be good again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Health {
    rise: u32,
    fall: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Unknown,
    Good { failures: u32 },
    Bad { successes: u32 },
}

impl Health {
    pub const fn new(rise: u32, fall: u32) -> Self {
        Self {
            rise,
            fall,
            state: State::Unknown,
        }
    }

    /// Counts one run; `Some` when it changed what the script is.
    pub fn count(&mut self, success: bool) -> Option<Value> {
        let (state, news) = match (self.state, success) {
            (State::Unknown | State::Good { .. }, true) => {
                let news = (self.state == State::Unknown).then_some(Value::Up);
                (State::Good { failures: 0 }, news)
            }
            (State::Unknown, false) => (State::Bad { successes: 0 }, Some(Value::Down)),
            (State::Good { failures }, false) => match failures.saturating_add(1) {
                failures if failures >= self.fall => {
                    (State::Bad { successes: 0 }, Some(Value::Down))
                }
                failures => (State::Good { failures }, None),
            },
            (State::Bad { .. }, false) => (State::Bad { successes: 0 }, None),
            (State::Bad { successes }, true) => match successes.saturating_add(1) {
                successes if successes >= self.rise => {
                    (State::Good { failures: 0 }, Some(Value::Up))
                }
                successes => (State::Bad { successes }, None),
            },
        };
        self.state = state;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` a success, `-` a failure; what came of each: `U`, `D`, `.`.
    fn story(rise: u32, fall: u32, runs: &str) -> String {
        let mut health = Health::new(rise, fall);
        let tell = |run| match health.count(run == '+') {
            Some(Value::Up) => 'U',
            Some(Value::Down) => 'D',
            Some(Value::Number(_)) => '?',
            None => '.',
        };
        runs.chars().map(tell).collect()
    }

    #[test]
    fn the_first_run_decides() {
        assert_eq!(story(3, 3, "+"), "U");
        assert_eq!(story(3, 3, "-"), "D");
    }

    #[test]
    fn a_change_takes_as_many_in_a_row_as_configured() {
        assert_eq!(story(1, 1, "+-+-"), "UDUD");
        assert_eq!(story(3, 2, "+--+++"), "U.D..U");
        assert_eq!(story(2, 3, "-+-++---"), "D...U..D");
    }

    #[test]
    fn p19_what_flaps_changes_nothing() {
        assert_eq!(story(2, 2, "+-+-+-+-"), "U.......");
        assert_eq!(story(2, 2, "-+-+-+-+"), "D.......");
        assert_eq!(story(0, 0, "+-+"), "UDU", "no more than one is needed");
    }
}
