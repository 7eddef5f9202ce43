//! Interfaces of other kinds: VLAN on a bond, in a VRF, dummy, macvlan.
//!
//! Many kernels of build machines lack some of them; `cargo xtask vm --test
//! links` runs all of these where they are there. Time is slow in that machine,
//! so nothing here is measured.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{START, backend, never, wait_vip},
    netns::Netns,
    privilege, require_agent,
    router::{Router, State},
    topology::{Host, Lan},
    wait::eventually,
};

use crate::lab::*;

/// Of an Active_Down_Interval of priority 100 with adverts each 500 ms.
const DOWN: Duration = Duration::from_millis(1805);

/// Where all kinds have to be there.
fn required() -> bool {
    std::env::var_os("FAILOVERD_REQUIRE_LINKS").is_some()
}

/// True when the kernel has all these kinds; otherwise it says so.
fn ready(kinds: &[&str]) -> bool {
    let missing = kinds
        .iter()
        .find_map(|kind| privilege::missing_link_type(kind));
    let Some(reason) = missing else { return true };
    assert!(!required(), "this test has to run here, but: {reason}");
    privilege::say_skipped(&format!("{reason}: cargo xtask vm --test links"));
    false
}

/// Several commands, one a line.
fn all(ns: &Netns, lines: &str) -> Result<()> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.into_iter().try_for_each(|line| ns.sh(line).map(drop))
}

/// A virtual router on `interface` with one VIP as the file has it.
fn file(interface: &str, priority: u8, vip: &str, lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface {interface}\nversion 3\nadvert_int 0.5\n\
         virtual_router_id 51\npriority {priority}\n{lines}\n\
         virtual_ipaddress {{\n{vip}\n}}\n}}\n"
    )
}

/// Two machines, the better one Active, on an interface of some kind.
struct Site {
    agents: [Agent; 2],
    lan: Lan,
    vip: IpAddr,
}

impl Site {
    /// `lines` are those of the instance on the machine with that index.
    fn start(
        lan: Lan,
        interface: &str,
        vip: &str,
        lines: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let start = |index: usize, priority, state| -> Result<Agent> {
            let text = file(interface, priority, vip, &lines(index));
            let agent = Agent::start_conf(&lan.host(index).ns, &text, "VI_1")?;
            agent
                .wait_state(state, START)
                .with_context(|| format!("host {index}"))?;
            Ok(agent)
        };
        let agents = [start(0, 200, State::Active)?, start(1, 100, State::Backup)?];
        let address = vip.split('/').next().unwrap_or(vip);
        let vip = address.parse()?;
        let site = Self { agents, lan, vip };
        site.is_with(0)?;
        let status = site.agents[1].status()?;
        println!("{interface}: adverts through {}", backend(&status));
        assert_eq!(status["links"][0]["name"], interface, "{status}");
        let refused = status["links"][0]["refused"].as_array();
        for refused in refused.into_iter().flatten() {
            // Each one with its reason.
            assert!(
                refused["reason"]
                    .as_str()
                    .is_some_and(|why| !why.is_empty())
            );
            println!("  not {}: {}", refused["backend"], refused["reason"]);
        }
        Ok(site)
    }

    fn host(&self, index: usize) -> &Host {
        self.lan.host(index)
    }

    /// One holder, which is the only Active, and the other knows it.
    fn is_with(&self, index: usize) -> Result<()> {
        let [active, backup] = [index, 1 - index].map(|index| &self.agents[index]);
        active.wait_state(State::Active, START)?;
        wait_vip(self.host(index), self.vip, true, START)?;
        wait_vip(self.host(1 - index), self.vip, false, START)?;
        if backup.state() == Some(State::Backup) {
            self.hears(1 - index)?;
        }
        Ok(())
    }

    fn hears(&self, index: usize) -> Result<()> {
        wait_status(&self.agents[index], "the Backup hears", |status| {
            let instance = &status["instances"][0];
            let ago = instance["last_advert_ms_ago"].as_f64();
            instance["state"] == "backup" && ago.is_some_and(|ago| ago < 1500.0)
        })
        .map(drop)
    }

    fn steady(&self, span: Duration) -> Result<()> {
        let before = self.agents.each_ref().map(states);
        never(span, "a transition", || {
            let now = self.agents.each_ref().map(states);
            (now != before).then_some(now)
        })
    }

