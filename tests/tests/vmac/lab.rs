//! Agents and hosts with virtual MAC addresses, and what is to be seen of them.

use std::net::IpAddr;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::START,
    netns::Netns,
    router::{Router, State},
    topology::{Host, Lan, Mac},
};

/// RFC 9568 7.3, VRID 51.
pub const V4: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);
pub const V6: Mac = Mac([0, 0, 0x5e, 0, 2, 51]);

pub fn conf(priority: u8, lines: &str, vips: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\npriority {priority}\n\
         virtual_router_id 51\nuse_vmac\n{lines}\nvirtual_ipaddress {{\n{vips}\n}}\n}}\n"
    )
}

pub fn start(host: &Host, text: &str, state: State) -> Result<Agent> {
    let agent = Agent::start_conf(&host.ns, text, "VI_1")?;
    agent.wait_state(state, START)?;
    Ok(agent)
}

pub fn has_link(ns: &Netns, name: &str) -> bool {
    ns.sh(&format!("ip link show {name}")).is_ok()
}

pub fn is_up(ns: &Netns, name: &str) -> bool {
    let shown = ns.sh(&format!("ip -o link show {name}"));
    shown.is_ok_and(|text| text.contains("UP"))
}

/// What a host believes; it has asked for it.
pub fn neighbour(client: &Host, vip: IpAddr) -> Result<String> {
    let family = if vip.is_ipv4() { "-4" } else { "-6" };
    client
        .ns
        .sh(&format!("ping {family} -c 1 -W 3 -I eth0 {vip}"))?;
    let shown = client.ns.sh(&format!("ip neigh show {vip} dev eth0"))?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "lladdr");
    Ok(words.next().context("no neighbour")?.to_owned())
}

/// The port where the switch has seen an address last.
pub fn seen_at(lan: &Lan, mac: Mac) -> Option<String> {
    let table = lan.switch.ns.sh("bridge fdb show br br0 dynamic").ok()?;
    let line = table
        .lines()
        .find(|line| line.starts_with(&mac.to_string()))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "dev");
    words.next().map(str::to_owned)
}

pub fn ethernet_source(frame: &[u8]) -> Option<Mac> {
    Some(Mac(frame.get(6..12)?.try_into().ok()?))
}
