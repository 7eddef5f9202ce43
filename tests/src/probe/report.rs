//! The books of a probe, and what follows from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::topology::Mac;

/// Nanoseconds that an answer may take without being noted: the way through two
/// kernels that have nothing else to do takes a tenth of that.
const SLOW: u64 = 2_000_000;

/// One request, by its number in the order of sending.
#[derive(Clone, Debug)]
pub struct Request {
    pub sent: u64,
    /// Machine and arrival of each answer.
    pub answers: Vec<(Mac, u64)>,
}

/// A time without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last answer before it, CLOCK_MONOTONIC nanoseconds.
    pub from: u64,
    /// The first answer after it.
    pub to: u64,
    /// Requests that were sent in between and stayed without an answer.
    pub lost: usize,
}

impl Gap {
    pub fn length(&self) -> Duration {
        Duration::from_nanos(self.to.saturating_sub(self.from))
    }
}

/// What a probe found in some span of time.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub sent: usize,
    pub answered: usize,
    /// Every time between two answers in which at least one request was lost.
    pub gaps: Vec<Gap>,
    pub answers_by_mac: BTreeMap<Mac, usize>,
    /// Requests answered by more than one machine.
    pub double_answers: usize,
    /// These requests.
    pub doubles: Vec<Request>,
    /// From when to when an answer was on its way for more than [`SLOW`].
    pub slow: Vec<(u64, u64)>,
    /// Each change of the machine that answers: when, and who from then on.
    pub changes: Vec<(u64, Mac)>,
    /// The longest that the prober itself was late: above the spacing, the
    /// figures say less than they seem to.
    pub own_delay_max: Duration,
    /// Requests without an answer after the last answer.
    pub unanswered_at_end: usize,
}

impl Report {
    /// The longest gap, zero when there is none. At least one spacing long
    /// otherwise; an upper bound of the true blackout.
    pub fn blackout_max(&self) -> Duration {
        self.gaps.iter().map(Gap::length).max().unwrap_or_default()
    }
}

/// Reads the books.
pub fn report(requests: &[Request]) -> Report {
    let mut report = Report {
        sent: requests.len(),
        ..Report::default()
    };
    let mut lost = 0;
    let mut last: Option<u64> = None;
    let mut serving = None;
    for pair in requests.windows(2) {
        let delay = Duration::from_nanos(pair[1].sent.saturating_sub(pair[0].sent));
        report.own_delay_max = report.own_delay_max.max(delay);
    }
    for request in requests {
        let machines: BTreeSet<Mac> = request.answers.iter().map(|(mac, _)| *mac).collect();
        for mac in &machines {
            *report.answers_by_mac.entry(*mac).or_default() += 1;
        }
        if machines.len() > 1 {
            report.double_answers += 1;
            report.doubles.push(request.clone());
        }
        let Some(&(mac, arrived)) = request.answers.iter().min_by_key(|(_, arrived)| *arrived)
        else {
            lost += 1;
            continue;
        };
        report.answered += 1;
        if arrived.saturating_sub(request.sent) >= SLOW {
            report.slow.push((request.sent, arrived));
        }
        if serving != Some(mac) {
            report.changes.push((arrived, mac));
            serving = Some(mac);
        }
        if let Some(from) = last
            && lost > 0
        {
            report.gaps.push(Gap {
                from,
                to: arrived,
                lost,
            });
        }
        last = Some(arrived);
        lost = 0;
    }
    report.unanswered_at_end = lost;
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 1, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 1, 2]);

    fn request(sent: u64, answers: &[(Mac, u64)]) -> Request {
        Request {
            sent,
            answers: answers.to_vec(),
        }
    }

    #[test]
    fn a_gap_lies_between_the_answers_around_lost_requests() {
        let report = report(&[
            request(0, &[]),
            request(10, &[(A, 11)]),
            request(20, &[]),
            request(30, &[]),
            request(40, &[(B, 42)]),
            request(50, &[(A, 51), (B, 52)]),
            request(60, &[]),
        ]);
        assert_eq!(
            report.gaps,
            [Gap {
                from: 11,
                to: 42,
                lost: 2
            }]
        );
        assert_eq!(report.blackout_max(), Duration::from_nanos(31));
        assert_eq!(report.double_answers, 1);
        assert_eq!(report.unanswered_at_end, 1);
        assert_eq!(report.changes, [(11, A), (42, B), (51, A)]);
        assert_eq!((report.sent, report.answered), (7, 3));
    }
}
