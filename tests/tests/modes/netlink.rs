//! The kernel's announcements: lost, forged, disturbed, and in a race with
//! somebody else's hands; and settings that change underneath.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, INTERVAL, SOON, START, counter, instance, wait_vip},
    clock::monotonic,
    netns::Netns,
    probe::Probe,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys::{self, netlink},
    topology::{Host, Lan},
    wait::{eventually, let_pass},
};

use crate::lab::*;

/// A bound of the requirements: after lost announcements all is as it should be.
const RECONCILED: Duration = Duration::from_secs(1);

/// Announcements that found a socket of the namespace full.
fn lost(ns: &Netns) -> Result<u64> {
    let table = ns.enter(|| Ok(fs::read_to_string("/proc/thread-self/net/netlink")?))?;
    let drops = table.lines().skip(1);
    let drops = drops.filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
    Ok(drops.sum())
}

/// More than a socket of 8 MiB holds, while the agent does not run, and then
/// `change`, of which it can hear nothing.
fn unheard(host: &Host, agent: &Agent, change: &str) -> Result<u64> {
    let before = lost(&host.ns)?;
    agent.freeze(true)?;
    let mut lines = "addr replace 10.200.0.1/32 dev lo\n".repeat(30_000);
    lines.push_str(change);
    lines.push('\n');
    let done = batch(&host.ns, &lines);
    let during = lost(&host.ns)?;
    let woken = monotonic();
    agent.freeze(false)?;
    done?;
    assert!(during > before, "no announcement was lost");
    Ok(woken)
}

#[test]
fn i12_a_vip_that_goes_unheard_is_back() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let router = VirtualRouter::new(200, vip).every(INTERVAL);
    let agent = Agent::start(&host.ns, &router)?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, vip, true, SOON)?;
    let woken = unheard(host, &agent, &format!("addr del {vip}/24 dev eth0"))?;
    wait_vip(host, vip, true, SOON)?;
    let took = Duration::from_nanos(monotonic().saturating_sub(woken));
    assert!(took <= RECONCILED, "{took:?}");
    assert_eq!(agent.state(), Some(State::Active));
    Ok(())
}

#[test]
fn i12_a_link_that_goes_down_unheard_is_a_fault() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let router = VirtualRouter::new(200, vip).every(INTERVAL);
    let agent = Agent::start(&host.ns, &router)?;
    agent.wait_state(State::Active, START)?;
    let woken = unheard(host, &agent, "link set eth0 down")?;
    let fault = agent.wait_state(State::Fault, SOON)?;
    let took = Duration::from_nanos(fault.time.saturating_sub(woken));
    assert!(took <= RECONCILED, "{took:?}");
    wait_vip(host, vip, false, SOON)
}

/// ifinfomsg: any type, this index, not up.
fn link_down(ifindex: u32) -> Vec<u8> {
    let mut message = vec![0; 4];
    message.extend(ifindex.to_ne_bytes());
    message.extend([0; 8]);
    message
}

/// ifaddrmsg and IFA_LOCAL.
fn address(ifindex: u32, address: std::net::IpAddr) -> Vec<u8> {
    const IFA_LOCAL: u16 = 2;
    let mut message = vec![libc::AF_INET as u8, 24, 0, 0];
    message.extend(ifindex.to_ne_bytes());
    message.extend(8_u16.to_ne_bytes());
    message.extend(IFA_LOCAL.to_ne_bytes());
    if let std::net::IpAddr::V4(address) = address {
        message.extend(address.octets());
    }
    message
}

// Only the kernel may speak of the kernel's objects.
#[test]
fn i13_what_another_process_announces_is_not_believed() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    let told = host.ns.enter(|| {
        let ifindex = sys::interface_index("eth0")?;
        let ports = netlink::ports(&fs::read_to_string("/proc/thread-self/net/netlink")?);
        let mut told = 0;
        for _ in 0..3 {
            for port in &ports {
                for (kind, body) in [
                    (libc::RTM_NEWLINK, link_down(ifindex)),
                    (libc::RTM_DELADDR, address(ifindex, vip)),
                    (libc::RTM_DELLINK, link_down(ifindex)),
                ] {
                    // Sockets that are connected to the kernel refuse it.
                    told += usize::from(netlink::forge(*port, kind, &body).is_ok());
                }
            }
        }
        Ok(told)
    })?;
    assert!(told >= 3, "nobody could be told anything");
    pair.steady(3 * DOWN)?;
    let status = pair.active.status()?;
    assert_eq!(counter(&status, "addresses_restored"), 0, "{status}");
    assert!(host.has_address(vip)?);
    Ok(())
}

/// `verb` for that many addresses of lo.
fn addresses_of_lo(verb: &str, second: u8, count: u32) -> String {
    let line = |n| {
        format!(
            "addr {verb} 10.{second}.{}.{}/32 dev lo\n",
            n / 250,
            n % 250 + 1
        )
    };
    (0..count).map(line).collect()
}

/// Makes and removes addresses until told to end.
fn churn(ns: &Netns, end: &AtomicBool) -> Result<()> {
    let lines = ["add", "del"].map(|verb| addresses_of_lo(verb, 201, 100));
    while !end.load(Ordering::Relaxed) {
        batch(ns, &lines.concat())?;
    }
    Ok(())
}

