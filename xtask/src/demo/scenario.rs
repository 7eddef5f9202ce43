//! What happens in the demonstration, and in the virtual machine.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{
    clock::monotonic,
    daemon::Daemon,
    probe::{Probe, Report},
    process::describe,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::let_pass,
};

use super::timeline::{Timeline, milliseconds};

/// How fast it goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two adverts.
    pub interval: Duration,
    /// Between two requests of the client.
    pub spacing: Duration,
    /// For one thing to happen.
    pub patience: Duration,
    /// Between two steps.
    pub rest: Duration,
}

impl Pace {
    /// The shortest interval of VRRPv3.
    pub const FAST: Self = Self {
        interval: Duration::from_millis(10),
        spacing: Duration::from_millis(1),
        patience: Duration::from_secs(5),
        rest: Duration::from_millis(400),
    };

    /// For a machine that is emulated in software.
    pub const SLOW: Self = Self {
        interval: Duration::from_millis(500),
        spacing: Duration::from_millis(20),
        patience: Duration::from_secs(60),
        rest: Duration::from_millis(2000),
    };
}

/// The machine that should serve, the one that stands by, and who asks.
const NAMES: [&str; 3] = ["a", "b", "client"];
const PRIORITIES: [u8; 2] = [200, 100];

/// What the agent logs of its heartbeat.
const HEART: [&str; 3] = [
    "answers probes",
    "answers no probe any more",
    "answers that it does not serve any more",
];

/// A running demonstration.
struct Scene {
    // Before the LAN: daemons end before their namespaces go.
    routers: Vec<Box<dyn Router>>,
    probe: Probe,
    /// How many transitions of each router the timeline has shown.
    shown: [usize; 2],
    timeline: Timeline,
    pace: Pace,
    vip: IpAddr,
    lan: Lan,
}

/// Plays election, cable cut, recovery and planned hand-over, and prints them.
///
/// # Errors
/// When a step does not end as it must.
pub fn play(daemon: Daemon, pace: Pace) -> Result<()> {
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let beats = match daemon {
        Daemon::Failoverd | Daemon::FailoverdXdp => ", and b asks the kernel of a each 1ms",
        Daemon::Keepalived => "",
    };
    println!(
        "two {daemon} on one switch, VRRPv3, an advert each {:?}, priorities {} (a) and {} (b);\n\
         a client asks for {vip} each {:?}{beats}\n",
        pace.interval, PRIORITIES[0], PRIORITIES[1], pace.spacing
    );
    let probe = Probe::start(lan.host(2), vip, pace.spacing)?;
    let timeline = Timeline::new(monotonic());
    let mut scene = Scene {
        routers: Vec::new(),
        probe,
        shown: [0; 2],
        timeline,
        pace,
        vip,
        lan,
    };
    scene.election(daemon).context("election")?;
    scene.cable_cut().context("cable cut")?;
    scene.recovery().context("recovery")?;
    scene.hand_over().context("planned hand-over")?;
    scene.end().context("end")
}

impl Scene {
    fn election(&mut self, daemon: Daemon) -> Result<()> {
        let start = monotonic();
        self.timeline.event(start, "a and b start");
        for (index, priority) in PRIORITIES.into_iter().enumerate() {
            let mut router = VirtualRouter::new(priority, self.vip).every(self.pace.interval);
            router.heartbeat = true;
            let ns = &self.lan.host(index).ns;
            self.routers
                .push(daemon.start(ns, &router).with_context(|| NAMES[index])?);
        }
        self.wait_state(0, State::Active)?;
        self.wait_state(1, State::Backup)?;
        let answered = self.wait_answer(0, start)?;
        let span = Duration::from_nanos(answered - start);
        let measured = format!("answered {} after the start", milliseconds(span));
        self.conclude(start, "election", Some(measured))
    }

    fn cable_cut(&mut self) -> Result<()> {
        let start = monotonic();
        self.timeline.event(start, "the cable of a is cut");
        self.lan.cut_cable(0)?;
        self.wait_state(1, State::Active)?;
        self.wait_answer(1, start)?;
        self.conclude(start, "take-over", None)
    }

