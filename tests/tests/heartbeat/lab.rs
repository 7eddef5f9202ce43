//! Agents with a heartbeat, and what their status says of it.

use std::time::Duration;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{START, instance},
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};
use serde_json::Value;

/// One instance with adverts at `interval` seconds.
pub fn conf(lan: &Lan, priority: u8, interval: &str, fast: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n \
         priority {priority}\n version 3\n advert_int {interval}\n {fast}\n \
         virtual_ipaddress {{ {}/24 }}\n}}\n",
        lan.vip()
    )
}

/// Agents with priorities of 200, 150 and 100; the first is Active.
pub struct Scene {
    // Before the LAN: daemons end before their namespaces go.
    pub agents: Vec<Agent>,
    pub lan: Lan,
}

impl Scene {
    /// # Errors
    /// When an agent does not come to where it belongs.
    pub fn start(count: usize, interval: &str, fast: &str) -> Result<Self> {
        let lan = Lan::new(count)?;
        let mut agents = Vec::new();
        for (index, priority) in [200, 150, 100].into_iter().enumerate().take(count) {
            let conf = conf(&lan, priority, interval, fast);
            let agent = Agent::start_conf(&lan.host(index).ns, &conf, "VI_1")?;
            let state = match index {
                0 => State::Active,
                _ => State::Backup,
            };
            agent
                .wait_state(state, START)
                .with_context(|| format!("host {index}"))?;
            agents.push(agent);
        }
        Ok(Self { agents, lan })
    }

    /// Two of them, of which the Backup's heartbeat counts.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn pair(interval: &str, fast: &str) -> Result<Self> {
        let scene = Self::start(2, interval, fast)?;
        wait_heart(&scene.agents[1], "armed")?;
        Ok(scene)
    }

    pub fn active(&self) -> &Agent {
        &self.agents[0]
    }

    pub fn backup(&self) -> &Agent {
        &self.agents[1]
    }
}

/// What status says of the heartbeat.
pub fn heart(agent: &Agent) -> Result<Value> {
    Ok(instance(&agent.status()?)["fast_detect"]["heartbeat"].clone())
}

pub fn number(agent: &Agent, name: &str) -> Result<u64> {
    heart(agent)?[name]
        .as_u64()
        .with_context(|| name.to_owned())
}

pub fn wait_heart(agent: &Agent, state: &str) -> Result<()> {
    eventually(START, &format!("a heartbeat that is {state}"), || {
        (heart(agent).ok()?["state"] == state).then_some(())
    })
}

/// Without waiting for anything.
pub fn transitions(agent: &Agent) -> usize {
    agent.transitions().len()
}

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