// A list of several parts, of which each change spoils the rest: asked for again.
#[test]
fn i14_a_machine_that_changes_all_the_time_is_seen_as_it_is() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let host = pair.lan.host(0);
    batch(&host.ns, &addresses_of_lo("add", 202, 2000))?;
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let churning = scope.spawn(|| churn(&host.ns, &end));
        let seen = (0..100).try_for_each(|_| -> Result<()> {
            let status = pair.active.status()?;
            let vip = &instance(&status)["vips"][0];
            anyhow::ensure!(vip["present"] == true, "{status}");
            Ok(())
        });
        let rounds = seen.and_then(|()| {
            (0..3).try_for_each(|_| -> Result<()> {
                pair.lan.delete_interface(0)?;
                pair.active.wait_state(State::Fault, SOON)?;
                pair.lan.recreate_interface(0)?;
                pair.active.wait_state(State::Active, SOON)?;
                pair.backup.wait_state(State::Backup, SOON)?;
                wait_vip(host, pair.lan.vip(), true, SOON)
            })
        });
        end.store(true, Ordering::Relaxed);
        let churned = churning.join().unwrap_or_else(|_| Ok(()));
        rounds.and(churned)
    })?;
    let faults = states(&pair.active);
    let faults = faults.iter().filter(|state| **state == State::Fault);
    assert_eq!(faults.count(), 3, "a fault that was none");
    pair.steady(3 * DOWN)
}

const ROLE: &str = "track_file role {\nfile FILE\nweight -1\ninit_file 0\n}";

// Others add and remove what we add and remove: EEXIST, EADDRNOTAVAIL.
#[test]
fn i15_a_race_for_the_vip_ends_with_one_holder() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let vip = lan.vip();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("role");
    fs::write(&file, "0\n")?;
    let globals = ROLE.replace("FILE", &file.display().to_string());
    let better = conf(&globals, 200, "track_file {\nrole\n}");
    let active = Agent::start_conf(&lan.host(0).ns, &better, "VI_1")?;
    active.wait_state(State::Active, START)?;
    let backup = Agent::start_conf(&lan.host(1).ns, &conf("", 100, ""), "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    for round in 0..40 {
        let value = if round % 4 < 2 { 150 } else { 0 };
        fs::write(&file, format!("{value}\n"))?;
        for host in &lan.hosts {
            for verb in ["add", "del", "del", "add"] {
                // Whoever comes second fails, and that is the race.
                let _ = host.ns.sh(&format!("ip addr {verb} {vip}/24 dev eth0"));
            }
        }
    }
    fs::write(&file, "0\n")?;
    eventually(2 * SOON, "one holder", || {
        let states = [&active, &backup].map(|agent| agent.state());
        let held = [0, 1].map(|index| lan.host(index).has_address(vip).ok());
        let expected = [Some(State::Active), Some(State::Backup)];
        (states == expected && held == [Some(true), Some(false)]).then_some(())
    })?;
    sends(&active, 5)?;
    assert!(lan.host(0).has_address(vip)? && !lan.host(1).has_address(vip)?);
    Ok(())
}

// Filters of the IP stack come after the hook, and a VIP is an address of the
// interface itself.
#[test]
fn i17_settings_that_change_underneath_do_not_reach_us() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let probe = Probe::start(pair.client(), pair.lan.vip(), Duration::from_millis(5))?;
    let active = pair.lan.host(0).port.mac;
    probe.wait_answer(monotonic(), Some(active), SOON)?;
    let settings = [
        ("net/ipv4/conf/all/rp_filter", ["1", "2"]),
        ("net/ipv4/conf/eth0/rp_filter", ["1", "0"]),
        ("net/ipv4/conf/all/arp_ignore", ["1", "2"]),
        ("net/ipv4/conf/all/arp_announce", ["2", "0"]),
        ("net/ipv4/conf/eth0/accept_local", ["1", "0"]),
        ("net/ipv4/conf/all/forwarding", ["1", "0"]),
        ("net/ipv6/conf/all/forwarding", ["1", "0"]),
        ("net/ipv4/conf/eth0/promote_secondaries", ["1", "0"]),
    ];
    for host in &pair.lan.hosts[..2] {
        for (key, values) in settings {
            for value in values {
                host.ns.sysctl(key, value)?;
            }
        }
        pair.steady(2 * DOWN)?;
    }
    probe.wait_answer(monotonic(), Some(active), SOON)?;
    Ok(())
}

// IPv6 is switched off and on: the link-local address goes, and another comes.
#[test]
fn i17_ipv6_that_is_switched_off_is_a_fault_until_it_is_on() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let mut router = VirtualRouter::new(200, lan.vip6()).every(INTERVAL);
    router.vips = vec![(lan.vip6_link_local(), 64), (lan.vip6(), 64)];
    let agent = Agent::start(&host.ns, &router)?;
    agent.wait_state(State::Active, START)?;
    let key = "net/ipv6/conf/eth0/disable_ipv6";
    host.ns.sysctl(key, "1")?;
    agent.wait_state(State::Fault, SOON)?;
    host.ns.sysctl(key, "0")?;
    agent.wait_state(State::Active, SOON)?;
    wait_vip(host, lan.vip6(), true, SOON)?;
    let_pass(2 * DOWN).context("nothing more")?;
    assert_eq!(agent.state(), Some(State::Active));
    Ok(())
}
