//! Links that go down: once, again and again, and with a group behind them.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, SOON, START, counter, wait_vip},
    clock::monotonic,
    require_agent,
    router::{Router, State},
    topology::{Host, Lan},
    wait::{eventually, let_pass},
    witness::Witness,
};

use crate::lab::*;

/// Bounds of the requirements.
const TRANSITION: Duration = Duration::from_millis(50);
const GROUP: Duration = Duration::from_millis(100);

/// A second interface of a machine, with a carrier.
fn add_side(host: &Host) -> Result<()> {
    host.ns.sh("ip link add side0 type veth peer name side1")?;
    host.ns.sh("ip addr add 10.88.0.1/24 dev side0")?;
    host.ns.sh("ip link set side1 up")?;
    host.ns.sh("ip link set side0 up")?;
    eventually(SOON, "carrier of side0", || {
        let link = host.ns.sh("ip link show side0").ok()?;
        link.contains("state UP").then_some(())
    })
}

// 50 ms to priority 0 and without VIP; back by way of Backup.
#[test]
fn i01_a_tracked_link_that_goes_down_is_told_at_once() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    add_side(host)?;
    let text = conf("", 200, "track_interface {\nside0\n}");
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    host.ns.sh("ip link set side0 down")?;
    let down = monotonic();
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        event.is_advert(host.port.mac, Some(0))
    })?;
    let gone = witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    assert!(released.may_precede(&gone), "the VIP went first");
    for event in [&released, &gone] {
        let took = Duration::from_nanos(event.time.saturating_sub(down));
        assert!(took <= TRANSITION, "{took:?}: {:?}", event.what);
    }
    agent.wait_state(State::Fault, SOON)?;
    host.ns.sh("ip link set side0 up")?;
    agent.wait_state(State::Active, SOON)?;
    let back = [State::Backup, State::Active];
    assert_eq!(states(&agent), [&back[..], &[State::Fault], &back].concat());
    wait_vip(host, vip, true, SOON)
}

// Over a link that is down already, priority 0 is tried at least.
#[test]
fn i01_priority_0_is_tried_over_a_link_without_carrier() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    pair.lan.cut_cable(0)?;
    pair.active.wait_state(State::Fault, SOON)?;
    let status = pair.active.status()?;
    assert_eq!(counter(&status, "priority_zero_sent"), 1, "{status}");
    wait_vip(pair.lan.host(0), pair.lan.vip(), false, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

const FLAPS: usize = 30;

/// Down for 50 ms and up for 50 ms, again and again.
fn flap_at_10_hz(host: &Host) -> Result<()> {
    for _ in 0..FLAPS {
        host.ns.sh("ip link set eth0 down")?;
        let_pass(Duration::from_millis(50))?;
        host.ns.sh("ip link set eth0 up")?;
        let_pass(Duration::from_millis(50))?;
    }
    Ok(())
}

// With delays a flapping link is none of anybody's business; a link that stays
// down is.
#[test]
fn i02_a_link_that_flaps_at_10_hz_is_bridged_by_its_delays() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let delays = "interface_up_down_delays {\neth0 1.5 0.5\n}";
    let text = conf(delays, 200, "").replace("advert_int 0.1", "advert_int 1");
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    flap_at_10_hz(host)?;
    assert_eq!(states(&agent), [State::Backup, State::Active]);
    assert!(host.has_address(vip)?);
    host.ns.sh("ip link set eth0 down")?;
    agent.wait_state(State::Fault, SOON)?;
    wait_vip(host, vip, false, SOON)
}

// Without them: as many transitions as flaps allow, no VIP left behind, and
// one holder in the end.
#[test]
fn i02_a_link_that_flaps_at_10_hz_leaves_no_vip_behind() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    flap_at_10_hz(host)?;
    host.ns.sh("ip link set eth0 down")?;
    pair.active.wait_state(State::Fault, SOON)?;
    wait_vip(host, vip, false, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    // Fault, Backup and, where 50 ms were enough, Active of each.
    let [flapping, other] = pair.transitions();
    assert!(flapping <= 3 + 3 * FLAPS, "{flapping} transitions");
    // It may only take over and give back what the other loses and regains.
    assert!(other <= 2 + 2 * FLAPS, "{other} transitions");
    host.ns.sh("ip link set eth0 up")?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    wait_vip(host, vip, true, SOON)?;
    wait_vip(pair.lan.host(1), vip, false, SOON)
}

const GATEWAY: &str = "
vrrp_instance side {
  interface side0
  version 3
  advert_int 0.1
  virtual_router_id 52
  priority 200
  virtual_ipaddress { 10.88.0.100/24 }
}
vrrp_sync_group gateway {
  group { VI_1
 side }
}
";

// A fault of one member is one of all, within 100 ms.
#[test]
fn p18_all_members_of_a_group_leave_with_the_first() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let other: IpAddr = [10, 88, 0, 100].into();
    add_side(host)?;
    let agent = Agent::start_conf(&host.ns, &conf(GATEWAY, 200, ""), "VI_1")?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, vip, true, SOON)?;
    wait_vip(host, other, true, SOON)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    host.ns.sh("ip link set side0 down")?;
    let down = monotonic();
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        event.is_advert(host.port.mac, Some(0))
    })?;
    let mut events = vec![released];
    for vip in [vip, other] {
        let gone = |event: &_| failoverd_tests::witness::Event::is_address(event, vip, true);
        events.push(witness.wait_from(0, "a VIP goes", SOON, gone)?);
    }
    for event in events {
        let took = Duration::from_nanos(event.time.saturating_sub(down));
        assert!(took <= GROUP, "{took:?}: {:?}", event.what);
    }
    wait_status(&agent, "both in fault", |status| {
        let instances = status["instances"].as_array();
        instances.is_some_and(|all| all.iter().all(|one| one["state"] == "fault"))
    })?;
    host.ns.sh("ip link set side0 up")?;
    agent.wait_state(State::Active, SOON)?;
    wait_vip(host, vip, true, SOON)?;
    wait_vip(host, other, true, SOON)
}
