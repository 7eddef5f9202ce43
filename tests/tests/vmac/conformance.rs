//! What RFC 9568 8.1.2 and 8.2.2 say of ARP and neighbour discovery
//! (CONFORMANCE 2.7: D-01 to D-05, D-08 to D-12, D-19).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agents::SOON,
    capture::Capture,
    require_macvlan,
    router::{Router, State},
    topology::{Lan, Mac},
    wait::eventually,
};

use crate::lab::*;

const ARP: [u8; 2] = [0x08, 0x06];
const IPV6: [u8; 2] = [0x86, 0xdd];
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Under which MAC addresses a frame says that an IP address is found.
fn claims(frame: &[u8]) -> Option<Vec<(IpAddr, Mac)>> {
    let mac = |at: usize| Some(Mac(frame.get(at..at + 6)?.try_into().ok()?));
    let v6 = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = frame.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    };
    match frame.get(12..14)? {
        kind if kind == ARP => {
            let octets: [u8; 4] = frame.get(28..32)?.try_into().ok()?;
            let sender: IpAddr = Ipv4Addr::from(octets).into();
            Some(vec![(sender, mac(22)?), (sender, mac(6)?)])
        }
        kind if kind == IPV6 && frame.get(20) == Some(&58) => {
            let claimed = match *frame.get(54)? {
                SOLICITATION => v6(22)?,
                ADVERTISEMENT => v6(62)?,
                _ => return None,
            };
            // The one option that either has.
            let option = frame.get(78).and_then(|_| mac(80));
            let mut claims = vec![(v6(22)?, mac(6)?)];
            claims.extend(option.map(|mac| (claimed, mac)));
            Some(claims)
        }
        _ => None,
    }
}

/// From the start to the end of two routers, with traffic, hosts that have to
/// be asked for, and both ways of a fail-over: VIPs are said to be at their
/// virtual MAC address, and nowhere else.
fn vips_are_nowhere_else(vips: &str, vip: IpAddr, mac: Mac, lan: &Lan) -> Result<()> {
    let client = lan.host(2);
    let forget = |at: usize| lan.host(at).ns.sh("ip neigh flush dev eth0").map(drop);
    let capture = Capture::start(&client.ns, "eth0")?;
    for at in [0, 1] {
        lan.host(at).ns.sysctl("net/ipv4/ip_forward", "1")?;
        lan.host(at)
            .ns
            .sysctl("net/ipv6/conf/all/forwarding", "1")?;
    }
    let mut first = start(lan.host(0), &conf(200, "", vips), State::Active)?;
    let mut second = start(lan.host(1), &conf(100, "", vips), State::Backup)?;
    for at in [0, 1, 0] {
        match at {
            1 => {
                first.stop()?;
                second.wait_state(State::Active, SOON)?;
            }
            _ if second.state() == Some(State::Active) => {
                first = start(lan.host(0), &conf(200, "", vips), State::Active)?;
                second.wait_state(State::Backup, SOON)?;
            }
            _ => {}
        }
        client.ns.sh("ip neigh flush dev eth0")?;
        forget(at)?;
        eventually(SOON, "an answer", || {
            (neighbour(client, vip).ok()? == mac.to_string()).then_some(())
        })?;
        // No address was made of the virtual MAC address (D-19).
        let shown = lan.host(at).ns.sh("ip -6 -o addr show dev vrrp.51")?;
        ensure!(!shown.contains("5eff:fe"), "{shown}");
    }
    second.stop()?;
    first.stop()?;
    let all: Vec<_> = capture
        .frames()
        .iter()
        .filter_map(|frame| claims(&frame.bytes))
        .flatten()
        .filter(|(address, _)| *address == vip)
        .collect();
    // At least the announcements and answers of each of three.
    ensure!(all.len() > 10, "{all:?}");
    let wrong = all.iter().find(|(_, at)| *at != mac);
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(())
}

// proves: D-02, D-03
#[test]
fn in_ipv4_a_vip_is_at_its_mac_address_alone() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    vips_are_nowhere_else(&format!("{}/24", lan.vip()), lan.vip(), V4, &lan)
}

// proves: D-08, D-10, D-19
#[test]
fn in_ipv6_a_vip_is_at_its_mac_address_alone() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    vips_are_nowhere_else(&vips, lan.vip6(), V6, &lan)?;
    let lan = Lan::new(3)?;
    vips_are_nowhere_else(&vips_of(&lan), lan.vip6_link_local(), V6, &lan)
}

fn vips_of(lan: &Lan) -> String {
    format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6())
}

/// What is sent to the virtual MAC address is taken by the Active alone, and
/// forwarded by it (RFC 9568 6.4.2, 6.4.3).
// proves: S-13, S-35
#[test]
fn the_active_alone_forwards_what_is_sent_to_it() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vip = lan.vip();
    let text = |priority| conf(priority, "", &format!("{vip}/24"));
    // A network behind each router, of the same addresses.
    for at in [0, 1] {
        let ns = &lan.host(at).ns;
        ns.sysctl("net/ipv4/ip_forward", "1")?;
        ns.sh("ip addr add 203.0.113.1/32 dev lo")?;
    }
    let client = lan.host(2);
    let mut first = start(lan.host(0), &text(200), State::Active)?;
    let second = start(lan.host(1), &text(100), State::Backup)?;
    client
        .ns
        .sh(&format!("ip route add 203.0.113.0/24 via {vip}"))?;
    let ping = || client.ns.sh("ping -c 3 -i 0.2 -W 1 203.0.113.1");
    let said = ping()?;
    ensure!(!said.contains("DUP"), "{said}");
    let seen = |at: usize| -> Result<u64> {
        let line = lan.host(at).ns.sh("cat /proc/net/snmp")?;
        let mut icmp = line.lines().filter(|line| line.starts_with("Icmp:"));
        let (names, values) = (
            icmp.next().context("names")?,
            icmp.next().context("values")?,
        );
        let at = names.split(' ').position(|name| name == "InEchos");
        let value = values.split(' ').nth(at.context("InEchos")?);
        Ok(value.context("no value")?.parse()?)
    };
    ensure!(seen(0)? == 3 && seen(1)? == 0, "{} {}", seen(0)?, seen(1)?);
    first.stop()?;
    second.wait_state(State::Active, SOON)?;
    ping()?;
    ensure!(seen(0)? == 3 && seen(1)? == 3, "{} {}", seen(0)?, seen(1)?);
    Ok(())
}
