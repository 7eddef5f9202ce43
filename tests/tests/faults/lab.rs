//! What the tests of this binary share.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, SOON},
    router::Router,
    wait::eventually,
    witness::Event,
};
use serde_json::Value;

/// The shortest interval of VRRPv3.
pub const FAST: Duration = Duration::from_millis(10);
/// Active_Down_Interval of priority 100 with that interval.
pub const FAST_DOWN: Duration = Duration::from_micros(36_093);

/// A pair with adverts each 10 ms.
pub fn fast(flags: &[&str]) -> Result<Agents> {
    Agents::start(flags, |_, _, router| router.interval = FAST)
}

/// Instance VI_1, VRID 51 on eth0, an advert each 10 ms, with 10.77.1.100.
pub fn conf(globals: &str, priority: u8, lines: &str) -> String {
    format!(
        "global_defs {{\n{globals}\n}}\nvrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.01\n\
         virtual_router_id 51\npriority {priority}\n{lines}\n\
         virtual_ipaddress {{\n10.77.1.100/24\n}}\n}}\n"
    )
}

/// Waits for a status that `wanted` takes.
pub fn wait_status(agent: &Agent, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(SOON, what, || {
        agent.status().ok().filter(|status| wanted(status))
    })
}

/// Whether a line of its log says that.
pub fn said(agent: &Agent, words: &str) -> bool {
    let lines = agent.process().lines();
    lines.iter().any(|line| line.text.contains(words))
}

/// The times at which adverts were seen that `wanted` takes.
pub fn times(events: &[Event], wanted: impl Fn(&Event) -> bool) -> Vec<u64> {
    let wanted = events.iter().filter(|event| wanted(event));
    wanted.map(|event| event.time).collect()
}
