//! What an agent has on its machine besides VIPs, and instances of all kinds.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, pid},
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::{eventually, let_pass},
    witness::{What, Witness},
};

use crate::lab::*;

const VIP: &str = "10.77.9.1";
const ADDED: &str = "192.0.2.5";
const FOUND: &str = "192.0.2.9";
const UNTRACKED: &str = "192.0.2.7";

fn ip(text: &str) -> Result<IpAddr> {
    text.parse().context("address")
}

fn conf() -> String {
    format!(
        "global_defs {{\ndisable_local_igmp\n}}\n\
         static_ipaddress {{\n{ADDED}/24 dev eth0\n{FOUND}/32 dev lo\n\
         {UNTRACKED}/32 dev lo no_track\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 3\n\
         priority 200\nadvert_int 0.01\nno_accept\npromote_secondaries\n\
         virtual_ipaddress {{\n{VIP}/24\n}}\n}}\n"
    )
}

const PROMOTES: &str = "cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries";
const IGMP: &str = "cat /proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// Twice, so that what was handed over is handed over again; then a stop, so
/// that the last agent is seen to know what to take back.
#[test]
fn what_the_machine_has_of_us_stays_and_goes_at_the_end() -> Result<()> {
    require_agent!("nft", "ping");
    let lan = Lan::new(2)?;
    let (host, client) = (lan.host(0), lan.host(1));
    client.ns.sh("ip addr add 10.77.9.200/24 dev eth0")?;
    host.ns.sh(&format!("ip addr add {FOUND}/32 dev lo"))?;
    host.ns
        .sysctl("net/ipv4/conf/eth0/promote_secondaries", "0")?;
    let igmp = host.ns.sh(IGMP)?;
    let mut agent = Agent::start_conf(&host.ns, &conf(), "VI_1")?;
    agent.wait_state(State::Active, START)?;
    host.ns.sh(&format!("ip addr del {UNTRACKED}/32 dev lo"))?;
    let rules = host.ns.sh("nft -a list ruleset")?;
    ensure!(rules.contains(VIP), "{rules}");
    let neighbour = format!("ping -c 1 -W 1 {}", host.port.v4);
    client.ns.sh(&neighbour)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    for _ in 0..2 {
        let flood = std::thread::scope(|scope| -> Result<String> {
            let mut ping = client.ns.command("ping");
            ping.args(["-q", "-i", "0.002", "-w", "4", VIP]);
            let flood = scope.spawn(move || ping.output());
            upgrade(&agent)?;
            let said = flood.join().ok().context("ping panicked")??;
            Ok(String::from_utf8(said.stdout)?)
        })?;
        ensure!(flood.contains(" 0 received"), "{flood}");
        ensure!(host.ns.sh("nft -a list ruleset")? == rules, "other rules");
        ensure!(host.has_address(ip(ADDED)?)? && host.has_address(ip(FOUND)?)?);
        ensure!(!host.has_address(ip(UNTRACKED)?)?, "put back");
        ensure!(host.ns.sh(PROMOTES)?.trim() == "1");
        ensure!(host.ns.sh(IGMP)?.trim() == "0");
    }
    let events = witness.events();
    let mut addresses = events
        .iter()
        .filter(|event| matches!(event.what, What::Address(_)));
    ensure!(addresses.next().is_none(), "an address came or went");
    agent.stop()?;
    ensure!(!host.has_address(ip(ADDED)?)?, "not known for ours");
    ensure!(host.has_address(ip(FOUND)?)?, "it was there before us");
    ensure!(host.ns.sh(PROMOTES)?.trim() == "0");
    ensure!(host.ns.sh(IGMP)? == igmp);
    ensure!(host.ns.sh("nft list ruleset")?.is_empty());
    Ok(())
}

fn other(vrid: u8, vip: &str) -> VirtualRouter {
    VirtualRouter {
        vrid,
        ..VirtualRouter::new(100, vip.parse().unwrap_or_else(|_| [0, 0, 0, 0].into()))
    }
}

