//! Interfaces with virtual MAC addresses, and what is set below them, go from
//! agent to agent.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, pid},
    require_macvlan,
    router::{Router, State},
    sys,
    topology::{Host, Lan, Mac},
    wait::{eventually, let_pass},
    witness::{What, Witness},
};

use crate::{lab::*, trouble::meanwhile};

const V4: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);
const V6: Mac = Mac([0, 0, 0x5e, 0, 2, 51]);
const LINK: &str = "vrrp.51";
/// What is found of `arp_announce`: neither the default nor what we set.
const FOUND: [&str; 2] = ["0", "1"];

/// Two agents with a virtual MAC address, the first one Active.
struct Pair {
    agents: [Agent; 2],
    lan: Lan,
}

fn conf(priority: u8, vips: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.01\n\
         priority {priority}\nvirtual_router_id 51\nuse_vmac\n\
         virtual_ipaddress {{\n{vips}\n}}\n}}\n"
    )
}

impl Pair {
    fn start(lan: Lan, vips: &str) -> Result<Self> {
        let start = |at: usize, priority, state| -> Result<Agent> {
            let ns = &lan.host(at).ns;
            ns.sysctl("net/ipv4/conf/eth0/arp_announce", FOUND[1])?;
            let agent = Agent::start_conf(ns, &conf(priority, vips), "VI_1")?;
            agent.wait_state(state, START)?;
            Ok(agent)
        };
        let agents = [start(0, 200, State::Active)?, start(1, 100, State::Backup)?];
        Ok(Self { agents, lan })
    }

    fn transitions(&self) -> usize {
        let each = self.agents.iter().map(|agent| agent.transitions().len());
        each.sum()
    }

    /// The interface of each, as the kernel numbers it.
    fn links(&self) -> Result<[String; 2]> {
        let index = |at| {
            self.lan
                .host(at)
                .ns
                .sh("cat /sys/class/net/vrrp.51/ifindex")
        };
        Ok([index(0)?, index(1)?])
    }
}

/// arp_ignore and arp_announce of the interface below.
fn below(host: &Host) -> Result<[String; 2]> {
    let read = |key| {
        let text = host
            .ns
            .sh(&format!("cat /proc/sys/net/ipv4/conf/eth0/{key}"));
        text.map(|text| text.trim().to_owned())
    };
    Ok([read("arp_ignore")?, read("arp_announce")?])
}

fn has_link(host: &Host) -> bool {
    host.ns.sh(&format!("ip link show {LINK}")).is_ok()
}

fn neighbour(client: &Host, vip: IpAddr) -> Result<String> {
    let family = if vip.is_ipv4() { "-4" } else { "-6" };
    let ping = format!("ping {family} -c 1 -W 1 -I eth0 {vip}");
    client.ns.sh(&ping)?;
    let shown = client.ns.sh(&format!("ip neigh show {vip} dev eth0"))?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "lladdr");
    Ok(words.next().context("no neighbour")?.to_owned())
}

/// Twice, so that what was handed over is handed over again.
fn unnoticed(lan: Lan, vips: &str, vip: IpAddr, mac: Mac) -> Result<Pair> {
    let pair = Pair::start(lan, vips)?;
    let client = pair.lan.host(2);
    ensure!(neighbour(client, vip)? == mac.to_string());
    let (links, transitions) = (pair.links()?, pair.transitions());
    let before = [pair.agents[0].status()?, pair.agents[1].status()?];
    let witnesses = [0, 1].map(|at| Witness::start(&pair.lan.host(at).ns, "eth0"));
    let [first, second] = witnesses;
    let (first, second) = (first?, second?);
    let_pass(WINDOW)?;
    let quiet = second.mark();
    for _ in 0..2 {
        for agent in &pair.agents {
            let old = pid(agent)?;
            upgrade(agent)?;
            ensure!(pid(agent)? != old, "the same process");
        }
    }
    let_pass(WINDOW)?;
    let events = second.events();
    let (without, with) = events.split_at(quiet);
    let gap = |events: &[_]| {
        let mut times: Vec<u64> = Vec::new();
        for event in events {
            let event: &failoverd_tests::witness::Event = event;
            times.extend(event.is_advert(mac, None).then_some(event.time));
        }
        longest_gap(&times)
    };
    let (without, with) = (gap(without), gap(with));
    println!("longest gap {with:?}, without an upgrade {without:?}");
    ensure!(with < without + 2 * FAST, "{with:?} after {without:?}");
    for event in first.events().iter().chain(&events) {
        let moved = matches!(event.what, What::Address(_));
        ensure!(!moved, "an address came or went: {event:?}");
    }
    ensure!(pair.transitions() == transitions, "a transition");
    ensure!(pair.links()? == links, "another interface");
    for (before, agent) in before.iter().zip(&pair.agents) {
        continues(before, &agent.status()?)?;
    }
    let shown = client.ns.sh(&format!("ip neigh show {vip} dev eth0"))?;
    ensure!(shown.contains(&mac.to_string()), "{shown}");
    ensure!(neighbour(client, vip)? == mac.to_string());
    Ok(pair)
}

