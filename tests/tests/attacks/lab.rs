//! Two agents with one file, and a third machine that forges.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{INTERVAL, SOON, START, instance, never},
    forge,
    packet::Packet,
    process::Line,
    router::{Router, State, VirtualRouter},
    sys::PacketSocket,
    topology::Lan,
    wait::eventually,
};

/// Host 0 is Active with priority 200, host 1 its Backup with 100, host 2
/// forges.
pub struct Scene {
    // Before the LAN: daemons end before their namespaces go.
    pub active: Agent,
    pub backup: Agent,
    pub forger: PacketSocket,
    pub lan: Lan,
}

/// Names both agents and nobody else.
pub const LISTED: &str = "allowed_sources 10.77.1.1\nallowed_sources 10.77.1.2/32";

/// A file for one of the agents, with `lines` in its instance.
pub fn conf(router: &VirtualRouter, lines: &str) -> String {
    let conf = router.keepalived_conf();
    conf.replacen("  interface ", &format!("{lines}\n  interface "), 1)
}

impl Scene {
    /// With `lines` in the instance of both.
    pub fn start(lines: &str) -> Result<Self> {
        Self::start_with(lines, |_, _, _| {})
    }

    /// The same with flags for both.
    pub fn start_flagged(lines: &str, flags: &[&str]) -> Result<Self> {
        Self::start_fully(lines, flags, |_, _, _| {})
    }

    /// `adjust` changes what each is configured with; it gets its index.
    pub fn start_with(
        lines: &str,
        adjust: impl Fn(&Lan, usize, &mut VirtualRouter),
    ) -> Result<Self> {
        Self::start_fully(lines, &[], adjust)
    }

    fn start_fully(
        lines: &str,
        flags: &[&str],
        adjust: impl Fn(&Lan, usize, &mut VirtualRouter),
    ) -> Result<Self> {
        let lan = Lan::new(3)?;
        let start = |index: usize, priority, state| -> Result<Agent> {
            let mut router = VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
            adjust(&lan, index, &mut router);
            let agent =
                Agent::start_conf_with(&lan.host(index).ns, &conf(&router, lines), "VI_1", flags)?;
            agent.wait_state(state, START)?;
            Ok(agent)
        };
        let active = start(0, 200, State::Active)?;
        let backup = start(1, 100, State::Backup)?;
        eventually(START, "the Backup hears its Active", || {
            instance(&backup.status().ok()?)["active"]
                .is_string()
                .then_some(())
        })?;
        let forger = forge::socket(lan.host(2))?;
        Ok(Self {
            active,
            backup,
            forger,
            lan,
        })
    }

    pub fn both(&self) -> [&Agent; 2] {
        [&self.active, &self.backup]
    }

    /// An advert of the forger's own address.
    pub fn forged(&self, priority: u8) -> Packet {
        self.forged_by(self.lan.host(2).port.v4.into(), priority)
    }

    pub fn forged_by(&self, source: IpAddr, priority: u8) -> Packet {
        forge::advert(source, priority, INTERVAL, &[self.lan.vip()])
    }

    pub fn send(&self, packet: &Packet) -> Result<()> {
        Ok(self.forger.send(&packet.frame())?)
    }

    pub fn transitions(&self) -> [usize; 2] {
        self.both().map(|agent| agent.transitions().len())
    }

    /// Watches for `span` that neither has changed its state since `before`.
    pub fn unmoved_since(&self, before: [usize; 2], span: Duration) -> Result<()> {
        never(span, "a transition", || {
            let now = self.transitions();
            (now != before).then_some((before, now))
        })
    }

    /// Waits until each is where it belongs.
    pub fn as_before(&self) -> Result<()> {
        self.active.wait_state(State::Active, SOON)?;
        self.backup.wait_state(State::Backup, SOON)?;
        Ok(())
    }
}

/// Waits for a line with `pattern`.
pub fn says(agent: &Agent, pattern: &str) -> Result<Line> {
    agent.process().wait_line(pattern, SOON)
}

/// Lines so far that have `pattern`.
pub fn lines(agent: &Agent, pattern: &str) -> usize {
    let lines = agent.process().lines();
    lines
        .iter()
        .filter(|line| line.text.contains(pattern))
        .count()
}

/// Waits until `count` of the status of an agent has grown by `more`.
pub fn grows(agent: &Agent, count: impl Fn(&serde_json::Value) -> u64, least: u64) -> Result<u64> {
    eventually(SOON, "a counter", || {
        let now = count(&agent.status().ok()?);
        (now >= least).then_some(now)
    })
}
