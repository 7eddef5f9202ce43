//! More VIPs than an advert can carry: the surplus is held, and every router
//! cuts at the same place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    capture::Capture,
    keepalived::Keepalived,
    require_agent,
    router::{Router, State},
    topology::{Host, Lan},
    wait::eventually,
};

use crate::instance;

fn v4(count: u16) -> Vec<IpAddr> {
    let address = |n: u16| Ipv4Addr::from_bits(0x0a4d_6400 + u32::from(n)).into();
    (1..=count).map(address).collect()
}

fn v6(count: u16) -> Vec<IpAddr> {
    let address = |n| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x5e, n).into();
    (1..=count).map(address).collect()
}

/// All on the machine, or none.
fn holds(host: &Host, vips: &[IpAddr], all: bool) -> Result<()> {
    eventually(START, "all VIPs come or go", || {
        let shown = host.ns.sh("ip -o addr show dev eth0").ok()?;
        let found: std::collections::BTreeSet<&str> = shown
            .split_whitespace()
            .filter_map(|word| word.split_once('/').map(|(address, _)| address))
            .collect();
        let here = |vip: &IpAddr| found.contains(vip.to_string().as_str());
        let count = vips.iter().filter(|vip| here(vip)).count();
        (count == if all { vips.len() } else { 0 }).then_some(())
    })
}

/// What host `index` advertises.
fn advertised(lan: &Lan, capture: &Capture, index: usize) -> Result<Vec<IpAddr>> {
    let mac = lan.host(index).port.mac;
    let mark = capture.mark();
    capture
        .wait_from(mark, "an advert", SOON, |frame| {
            let advert = frame.advert()?;
            (advert.source_mac == mac && advert.priority > 0).then_some(advert.addresses)
        })
        .context("an advert")
}

/// Host 0 has priority 200, host 1 has 100. What host 0 advertises must be the
/// first `room` VIPs, and host 1 must agree, and say the same after it.
fn elect(
    first: Kind,
    second: Kind,
    vips: &[IpAddr],
    version: u8,
    mtu: u32,
    room: usize,
) -> Result<()> {
    let lan = Lan::new(2)?;
    let text: Vec<String> = vips.iter().map(ToString::to_string).collect();
    for index in [0, 1] {
        let line = format!("ip link set eth0 mtu {mtu}");
        lan.host(index).ns.sh(&line)?;
    }
    let capture = Capture::start(&lan.host(1).ns, "eth0")?;
    let mut active = first.start(lan.host(0), &instance(200, version, &text, ""))?;
    active.wait_state(State::Active, START)?;
    holds(lan.host(0), vips, true)?;
    let expected = vips.get(..room).context("fewer VIPs than room")?;
    let found = advertised(&lan, &capture, 0)?;
    ensure!(found == expected, "{} of {room}", found.len());
    let backup = second.start(lan.host(1), &instance(100, version, &text, ""))?;
    backup.wait_state(State::Backup, START)?;
    for peer in [&active, &backup] {
        let process = peer.process();
        let wrong = process
            .lines()
            .into_iter()
            .find(|line| line.text.contains("other addresses") || line.text.contains("mismatch"));
        ensure!(wrong.is_none(), "{wrong:?}");
    }
    active.process_mut().terminate()?;
    backup.wait_state(State::Active, START)?;
    holds(lan.host(0), vips, false)?;
    holds(lan.host(1), vips, true)?;
    let found = advertised(&lan, &capture, 1)?;
    ensure!(found == expected, "{} of {room}", found.len());
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Agent,
    Keepalived,
}

impl Kind {
    fn start(self, host: &Host, conf: &str) -> Result<Box<dyn Router>> {
        Ok(match self {
            Self::Agent => Box::new(Agent::start_conf(&host.ns, conf, "VI_1")?),
            Self::Keepalived => Box::new(Keepalived::start_with(&host.ns, conf, "VI_1")?),
        })
    }
}

// proves: F-17, F-24
#[test]
fn of_300_vips_two_agents_advertise_the_same_255() -> Result<()> {
    require_agent!();
    elect(Kind::Agent, Kind::Agent, &v4(300), 3, 1500, 255)
}

#[test]
fn of_300_vips_keepalived_as_active_and_we_advertise_the_same_255() -> Result<()> {
    require_agent!("keepalived");
    elect(Kind::Keepalived, Kind::Agent, &v4(300), 2, 1500, 255)
}

#[test]
fn of_300_vips_we_as_active_and_keepalived_advertise_the_same_255() -> Result<()> {
    require_agent!("keepalived");
    elect(Kind::Agent, Kind::Keepalived, &v4(300), 2, 1500, 255)
}

#[test]
fn the_mtu_bounds_the_ipv6_vips_as_with_keepalived() -> Result<()> {
    require_agent!("keepalived");
    elect(Kind::Keepalived, Kind::Agent, &v6(100), 3, 1500, 89)
}

#[test]
fn the_mtu_bounds_the_ipv4_vips_as_with_keepalived() -> Result<()> {
    require_agent!("keepalived");
    elect(Kind::Keepalived, Kind::Agent, &v4(140), 2, 576, 131)
}
