//! Virtual MAC addresses (use_vmac): what hosts, switches and the kernel see.

mod conformance;
mod elsewhere;
mod lab;
mod peer;

use std::net::IpAddr;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, backend, outcome},
    capture::{Capture, Frame},
    require_macvlan,
    router::{Router, State},
    topology::{Lan, Mac},
    wait::eventually,
};

use crate::lab::*;

/// The example of docs/vmac.md.
const EXAMPLE: &str = include_str!("../../../docs/vmac.md");

/// There and back again: hosts keep the address that they have, and the switch
/// has it at the right port at once. A Backup never uses it.
fn fail_over_and_back(vips: &str, vip: IpAddr, mac: Mac, lan: &Lan, lines: &str) -> Result<()> {
    let client = lan.host(2);
    let capture = Capture::start(&client.ns, "eth0")?;
    let mut first = start(lan.host(0), &conf(200, lines, vips), State::Active)?;
    let second = start(lan.host(1), &conf(100, lines, vips), State::Backup)?;
    assert!(is_up(&lan.host(0).ns, "vrrp.51") && !is_up(&lan.host(1).ns, "vrrp.51"));
    for agent in [&first, &second] {
        let status = agent.status()?;
        assert_eq!(backend(&status), "xdp-native");
        // On the link below, of the other's virtual MAC address.
        assert_eq!(status["links"].as_array().map(Vec::len), Some(1));
    }
    eventually(SOON, "the Backup to hear adverts", || {
        (outcome(&second.status().ok()?, "accepted") > 2).then_some(())
    })?;
    for at in [0, 1] {
        if at == 1 {
            first.stop()?;
            second.wait_state(State::Active, SOON)?;
        }
        let port = &lan.host(at).port.switch_side;
        eventually(SOON, "the switch to know", || {
            (seen_at(lan, mac).as_ref() == Some(port)).then_some(())
        })?;
        assert_eq!(neighbour(client, vip)?, mac.to_string());
    }
    assert!(!has_link(&lan.host(0).ns, "vrrp.51"), "it is removed");
    drop(first);
    let before = capture.mark();
    let first = start(lan.host(0), &conf(200, lines, vips), State::Active)?;
    second.wait_state(State::Backup, SOON)?;
    assert_eq!(neighbour(client, vip)?, mac.to_string());
    assert_eq!(
        seen_at(lan, mac).as_ref(),
        Some(&lan.host(0).port.switch_side)
    );
    eventually(SOON, "the Backup's interface to be down", || {
        (!is_up(&lan.host(1).ns, "vrrp.51")).then_some(())
    })?;
    let frames = capture.frames();
    let adverts = frames
        .iter()
        .skip(before)
        .filter(|frame| frame.advert().is_some());
    let sources: Vec<_> = adverts
        .filter_map(|frame| ethernet_source(&frame.bytes))
        .collect();
    let all = sources.iter().all(|source| *source == mac);
    assert_eq!(all, lines.is_empty(), "{sources:?}");
    let announces = |frame: &&Frame| {
        let garp = frame.garp().is_some_and(|garp| garp.address == vip);
        garp || frame.neighbour_advert().is_some_and(|na| na.target == vip)
    };
    let announced: Vec<_> = frames.iter().filter(announces).collect();
    assert!(!announced.is_empty(), "nobody announced {vip}");
    for frame in announced {
        assert_eq!(ethernet_source(&frame.bytes), Some(mac));
    }
    drop(first);
    Ok(())
}

// proves: X-03, X-04, S-30, D-04, D-05
#[test]
fn hosts_keep_their_neighbour_entry_at_a_fail_over() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    fail_over_and_back(&format!("{}/24", lan.vip()), lan.vip(), V4, &lan, "")
}

// proves: X-04
#[test]
fn so_they_do_with_adverts_from_the_interface_below() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/32", lan.vip());
    fail_over_and_back(&vips, lan.vip(), V4, &lan, "vmac_xmit_base")
}

// proves: S-32, D-11, D-12
#[test]
fn so_they_do_in_ipv6() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    fail_over_and_back(&vips, lan.vip6(), V6, &lan, "")
}