/// The lock of a VIP is held throughout, and by the successor.
#[test]
fn nobody_else_gets_a_vip_or_a_virtual_router() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let router = other(51, VIP).every(FAST);
    let agent = Agent::start_conf(&host.ns, &router.keepalived_conf(), &router.name)?;
    agent.wait_state(State::Active, START)?;
    for _ in 0..2 {
        upgrade(&agent)?;
        for (vrid, vip, why) in [(52, VIP, "VIP"), (51, "10.77.9.2", "already")] {
            let second =
                Agent::start_conf(&host.ns, &other(vrid, vip).keepalived_conf(), &router.name)?;
            let log = second.process();
            let line = log.wait_line("another failoverd", SOON)?;
            ensure!(line.text.contains(why), "{}", line.text);
        }
    }
    Ok(())
}

/// Version 2 and 3, IPv4 and IPv6, multicast and unicast, on both sides.
#[test]
fn instances_of_all_kinds_go_on() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = |own: usize, priority: u8| {
        let peer = lan.host(1 - own).port.v4;
        let source = lan.host(own).port.v4;
        let instance = |name: &str, vrid: u8, more: &str, vip: &str| {
            format!(
                "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n\
                 priority {priority}\n{more}\nvirtual_ipaddress {{\n{vip}\n}}\n}}\n"
            )
        };
        [
            instance("V2", 61, "version 2\nadvert_int 1", "10.77.9.1/24"),
            instance(
                "V2_AUTH",
                62,
                "version 2\nadvert_int 1\nauthentication {\nauth_type PASS\nauth_pass secret\n}",
                "10.77.9.2/24",
            ),
            instance(
                "V6",
                63,
                "version 3\nadvert_int 0.01",
                "fe80::77\nfd00:7::77/64",
            ),
            instance(
                "UNICAST",
                64,
                &format!(
                    "version 3\nadvert_int 0.01\nunicast_src_ip {source}\n\
                     unicast_peer {{\n{peer}\n}}"
                ),
                "10.77.9.3/24",
            ),
        ]
        .concat()
    };
    let start = |own: usize, priority, state, word| -> Result<Agent> {
        let agent = Agent::start_conf(&lan.host(own).ns, &conf(own, priority), "V2")?;
        agent.wait_state(state, START)?;
        eventually(START, "all of them", || {
            let status = agent.status().ok()?;
            let all = status["instances"].as_array()?;
            let good = |one: &serde_json::Value| one["state"] == word && one["active"].is_string();
            (all.len() == 4 && all.iter().all(good)).then_some(())
        })?;
        Ok(agent)
    };
    let agents = [
        start(0, 200, State::Active, "active")?,
        start(1, 100, State::Backup, "backup")?,
    ];
    for agent in &agents {
        let before = agent.status()?;
        let old = pid(agent)?;
        upgrade(agent)?;
        // Longer than the Active_Down_Interval of the slow ones.
        let_pass(Duration::from_secs(4))?;
        let after = agent.status()?;
        ensure!(pid(agent)? != old);
        for index in 0..4 {
            let (was, is) = (&before["instances"][index], &after["instances"][index]);
            for field in ["name", "state", "source", "active", "fault"] {
                ensure!(was[field] == is[field], "{field}: {was} -> {is}");
            }
            for count in ["became_active", "left_active"] {
                let (was, is) = (&was["counters"][count], &is["counters"][count]);
                ensure!(was == is, "{count} of {index}: {was} -> {is}");
            }
        }
    }
    // Nor did the other side notice.
    for (agent, state) in agents.iter().zip(["active", "backup"]) {
        let status = agent.status()?;
        let all = status["instances"].as_array().context("no instances")?;
        ensure!(all.iter().all(|one| one["state"] == state), "{status}");
    }
    Ok(())
}