/// A take-over by the new Backup, then a stop of one and the death of the
/// other: nothing is left.
#[test]
fn links_and_what_is_set_below_go_with_the_last_agent() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let mut pair = unnoticed(lan, &format!("{vip}/24"), vip, V4)?;
    for at in [0, 1] {
        ensure!(below(pair.lan.host(at))? == ["1", "2"]);
    }
    pair.agents[0].stop()?;
    pair.agents[1].wait_state(State::Active, SOON)?;
    ensure!(neighbour(pair.lan.host(2), vip)? == V4.to_string());
    ensure!(!has_link(pair.lan.host(0)), "the link stayed");
    ensure!(below(pair.lan.host(0))? == FOUND);
    die(&mut pair.agents[1])?;
    ensure!(!has_link(pair.lan.host(1)), "the link stayed");
    ensure!(below(pair.lan.host(1))? == FOUND);
    Ok(())
}

#[test]
fn so_it_is_in_ipv6() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    let vip = lan.vip6();
    let mut pair = unnoticed(lan, &vips, vip, V6)?;
    pair.agents[0].stop()?;
    pair.agents[1].wait_state(State::Active, SOON)?;
    ensure!(neighbour(pair.lan.host(2), vip)? == V6.to_string());
    ensure!(!has_link(pair.lan.host(0)), "the link stayed");
    Ok(())
}

/// What the supervisor knows of the new agent: it dies, and the next one finds
/// the machine as the first one did.
#[test]
fn a_new_agent_that_dies_leaves_nothing() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let mut pair = Pair::start(lan, &format!("{vip}/24"))?;
    upgrade(&pair.agents[0])?;
    let before = pair.links()?;
    sys::kill(pid(&pair.agents[0])?, 9)?;
    eventually(SOON, "another interface", || {
        let now = pair.links().ok()?;
        (now[0] != before[0]).then_some(())
    })?;
    pair.agents[0].wait_state(State::Active, SOON)?;
    ensure!(pair.links()?[1] == before[1], "the peer's");
    ensure!(below(pair.lan.host(0))? == ["1", "2"]);
    pair.agents[0].stop()?;
    ensure!(!has_link(pair.lan.host(0)), "the link stayed");
    ensure!(below(pair.lan.host(0))? == FOUND);
    Ok(())
}

/// A successor that dies takes nothing along, and what the supervisor heard of
/// it does no harm.
#[test]
fn a_successor_that_dies_takes_nothing_along() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let mut pair = Pair::start(lan, &format!("{vip}/24"))?;
    let (links, transitions) = (pair.links()?, pair.transitions());
    let ended = meanwhile(&pair.agents[0], |_, new| Ok(sys::kill(new, 9)?))?;
    ensure!(ended.code == Some(2), "{ended:?}");
    let_pass(WINDOW)?;
    ensure!(pair.links()? == links && pair.transitions() == transitions);
    ensure!(below(pair.lan.host(0))? == ["1", "2"]);
    ensure!(neighbour(pair.lan.host(2), vip)? == V4.to_string());
    die(&mut pair.agents[0])?;
    ensure!(!has_link(pair.lan.host(0)), "the link stayed");
    ensure!(below(pair.lan.host(0))? == FOUND);
    Ok(())
}

/// The agent is killed; its supervisor is asked to end too, so that it starts
/// no other.
fn die(agent: &mut Agent) -> Result<()> {
    sys::kill(pid(agent)?, 9)?;
    let parent = agent.process_mut();
    parent.signal(15)?;
    parent.wait(Duration::from_secs(10))?;
    Ok(())
}
