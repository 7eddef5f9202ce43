//! A pair, what is to be seen of it, and upgrades.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, counter, instance, outcome},
    probe::Probe,
    router::VirtualRouter,
    topology::Host,
    witness::{Event, What, Witness},
};
use serde_json::Value;

pub const FAST: Duration = Duration::from_millis(10);
/// What is watched before and after.
pub const WINDOW: Duration = Duration::from_secs(2);

/// GARP for one VIP after an election, after `garp_master_delay` once more.
const BURST: usize = 5;

/// A pair with adverts each 10 ms.
pub fn start(flags: &[&str]) -> Result<Agents> {
    Agents::start(flags, |_, _, router: &mut VirtualRouter| {
        router.interval = FAST;
    })
}

pub trait Watched {
    fn witness(&self) -> Result<Witness>;
}

impl Watched for Agents {
    /// On the Backup, where both are heard.
    fn witness(&self) -> Result<Witness> {
        Witness::start(&self.lan.host(1).ns, "eth0")
    }
}

/// Lets the agent be taken over by its own binary.
pub fn upgrade(agent: &Agent) -> Result<Value> {
    let ended = agent.ask("upgrade", &["--json"])?;
    ensure!(ended.code == Some(0), "{ended:?}");
    serde_json::from_str(&ended.output.join("\n")).context("not JSON")
}

/// Times of the adverts that a host sent.
pub fn adverts(events: &[Event], from: &Host) -> Vec<u64> {
    let mine = events
        .iter()
        .filter(|event| event.is_advert(from.port.mac, None));
    mine.map(|event| event.time).collect()
}

pub fn longest_gap(times: &[u64]) -> Duration {
    let gaps = times.windows(2).map(|two| two[1].saturating_sub(two[0]));
    Duration::from_nanos(gaps.max().unwrap_or(u64::MAX))
}

/// Whether it exists and is no zombie.
pub fn running(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

/// State, its duration and every count go on as if nothing had been.
pub fn continues(before: &Value, after: &Value) -> Result<()> {
    let (was, is) = (instance(before), instance(after));
    for field in [
        "name",
        "state",
        "fault",
        "priority",
        "source",
        "active",
        "active_advert_interval_ms",
        "active_down_interval_ms",
        "vips",
    ] {
        ensure!(was[field] == is[field], "{field}: {was} -> {is}");
    }
    let since = |value: &Value| value["since_ms"].as_u64().unwrap_or(0);
    ensure!(since(is) > since(was), "the state began anew: {is}");
    for name in [
        "became_active",
        "left_active",
        "addresses_restored",
        "priority_zero_sent",
    ] {
        ensure!(
            counter(before, name) == counter(after, name),
            "{name}: {is}"
        );
    }
    for name in ["adverts_sent", "adverts_received"] {
        ensure!(
            counter(before, name) <= counter(after, name),
            "{name}: {is}"
        );
    }
    for (name, count) in was["outcomes"].as_object().context("no outcomes")? {
        let now = is["outcomes"][name].as_u64();
        ensure!(now >= count.as_u64(), "outcome {name}: {was} -> {is}");
    }
    Ok(())
}

/// Adverts that the kernel side accepted and the core never saw: the least of
/// some looks, because adverts that wake nobody wait in the ring.
pub fn unseen(agent: &Agent) -> Result<i64> {
    let mut least = i64::MAX;
    for _ in 0..30 {
        let status = agent.status()?;
        let seen = counter(&status, "adverts_received") + counter(&status, "adverts_stale");
        let accepted = outcome(&status, "accepted");
        least = least.min(i64::try_from(accepted)? - i64::try_from(seen)?);
    }
    Ok(least)
}

/// Watches a pair: its adverts, its addresses, and a client's traffic.
pub struct Scene {
    witnesses: [Witness; 2],
    probe: Probe,
    transitions: [usize; 2],
    quiet: usize,
}

impl Scene {
    pub fn start(pair: &Agents) -> Result<Self> {
        let watch = |host: usize| Witness::start(&pair.lan.host(host).ns, "eth0");
        Ok(Self {
            witnesses: [watch(0)?, watch(1)?],
            probe: Probe::start(pair.client(), pair.lan.vip(), Duration::from_millis(2))?,
            transitions: pair.transitions(),
            quiet: 0,
        })
    }

    /// What came before is the noise of the machine.
    pub fn split(&mut self) {
        self.quiet = self.witnesses[1].mark();
    }

    pub fn assert_unnoticed(self, pair: &Agents) -> Result<()> {
        ensure!(
            pair.transitions() == self.transitions,
            "{:?} -> {:?}",
            self.transitions,
            pair.transitions()
        );
        let events = self.witnesses[1].events();
        let (without, with) = events.split_at(self.quiet);
        let gap = |events: &[Event]| longest_gap(&adverts(events, pair.lan.host(0)));
        let (without, with) = (gap(without), gap(with));
        println!("longest gap {with:?}, without an upgrade {without:?}");
        // Without a mark there was no quiet time to compare with.
        let noise = if self.quiet > 0 { without } else { FAST };
        let limit = noise + 2 * FAST;
        ensure!(with < limit, "{with:?}, without an upgrade {without:?}");
        for witness in &self.witnesses {
            let events = witness.events();
            let mut addresses = events
                .iter()
                .filter(|event| matches!(event.what, What::Address(_)));
            ensure!(addresses.next().is_none(), "an address came or went");
            // The Backup has nothing to say, and nobody announces anything
            // besides the second burst after the election.
            ensure!(adverts(&events, pair.lan.host(1)).is_empty());
            let garps = events.iter().filter_map(|event| event.frame()?.garp());
            let garps = garps.count();
            ensure!(garps <= BURST, "{garps} announcements");
        }
        let report = self.probe.stop();
        println!(
            "{} requests, {} answered, blackout {:?}",
            report.sent,
            report.answered,
            report.blackout_max()
        );
        ensure!(report.double_answers == 0, "{report:?}");
        ensure!(report.changes.len() <= 1, "{report:?}");
        Ok(())
    }
}
