//! Addresses of the machine and of the instance that are not there, not
//! usable, or somebody else's.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, INTERVAL, SOON, START, instance, wait_vip},
    capture::Capture,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys::netlink::{NODAD, TENTATIVE},
    topology::{Host, Lan},
    wait::let_pass,
    witness::{Event, What, Witness},
};

use crate::lab::*;

/// IFA_F_DADFAILED of linux/if_addr.h.
const DADFAILED: u32 = 0x08;
/// A bound of the requirements: a VIP that somebody removes is back.
const RESTORED: Duration = Duration::from_millis(100);

fn router6(lan: &Lan, priority: u8) -> VirtualRouter {
    let mut router = VirtualRouter::new(priority, lan.vip6()).every(INTERVAL);
    router.vips = vec![(lan.vip6_link_local(), 64), (lan.vip6(), 64)];
    router
}

/// The VRRP adverts that a machine sent, whatever their address.
fn adverts_of(capture: &Capture, host: &Host) -> Vec<IpAddr> {
    let adverts = capture.adverts().into_iter();
    let own = adverts.filter(|(_, advert)| advert.source_mac == host.port.mac);
    own.map(|(_, advert)| advert.source).collect()
}

// RFC 9568 5.1.2.1: adverts come from the link-local address, or not at all.
#[test]
fn i08_without_a_link_local_address_nothing_is_sent() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let link_local = host.port.link_local;
    host.ns
        .sh(&format!("ip addr del {link_local}/64 dev eth0"))?;
    let capture = Capture::start(&host.ns, "eth0")?;
    let agent = Agent::start(&host.ns, &router6(&lan, 200))?;
    agent.wait_state(State::Fault, START)?;
    let why = "(VI_1) interface eth0 has no address to send adverts from";
    agent.process().wait_line(why, SOON)?;
    let_pass(3 * DOWN)?;
    assert_eq!(adverts_of(&capture, host), [] as [IpAddr; 0]);
    host.ns
        .sh(&format!("ip addr add {link_local}/64 dev eth0 nodad"))?;
    agent.wait_state(State::Active, SOON)?;
    wait_vip(host, lan.vip6(), true, SOON)?;
    // It goes while Active: nothing is sent from any other address.
    host.ns
        .sh(&format!("ip addr del {link_local}/64 dev eth0"))?;
    agent.wait_state(State::Fault, SOON)?;
    wait_vip(host, lan.vip6(), false, SOON)?;
    let sources = adverts_of(&capture, host);
    assert!(!sources.is_empty());
    let foreign = sources.iter().filter(|source| **source != link_local);
    assert_eq!(foreign.count(), 0, "{sources:?}");
    Ok(())
}

// A neighbour has the same link-local address, so the kernel marks ours as failed.
#[test]
fn i08_a_link_local_address_that_failed_detection_is_not_used() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let link_local = host.port.link_local;
    host.ns
        .sh(&format!("ip addr del {link_local}/64 dev eth0"))?;
    lan.host(1)
        .ns
        .sh(&format!("ip addr add {link_local}/64 dev eth0 nodad"))?;
    for setting in ["accept_dad", "dad_transmits"] {
        let key = format!("net/ipv6/conf/eth0/{setting}");
        host.ns.sysctl(&key, "1")?;
        host.ns.sysctl("net/ipv6/conf/all/accept_dad", "1")?;
    }
    let witness = Witness::start(&host.ns, "eth0")?;
    let capture = Capture::start(&host.ns, "eth0")?;
    host.ns
        .sh(&format!("ip addr add {link_local}/64 dev eth0"))?;
    let agent = Agent::start(&host.ns, &router6(&lan, 200))?;
    agent.wait_state(State::Fault, START)?;
    let failed = |event: &Event| match &event.what {
        What::Address(event) => event.flags & DADFAILED != 0 && event.address == link_local,
        What::Frame(_) => false,
    };
    witness.wait_from(0, "the detection fails", SOON, failed)?;
    let_pass(3 * DOWN)?;
    assert_eq!(agent.state(), Some(State::Fault));
    let text = fault(&agent).unwrap_or_default();
    assert!(text.contains("no address to send adverts from"), "{text}");
    assert_eq!(adverts_of(&capture, host), [] as [IpAddr; 0]);
    // The neighbour gives way, and the administrator tries again.
    lan.host(1)
        .ns
        .sh(&format!("ip addr del {link_local}/64 dev eth0"))?;
    host.ns
        .sh(&format!("ip addr del {link_local}/64 dev eth0"))?;
    host.ns
        .sh(&format!("ip addr add {link_local}/64 dev eth0"))?;
    agent.wait_state(State::Active, SOON)?;
    wait_vip(host, lan.vip6(), true, SOON)
}