    fn recovery(&mut self) -> Result<()> {
        let start = monotonic();
        self.timeline.event(start, "the cable of a is mended");
        self.lan.mend(0)?;
        self.wait_state(0, State::Active)?;
        self.wait_state(1, State::Backup)?;
        self.wait_answer(0, start)?;
        self.conclude(start, "hand-back", None)
    }

    fn hand_over(&mut self) -> Result<()> {
        let start = monotonic();
        self.timeline.event(start, "a is stopped (SIGTERM)");
        let patience = self.pace.patience;
        let router = self.routers.first_mut().context("a does not run")?;
        router.process().signal(libc::SIGTERM)?;
        let status = router.process_mut().wait(patience)?;
        if !status.success() {
            bail!("a ended with {}", describe(status));
        }
        self.timeline.event(monotonic(), "a has ended");
        self.wait_state(1, State::Active)?;
        self.wait_answer(1, start)?;
        if self.lan.host(0).has_address(self.vip)? {
            bail!("a has left {} behind", self.vip);
        }
        self.conclude(start, "planned hand-over", None)
    }

    fn end(mut self) -> Result<()> {
        let patience = self.pace.patience;
        let router = self.routers.get_mut(1).context("b does not run")?;
        router.process().signal(libc::SIGTERM)?;
        router.process_mut().wait(patience)?;
        let report = self.probe.stop();
        println!(
            "{} requests; answered by two machines at once: {}; the client itself was late by {} \
             at most",
            report.sent,
            report.double_answers,
            milliseconds(report.own_delay_max.saturating_sub(self.pace.spacing)),
        );
        Ok(())
    }

    fn wait_state(&self, index: usize, state: State) -> Result<()> {
        let router = self.routers.get(index).context("not started")?;
        router
            .wait_state(state, self.pace.patience)
            .with_context(|| NAMES[index])?;
        Ok(())
    }

    /// Waits for an answer of that machine to a request sent after `since`.
    fn wait_answer(&self, index: usize, since: u64) -> Result<u64> {
        let mac = self.lan.host(index).port.mac;
        self.probe
            .wait_answer(since, Some(mac), self.pace.patience)
            .with_context(|| NAMES[index])
    }

    fn blackout_since(&self, start: u64) -> String {
        match self.probe.report_since(start).blackout_max() {
            Duration::ZERO => "no request lost".to_owned(),
            blackout => format!("blackout {}", milliseconds(blackout)),
        }
    }

    /// Rests, then shows what the logs and the client saw since `start`. What
    /// was not `measured` already is the blackout.
    fn conclude(&mut self, start: u64, step: &str, measured: Option<String>) -> Result<()> {
        let_pass(self.pace.rest)?;
        for (index, router) in self.routers.iter().enumerate() {
            let transitions = router.transitions();
            for transition in transitions.iter().skip(self.shown[index]) {
                let text = format!("{}: {}", NAMES[index], transition.state.word());
                self.timeline.event(transition.time, text);
            }
            self.shown[index] = transitions.len();
            let told = router.process().lines();
            for line in told.iter().filter(|line| line.time >= start) {
                if let Some(heart) = HEART.iter().find(|words| line.text.contains(**words)) {
                    let text = format!("{}: the other one {heart}", NAMES[index]);
                    self.timeline.event(line.time, text);
                }
            }
        }
        let report: Report = self.probe.report_since(start);
        for (time, mac) in report
            .changes
            .into_iter()
            .filter(|(time, _)| *time >= start)
        {
            let who = self
                .lan
                .host_of(mac)
                .and_then(|index| NAMES.get(index))
                .unwrap_or(&"?");
            self.timeline
                .event(time, format!("the client is answered by {who}"));
        }
        let measured = measured.unwrap_or_else(|| self.blackout_since(start));
        self.timeline.print(&format!("{step}: {measured}"));
        Ok(())
    }
}
