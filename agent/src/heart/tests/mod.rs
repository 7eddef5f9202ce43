//! The heartbeat against a machine that answers, stops, comes back, or says
//! that it does not serve; with a process that is kept from running.

mod many;
mod random;
mod verdicts;

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{
    KernelTime,
    wire::{bfd::SessionState, probe::Said},
};

use super::*;

const ID: InstanceId = InstanceId(1);
const START: KernelTime = KernelTime(1_000_000_000_000);
const T: Duration = Duration::from_millis(1);
const LINK: u32 = 7;

const fn ip(last: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last))
}

const OWN: IpAddr = ip(1);
const ACTIVE: IpAddr = ip(200);

const fn plan(discriminator: u32) -> Plan {
    Plan {
        ifindex: LINK,
        source: OWN,
        discriminator,
        interval: T,
        multiplier: 3,
    }
}

fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The heartbeat, the machine that it asks, and the wire between them.
struct Rig {
    heart: Heart,
    now: KernelTime,
    /// What the machine says of an instance, by discriminator; `None` for
    /// those that it does not answer for.
    says: Box<dyn Fn(u32) -> Option<SessionState>>,
    /// From the probe to its answer in the socket.
    way: Duration,
    /// How often it wants to be asked, in microseconds.
    min_rx_us: u32,
    under_way: Vec<(KernelTime, Answer)>,
    outcomes: Vec<(KernelTime, Outcome)>,
    probes: Vec<(KernelTime, Probe)>,
}

impl Rig {
    fn empty(instances: usize) -> Self {
        Self {
            heart: Heart::new(instances),
            now: START,
            says: Box::new(|_| Some(SessionState::Up)),
            way: us(50),
            min_rx_us: 50,
            under_way: vec![],
            outcomes: vec![],
            probes: vec![],
        }
    }

    /// One instance that follows an Active which says Up.
    fn new() -> Self {
        let mut rig = Self::empty(1);
        rig.heart.configure(ID, Some(plan(51)), START);
        rig.heart.follow(ID, Some(ACTIVE), START);
        rig
    }

    fn armed() -> Self {
        let mut rig = Self::new();
        rig.run(T * 10);
        assert_eq!(rig.phase(ID), Phase::Armed);
        rig.outcomes.clear();
        rig
    }

    fn phase(&self, id: InstanceId) -> Phase {
        self.heart.snapshot(id, self.now).unwrap().phase
    }

    fn counters(&self, id: InstanceId) -> Counters {
        self.heart.snapshot(id, self.now).unwrap().counters
    }

    fn is(&mut self, state: Option<SessionState>) {
        self.says = Box::new(move |_| state);
    }

    /// What the driver does in a round.
    fn round(&mut self) {
        let now = self.now;
        let (come, wait) = self.under_way.iter().partition(|(at, _)| *at <= now);
        self.under_way = wait;
        for (_, answer) in Vec::<(KernelTime, Answer)>::from_iter(come) {
            self.heart.answer(&answer, now);
        }
        self.collect();
        self.heart.judge(now);
        self.collect();
        while let Some(probe) = self.heart.poll_probe(now) {
            self.heart.sent(&probe, now);
            self.probes.push((now, probe));
            if let Some(state) = (self.says)(probe.question.yours) {
                let said = Said {
                    theirs: probe.question.yours,
                    ours: probe.question.mine,
                    state,
                    min_rx_us: self.min_rx_us,
                };
                let answer = Answer {
                    ifindex: probe.place.ifindex,
                    from: probe.place.remote,
                    said,
                };
                self.under_way.push((now.after(self.way), answer));
            }
        }
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(outcome) = self.heart.poll_outcome() {
            self.outcomes.push((self.now, outcome));
        }
    }

    /// On time for `span`.
    fn run(&mut self, span: Duration) {
        self.run_with(span, || Duration::ZERO);
    }

    /// Each wake-up late by what `late` gives.
    fn run_with(&mut self, span: Duration, mut late: impl FnMut() -> Duration) {
        let end = self.now.after(span);
        while let Some(due) = self.heart.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due).after(late());
            self.round();
        }
        self.now = self.now.max(end);
    }

    fn downs(&self) -> Vec<(KernelTime, InstanceId, Lost)> {
        let downs = self.outcomes.iter().filter_map(|(at, outcome)| {
            let Outcome::Down { id, why, .. } = outcome else {
                return None;
            };
            Some((*at, *id, *why))
        });
        downs.collect()
    }

    fn news(&self) -> Vec<News> {
        let news = self.outcomes.iter().filter_map(|(_, outcome)| {
            let Outcome::News { news, .. } = outcome else {
                return None;
            };
            Some(*news)
        });
        news.collect()
    }
}