/// keepalived's words for it: the interface below is what counts, also where
/// the one with the virtual MAC address is tracked by name.
#[test]
fn the_loss_of_the_link_below_is_a_fault() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(2)?;
    let text = |priority| {
        let vips = format!("{}/24", lan.vip());
        conf(priority, "track_interface {\nvrrp.51\n}", &vips)
    };
    let first = start(lan.host(0), &text(200), State::Active)?;
    let second = start(lan.host(1), &text(100), State::Backup)?;
    // A Backup's own is down, and that is no fault.
    assert!(!is_up(&lan.host(1).ns, "vrrp.51"));
    lan.host(0).ns.sh("ip link set eth0 down")?;
    first.wait_state(State::Fault, SOON)?;
    second.wait_state(State::Active, SOON)?;
    assert!(!is_up(&lan.host(0).ns, "vrrp.51"));
    lan.host(0).ns.sh("ip link set eth0 up")?;
    lan.cut_cable(1)?;
    second.wait_state(State::Fault, SOON)?;
    eventually(SOON, "Active again", || {
        (first.state()? == State::Active && is_up(&lan.host(0).ns, "vrrp.51")).then_some(())
    })?;
    lan.mend(1)?;
    second.wait_state(State::Backup, SOON)?;
    Ok(())
}

/// However the agent ends, its interface goes; a reload keeps it, and moves to
/// another when told.
#[test]
fn the_interface_lives_as_long_as_the_instance() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let (ns, vip) = (&lan.host(0).ns, format!("{}/24", lan.vip()));
    let arp = |key: &str| ns.sh(&format!("cat /proc/sys/net/ipv4/conf/eth0/{key}"));
    let mut agent = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    assert_eq!(arp("arp_ignore")?.trim(), "1");
    let index = || ns.sh("ip -o link show vrrp.51").unwrap_or_default();
    let number = |text: String| text.split(':').next().map(str::to_owned);
    let before = number(index());

    agent.write_conf(&conf(101, "", &vip))?;
    assert_eq!(agent.reload()?.code, Some(0));
    assert_eq!(number(index()), before);
    let other = conf(101, "", &vip).replace("use_vmac", "use_vmac other0");
    agent.write_conf(&other)?;
    assert_eq!(agent.reload()?.code, Some(0));
    eventually(SOON, "the other interface", || {
        (is_up(ns, "other0") && !has_link(ns, "vrrp.51")).then_some(())
    })?;
    let moved = other.replace("other0", "other0 02:00:00:00:00:07");
    agent.write_conf(&moved)?;
    assert_eq!(agent.reload()?.code, Some(0));
    eventually(SOON, "the other address", || {
        let shown = ns.sh("ip -o link show other0").ok()?;
        (shown.contains("02:00:00:00:00:07") && shown.contains("UP")).then_some(())
    })?;

    // Somebody removes it, or takes it down.
    ns.sh("ip link del other0")?;
    eventually(SOON, "the interface again", || {
        is_up(ns, "other0").then_some(())
    })?;
    agent.wait_state(State::Active, SOON)?;
    ns.sh("ip link set other0 down")?;
    eventually(SOON, "the interface up again", || {
        is_up(ns, "other0").then_some(())
    })?;

    lan.delete_interface(0)?;
    agent.wait_state(State::Fault, SOON)?;
    lan.recreate_interface(0)?;
    agent.wait_state(State::Active, SOON)?;
    assert!(is_up(ns, "other0"));

    agent.stop()?;
    assert!(!has_link(ns, "other0"));
    assert_eq!(arp("arp_ignore")?.trim(), "0");
    Ok(())
}

#[test]
fn a_crash_leaves_no_interface() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let (ns, vip) = (&lan.host(0).ns, format!("{}/24", lan.vip()));
    let agent = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    let before = ns.sh("ip -o link show vrrp.51")?;
    let child = failoverd_tests::agents::pid(&agent)?;
    failoverd_tests::sys::kill(child, 9)?;
    // The one that is started next makes one of its own.
    eventually(SOON, "another interface", || {
        let now = ns.sh("ip -o link show vrrp.51").ok()?;
        (now.split(':').next() != before.split(':').next()).then_some(())
    })?;
    let family = agent.family();
    for pid in &family {
        let _ = failoverd_tests::sys::kill(*pid, 9);
    }
    drop(agent);
    eventually(SOON, "all of it to be gone", || {
        let left = family.iter().any(|pid| failoverd_tests::sys::exists(*pid));
        (!left).then_some(())
    })?;
    // Both at once: nobody was left to do it. The next start takes it over.
    assert!(has_link(ns, "vrrp.51"));
    let mut agent = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    agent.stop()?;
    assert!(!has_link(ns, "vrrp.51"));
    Ok(())
}

