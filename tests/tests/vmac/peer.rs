//! keepalived with a virtual MAC address on the other side.

use std::{net::IpAddr, time::Duration};

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    keepalived::Keepalived,
    process::Process,
    require_macvlan,
    router::{Router, State},
    topology::{Lan, Mac},
    wait::{eventually, let_pass},
};

use crate::lab::*;

/// keepalived on the other side, in both places.
#[test]
fn keepalived_is_a_peer() -> Result<()> {
    require_macvlan!("keepalived");
    for (ours, theirs) in [(200, 100), (100, 200)] {
        let lan = Lan::new(3)?;
        let vip = format!("{}/24", lan.vip());
        let state = |mine, other| match mine > other {
            true => State::Active,
            false => State::Backup,
        };
        let agent = Agent::start_conf(&lan.host(0).ns, &conf(ours, "", &vip), "VI_1")?;
        let text = conf(theirs, "", &vip);
        let peer = Keepalived::start_with(&lan.host(1).ns, &text, "VI_1")?;
        agent.wait_state(state(ours, theirs), START)?;
        peer.wait_state(state(theirs, ours), START)?;
        lan.cut_silently(usize::from(ours < theirs))?;
        agent.wait_state(State::Active, SOON)?;
        peer.wait_state(State::Active, SOON)?;
        lan.mend(usize::from(ours < theirs))?;
        agent.wait_state(state(ours, theirs), SOON)?;
        peer.wait_state(state(theirs, ours), SOON)?;
        if ours > theirs {
            // keepalived asks in the name of the VIP with the address of eth0,
            // from which the client learned while both were Active.
            lan.host(2).ns.sh("ip neigh flush dev eth0")?;
            assert_eq!(neighbour(lan.host(2), lan.vip())?, V4.to_string());
        }
        // What both set on the interface is the same.
        for setting in [
            "ipv4/conf/vrrp.51/arp_ignore",
            "ipv4/conf/vrrp.51/rp_filter",
            "ipv4/conf/vrrp.51/promote_secondaries",
            "ipv4/conf/eth0/arp_ignore",
            "ipv6/conf/vrrp.51/addr_gen_mode",
            "ipv6/conf/vrrp.51/disable_ipv6",
        ] {
            let read = |at: usize| {
                let line = format!("cat /proc/sys/net/{setting}");
                lan.host(at).ns.sh(&line)
            };
            assert_eq!(read(0)?, read(1)?, "{setting}");
        }
    }
    Ok(())
}

/// What the client has believed of the VIP since the beginning.
struct Beliefs {
    monitor: Process,
    vip: IpAddr,
}

impl Beliefs {
    fn watch(lan: &Lan, vip: IpAddr) -> Result<Self> {
        let mut command = lan.host(2).ns.command("ip");
        command.args(["monitor", "neigh"]);
        let monitor = Process::start("ip", &mut command)?;
        Ok(Self { monitor, vip })
    }

    /// Every address that it has had.
    fn addresses(&self) -> Vec<String> {
        let lines = self.monitor.lines().into_iter();
        let address = |text: String| {
            let mut words = text.split_whitespace();
            let mine = words.any(|word| word == self.vip.to_string());
            words.find(|word| *word == "lladdr" && mine)?;
            words.next().map(str::to_owned)
        };
        let mut all: Vec<String> = lines.filter_map(|line| address(line.text)).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// The first router dies and comes back; the client asks the VIP all the time.
fn hosts_notice_nothing(vips: &str, vip: IpAddr, mac: Mac, lan: &Lan, ours: u8) -> Result<()> {
    let theirs = 250 - ours;
    let agent = || Agent::start_conf(&lan.host(0).ns, &conf(ours, "", vips), "VI_1");
    let peer = || Keepalived::start_with(&lan.host(1).ns, &conf(theirs, "", vips), "VI_1");
    let (mut agent_now, mut peer_now) = (Some(agent()?), Some(peer()?));
    // keepalived leaves it to the kernel with which address a host is asked for
    // its own: it shall not have to ask.
    let client = lan.host(2);
    let port = &client.port;
    for host in &lan.hosts[..2] {
        for address in [port.v4.to_string(), port.v6.to_string()] {
            host.ns.sh(&format!(
                "ip neigh replace {address} lladdr {} dev eth0 nud permanent",
                port.mac
            ))?;
        }
    }
    let state = |mine, other| match mine > other {
        true => State::Active,
        false => State::Backup,
    };
    let expect = |agent: &Option<Agent>, peer: &Option<Keepalived>| -> Result<()> {
        let alone = agent.is_none() || peer.is_none();
        let wanted = |mine, other| {
            if alone {
                State::Active
            } else {
                state(mine, other)
            }
        };
        if let Some(agent) = agent {
            agent.wait_state(wanted(ours, theirs), START)?;
        }
        if let Some(peer) = peer {
            peer.wait_state(wanted(theirs, ours), START)?;
        }
        Ok(())
    };
    let asked = |what: &str| {
        eventually(SOON, what, || {
            let address = neighbour(client, vip).ok()?;
            Some(address)
        })
    };
    expect(&agent_now, &peer_now)?;
    ensure!(asked("an answer")? == mac.to_string());
    let beliefs = Beliefs::watch(lan, vip)?;
    let_pass(Duration::from_millis(200))?;
    if ours > theirs {
        agent_now = None;
    } else {
        peer_now = None;
    }
    expect(&agent_now, &peer_now)?;
    ensure!(asked("an answer of the other one")? == mac.to_string());
    if ours > theirs {
        agent_now = Some(agent()?);
    } else {
        peer_now = Some(peer()?);
    }
    expect(&agent_now, &peer_now)?;
    ensure!(asked("an answer of the first one")? == mac.to_string());
    let all = beliefs.addresses();
    ensure!(all.iter().all(|one| *one == mac.to_string()), "{all:?}");
    Ok(())
}

#[test]
fn hosts_notice_no_fail_over_from_us_to_keepalived_and_back() -> Result<()> {
    require_macvlan!("keepalived");
    let lan = Lan::new(3)?;
    hosts_notice_nothing(&format!("{}/32", lan.vip()), lan.vip(), V4, &lan, 200)?;
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    hosts_notice_nothing(&vips, lan.vip6(), V6, &lan, 200)
}

#[test]
fn hosts_notice_no_fail_over_from_keepalived_to_us_and_back() -> Result<()> {
    require_macvlan!("keepalived");
    let lan = Lan::new(3)?;
    hosts_notice_nothing(&format!("{}/32", lan.vip()), lan.vip(), V4, &lan, 50)?;
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    hosts_notice_nothing(&vips, lan.vip6(), V6, &lan, 50)
}