// As a network manager does that knows of one address only: the others go at once.
#[test]
fn i09_all_vips_of_an_interface_that_is_flushed_are_back() -> Result<()> {
    require_agent!();
    let vips: Vec<IpAddr> = (1..=20).map(|n| [10, 78, 1, n].into()).collect();
    let pair = Agents::start(&[], |_, _, router| {
        router.vips = vips.iter().map(|vip| (*vip, 32)).collect();
    })?;
    let host = pair.lan.host(0);
    let witness = Witness::start(&host.ns, "eth0")?;
    // `ip addr flush` would look again, and take them off once more.
    let lines = vips
        .iter()
        .map(|vip| format!("addr del {vip}/32 dev eth0\n"));
    batch(&host.ns, &lines.collect::<String>())?;
    for vip in &vips {
        let gone =
            witness.wait_from(0, "a VIP goes", SOON, |event| event.is_address(*vip, true))?;
        let back = witness.wait_from(0, "a VIP is back", SOON, |event| {
            event.is_address(*vip, false)
        })?;
        let took = Duration::from_nanos(back.time.saturating_sub(gone.time));
        assert!(took <= RESTORED, "{vip}: {took:?}");
        let garp = |event: &Event| {
            let garp = event.frame().and_then(|frame| frame.garp());
            garp.is_some_and(|garp| IpAddr::from(garp.address) == *vip)
        };
        witness.wait_from(0, "a GARP", SOON, garp)?;
    }
    pair.steady(3 * DOWN)
}

// Another host has the VIP already: it is used all the same, and said to all.
#[test]
fn i11_an_ipv6_vip_is_used_without_detection() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let (host, other) = (lan.host(0), lan.host(1));
    let vip = lan.vip6();
    for setting in ["eth0/accept_dad", "eth0/dad_transmits", "all/accept_dad"] {
        host.ns.sysctl(&format!("net/ipv6/conf/{setting}"), "1")?;
    }
    other
        .ns
        .sh(&format!("ip addr add {vip}/64 dev eth0 nodad"))?;
    let witness = Witness::start(&host.ns, "eth0")?;
    let agent = Agent::start(&host.ns, &router6(&lan, 200))?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, vip, true, SOON)?;
    let said = |event: &Event| {
        let said = event.frame().and_then(|frame| frame.neighbour_advert());
        said.is_some_and(|said| IpAddr::from(said.target) == vip && said.overriding)
    };
    witness.wait_from(0, "an unsolicited NA", SOON, said)?;
    let_pass(3 * DOWN)?;
    let mut seen = 0;
    for event in witness.events() {
        if let What::Address(event) = event.what
            && event.address == vip
        {
            seen += 1;
            assert_eq!(event.flags & (TENTATIVE | DADFAILED), 0, "{event:?}");
            assert_ne!(event.flags & NODAD, 0, "{event:?}");
        }
    }
    assert!(seen >= 1);
    let status = agent.status()?;
    assert_eq!(instance(&status)["state"], "active", "{status}");
    Ok(())
}
