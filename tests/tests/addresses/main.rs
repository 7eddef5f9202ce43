//! Addresses on a real kernel: every option of a line, static addresses, more
//! VIPs than an advert holds, and what may reach a VIP.

mod accept;
mod fixed;
mod many;
mod options;

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::START,
    router::{Router, State},
    topology::Host,
};

/// An instance with these VIPs, one a line, and further lines.
fn instance(priority: u8, version: u8, vips: &[String], more: &str) -> String {
    let interval = if version == 3 { "0.1" } else { "1" };
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion {version}\n\
         priority {priority}\nadvert_int {interval}\n{more}\n\
         virtual_ipaddress {{\n{}\n}}\n}}\n",
        vips.join("\n")
    )
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn active(host: &Host, conf: &str) -> Result<Agent> {
    let agent = Agent::start_conf(&host.ns, conf, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    Ok(agent)
}
