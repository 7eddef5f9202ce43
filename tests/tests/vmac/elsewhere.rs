//! VIPs with virtual MAC addresses on other interfaces than the instance's
//! (`use_vmac_addr`, and `use_vmac` behind a VIP).

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    keepalived::Keepalived,
    netns::Netns,
    require_macvlan,
    router::{Router, State},
    topology::{Host, Lan, Switch},
    wait::eventually,
};

use crate::lab::*;

/// Three machines on two switches each.
struct Two {
    lan: Lan,
    _second: Switch,
}

const FAR: &str = "10.78.9.100";
const FAR6: &str = "fd78::100";

impl Two {
    fn new() -> Result<Self> {
        let lan = Lan::new(3)?;
        let mut second = Switch::new(2)?;
        for (at, host) in lan.hosts.iter().enumerate() {
            second.connect(&host.ns, "eth1")?;
            let number = at + 1;
            for (address, length) in [
                (format!("10.78.9.{number}"), 24),
                (format!("fd78::{number}"), 64),
            ] {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                let add = format!("ip addr add {address}/{length} dev eth1 {nodad}");
                host.ns.sh(&add)?;
            }
        }
        Ok(Self {
            lan,
            _second: second,
        })
    }

    fn ns(&self, at: usize) -> &Netns {
        &self.lan.host(at).ns
    }

    /// What the client believes of all VIPs.
    fn beliefs(&self) -> Result<[String; 3]> {
        let far = |vip: &str| -> Result<String> {
            let client = self.ns(2);
            let vip: IpAddr = vip.parse()?;
            let family = if vip.is_ipv4() { "-4" } else { "-6" };
            client.sh(&format!("ping {family} -c 1 -W 1 -I eth1 {vip}"))?;
            let shown = client.sh(&format!("ip neigh show {vip} dev eth1"))?;
            let mut words = shown.split_whitespace();
            words.find(|word| *word == "lladdr");
            Ok(words.next().context("no neighbour")?.to_owned())
        };
        let near = neighbour(self.lan.host(2), self.lan.vip())?;
        Ok([near, far(FAR)?, far(FAR6)?])
    }

    fn expect(&self) -> Result<()> {
        let found = eventually(SOON, "answers of all VIPs", || self.beliefs().ok())?;
        ensure!(
            found == [V4, V4, V6].map(|mac| mac.to_string()),
            "{found:?}"
        );
        Ok(())
    }
}

fn far_conf(priority: u8, vip: IpAddr, each: bool) -> String {
    let (all, one) = match each {
        false => ("use_vmac\nuse_vmac_addr", ""),
        true => ("use_vmac", "use_vmac"),
    };
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\npriority {priority}\n\
         virtual_router_id 51\n{all}\nvirtual_ipaddress {{\n{vip}/32\n{FAR}/32 dev eth1 {one}\n}}\n\
         virtual_ipaddress_excluded {{\n{FAR6}/128 dev eth1 {one} preferred_lft forever\n}}\n}}\n"
    )
}

#[test]
fn they_move_with_their_mac_addresses() -> Result<()> {
    require_macvlan!();
    let two = Two::new()?;
    let vip = two.lan.vip();
    let mut first = start(two.lan.host(0), &far_conf(200, vip, false), State::Active)?;
    let second = start(two.lan.host(1), &far_conf(100, vip, true), State::Backup)?;
    let names = ["vrrp.51", "vrrp1.51", "vrrp6.51"];
    for name in names {
        ensure!(is_up(two.ns(0), name), "{name}");
        ensure!(
            has_link(two.ns(1), name) && !is_up(two.ns(1), name),
            "{name}"
        );
    }
    let quiet = |at| two.ns(at).sh("cat /proc/sys/net/ipv4/conf/eth1/arp_ignore");
    ensure!(quiet(0)?.trim() == "1");
    two.expect()?;
    first.stop()?;
    for name in names {
        ensure!(!has_link(two.ns(0), name), "{name}");
    }
    ensure!(quiet(0)?.trim() == "0");
    second.wait_state(State::Active, SOON)?;
    two.expect()?;
    // One that is taken down or removed is put back, as a VIP is.
    two.ns(1).sh("ip link set vrrp6.51 down")?;
    eventually(SOON, "the interface up again", || {
        is_up(two.ns(1), "vrrp6.51").then_some(())
    })?;
    two.ns(1).sh("ip link del vrrp1.51")?;
    eventually(SOON, "the interface again", || {
        is_up(two.ns(1), "vrrp1.51").then_some(())
    })?;
    second.wait_state(State::Active, SOON)?;
    two.expect()
}

