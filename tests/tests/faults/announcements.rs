//! Hosts and switches that have to learn where a VIP is now.

use std::time::Duration;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, SOON, START},
    capture::{Capture, Frame},
    require_agent,
    router::{Router, State},
    topology::{Direction, Host, Lan, Loss, Mac},
    wait::{eventually, let_pass},
};

use crate::lab::*;

/// What its kernel believes; nothing is asked.
fn entry(host: &Host, vip: std::net::IpAddr) -> Result<String> {
    let shown = host.ns.sh(&format!("ip neigh show {vip} dev eth0"))?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "lladdr");
    Ok(words.next().context("no entry")?.to_owned())
}

fn wait_entry(host: &Host, vip: std::net::IpAddr, mac: Mac, within: Duration) -> Result<()> {
    eventually(within, "the entry of the host", || {
        (entry(host, vip).ok()? == mac.to_string()).then_some(())
    })
}

/// Host 0 is Active, host 1 Backup, host 2 has asked for the VIP.
fn learned(lines: &str) -> Result<(Lan, Agent, Agent)> {
    let lan = Lan::new(3)?;
    let start = |index: usize, priority, state| -> Result<Agent> {
        let agent = Agent::start_conf(&lan.host(index).ns, &conf("", priority, lines), "VI_1")?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    let active = start(0, 200, State::Active)?;
    let backup = start(1, 100, State::Backup)?;
    wait_status(&backup, "the Backup hears", |status| {
        status["instances"][0]["active"].is_string()
    })?;
    lan.host(2)
        .ns
        .sh(&format!("ping -c 1 -W 2 {}", lan.vip()))?;
    assert_eq!(
        entry(lan.host(2), lan.vip())?,
        lan.host(0).port.mac.to_string()
    );
    Ok((lan, active, backup))
}

/// Announcements of the second host, as the client gets them.
fn garps(capture: &Capture, from: Mac) -> usize {
    let garps = capture.garps();
    garps
        .iter()
        .filter(|(_, garp)| garp.claimed == from)
        .count()
}

// The switch sends frames for the VIP to the new port from the first GARP on:
// whoever has an entry changes it, whatever its settings say of GARP.
#[test]
fn n11_n13_an_entry_and_the_switch_follow_the_first_garp() -> Result<()> {
    require_agent!("ping");
    // No second burst that could make up for the first.
    let (lan, _active, backup) = learned("garp_master_delay 0")?;
    let (vip, client, mac) = (lan.vip(), lan.host(2), lan.host(1).port.mac);
    // Others learn nothing new from GARP, and this one nothing at all.
    client.ns.sysctl("net/ipv4/conf/eth0/arp_accept", "0")?;
    client.ns.sysctl("net/ipv4/conf/eth0/arp_ignore", "2")?;
    client.ns.sysctl("net/ipv4/conf/eth0/arp_announce", "2")?;
    let capture = Capture::start(&client.ns, "eth0")?;
    lan.cut_silently(0)?;
    capture.wait_for("a GARP", SOON, |frame: &Frame| {
        frame.garp().filter(|garp| garp.claimed == mac)
    })?;
    wait_entry(client, vip, mac, SOON)?;
    let table = lan.switch.ns.sh("bridge fdb show br br0")?;
    let known = table
        .lines()
        .find(|line| line.starts_with(&mac.to_string()));
    assert!(known.is_some_and(|line| line.contains("dev p2")), "{table}");
    // No question is lost from then on.
    let out = client.ns.sh(&format!("ping -c 20 -i 0.01 -W 1 {vip}"))?;
    assert!(out.contains(" 0% packet loss"), "{out}");
    backup.wait_state(State::Active, SOON)?;
    Ok(())
}

// The first burst is lost; the second one arrives.
#[test]
fn n12_a_host_that_missed_the_first_garps_hears_the_next() -> Result<()> {
    require_agent!("ping");
    let (lan, _active, backup) = learned("garp_master_delay 1")?;
    let (vip, client, mac) = (lan.vip(), lan.host(2), lan.host(1).port.mac);
    let own = Capture::start(&lan.host(1).ns, "eth0")?;
    lan.cut_one_way(1, Direction::FromHost, Loss::Announcements)?;
    lan.cut_silently(0)?;
    backup.wait_state(State::Active, SOON)?;
    eventually(SOON, "the first burst", || {
        (garps(&own, mac) >= 5).then_some(())
    })?;
    assert_eq!(entry(client, vip)?, lan.host(0).port.mac.to_string());
    let capture = Capture::start(&client.ns, "eth0")?;
    lan.mend_one_way()?;
    wait_entry(client, vip, mac, SOON)?;
    assert!(garps(&capture, mac) >= 1, "nothing was announced again");
    Ok(())
}

/// Multicast listener report of MLDv2 (RFC 3810 5.2) or membership report of
/// IGMPv3 (RFC 3376 4.2), for `group`.
fn reports(frame: &Frame, group: &[u8]) -> bool {
    let bytes = &frame.bytes;
    let mld = bytes.get(12..14) == Some(&[0x86, 0xdd]) && bytes.get(62) == Some(&143);
    let igmp = bytes.get(12..14) == Some(&[8, 0]) && bytes.get(23) == Some(&2);
    frame.outgoing && (mld || igmp) && bytes.windows(group.len()).any(|part| part == group)
}

// A switch that watches memberships and has no querier forgets them. Both groups
// are reported when they are joined; that of IPv6, which such a switch may hold
// back, is again when the carrier comes back. That of IPv4 it must not hold back
// (RFC 4541 2.1.2), and adverts come through without.
#[test]
fn n09_memberships_are_reported_whenever_the_link_comes() -> Result<()> {
    require_agent!();
    const V4: [u8; 4] = [224, 0, 0, 18];
    const V6: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12];
    let lan = Lan::new(3)?;
    lan.switch.ns.sh(
        "ip link set br0 type bridge mcast_snooping 1 mcast_querier 0 \
         mcast_membership_interval 100 mcast_last_member_interval 10",
    )?;
    let capture = Capture::start(&lan.host(1).ns, "eth0")?;
    let pair = Agents::start_on(lan, &[], |lan, _, router| {
        router.interval = FAST;
        router.vips = vec![(lan.vip(), 24)];
    })?;
    let six = pair_of_ipv6(&pair)?;
    let reported = |mark: usize, group: &[u8]| {
        let what = format!("a report of the group {group:?}");
        capture.wait_from(mark, &what, SOON, |frame| {
            reports(frame, group).then_some(())
        })
    };
    reported(0, &V4)?;
    reported(0, &V6)?;
    // The membership that the switch has noted is over by now.
    let_pass(Duration::from_millis(1200))?;
    pair.steady(10 * FAST_DOWN)?;
    let states: Vec<_> = six.iter().map(Agent::state).collect();
    assert_eq!(states, [Some(State::Active), Some(State::Backup)]);
    let mark = capture.mark();
    pair.lan.cut_cable(1)?;
    pair.backup.wait_state(State::Fault, SOON)?;
    pair.lan.mend(1)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    reported(mark, &V6)
}

/// A second pair beside it, in IPv6.
fn pair_of_ipv6(pair: &Agents) -> Result<[Agent; 2]> {
    let start = |index: usize, priority, state| -> Result<Agent> {
        let mut router = failoverd_tests::router::VirtualRouter::new(priority, pair.lan.vip6());
        router.vrid = 52;
        router.interval = FAST;
        let agent = failoverd_tests::agents::start(pair.lan.host(index), &router, &[])?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    Ok([start(0, 200, State::Active)?, start(1, 100, State::Backup)?])
}
