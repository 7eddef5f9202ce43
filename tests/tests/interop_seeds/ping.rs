//! A client that pings, as the operators in the write-ups did.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use failoverd_tests::{
    process::{Line, Process},
    topology::Host,
    wait::eventually,
};

/// Between two requests.
const SPACING: Duration = Duration::from_millis(50);
/// The first answers, and the end.
const SOON: Duration = Duration::from_secs(20);

/// A running ping.
pub struct Ping(Process);

impl Ping {
    /// Starts to ping `address` and waits until it answers.
    pub fn start(client: &Host, address: &str) -> Result<Self> {
        let spacing = SPACING.as_secs_f64().to_string();
        let arguments = ["-n", "-i", &spacing, address];
        let ping = Self(client.ns.spawn("ping", arguments)?);
        eventually(SOON, "answers to ping", || {
            (answers(&ping.0.lines()).len() >= 3).then_some(())
        })?;
        Ok(ping)
    }

    /// Ends it. The longest time for which no request was answered, to the
    /// spacing of the requests.
    pub fn stop(self) -> Result<Duration> {
        let before = answers(&self.0.lines()).len();
        eventually(SOON, "an answer at the end", || {
            (answers(&self.0.lines()).len() > before + 2).then_some(())
        })?;
        self.0.signal(libc::SIGINT)?;
        let mut ping = self.0;
        ping.wait(SOON)?;
        let answered = answers(&ping.finish());
        let pairs = answered.iter().zip(answered.iter().skip(1));
        let longest = pairs.map(|(one, next)| next - one - 1).max();
        Ok(SPACING * longest.context("no answers")?)
    }
}

/// Numbers of the requests that were answered.
fn answers(lines: &[Line]) -> BTreeSet<u32> {
    let numbers = lines.iter().filter_map(|line| {
        let (_, after) = line
            .text
            .split_once("bytes from")?
            .1
            .split_once("icmp_seq=")?;
        after.split_whitespace().next()?.parse().ok()
    });
    numbers.collect()
}
