//! Switches and links that do not carry everything, or not yet.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, wait_vip},
    capture::Capture,
    privilege, require_agent,
    router::{Router, State},
    topology::{Lan, Port},
    wait::let_pass,
    witness::Witness,
};

use crate::lab::*;

/// States of IEEE 802.1D: a port that listens or learns carries nothing.
fn port_state(lan: &Lan, port: &Port, state: u8) -> Result<()> {
    let side = &port.switch_side;
    lan.switch
        .ns
        .sh(&format!("bridge link set dev {side} state {state}"))
        .map(drop)
}

// A switch with a spanning tree lets nothing through for a while after the link
// came. A start that waits for that makes no second Active; one that does not
// is told of by the first.
#[test]
fn n14_a_port_that_listens_and_learns_makes_no_second_active_with_a_delay() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(1), lan.vip());
    let active = Agent::start_conf(&lan.host(0).ns, &conf("", 200, ""), "VI_1")?;
    active.wait_state(State::Active, START)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    port_state(&lan, &host.port, 1)?;
    let delayed = conf("vrrp_startup_delay 3", 100, "");
    let mut backup = Agent::start_conf(&host.ns, &delayed, "VI_1")?;
    for state in [2, 3] {
        let_pass(Duration::from_millis(1100))?;
        port_state(&lan, &host.port, state)?;
    }
    backup.wait_state(State::Backup, SOON)?;
    let_pass(5 * FAST_DOWN)?;
    assert_eq!(backup.transitions().len(), 1);
    let events = witness.events();
    assert!(!events.iter().any(|event| event.is_address(vip, false)));
    backup.stop()?;
    port_state(&lan, &host.port, 1)?;
    let mark = active.process().mark();
    let backup = Agent::start_conf(&host.ns, &conf("", 100, ""), "VI_1")?;
    backup.wait_state(State::Active, START)?;
    port_state(&lan, &host.port, 3)?;
    backup.wait_state(State::Backup, SOON)?;
    let alarm = "with lower priority 100, forcing new election";
    active.process().wait_line_from(mark, alarm, SOON)?;
    assert_eq!(active.transitions().len(), 2);
    Ok(())
}

// A switch that stops to carry our VLAN is a cable that carries nothing.
#[test]
fn n16_a_vlan_that_is_taken_from_a_port_is_a_silent_cut() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let filters = "ip link set br0 type bridge vlan_filtering 1";
    if let Err(error) = lan.switch.ns.sh(filters) {
        let required = std::env::var_os("FAILOVERD_REQUIRE_LINKS").is_some();
        assert!(!required, "{error:#}");
        privilege::say_skipped("the kernel's bridges do not filter VLANs");
        return Ok(());
    }
    let start = |index: usize, priority, state| -> Result<Agent> {
        let text = conf("", priority, "").replace("advert_int 0.01", "advert_int 0.5");
        let agent = Agent::start_conf(&lan.host(index).ns, &text, "VI_1")?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    let active = start(0, 200, State::Active)?;
    let backup = start(1, 100, State::Backup)?;
    wait_status(&backup, "the Backup hears", |status| {
        status["instances"][0]["active"].is_string()
    })?;
    lan.switch.ns.sh("bridge vlan del dev p1 vid 1")?;
    backup.wait_state(State::Active, SOON)?;
    assert_eq!(active.state(), Some(State::Active));
    lan.switch
        .ns
        .sh("bridge vlan add dev p1 vid 1 pvid untagged")?;
    backup.wait_state(State::Backup, SOON)?;
    wait_vip(lan.host(1), lan.vip(), false, SOON)?;
    wait_vip(lan.host(0), lan.vip(), true, SOON)
}

// A link whose MTU becomes too small for our adverts: none is lost without a
// word. What is left out of them, or why none goes, is told.
#[test]
fn n17_an_mtu_that_adverts_do_not_fit_is_not_silent() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let vips: Vec<IpAddr> = (1..=200).map(|n| [10, 78, 0, n].into()).collect();
    let list: Vec<String> = vips.iter().map(|vip| format!("{vip}/32")).collect();
    let text = conf("", 200, "").replace("10.77.1.100/24", &list.join("\n"));
    let agent = Agent::start_conf(&host.ns, &text, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let capture = Capture::start(&lan.host(1).ns, "eth0")?;
    capture.wait_for("an advert with all VIPs", SOON, |frame| {
        frame
            .advert()
            .filter(|advert| advert.addresses.len() == 200)
    })?;
    let mark = agent.process().mark();
    host.ns.sh("ip link set eth0 mtu 576")?;
    let room = "have no room for the last 67 VIPs: these are held, but not advertised";
    agent.process().wait_line_from(mark, room, SOON)?;
    let from = capture.mark();
    capture.wait_from(from, "an advert that fits", SOON, |frame| {
        let advert = frame.advert()?;
        (frame.bytes.len() <= 14 + 576 && advert.addresses.len() == 133).then_some(())
    })?;
    // No advert failed, and none went in pieces.
    let status = agent.status()?;
    assert_eq!(status["fast_lane"]["adverts_failed"], 0, "{status}");
    Ok(())
}
