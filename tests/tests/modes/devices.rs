//! Interfaces that change under the agent: queues, index, name, namespace.

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, SOON, START, backend, wait_vip},
    netns::Netns,
    require_agent,
    router::{Router, State},
    sys,
    topology::{Host, Lan},
    wait::eventually,
};

use crate::lab::*;

// A driver that is told to use other queues resets its receive side.
#[test]
fn i03_other_queues_leave_the_attachment_in_place() -> Result<()> {
    require_agent!("ethtool");
    for flags in [&["--backend", "native"][..], &["--backend", "raw"]] {
        let pair = Agents::start(flags, |_, _, _| {})?;
        let before = pair.backup.status()?;
        for count in [2, 1, 2] {
            let line = format!("ethtool -L eth0 rx {count} tx {count}");
            pair.lan.host(1).ns.sh(&line)?;
            pair.steady(2 * DOWN)?;
        }
        let after = pair.backup.status()?;
        assert_eq!(backend(&after), backend(&before));
        pair.lan.cut_silently(0)?;
        pair.backup.wait_state(State::Active, SOON)?;
    }
    Ok(())
}

/// Waits until the machine is a member of the VRRP group on eth0.
fn wait_membership(host: &Host) -> Result<()> {
    eventually(SOON, "membership in 224.0.0.18", || {
        let groups = host.ns.sh("ip maddr show dev eth0").ok()?;
        groups.contains("224.0.0.18").then_some(())
    })
}

// Switches that snoop must hear of the membership on the new interface.
#[test]
fn i04_groups_are_joined_again_on_an_interface_made_again() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    for (index, agent) in [&pair.active, &pair.backup].into_iter().enumerate() {
        wait_membership(pair.lan.host(index))?;
        pair.lan.delete_interface(index)?;
        agent.wait_state(State::Fault, SOON)?;
        pair.lan.recreate_interface(index)?;
        wait_membership(pair.lan.host(index))?;
    }
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    pair.steady(3 * DOWN)
}

/// A better Active and a Backup from files that name their interface.
struct Named {
    agents: [Agent; 2],
    lan: Lan,
}

impl Named {
    fn start() -> Result<Self> {
        let lan = Lan::new(2)?;
        let start = |index: usize, priority, state| -> Result<Agent> {
            let text = conf("", priority, "");
            let agent = Agent::start_conf(&lan.host(index).ns, &text, "VI_1")?;
            agent.wait_state(state, START)?;
            Ok(agent)
        };
        let agents = [start(0, 200, State::Active)?, start(1, 100, State::Backup)?];
        Ok(Self { agents, lan })
    }

    fn settled(&self) -> Result<()> {
        self.agents[0].wait_state(State::Active, SOON)?;
        self.agents[1].wait_state(State::Backup, SOON)?;
        wait_status(&self.agents[1], "the Backup hears", |status| {
            status["instances"][0]["active"].is_string()
        })?;
        wait_vip(self.lan.host(0), self.lan.vip(), true, SOON)?;
        wait_vip(self.lan.host(1), self.lan.vip(), false, SOON)
    }
}

fn rename(host: &Host, from: &str, to: &str) -> Result<()> {
    host.ns
        .sh(&format!("ip link set {from} name {to}"))
        .map(drop)
        .context("the kernel renames no interface that is up")
}

// The name counts: without it there is no interface, and the VIP goes. With it,
// or with a file that has the new one, all is as before.
#[test]
fn i05_a_renamed_interface_is_another_one() -> Result<()> {
    require_agent!();
    let site = Named::start()?;
    let [active, backup] = &site.agents;
    let (host, vip) = (site.lan.host(0), site.lan.vip());
    rename(host, "eth0", "lan0")?;
    active.wait_state(State::Fault, SOON)?;
    let expected = "interface eth0 does not exist";
    eventually(SOON, expected, || {
        (fault(active)? == expected).then_some(())
    })?;
    wait_vip(host, vip, false, SOON)?;
    backup.wait_state(State::Active, SOON)?;
    rename(host, "lan0", "eth0")?;
    site.settled()
}

#[test]
fn i05_a_renamed_interface_is_heard_again_by_its_new_name() -> Result<()> {
    require_agent!();
    let site = Named::start()?;
    for (index, priority) in [(1, 100), (0, 200)] {
        let agent = &site.agents[index];
        rename(site.lan.host(index), "eth0", "lan0")?;
        agent.wait_state(State::Fault, SOON)?;
        agent.write_conf(&conf("", priority, "").replace("eth0", "lan0"))?;
        let ended = agent.reload()?;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        site.settled()?;
        let status = agent.status()?;
        assert_eq!(status["links"][0]["name"], "lan0", "{status}");
        assert_eq!(status["links"].as_array().map(Vec::len), Some(1));
    }
    // Another interface by the old name is of no interest.
    let host = site.lan.host(1);
    host.ns.sh("ip link add eth0 type veth peer name eth9")?;
    host.ns.sh("ip link set eth0 up")?;
    let before = site.agents.each_ref().map(states);
    failoverd_tests::wait::let_pass(3 * DOWN)?;
    assert_eq!(site.agents.each_ref().map(states), before);
    Ok(())
}

// In another namespace it is gone; when it is back, sockets and programs are
// those of the new one, whatever index it has.
#[test]
fn i06_an_interface_that_was_in_another_namespace_is_heard_again() -> Result<()> {
    require_agent!();
    for backend in ["native", "raw"] {
        let elsewhere = Netns::new()?;
        let pair = Agents::start(&["--backend", backend], |_, _, _| {})?;
        let both = [&pair.active, &pair.backup];
        for (index, agent) in both.into_iter().enumerate() {
            let host = pair.lan.host(index);
            let (here, there) = (host.ns.name(), elsewhere.name());
            host.ns.sh(&format!("ip link set eth0 netns {there}"))?;
            agent.wait_state(State::Fault, SOON)?;
            elsewhere.sh(&format!("ip link set eth0 netns {here}"))?;
            host.ns
                .sh(&format!("ip addr add {}/24 dev eth0", host.port.v4))?;
            host.ns.sh("ip link set eth0 up")?;
            pair.active.wait_state(State::Active, SOON)?;
            pair.backup.wait_state(State::Backup, SOON)?;
            pair.backup_hears()?;
            assert!(host.ns.enter(|| Ok(sys::interface_index("eth0")?))? > 0);
        }
        pair.steady(3 * DOWN)?;
        pair.lan.cut_silently(0)?;
        pair.backup.wait_state(State::Active, SOON)?;
        wait_vip(pair.lan.host(1), pair.lan.vip(), true, SOON)?;
    }
    Ok(())
}
