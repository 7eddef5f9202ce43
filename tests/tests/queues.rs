//! Adverts, probes and their answers before what a machine sends besides.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, instance, never},
    flood::Flood,
    packet::PEER_MAC,
    require_agent,
    router::{Router, State},
    topology::{Host, Lan},
    wait::eventually,
};
use serde_json::Value;

/// An uplink of 4 Mbit/s with the queue that Linux gives to links by itself:
/// a frame of 1400 bytes takes 3 ms, and 50 of them wait in a band, fewer than
/// one sender may have under way.
const SLOW: [&str; 4] = [
    "ip link set eth0 txqueuelen 50",
    "tc qdisc add dev eth0 root handle 1: htb default 1",
    "tc class add dev eth0 parent 1: classid 1:1 htb rate 4mbit ceil 4mbit burst 2k cburst 2k",
    "tc qdisc add dev eth0 parent 1:1 handle 10: pfifo_fast",
];
/// Frames a second, eight times what the uplink carries.
const BULK: u64 = 3000;
/// Several times the down interval, and what waits in a full band.
const WATCHED: Duration = Duration::from_secs(4);

/// Bulk to nobody.
fn bulk() -> Vec<Vec<u8>> {
    let mut frame = [[0x02, 0, 0, 0, 0, 0x77], PEER_MAC].concat();
    frame.extend([0x88, 0xB5]);
    frame.resize(1400, 0xA5);
    vec![frame]
}

fn dropped(host: &Host) -> Option<u64> {
    let text = host.ns.sh("tc -s qdisc show dev eth0").ok()?;
    let fast = text
        .split("qdisc ")
        .find(|of| of.starts_with("pfifo_fast"))?;
    let (_, rest) = fast.split_once("(dropped ")?;
    rest.split(',').next()?.trim().parse().ok()
}

fn heart(agent: &Agent) -> Result<Value> {
    Ok(instance(&agent.status()?)["fast_detect"]["heartbeat"].clone())
}

/// With adverts each 100 ms.
fn start(lan: &Lan, index: usize, priority: u8, fast: &str) -> Result<Agent> {
    let conf = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
         version 3\n advert_int 0.1\n {fast}\n \
         virtual_ipaddress {{ {}/24 }}\n}}\n",
        lan.vip()
    );
    Agent::start_conf(&lan.host(index).ns, &conf, "VI_1")
}

const PROBING: &str = "fast_detect interval 20ms multiplier 5 lease 2s";

/// Fills the uplink of one of two machines, and nothing follows from that.
fn saturated(full: usize, fast: &str) -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let active = start(&lan, 0, 200, fast)?;
    active.wait_state(State::Active, START)?;
    let backup = start(&lan, 1, 100, fast)?;
    backup.wait_state(State::Backup, START)?;
    let armed = || (heart(&backup).ok()?["state"] == "armed").then_some(());
    if !fast.is_empty() {
        eventually(START, "an armed heartbeat", armed)?;
    }
    let host = lan.host(full);
    for line in SLOW {
        host.ns.sh(line)?;
    }
    let _bulk = Flood::start(host, bulk(), BULK)?;
    eventually(SOON, "a queue that is full", || {
        dropped(host).filter(|dropped| *dropped > 100)
    })?;
    let known = [&active, &backup].map(|agent| agent.transitions().len());
    let before = heart(&backup)?;
    never(WATCHED, "a transition", || {
        let now = [&active, &backup].map(|agent| agent.transitions().len());
        (now != known).then_some(())
    })?;
    if fast.is_empty() {
        return Ok(());
    }
    let after = heart(&backup)?;
    let count = |of: &Value, name: &str| of[name].as_u64().context(name.to_owned());
    let grown = |name| Ok::<u64, anyhow::Error>(count(&after, name)? - count(&before, name)?);
    ensure!(after["downs"] == 0, "{after}");
    let (sent, answered) = (grown("sent")?, grown("answered")?);
    ensure!(
        sent > 100 && answered + 20 > sent,
        "{answered} of {sent} probes answered"
    );
    Ok(())
}

#[test]
fn an_active_that_fills_its_uplink_is_heard() -> Result<()> {
    saturated(0, "")
}

#[test]
fn an_active_that_fills_its_uplink_answers() -> Result<()> {
    saturated(0, PROBING)
}

#[test]
fn a_backup_that_fills_its_uplink_goes_on_asking() -> Result<()> {
    saturated(1, PROBING)
}