    /// The better one leaves in good order, and what it leaves works.
    fn hand_over(mut self) -> Result<()> {
        self.agents[0].stop()?;
        self.agents[1].wait_state(State::Active, START)?;
        wait_vip(self.host(1), self.vip, true, START)?;
        wait_vip(self.host(0), self.vip, false, START)
    }
}

/// Makes bond0.7 on eth0 and eth1 of a machine.
fn vlan_on_a_bond(lan: &mut Lan, index: usize) -> Result<()> {
    let Lan { hosts, switch } = lan;
    let host = hosts.get(index).context("a host")?;
    switch.connect(&host.ns, "eth1")?;
    all(
        &host.ns,
        &format!(
            "ip addr flush dev eth0
             ip addr flush dev eth1
             ip link add bond0 type bond mode active-backup miimon 20
             ip link set eth0 down
             ip link set eth1 down
             ip link set eth0 master bond0
             ip link set eth1 master bond0
             ip link set bond0 up
             ip link set eth0 up
             ip link set eth1 up
             ip link add link bond0 name bond0.7 type vlan id 7
             ip addr add 10.79.7.{}/24 dev bond0.7
             ip link set bond0.7 up",
            index + 1
        ),
    )?;
    eventually(START, "carrier of bond0.7", || {
        let link = host.ns.sh("ip link show bond0.7").ok()?;
        link.contains("state UP").then_some(())
    })
}

fn active_slave(host: &Host) -> Result<String> {
    let details = host.ns.sh("ip -d link show bond0")?;
    let mut words = details.split_whitespace();
    words.find(|word| *word == "active_slave");
    Ok(words.next().unwrap_or_default().to_owned())
}

#[test]
fn a_vlan_on_a_bond_outlives_its_slaves_and_fails_over_without_them() -> Result<()> {
    require_agent!();
    if !ready(&["bond", "vlan"]) {
        return Ok(());
    }
    let mut lan = Lan::new(2)?;
    vlan_on_a_bond(&mut lan, 0)?;
    vlan_on_a_bond(&mut lan, 1)?;
    let site = Site::start(lan, "bond0.7", "10.79.7.100/24", |_| String::new())?;
    for index in [0, 1] {
        // By command, and by a slave that goes.
        let host = site.host(index);
        let first = active_slave(host)?;
        let second = if first == "eth0" { "eth1" } else { "eth0" };
        host.ns.sh(&format!(
            "ip link set bond0 type bond active_slave {second}"
        ))?;
        assert_eq!(active_slave(host)?, second);
        site.steady(2 * DOWN)?;
        host.ns.sh(&format!("ip link set {second} down"))?;
        eventually(START, "the other slave", || {
            (active_slave(host).ok()? == first).then_some(())
        })?;
        site.steady(2 * DOWN)?;
        site.hears(1)?;
        host.ns.sh(&format!("ip link set {second} up"))?;
    }
    let host = site.host(0);
    all(&host.ns, "ip link set eth0 down\nip link set eth1 down")?;
    site.agents[0].wait_state(State::Fault, START)?;
    site.is_with(1)?;
    all(&host.ns, "ip link set eth0 up\nip link set eth1 up")?;
    site.is_with(0)?;
    site.agents[1].wait_state(State::Backup, START)?;
    site.hand_over()
}

fn enslave(host: &Host) -> Result<()> {
    all(
        &host.ns,
        "ip link add vrf0 type vrf table 10
         ip link set vrf0 up
         ip link set eth0 master vrf0",
    )
}

fn unicast(lan: &Lan) -> impl Fn(usize) -> String + use<> {
    let addresses = [lan.host(0).port.v4, lan.host(1).port.v4];
    move |index| {
        let (own, peer) = (addresses[index], addresses[1 - index]);
        format!("unicast_src_ip {own}\nunicast_peer {{\n{peer}\n}}")
    }
}

fn in_a_vrf(by_unicast: bool) -> Result<()> {
    let lan = Lan::new(2)?;
    enslave(lan.host(0))?;
    enslave(lan.host(1))?;
    let peers = unicast(&lan);
    let lines = move |index| {
        if by_unicast {
            peers(index)
        } else {
            String::new()
        }
    };
    let site = Site::start(lan, "eth0", "10.77.1.100/24", lines)?;
    site.steady(2 * DOWN)?;
    site.lan.cut_silently(0)?;
    site.agents[1].wait_state(State::Active, START)?;
    site.lan.mend(0)?;
    site.agents[1].wait_state(State::Backup, START)?;
    site.is_with(0)?;
    site.lan.cut_cable(0)?;
    site.agents[0].wait_state(State::Fault, START)?;
    site.is_with(1)?;
    site.lan.mend(0)?;
    site.is_with(0)?;
    site.hand_over()
}

