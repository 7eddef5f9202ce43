//! `static_ipaddress` and `promote_secondaries`: what is of the machine and not
//! of an instance.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use failoverd_tests::{
    agents::{SOON, START, pid, wait_vip},
    require_agent,
    router::{Router, State},
    sys,
    topology::{Host, Lan},
    wait::eventually,
};

use crate::{active, instance, strings};

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn with_statics(statics: &[&str]) -> String {
    let vips = instance(200, 3, &strings(&["10.77.9.1"]), "");
    format!("static_ipaddress {{\n{}\n}}\n{vips}", statics.join("\n"))
}

#[test]
fn a_static_address_is_put_back_unless_it_is_not_tracked() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let conf = with_statics(&[
        "192.0.2.5/24 dev eth0",
        "192.0.2.7/32 dev lo no_track",
        "192.0.2.9/32 dev lo",
    ]);
    // There before us: put back as well, and not ours to remove.
    host.ns.sh("ip addr add 192.0.2.9/32 dev lo")?;
    let mut agent = active(host, &conf)?;
    for line in [
        "192.0.2.7/32 dev lo",
        "192.0.2.5/24 dev eth0",
        "192.0.2.9/32 dev lo",
    ] {
        host.ns.sh(&format!("ip addr del {line}"))?;
    }
    wait_vip(host, ip("192.0.2.5"), true, SOON)?;
    wait_vip(host, ip("192.0.2.9"), true, SOON)?;
    ensure!(!host.has_address(ip("192.0.2.7"))?);
    ensure!(agent.transitions().len() <= 2);
    agent.stop()?;
    ensure!(!host.has_address(ip("192.0.2.5"))?);
    ensure!(host.has_address(ip("192.0.2.9"))?);
    Ok(())
}

#[test]
fn a_reload_changes_static_addresses_by_difference() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let mut agent = active(
        host,
        &with_statics(&["192.0.2.5/24 dev eth0", "192.0.2.6/24 dev eth0"]),
    )?;
    let witness = failoverd_tests::witness::Witness::start(&host.ns, "eth0")?;
    agent.write_conf(&with_statics(&[
        "192.0.2.6/24 dev eth0",
        "192.0.2.7/24 dev eth0",
    ]))?;
    let ended = agent.reload()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    let said = ended.output.join("\n");
    ensure!(
        said.contains("static_ipaddress: 192.0.2.5/24 dev eth0 -> 192.0.2.7/24 dev eth0"),
        "{said}"
    );
    wait_vip(host, ip("192.0.2.7"), true, SOON)?;
    wait_vip(host, ip("192.0.2.6"), true, SOON)?;
    ensure!(!host.has_address(ip("192.0.2.5"))?);
    let events = witness.events();
    let vip = events
        .iter()
        .any(|event| event.is_address(ip("10.77.9.1"), true));
    ensure!(!vip, "the VIP was touched: {events:?}");
    agent.stop()?;
    for address in ["192.0.2.6", "192.0.2.7"] {
        ensure!(!host.has_address(ip(address))?, "{address}");
    }
    Ok(())
}

/// A crash leaves them, and the next start knows them for its own.
#[test]
fn a_static_address_outlives_a_crash_and_not_the_end() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let mut agent = active(host, &with_statics(&["192.0.2.5/24 dev eth0"]))?;
    let mark = agent.process().mark();
    let witness = failoverd_tests::witness::Witness::start(&host.ns, "eth0")?;
    sys::kill(pid(&agent)?, libc::SIGKILL)?;
    agent
        .process()
        .wait_line_from(mark, "Entering MASTER STATE", START)?;
    let events = witness.events();
    let gone = events
        .iter()
        .any(|event| event.is_address(ip("192.0.2.5"), true));
    ensure!(!gone, "{events:?}");
    agent.stop()?;
    ensure!(!host.has_address(ip("192.0.2.5"))?);
    Ok(())
}

