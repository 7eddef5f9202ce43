//! Nobody holds a VIP besides the Active, and the Active holds every VIP:
//! whatever others, the kernel or an earlier configuration do to the addresses.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agent::{self, Agent},
    agents::{Agents, DOWN, INTERVAL, SOON, START, pid, wait_vip},
    privilege, require_root,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
};

fn ready() -> bool {
    privilege::ready(agent::missing())
}

/// Two virtual routers with VIPs of one subnet in which the machine has no
/// address: the kernel removes the second VIP together with the first.
const NEIGHBOURS: &str = "
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 100
  version 3
  advert_int 0.1
  virtual_ipaddress { 203.0.113.10/28 }
}
vrrp_instance VI_2 {
  interface eth0
  virtual_router_id 52
  priority 100
  version 3
  advert_int 0.1
  virtual_ipaddress { 203.0.113.11/28 }
}
";

// I9, invariant 12
#[test]
fn a_vip_that_goes_with_that_of_another_instance_is_put_back() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let promote = "net/ipv4/conf/eth0/promote_secondaries";
    host.ns.sysctl(promote, "0")?;
    let agent = Agent::start_conf(&host.ns, NEIGHBOURS, "VI_2")?;
    agent.wait_state(State::Active, START)?;
    let (first, second) = ("203.0.113.10".parse()?, "203.0.113.11".parse()?);
    wait_vip(host, first, true, SOON)?;
    wait_vip(host, second, true, SOON)?;
    let mut better = VirtualRouter::new(200, first).every(INTERVAL);
    better.vrid = 51;
    let better = Agent::start(&lan.host(1).ns, &better)?;
    better.wait_state(State::Active, START)?;
    wait_vip(host, first, false, SOON)?;
    agent
        .process()
        .wait_line("(VI_2) VIP 203.0.113.11 is gone from the kernel", SOON)?;
    wait_vip(host, second, true, SOON)
}

// I12, invariant 26: more news than a socket holds, the loss of a VIP among it.
#[test]
fn what_an_overrun_hid_is_found() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let agent = Agent::start(&host.ns, &VirtualRouter::new(100, vip).every(INTERVAL))?;
    agent.wait_state(State::Active, START)?;
    wait_vip(host, vip, true, SOON)?;
    agent.freeze(true)?;
    // Each is a message of a kilobyte or more; there is room for 8 MiB.
    let many = "seq 20000 | sed 's/^/link set dev lo alias a/' | ip -batch -";
    host.ns.exec(["sh", "-c", many])?;
    host.ns.sh(&format!("ip addr del {vip}/24 dev eth0"))?;
    agent.freeze(false)?;
    wait_vip(host, vip, true, SOON)?;
    let line = "netlink announcements were lost, asking for everything";
    agent.process().wait_line(line, SOON)?;
    Ok(())
}

// I10, invariants 12 and 13
#[test]
fn a_vip_that_somebody_puts_on_a_backup_is_removed() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(1), pair.lan.vip());
    host.ns.sh(&format!("ip addr add {vip}/24 dev eth0"))?;
    wait_vip(host, vip, false, Duration::from_millis(500))?;
    let line = format!("somebody added VIP {vip} while we are not Active");
    pair.backup.process().wait_line(&line, SOON)?;
    assert!(pair.lan.host(0).has_address(vip)?);
    pair.steady(2 * DOWN)
}

// I10
#[test]
fn a_vip_left_with_another_prefix_is_removed_at_the_start() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let vip = lan.vip();
    let router = |priority| VirtualRouter::new(priority, vip).every(INTERVAL);
    let active = Agent::start(&lan.host(0).ns, &router(200))?;
    active.wait_state(State::Active, START)?;
    let host = lan.host(1);
    host.ns.sh(&format!("ip addr add {vip}/31 dev eth0"))?;
    let backup = Agent::start(&host.ns, &router(100))?;
    backup.wait_state(State::Backup, START)?;
    wait_vip(host, vip, false, SOON)
}

// T1, T4: what a service manager kills after a while must not keep its VIPs.
#[test]
fn a_stopped_agent_does_not_keep_its_vips_when_it_is_told_to_end() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    for signal in [libc::SIGTERM, libc::SIGABRT] {
        let mut pair = Agents::start(&[], |_, _, _| {})?;
        let vip = pair.lan.vip();
        sys::kill(pid(&pair.active)?, libc::SIGSTOP)?;
        pair.active.process().signal(signal)?;
        wait_vip(pair.lan.host(0), vip, false, SOON)?;
        pair.active.process_mut().wait(SOON)?;
    }
    Ok(())
}

// I4: a link with the index of the old one is another link.
#[test]
fn a_link_made_again_with_the_same_index_is_heard() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    for backend in ["native", "raw"] {
        let pair = Agents::start(&["--backend", backend], |_, _, _| {})?;
        let (host, switch) = (pair.lan.host(1), &pair.lan.switch.ns);
        let index = host.ns.enter(|| Ok(sys::interface_index("eth0")?))?;
        let (port, name) = (&host.port, switch.name());
        // Both at once, as for an agent that did not run meanwhile.
        pair.backup.freeze(true)?;
        let side = &port.switch_side;
        let veth = format!("index {index} type veth peer name {side} netns {name}");
        for line in [
            "ip link del eth0".to_owned(),
            format!("ip link add eth0 address {} {veth}", port.mac),
            format!("ip addr add {}/24 dev eth0", port.v4),
            "ip link set eth0 up".to_owned(),
        ] {
            host.ns.sh(&line)?;
        }
        switch.sh(&format!("ip link set {side} master br0 up"))?;
        pair.backup.freeze(false)?;
        pair.backup.process().wait_line("is gone", SOON)?;
        pair.backup_hears()?;
        pair.steady(3 * DOWN)?;
    }
    Ok(())
}

// T1 with I4: the restart after a crash finds no interface.
#[test]
fn a_crashed_agent_comes_back_with_its_interface() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let pair = Agents::start(&[], |_, _, _| {})?;
    let mark = pair.active.process().mark();
    pair.lan.delete_interface(0)?;
    sys::kill(pid(&pair.active)?, libc::SIGKILL)?;
    pair.active
        .process()
        .wait_line_from(mark, "eth0 does not exist", START)?;
    let mark = pair.active.process().mark();
    pair.lan.recreate_interface(0)?;
    pair.active
        .process()
        .wait_line_from(mark, "Entering MASTER STATE", START)?;
    wait_vip(pair.lan.host(0), pair.lan.vip(), true, SOON)
}
