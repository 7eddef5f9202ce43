//! What an option of an address line is to the kernel: the same as with
//! keepalived, which is given the same file.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agents::{SOON, START, pid},
    keepalived::Keepalived,
    require_agent,
    router::{Router, State},
    sys,
    topology::{Host, Lan},
    wait::eventually,
};

use crate::active;

const FILE: &str = "
static_ipaddress {
  192.0.2.5/24 dev eth0
  192.0.2.7/32 dev eth0 scope link
  fd00:5::9/64 dev eth0
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  priority 200
  advert_int 0.1
  virtual_ipaddress {
    10.77.9.1
    10.77.9.2/24 brd + label eth0:1
    10.77.9.3/24 brd 10.77.9.200
    10.77.9.4 peer 10.77.10.4
    10.77.9.5/24 noprefixroute
    10.77.9.7/24 home
    10.77.9.8/24 mngtmpaddr
    10.77.9.9/24 preferred_lft 100
    10.77.9.10/24 preferred_lft 0
    10.77.9.11/24 no_track
    10.77.9.13/24 preferred_lft forever
    10.77.19.1/24 scope link -nodad
    224.0.0.200/32 autojoin
  }
  virtual_ipaddress_excluded {
    fd00:7::1/64
    fd00:7::2
    fd00:7::3/128 preferred_lft forever
    fd00:7::4/64 -nodad
    fd00:7::5/64 home
    fd00:7::6/64 mngtmpaddr
    fd00:7::7/64 noprefixroute
    fd00:7::9/64 preferred_lft 100
    fd00:7::a/64 preferred_lft 0
    fd00:7::b/128 preferred_lft 50
    ff02::77/128 autojoin
  }
}
";

/// Every address with all that `ip` says of it, but for time that runs.
fn addresses(host: &Host) -> Result<BTreeSet<String>> {
    let shown = host.ns.sh("ip -d -o addr show dev eth0")?;
    let lines = shown.lines().filter(|line| line.contains(" inet"));
    let timeless = |word: &str| match word.strip_suffix("sec") {
        Some("0") | None => word.to_owned(),
        Some(_) => "SECONDS".to_owned(),
    };
    Ok(lines
        .map(|line| {
            let words: Vec<String> = line.split_whitespace().skip(1).map(timeless).collect();
            words.join(" ").replace(" tentative", "")
        })
        .collect())
}

#[test]
fn every_option_is_what_it_is_with_keepalived() -> Result<()> {
    require_agent!("keepalived");
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let before = addresses(host)?;
    let last = |found: &BTreeSet<String>| found.iter().any(|line| line.contains("ff02::77"));
    let mut keepalived = Keepalived::start_with(&host.ns, FILE, "VI_1")?;
    keepalived.wait_state(State::Active, START)?;
    let theirs = eventually(SOON, "keepalived's addresses", || {
        addresses(host).ok().filter(last)
    })?;
    keepalived.stop()?;
    // keepalived leaves the address with a peer behind.
    let _ = host.ns.sh("ip addr del 10.77.9.4 peer 10.77.10.4 dev eth0");
    ensure!(addresses(host)? == before, "{:?}", addresses(host)?);
    let mut agent = active(host, FILE)?;
    let ours = eventually(SOON, "our addresses", || addresses(host).ok().filter(last))?;
    let differences: Vec<_> = theirs.symmetric_difference(&ours).collect();
    ensure!(differences.is_empty(), "{differences:#?}");
    agent.stop()?;
    let after = addresses(host)?;
    ensure!(after == before, "{after:?} was {before:?}");
    Ok(())
}

/// What 2.2.7 does not know: the peer's own prefix. All that a removal has to
/// name is there, in the agent and in its supervisor.
#[test]
fn an_address_with_a_peer_is_taken_off_again() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let conf = crate::instance(
        200,
        3,
        &crate::strings(&["10.77.9.4 peer 10.77.10.4/30", "10.77.9.5 peer 10.77.10.9"]),
        "virtual_ipaddress_excluded {\nfd00:7::8 peer fd00:8::8/64\n}",
    );
    let wanted = [
        "10.77.9.4 peer 10.77.10.4/30",
        "fd00:7::8 peer fd00:8::8/64",
    ];
    let before = addresses(host)?;
    for crash in [false, true] {
        let mut agent = active(host, &conf)?;
        let found = host.ns.sh("ip addr show dev eth0")?;
        for one in wanted {
            ensure!(found.contains(one), "{one}: {found}");
        }
        if crash {
            let mark = agent.process().mark();
            sys::kill(pid(&agent)?, libc::SIGKILL)?;
            eventually(SOON, "the supervisor removes them", || {
                (addresses(host).ok()? == before).then_some(())
            })?;
            agent
                .process()
                .wait_line_from(mark, "Entering MASTER STATE", START)?;
        }
        agent.stop()?;
        ensure!(addresses(host)? == before, "{:?}", addresses(host)?);
    }
    // Left by a run that is gone together with its supervisor.
    host.ns
        .sh("ip addr add 10.77.9.4 peer 10.77.10.4/30 dev eth0")?;
    let agent = failoverd_tests::agent::Agent::start_conf(&host.ns, &conf, "VI_1")?;
    let line = "VIP 10.77.9.4 is on eth0 already";
    agent.process().wait_line(line, START).context("a stray")?;
    agent.wait_state(State::Active, START)?;
    Ok(())
}

/// no_track: what somebody removes stays away, the others come back.
#[test]
fn a_vip_with_no_track_is_not_put_back() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let vips = crate::strings(&["10.77.9.1 no_track", "10.77.9.2"]);
    let agent = active(host, &crate::instance(200, 3, &vips, ""))?;
    for vip in ["10.77.9.1/32", "10.77.9.2/32"] {
        host.ns.sh(&format!("ip addr del {vip} dev eth0"))?;
    }
    // The second was removed later.
    let line = "VIP 10.77.9.2 is gone from the kernel";
    agent.process().wait_line(line, SOON)?;
    eventually(SOON, "the tracked VIP is back", || {
        host.has_address("10.77.9.2".parse().ok()?)
            .ok()?
            .then_some(())
    })?;
    ensure!(!host.has_address("10.77.9.1".parse()?)?);
    ensure!(agent.transitions().len() <= 2);
    Ok(())
}