/// An instance whose adverts come from a static address.
#[test]
fn adverts_can_come_from_a_static_address() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    host.ns.sh("ip -4 addr flush dev eth0")?;
    let agent = active(host, &with_statics(&["192.0.2.5/24 dev eth0"]))?;
    let status = agent.status()?;
    ensure!(status["instances"][0]["source"] == "192.0.2.5", "{status}");
    Ok(())
}

/// A tracked address that comes back at once is no loss; one that cannot is.
#[test]
fn a_track_group_gives_up_without_its_static_address() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    host.ns
        .sh("ip link add other0 type veth peer name other1")?;
    let conf = with_statics(&["192.0.2.5/24 dev other0 track_group G"]);
    let conf = format!("{conf}track_group G {{\ngroup {{\nVI_1\n}}\n}}\n");
    let agent = active(host, &conf)?;
    host.ns.sh("ip addr del 192.0.2.5/24 dev other0")?;
    wait_vip(host, ip("192.0.2.5"), true, SOON)?;
    ensure!(host.has_address(ip("10.77.9.1"))?);
    let mark = agent.process().mark();
    host.ns.sh("ip link del other0")?;
    let line = "Entering FAULT STATE";
    agent.process().wait_line_from(mark, line, SOON)?;
    wait_vip(host, ip("10.77.9.1"), false, SOON)?;
    host.ns
        .sh("ip link add other0 type veth peer name other1")?;
    wait_vip(host, ip("10.77.9.1"), true, START)?;
    wait_vip(host, ip("192.0.2.5"), true, SOON)
}

fn promotes(host: &Host) -> Result<bool> {
    let path = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries";
    Ok(host.ns.sh(&format!("cat {path}"))?.trim() == "1")
}

#[test]
fn promote_secondaries_is_set_while_it_is_needed() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let key = "net/ipv4/conf/eth0/promote_secondaries";
    let first = strings(&["203.0.113.1/24", "203.0.113.2/24", "203.0.113.3/24"]);
    let conf = |vips: &[String]| instance(200, 3, vips, "promote_secondaries");
    for already in ["1", "0"] {
        host.ns.sysctl(key, already)?;
        let mut agent = active(host, &conf(&first))?;
        ensure!(promotes(host)?);
        let witness = failoverd_tests::witness::Witness::start(&host.ns, "eth0")?;
        agent.write_conf(&conf(&first[1..]))?;
        let ended = agent.reload()?;
        ensure!(ended.code == Some(0), "{ended:?}");
        wait_vip(host, ip("203.0.113.1"), false, SOON)?;
        let events = witness.events();
        for other in ["203.0.113.2", "203.0.113.3"] {
            let gone = events.iter().any(|event| event.is_address(ip(other), true));
            ensure!(!gone, "{other} went along: {events:?}");
            ensure!(host.has_address(ip(other))?, "{other}");
        }
        agent.write_conf(&instance(200, 3, &first, ""))?;
        let ended = agent.reload()?;
        ensure!(ended.code == Some(0), "{ended:?}");
        eventually(SOON, "it is put back where it was", || {
            (promotes(host).ok()? == (already == "1")).then_some(())
        })?;
        agent.write_conf(&conf(&first))?;
        agent.reload()?;
        eventually(SOON, "it is set", || promotes(host).ok()?.then_some(()))?;
        agent.stop()?;
        ensure!(promotes(host)? == (already == "1"), "{already}");
    }
    Ok(())
}

/// An instance that only elects: v2, as a v3 advert cannot be without address.
#[test]
fn an_instance_without_vips_takes_part() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = |priority| {
        format!(
            "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\nversion 2\n\
             priority {priority}\nadvert_int 1\nno_virtual_ipaddress\n}}\n"
        )
    };
    let mut better = active(lan.host(0), &conf(200))?;
    let start = |priority| {
        let host = lan.host(1);
        failoverd_tests::agent::Agent::start_conf(&host.ns, &conf(priority), "VI_1")
    };
    let other = start(100)?;
    other.wait_state(State::Backup, START)?;
    better.stop()?;
    other.wait_state(State::Active, START)?;
    Ok(())
}