#[test]
fn an_interface_in_a_vrf_elects_and_fails_over() -> Result<()> {
    require_agent!();
    if !ready(&["vrf"]) {
        return Ok(());
    }
    in_a_vrf(false)
}

#[test]
fn an_interface_in_a_vrf_elects_and_fails_over_by_unicast() -> Result<()> {
    require_agent!();
    if !ready(&["vrf"]) {
        return Ok(());
    }
    in_a_vrf(true)
}

// Sockets of others become deaf by this: here each keeps hearing and sending.
#[test]
fn i06_an_interface_that_moves_into_a_vrf_and_out_is_heard() -> Result<()> {
    require_agent!();
    if !ready(&["vrf"]) {
        return Ok(());
    }
    for by_unicast in [false, true] {
        let lan = Lan::new(2)?;
        let peers = unicast(&lan);
        let lines = move |index| {
            if by_unicast {
                peers(index)
            } else {
                String::new()
            }
        };
        let site = Site::start(lan, "eth0", "10.77.1.100/24", lines)?;
        for index in [1, 0] {
            // Its addresses of IPv6 go, those of IPv4 stay.
            enslave(site.host(index))?;
            site.is_with(0)?;
            site.hears(1)?;
            site.steady(2 * DOWN)?;
            site.host(index).ns.sh("ip link set eth0 nomaster")?;
            site.is_with(0)?;
            site.hears(1)?;
            site.steady(2 * DOWN)?;
        }
        site.lan.cut_silently(0)?;
        site.agents[1].wait_state(State::Active, START)?;
        wait_vip(site.host(1), site.vip, true, START)?;
    }
    Ok(())
}

#[test]
fn a_vip_on_a_dummy_goes_with_it_and_comes_with_it() -> Result<()> {
    require_agent!();
    if !ready(&["dummy"]) {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    for host in &lan.hosts {
        all(
            &host.ns,
            "ip link add dummy0 type dummy\nip link set dummy0 up",
        )?;
    }
    let vip = "10.80.0.100/32 dev dummy0";
    let site = Site::start(lan, "eth0", vip, |_| String::new())?;
    let host = site.host(0);
    let held = host.ns.sh("ip addr show dev dummy0")?;
    assert!(held.contains("10.80.0.100/32"), "{held}");
    host.ns.sh("ip link del dummy0")?;
    site.agents[0].wait_state(State::Fault, START)?;
    site.is_with(1)?;
    all(
        &host.ns,
        "ip link add dummy0 type dummy\nip link set dummy0 up",
    )?;
    site.is_with(0)?;
    site.agents[1].wait_state(State::Backup, START)?;
    site.lan.cut_silently(0)?;
    site.agents[1].wait_state(State::Active, START)?;
    site.lan.mend(0)?;
    site.agents[1].wait_state(State::Backup, START)?;
    site.is_with(0)?;
    site.hand_over()
}

#[test]
fn a_macvlan_elects_and_fails_over() -> Result<()> {
    require_agent!();
    if !ready(&["macvlan"]) {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    for (index, host) in (1..).zip(&lan.hosts) {
        all(
            &host.ns,
            &format!(
                "ip link add link eth0 name mv0 type macvlan mode bridge
                 ip addr add 10.79.8.{index}/24 dev mv0
                 ip link set mv0 up"
            ),
        )?;
    }
    let site = Site::start(lan, "mv0", "10.79.8.100/24", |_| String::new())?;
    site.lan.cut_cable(0)?;
    site.agents[0].wait_state(State::Fault, START)?;
    site.is_with(1)?;
    site.lan.mend(0)?;
    site.is_with(0)?;
    site.agents[1].wait_state(State::Backup, START)?;
    site.steady(2 * DOWN)?;
    site.host(0).ns.sh("ip link del mv0")?;
    site.agents[0].wait_state(State::Fault, START)?;
    site.is_with(1)
}
