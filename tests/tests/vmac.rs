//! Virtual MAC addresses (use_vmac): what hosts, switches and the kernel see.

use std::net::IpAddr;

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    capture::Capture,
    keepalived::Keepalived,
    netns::Netns,
    privilege::{missing_link_type, missing_program, ready},
    require_agent,
    router::{Router, State},
    topology::{Host, Lan, Mac},
    wait::eventually,
};

/// RFC 9568 7.3, VRID 51.
const V4: Mac = Mac([0, 0, 0x5e, 0, 1, 51]);
const V6: Mac = Mac([0, 0, 0x5e, 0, 2, 51]);

/// The example of docs/vmac.md.
const EXAMPLE: &str = include_str!("../../docs/vmac.md");

macro_rules! require_macvlan {
    () => {
        require_agent!();
        if !ready(missing_link_type("macvlan")) {
            return Ok(());
        }
    };
}

fn conf(priority: u8, lines: &str, vips: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\npriority {priority}\n\
         virtual_router_id 51\nuse_vmac\n{lines}\nvirtual_ipaddress {{\n{vips}\n}}\n}}\n"
    )
}

fn start(host: &Host, text: &str, state: State) -> Result<Agent> {
    let agent = Agent::start_conf(&host.ns, text, "VI_1")?;
    agent.wait_state(state, START)?;
    Ok(agent)
}

fn has_link(ns: &Netns, name: &str) -> bool {
    ns.sh(&format!("ip link show {name}")).is_ok()
}

fn is_up(ns: &Netns, name: &str) -> bool {
    let shown = ns.sh(&format!("ip -o link show {name}"));
    shown.is_ok_and(|text| text.contains("UP"))
}

/// What a host believes; it has asked for it.
fn neighbour(client: &Host, vip: IpAddr) -> Result<String> {
    let family = if vip.is_ipv4() { "-4" } else { "-6" };
    client
        .ns
        .sh(&format!("ping {family} -c 1 -W 1 -I eth0 {vip}"))?;
    let shown = client.ns.sh(&format!("ip neigh show {vip} dev eth0"))?;
    let mut words = shown.split_whitespace();
    words.find(|word| *word == "lladdr");
    Ok(words.next().context("no neighbour")?.to_owned())
}

/// The port where the switch has seen an address last.
fn seen_at(lan: &Lan, mac: Mac) -> Option<String> {
    let table = lan.switch.ns.sh("bridge fdb show br br0 dynamic").ok()?;
    let line = table
        .lines()
        .find(|line| line.starts_with(&mac.to_string()))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "dev");
    words.next().map(str::to_owned)
}

fn ethernet_source(frame: &[u8]) -> Option<Mac> {
    Some(Mac(frame.get(6..12)?.try_into().ok()?))
}

/// There and back again: hosts keep the address that they have, and the switch
/// has it at the right port at once. A Backup never uses it.
fn fail_over_and_back(vips: &str, vip: IpAddr, mac: Mac, lan: &Lan, lines: &str) -> Result<()> {
    let client = lan.host(2);
    let capture = Capture::start(&client.ns, "eth0")?;
    let mut first = start(lan.host(0), &conf(200, lines, vips), State::Active)?;
    let second = start(lan.host(1), &conf(100, lines, vips), State::Backup)?;
    assert!(is_up(&lan.host(0).ns, "vrrp.51") && !is_up(&lan.host(1).ns, "vrrp.51"));
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
    for frame in frames.iter().filter(|frame| frame.garp().is_some()) {
        assert_eq!(ethernet_source(&frame.bytes), Some(mac));
    }
    drop(first);
    Ok(())
}

#[test]
fn hosts_keep_their_neighbour_entry_at_a_fail_over() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    fail_over_and_back(&format!("{}/24", lan.vip()), lan.vip(), V4, &lan, "")
}

#[test]
fn so_they_do_with_adverts_from_the_interface_below() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/32", lan.vip());
    fail_over_and_back(&vips, lan.vip(), V4, &lan, "vmac_xmit_base")
}

#[test]
fn so_they_do_in_ipv6() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(3)?;
    let vips = format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6());
    fail_over_and_back(&vips, lan.vip6(), V6, &lan, "")
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
    let mut agent = start(lan.host(0), &conf(100, "", &vip), State::Active)?;
    agent.stop()?;
    assert!(!has_link(ns, "vrrp.51"));
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

/// keepalived on the other side, in both places.
#[test]
fn keepalived_is_a_peer() -> Result<()> {
    require_macvlan!();
    if !ready(missing_program("keepalived")) {
        return Ok(());
    }
    for (ours, theirs) in [(200, 100), (100, 200)] {
        let lan = Lan::new(3)?;
        let vip = format!("{}/24", lan.vip());
        let state = |mine, other| match mine > other {
            true => State::Active,
            false => State::Backup,
        };
        let agent = Agent::start_conf(&lan.host(0).ns, &conf(ours, "", &vip), "VI_1")?;
        let text = conf(theirs, "", &vip);
        let peer = Keepalived::start_with(&lan.host(1).ns, &text, "VI_1")?;
        agent.wait_state(state(ours, theirs), START)?;
        peer.wait_state(state(theirs, ours), START)?;
        lan.cut_silently(usize::from(ours < theirs))?;
        agent.wait_state(State::Active, SOON)?;
        peer.wait_state(State::Active, SOON)?;
        lan.mend(usize::from(ours < theirs))?;
        agent.wait_state(state(ours, theirs), SOON)?;
        peer.wait_state(state(theirs, ours), SOON)?;
        if ours > theirs {
            // keepalived asks in the name of the VIP with the address of eth0,
            // from which the client learned while both were Active.
            lan.host(2).ns.sh("ip neigh flush dev eth0")?;
            assert_eq!(neighbour(lan.host(2), lan.vip())?, V4.to_string());
        }
        // What both set on the interface is the same.
        for setting in [
            "ipv4/conf/vrrp.51/arp_ignore",
            "ipv4/conf/vrrp.51/rp_filter",
            "ipv4/conf/vrrp.51/promote_secondaries",
            "ipv4/conf/eth0/arp_ignore",
            "ipv6/conf/vrrp.51/addr_gen_mode",
            "ipv6/conf/vrrp.51/disable_ipv6",
        ] {
            let read = |at: usize| {
                let line = format!("cat /proc/sys/net/{setting}");
                lan.host(at).ns.sh(&line)
            };
            assert_eq!(read(0)?, read(1)?, "{setting}");
        }
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