/// A reload that asks for them, and one that does without.
#[test]
fn they_come_and_go_with_a_reload() -> Result<()> {
    require_macvlan!();
    let two = Two::new()?;
    let vip = two.lan.vip();
    let with = far_conf(200, vip, false);
    let agent = start(
        two.lan.host(0),
        &with.replace("use_vmac_addr", ""),
        State::Active,
    )?;
    ensure!(!has_link(two.ns(0), "vrrp1.51"));
    agent.write_conf(&with)?;
    ensure!(agent.reload()?.code == Some(0));
    eventually(SOON, "the interfaces", || {
        (is_up(two.ns(0), "vrrp1.51") && is_up(two.ns(0), "vrrp6.51")).then_some(())
    })?;
    two.expect()?;
    agent.write_conf(&with.replace("use_vmac_addr", ""))?;
    ensure!(agent.reload()?.code == Some(0));
    eventually(SOON, "no such interfaces", || {
        (!has_link(two.ns(0), "vrrp1.51") && !has_link(two.ns(0), "vrrp6.51")).then_some(())
    })?;
    eventually(SOON, "the own one up again", || {
        is_up(two.ns(0), "vrrp.51").then_some(())
    })
}

/// keepalived takes over, and gives back.
#[test]
fn keepalived_has_them_too() -> Result<()> {
    require_macvlan!("keepalived");
    let two = Two::new()?;
    let vip = two.lan.vip();
    let start = || Agent::start_conf(two.ns(0), &far_conf(200, vip, false), "VI_1");
    let first = start()?;
    let second = Keepalived::start_with(two.ns(1), &far_conf(100, vip, false), "VI_1")?;
    first.wait_state(State::Active, START)?;
    second.wait_state(State::Backup, START)?;
    two.expect()?;
    drop(first);
    second.wait_state(State::Active, START)?;
    // It has the same interfaces, by the same names.
    for name in ["vrrp.51", "vrrp1.51", "vrrp6.51"] {
        ensure!(is_up(two.ns(1), name), "{name}");
    }
    let first = start()?;
    first.wait_state(State::Active, START)?;
    second.wait_state(State::Backup, START)?;
    two.expect()
}

/// Names are given out by each agent for itself; an interface that another
/// one serves is not taken away for its name.
#[test]
fn an_interface_of_another_agent_is_left_alone() -> Result<()> {
    require_macvlan!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let text = conf(200, "", &format!("{}/24", lan.vip()));
    let first = start(host, &text, State::Active)?;
    let index = |host: &Host| -> Result<String> {
        let shown = host.ns.sh("ip -o link show vrrp.51")?;
        Ok(shown.split(':').next().unwrap_or_default().to_owned())
    };
    let before = index(host)?;
    // The same VRID in the other family is another virtual router.
    let other = conf(
        200,
        "native_ipv6",
        &format!("{}/64\n{}/64", lan.vip6_link_local(), lan.vip6()),
    );
    let second = Agent::start_conf(&host.ns, &other, "VI_1")?;
    let line = second.process().wait_line("failoverd: (VI_1)", START)?;
    ensure!(line.text.contains("vrrp.51"), "{line:?}");
    assert_eq!(index(host)?, before);
    assert_eq!(first.state(), Some(State::Active));
    assert_eq!(first.transitions().len(), 2, "{:?}", first.transitions());
    Ok(())
}