/// Another instance by then, or none that needs it: what is left goes. What a
/// running agent has stays.
#[test]
fn what_dead_agents_left_is_not_mistaken_for_what_living_ones_have() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let (ns, vip) = (&lan.host(0).ns, format!("{}/24", lan.vip()));
    let other = |vrid: u8| {
        let text = conf(100, "", &format!("10.77.9.{vrid}/24"));
        text.replace("router_id 51", &format!("router_id {vrid}"))
    };
    let dead = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    for pid in dead.family() {
        // The parent first, so that nothing is left to remove it.
        failoverd_tests::sys::kill(pid, 9)?;
    }
    drop(dead);
    let mut living = start(lan.host(0), &other(61), State::Active)?;
    assert!(!has_link(ns, "vrrp.51") && is_up(ns, "vrrp.61"));
    let number = || ns.sh("cat /sys/class/net/vrrp.61/ifindex");
    let before = number()?;
    let mut third = start(lan.host(0), &other(62), State::Active)?;
    assert_eq!(number()?, before);
    assert!(is_up(ns, "vrrp.61") && is_up(ns, "vrrp.62"));
    third.stop()?;
    assert!(is_up(ns, "vrrp.61") && !has_link(ns, "vrrp.62"));
    living.stop()?;
    assert!(!has_link(ns, "vrrp.61"));
    Ok(())
}

#[test]
fn an_interface_that_is_something_else_is_left_alone() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let (ns, vip) = (&lan.host(0).ns, format!("{}/24", lan.vip()));
    ns.sh("ip link add vrrp.51 type veth peer name other9")?;
    let agent = Agent::start_conf(ns, &conf(100, "", &vip), "VI_1")?;
    let why = "(VI_1) needs the interface vrrp.51 for its virtual MAC address";
    agent.process().wait_line(why, START)?;
    drop(agent);
    assert!(has_link(ns, "vrrp.51"));
    // One that the operator made as it has to be is used, and stays.
    ns.sh("ip link del vrrp.51")?;
    ns.sh(&format!(
        "ip link add vrrp.51 link eth0 address {V4} type macvlan mode bridge"
    ))?;
    let mut agent = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    assert!(is_up(ns, "vrrp.51"));
    agent.stop()?;
    assert!(has_link(ns, "vrrp.51") && !is_up(ns, "vrrp.51"));
    Ok(())
}

/// The raw socket hears adverts of a peer with the same address, also while
/// both are Active.
#[test]
fn other_backends_hear_a_peer_with_the_same_address() -> Result<()> {
    require_macvlan!();
    for backend in ["raw", "tcx"] {
        let lan = Lan::new(2)?;
        let text = |priority| conf(priority, "", &format!("{}/24", lan.vip()));
        let agent = |at: usize, priority| {
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("conf").display().to_string();
            std::fs::write(&path, text(priority))?;
            let arguments = ["run", "--config", &path, "--backend", backend];
            let agent = Agent::start_with(&lan.host(at).ns, &arguments, "VI_1")?;
            anyhow::Ok((agent, directory))
        };
        let (low, _kept) = agent(0, 100)?;
        low.wait_state(State::Active, START)?;
        lan.cut_silently(0)?;
        let (high, _kept) = agent(1, 200)?;
        high.wait_state(State::Active, START)?;
        lan.mend(0)?;
        low.wait_state(State::Backup, SOON)?;
        assert_eq!(high.state(), Some(State::Active));
    }
    Ok(())
}

#[test]
fn the_example_of_the_documentation_works() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let from = EXAMPLE.split("```\n").nth(1).context("no example")?;
    let agent = Agent::start_conf(&lan.host(0).ns, from, "GATEWAY")?;
    agent.wait_state(State::Active, START)?;
    let shown = lan.host(0).ns.sh("ip -o addr show vrrp.51")?;
    assert!(shown.contains("10.77.1.100/24"), "{shown}");
    Ok(())
}
