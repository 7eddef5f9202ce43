//! A readable timeline: events in the order in which they happened, with
//! seconds since the start.

use std::time::Duration;

/// Collects the events of one step and prints them in order.
#[derive(Debug)]
pub struct Timeline {
    start: u64,
    events: Vec<(u64, String)>,
}

impl Timeline {
    /// `start` is what times are relative to, CLOCK_MONOTONIC nanoseconds.
    pub fn new(start: u64) -> Self {
        Self {
            start,
            events: Vec::new(),
        }
    }

    pub fn event(&mut self, time: u64, text: impl Into<String>) {
        self.events.push((time, text.into()));
    }

    /// Prints and forgets the events so far, with a conclusion below them.
    pub fn print(&mut self, conclusion: &str) {
        self.events.sort();
        for (time, text) in self.events.drain(..) {
            let since = Duration::from_nanos(time.saturating_sub(self.start));
            println!("{:>9.3} s  {text}", since.as_secs_f64());
        }
        println!("{:>11}  => {conclusion}\n", "");
    }
}

/// Milliseconds with one decimal.
pub fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}
