//! Many instances between two machines.

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    clock::monotonic,
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};
use serde_json::Value;

const COUNT: usize = 20;

fn conf(priority: u8) -> String {
    let instance = |n: usize| {
        format!(
            "vrrp_instance VI_{n} {{\n interface eth0\n virtual_router_id {n}\n \
             priority {priority}\n version 3\n advert_int 1\n fast_detect interval 5ms\n \
             virtual_ipaddress {{ 10.77.3.{n}/32 }}\n}}\n"
        )
    };
    (1..=COUNT).map(instance).collect()
}

fn hearts(agent: &Agent) -> Option<Vec<Value>> {
    let status = agent.status().ok()?;
    let all = status["instances"].as_array()?.iter();
    Some(all.map(|i| i["fast_detect"]["heartbeat"].clone()).collect())
}

fn sent(agent: &Agent) -> Option<u64> {
    hearts(agent)?
        .iter()
        .map(|heart| heart["sent"].as_u64())
        .sum()
}

#[test]
fn instances_of_one_pair_share_a_stream() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let active = Agent::start_conf(&lan.host(0).ns, &conf(200), "VI_1")?;
    active.wait_state(State::Active, START)?;
    let backup = Agent::start_conf(&lan.host(1).ns, &conf(100), "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    eventually(START, "all armed", || {
        let armed = |heart: &Value| heart["state"] == "armed";
        hearts(&backup)?.iter().all(armed).then_some(())
    })?;
    let (began, before) = (monotonic(), sent(&backup).unwrap_or(0));
    eventually(SOON, "further probes", || {
        (sent(&backup)? >= before + 200).then_some(())
    })?;
    let count = sent(&backup).unwrap_or(u64::MAX) - before;
    let ticks = (monotonic() - began) / 5_000_000;
    assert!(count <= ticks + 2, "{count} probes in {ticks} ticks");
    lan.cut_silently(0)?;
    eventually(SOON, "all Active", || {
        let status = backup.status().ok()?;
        let all = status["instances"].as_array()?;
        all.iter().all(|i| i["state"] == "active").then_some(())
    })?;
    let downs = hearts(&backup).unwrap_or_default();
    assert!(downs.iter().all(|heart| heart["downs"] == 1), "{downs:?}");
    Ok(())
}
