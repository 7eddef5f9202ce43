//! Files, pairs and what is to be seen of them.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::START,
    router::{Router, State},
    topology::{Host, Lan},
    wait::eventually,
    witness::{Event, Witness},
};
use serde_json::Value;

pub const INTERVAL: Duration = Duration::from_millis(100);
pub const FAST: Duration = Duration::from_millis(10);
/// Active_Down_Interval of any priority with [`INTERVAL`], and some.
pub const DOWN: Duration = Duration::from_millis(450);

/// One instance of a file.
#[derive(Clone)]
pub struct Block {
    pub name: &'static str,
    pub interface: &'static str,
    pub vrid: u8,
    pub priority: u8,
    pub interval: Duration,
    pub vips: Vec<String>,
}

impl Block {
    pub fn new(priority: u8, vips: &[&str]) -> Self {
        Self {
            name: "VI_1",
            interface: "eth0",
            vrid: 51,
            priority,
            interval: INTERVAL,
            vips: vips.iter().map(ToString::to_string).collect(),
        }
    }

    pub fn every(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Another virtual router.
    pub fn second(vips: &[&str]) -> Self {
        Self {
            name: "VI_2",
            vrid: 52,
            ..Self::new(200, vips)
        }
    }
}

pub fn conf(blocks: &[Block]) -> String {
    let block = |block: &Block| {
        let Block {
            name,
            interface,
            vrid,
            priority,
            interval,
            vips,
        } = block;
        // Without a second burst: every GARP that is seen has another reason.
        format!(
            "vrrp_instance {name} {{\nversion 3\ninterface {interface}\n\
             virtual_router_id {vrid}\npriority {priority}\nadvert_int {}\n\
             garp_master_delay 0\nvirtual_ipaddress {{\n{}\n}}\n}}\n",
            interval.as_secs_f64(),
            vips.join("\n"),
        )
    };
    blocks.iter().map(block).collect()
}

pub const A: &str = "10.77.9.1/32";
pub const B: &str = "10.77.9.2/32";
pub const C: &str = "10.77.9.3/32";

pub fn ip(vip: &str) -> Result<IpAddr> {
    let address = vip.split('/').next().context("an address")?;
    Ok(address.parse()?)
}

/// Host 0 is Active, host 1 Backup, both with files of their own.
pub struct Pair {
    pub active: Agent,
    pub backup: Agent,
    pub lan: Lan,
}

impl Pair {
    pub fn start(blocks: &[Block]) -> Result<Self> {
        Self::start_on(Lan::new(3)?, blocks)
    }

    pub fn start_on(lan: Lan, blocks: &[Block]) -> Result<Self> {
        let active = Agent::start_conf(&lan.host(0).ns, &conf(blocks), "VI_1")?;
        active.wait_state(State::Active, START)?;
        let lower = blocks.iter().cloned();
        let lower: Vec<_> = lower.map(|b| Block { priority: 100, ..b }).collect();
        let backup = Agent::start_conf(&lan.host(1).ns, &conf(&lower), "VI_1")?;
        backup.wait_state(State::Backup, START)?;
        let pair = Self {
            active,
            backup,
            lan,
        };
        eventually(START, "the Backup hears its Active", || {
            let status = pair.backup.status().ok()?;
            status["instances"][0]["active"].is_string().then_some(())
        })?;
        Ok(pair)
    }

    pub fn witness(&self) -> Result<Witness> {
        Witness::start(&self.lan.host(0).ns, "eth0")
    }

    pub fn transitions(&self) -> [usize; 2] {
        [&self.active, &self.backup].map(|agent| agent.transitions().len())
    }
}

pub fn reload(agent: &Agent, blocks: &[Block]) -> Result<Vec<String>> {
    agent.write_conf(&conf(blocks))?;
    let ended = agent.reload()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    Ok(ended.output)
}

pub fn addresses(events: &[Event]) -> Vec<(IpAddr, bool)> {
    use failoverd_tests::witness::What;
    let address = |event: &Event| match &event.what {
        What::Address(address) => Some((address.address, address.gone)),
        What::Frame(_) => None,
    };
    events.iter().filter_map(address).collect()
}

pub fn garps(events: &[Event]) -> Vec<IpAddr> {
    let garp = |event: &Event| Some(event.frame()?.garp()?.address.into());
    events.iter().filter_map(garp).collect()
}

/// Times of the adverts that a host sent in one virtual router.
pub fn adverts(events: &[Event], from: &Host, vrid: u8) -> Vec<u64> {
    let mine = |event: &&Event| {
        let advert = event.frame().and_then(|frame| frame.advert());
        advert.is_some_and(|advert| advert.source_mac == from.port.mac && advert.vrid == vrid)
    };
    events.iter().filter(mine).map(|event| event.time).collect()
}

pub fn longest_gap(times: &[u64]) -> Duration {
    let gaps = times.windows(2).map(|two| two[1].saturating_sub(two[0]));
    Duration::from_nanos(gaps.max().unwrap_or(u64::MAX))
}

/// What must not differ where nothing was changed.
pub fn essence(status: &Value) -> Value {
    let mut instance = status["instances"][0].clone();
    let moving = [
        "since_ms",
        "deadline_in_ms",
        "last_advert_ms_ago",
        "outcomes",
    ];
    for field in moving {
        instance[field] = Value::Null;
    }
    for counter in ["adverts_sent", "adverts_received"] {
        instance["counters"][counter] = Value::Null;
    }
    instance
}
