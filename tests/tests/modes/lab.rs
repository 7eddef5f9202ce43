//! Files and looks that the tests of this binary share.

use std::{fs, process::Command, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, counter, instance},
    netns::{self, Netns},
    router::{Router, State},
    topology::Host,
    wait::eventually,
    witness::{Event, Witness},
};
use serde_json::Value;

/// Instance VI_1, VRID 51 on eth0, an advert each 100 ms, with 10.77.1.100.
pub fn conf(globals: &str, priority: u8, lines: &str) -> String {
    format!(
        "{globals}\nvrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\n\
         virtual_router_id 51\npriority {priority}\n{lines}\n\
         virtual_ipaddress {{\n10.77.1.100/24\n}}\n}}\n"
    )
}

pub fn states(agent: &Agent) -> Vec<State> {
    agent.transitions().iter().map(|t| t.state).collect()
}

/// Why the instance takes no part.
pub fn fault(agent: &Agent) -> Option<String> {
    let status = agent.status().ok()?;
    instance(&status)["fault"].as_str().map(str::to_owned)
}

/// Waits for a status that `wanted` takes.
pub fn wait_status(agent: &Agent, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(SOON, what, || {
        agent.status().ok().filter(|status| wanted(status))
    })
}

/// Waits until `more` further adverts were sent: the fast lane works.
pub fn sends(agent: &Agent, more: u64) -> Result<()> {
    let sent = |agent: &Agent| Some(counter(&agent.status().ok()?, "adverts_sent"));
    let before = eventually(SOON, "a status", || sent(agent))?;
    eventually(SOON, "adverts", || {
        (sent(agent)? >= before + more).then_some(())
    })
}

/// The longest time between two adverts that a machine sent, of those seen.
pub fn longest_gap(events: &[Event], host: &Host) -> Duration {
    let adverts = events.iter().filter(|e| e.is_advert(host.port.mac, None));
    let times: Vec<u64> = adverts.map(|event| event.time).collect();
    let gaps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    Duration::from_nanos(gaps.max().unwrap_or(0))
}

/// Waits until the machine was seen to send `count` adverts after `from`.
pub fn wait_adverts(witness: &Witness, from: usize, host: &Host, count: usize) -> Result<()> {
    eventually(SOON, "adverts on the wire", || {
        let events = witness.events();
        let adverts = events.get(from..)?.iter();
        let adverts = adverts.filter(|event| event.is_advert(host.port.mac, None));
        (adverts.count() >= count).then_some(())
    })
}

/// What iproute2 does in one process and one second.
pub fn batch(ns: &Netns, lines: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("batch");
    fs::write(&path, lines)?;
    let mut command = Command::new("ip");
    command
        .args(["-n", ns.name(), "-force", "-batch"])
        .arg(&path);
    netns::run(&mut command).map(drop)
}
