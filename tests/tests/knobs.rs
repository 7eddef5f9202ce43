//! Settings of adverts, announcements and the start, beside real keepalived
//! where it knows the keyword.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::{instance, never, outcome, wait_vip},
    capture::Capture,
    forge::{self, Sender},
    keepalived::Keepalived,
    privilege, require_agent, require_root,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::eventually,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Returns from the test where it cannot run.
macro_rules! require_both {
    () => {
        require_root!("keepalived");
        if !privilege::ready(agent::missing()) {
            return Ok(());
        }
    };
}

/// A configuration of `router`, with more lines for the globals and for the
/// instance.
fn conf(router: &VirtualRouter, globals: &str, lines: &str) -> String {
    let conf = router.keepalived_conf();
    let conf = conf.replacen(
        "global_defs {\n",
        &format!("global_defs {{\n{globals}\n"),
        1,
    );
    conf.replacen("  interface ", &format!("{lines}\n  interface "), 1)
}

fn router(lan: &Lan, priority: u8) -> VirtualRouter {
    VirtualRouter::new(priority, lan.vip()).every(Duration::from_millis(200))
}

fn accepts(agent: &Agent) -> Result<()> {
    eventually(PATIENCE, "accepted adverts", || {
        (outcome(&agent.status().ok()?, "accepted") > 2).then_some(())
    })
}

fn wait(agent: &Agent, state: &str) -> Result<()> {
    eventually(PATIENCE, state, || {
        (instance(&agent.status().ok()?)["state"] == state).then_some(())
    })
}

/// keepalived is Active and the agent its Backup; then keepalived leaves.
/// What was on the wire is handed back, and the agent that is Active.
fn hand_over(lan: &Lan, theirs: &str, ours: &str) -> Result<(Capture, Agent)> {
    let (host, peer) = (lan.host(0), lan.host(1));
    let capture = Capture::start(&host.ns, "eth0")?;
    let mut keepalived = Keepalived::start_with(&peer.ns, theirs, "VI_1")?;
    wait_vip(peer, lan.vip(), true, PATIENCE)?;
    let agent = Agent::start_conf(&host.ns, ours, "VI_1")?;
    accepts(&agent)?;
    wait(&agent, "backup")?;
    keepalived.stop()?;
    wait(&agent, "active")?;
    // And back: keepalived hears us, or it would not be a Backup for long.
    let keepalived = Keepalived::start_with(
        &peer.ns,
        &theirs.replace("priority 150", "priority 50"),
        "VI_1",
    )?;
    let mark = keepalived.process().mark();
    never(
        Duration::from_secs(2),
        "keepalived as a second Active",
        || {
            let lines = keepalived.process().lines();
            let fresh = lines.get(mark..).unwrap_or_default();
            fresh
                .iter()
                .find(|line| line.text.contains("Entering MASTER"))
                .cloned()
        },
    )?;
    Ok((capture, agent))
}

#[test]
fn both_in_another_multicast_group() -> Result<()> {
    require_both!();
    let lan = Lan::new(2)?;
    let theirs = conf(&router(&lan, 150), "", "mcast_dst_ip 224.0.0.77");
    let ours = conf(&router(&lan, 100), "vrrp_mcast_group4 224.0.0.77", "");
    let (capture, _agent) = hand_over(&lan, &theirs, &ours)?;
    let group: IpAddr = "224.0.0.77".parse()?;
    for (_, advert) in capture.adverts() {
        ensure!(advert.destination == group, "{advert:?}");
    }
    // Hosts that listen to the usual group hear nothing of it; the switch
    // knows that we are in this one.
    let groups = lan.host(0).ns.sh("ip maddress show dev eth0")?;
    ensure!(groups.contains("224.0.0.77"), "{groups}");
    ensure!(!groups.contains("224.0.0.18"), "{groups}");
    Ok(())
}

#[test]
fn unicast_with_a_ttl_of_its_own() -> Result<()> {
    require_both!();
    let lan = Lan::new(2)?;
    let [ours, theirs] = [0, 1].map(|at| IpAddr::from(lan.host(at).port.v4));
    let unicast = |own: IpAddr, peer: IpAddr, ttl: u8| {
        format!(
            "unicast_src_ip {own}\nunicast_ttl {ttl}\nunicast_peer {{\n{peer} min_ttl 60 max_ttl 80\n}}"
        )
    };
    let (capture, _agent) = hand_over(
        &lan,
        &conf(&router(&lan, 150), "", &unicast(theirs, ours, 64)),
        &conf(&router(&lan, 100), "", &unicast(ours, theirs, 70)),
    )?;
    for (_, advert) in capture.adverts() {
        let expected = if advert.source == ours { 70 } else { 64 };
        ensure!(advert.ttl == expected, "{advert:?}");
    }
    Ok(())
}

// K-06: keepalived until 1.3.6, and today's when it is told to.
// proves: K-06
#[test]
fn unicast_with_the_old_checksum() -> Result<()> {
    require_both!();
    let lan = Lan::new(2)?;
    let [ours, theirs] = [0, 1].map(|at| IpAddr::from(lan.host(at).port.v4));
    let unicast = |own: IpAddr, peer: IpAddr, more: &str| {
        format!("unicast_src_ip {own}\nunicast_peer {{\n{peer}\n}}\n{more}")
    };
    let old = conf(
        &router(&lan, 150),
        "",
        &unicast(theirs, ours, "old_unicast_checksum"),
    );
    let new = conf(&router(&lan, 100), "", &unicast(ours, theirs, ""));
    let (_, agent) = hand_over(&lan, &old, &new)?;
    // What was heard is not forgotten by a reload: a Backup says nothing that
    // it could be heard from again.
    agent.write_conf(&new.replacen("  interface ", "garp_master_repeat 3\n  interface ", 1))?;
    let ended = agent.reload()?;
    ensure!(ended.code == Some(0), "{ended:?}");
    ensure!(
        ended.output.concat().contains("keeps its state"),
        "{ended:?}"
    );
    let below = old.replace("priority 150", "priority 50");
    let keepalived = Keepalived::start_with(&lan.host(1).ns, &below, "VI_1")?;
    never(Duration::from_secs(2), "a second Active", || {
        let lines = keepalived.process().lines();
        let active = lines
            .iter()
            .any(|line| line.text.contains("Entering MASTER"));
        active.then_some(())
    })
}

/// What a reload asks for holds for what waits already.
#[test]
fn a_reload_changes_the_distance_of_announcements() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = |globals: &str| conf(&router(&lan, 100), globals, "garp_master_repeat 40");
    let agent = Agent::start_conf(&host.ns, &conf("vrrp_garp_interval 600"), "VI_1")?;
    wait(&agent, "active")?;
    eventually(PATIENCE, "the first announcement", || {
        (capture.garps().len() == 1).then_some(())
    })?;
    agent.write_conf(&conf("vrrp_garp_interval 0.01"))?;
    ensure!(agent.reload()?.code == Some(0));
    eventually(PATIENCE, "the others", || {
        (capture.garps().len() >= 40).then_some(())
    })?;
    Ok(())
}

/// Without a limit nothing may be left that waits for it.
#[test]
fn a_limit_that_goes_leaves_nothing_unsaid() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    let mut router = router(&lan, 100);
    router.vips.push(("192.0.2.201".parse()?, 24));
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = |globals: &str| {
        conf(
            &router,
            globals,
            "garp_master_repeat 2\ngarp_master_delay 0",
        )
    };
    let agent = Agent::start_conf(&host.ns, &conf("vrrp_garp_interval 600"), "VI_1")?;
    wait(&agent, "active")?;
    agent.write_conf(&conf(""))?;
    ensure!(agent.reload()?.code == Some(0));
    eventually(PATIENCE, "the second VIP", || {
        let garps = capture.garps();
        let second = garps
            .iter()
            .filter(|(_, garp)| IpAddr::from(garp.address) == router.vips[1].0);
        (second.count() > 0).then_some(())
    })?;
    Ok(())
}

#[test]
fn a_reload_changes_groups_ttl_and_limits_of_senders() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = |globals: &str, lines: &str| conf(&router(&lan, 100), globals, lines);
    let agent = Agent::start_conf(&host.ns, &conf("", ""), "VI_1")?;
    wait(&agent, "active")?;
    let reload = |text: &str| -> Result<usize> {
        agent.write_conf(text)?;
        let mark = capture.mark();
        ensure!(agent.reload()?.code == Some(0));
        Ok(mark)
    };
    let sends = |mark: usize, to: IpAddr, ttl: u8| {
        capture.wait_from(mark, "such an advert", PATIENCE, |frame| {
            let advert = frame.advert()?;
            (advert.destination == to && advert.ttl == ttl).then_some(())
        })
    };
    let group: IpAddr = "224.0.0.77".parse()?;
    sends(
        reload(&conf("vrrp_mcast_group4 224.0.0.77", ""))?,
        group,
        255,
    )?;
    let groups = || host.ns.sh("ip maddress show dev eth0");
    ensure!(groups()?.contains("224.0.0.77"), "{}", groups()?);
    eventually(PATIENCE, "the old group is left", || {
        (!groups().ok()?.contains("224.0.0.18")).then_some(())
    })?;
    let own: IpAddr = lan.host(0).port.v4.into();
    let peer: IpAddr = lan.host(1).port.v4.into();
    let unicast =
        |ttl: u8| format!("unicast_src_ip {own}\nunicast_ttl {ttl}\nunicast_peer {{\n{peer}\n}}");
    sends(reload(&conf("", &unicast(9)))?, peer, 9)?;
    sends(reload(&conf("", &unicast(8)))?, peer, 8)?;
    let before = agent.transitions().len();
    agent.write_conf(&conf("", &unicast(8)))?;
    let again = agent.reload()?;
    ensure!(again.output.concat().contains("nothing"), "{again:?}");
    ensure!(agent.transitions().len() == before);
    Ok(())
}

// R-26, and the one alarm of a sender that is refused.
// proves: R-26, L-02
#[test]
fn a_ttl_outside_of_its_limits_is_refused_with_one_alarm() -> Result<()> {
    require_both!();
    let lan = Lan::new(2)?;
    let [ours, theirs] = [0, 1].map(|at| IpAddr::from(lan.host(at).port.v4));
    let peer = conf(
        &router(&lan, 150),
        "",
        &format!("unicast_src_ip {theirs}\nunicast_ttl 50\nunicast_peer {{\n{ours}\n}}"),
    );
    let own = conf(
        &router(&lan, 100),
        "",
        &format!("unicast_src_ip {ours}\nunicast_peer {{\n{theirs} min_ttl 60\n}}"),
    );
    let mut keepalived = Keepalived::start_with(&lan.host(1).ns, &peer, "VI_1")?;
    wait_vip(lan.host(1), lan.vip(), true, PATIENCE)?;
    let agent = Agent::start_conf(&lan.host(0).ns, &own, "VI_1")?;
    let alarm = format!("(VI_1) all adverts of {theirs} on eth0 are refused (peer_ttl)");
    agent.process().wait_line(&alarm, PATIENCE)?;
    let status = agent.status()?;
    let refused = &instance(&status)["refused"][0];
    ensure!(refused["source"] == theirs.to_string(), "{status}");
    ensure!(refused["reason"] == "peer_ttl", "{status}");
    ensure!(outcome(&status, "peer_ttl") > 2, "{status}");
    ensure!(outcome(&status, "accepted") == 0, "{status}");
    let text = agent.ask("status", &[])?;
    ensure!(text.output.concat().contains("refused for"), "{text:?}");
    keepalived.stop()?;
    let end = format!("(VI_1) no more adverts of {theirs} on eth0");
    agent.process().wait_line(&end, PATIENCE)?;
    let lines = agent.process().lines();
    let alarms = lines
        .iter()
        .filter(|line| line.text.contains("all adverts of"));
    ensure!(alarms.count() == 1, "more than one alarm");
    ensure!(instance(&agent.status()?)["refused"] == serde_json::json!([]));
    Ok(())
}

#[test]
fn announcements_keep_their_distance_and_adverts_go_first() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let mut router = router(&lan, 150);
    router.interval = Duration::from_millis(100);
    let more: Vec<IpAddr> = (201..205).map(|n| IpAddr::from([192, 0, 2, n])).collect();
    router.vips.extend(more.iter().map(|vip| (*vip, 24)));
    let interval = Duration::from_millis(60);
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = conf(
        &router,
        "vrrp_garp_interval 0.06",
        "garp_master_repeat 4\ngarp_master_delay 0",
    );
    let agent = Agent::start_conf(&host.ns, &conf, "VI_1")?;
    let garps = eventually(PATIENCE, "all announcements", || {
        let garps = capture.garps();
        (garps.len() >= 20).then_some(garps)
    })?;
    // Around all VIPs, one after the other.
    for round in garps.chunks(5) {
        let mut vips: Vec<IpAddr> = round.iter().map(|(_, garp)| garp.address.into()).collect();
        vips.sort();
        vips.dedup();
        ensure!(vips.len() == 5, "{vips:?}");
    }
    let (first, last) = (garps[0].0, garps[19].0);
    let least = interval * 19 - interval / 2;
    ensure!(
        u128::from(last - first) >= least.as_nanos(),
        "{} ns",
        last - first
    );
    // Adverts were not kept waiting meanwhile.
    let between = capture.adverts();
    let between = between
        .iter()
        .filter(|(at, _)| (first..last).contains(at))
        .count();
    ensure!(between >= 5, "{between} adverts");
    wait(&agent, "active")?;
    never(4 * interval, "more than was asked for", || {
        (capture.garps().len() > 20).then_some(())
    })
}

// S-10: what was still to be announced ends with the role.
#[test]
fn a_backup_announces_nothing_that_was_left() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let interval = Duration::from_millis(100);
    let router = router(&lan, 100).every(interval);
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = conf(&router, "vrrp_garp_interval 0.3", "garp_master_repeat 100");
    let agent = Agent::start_conf(&host.ns, &conf, "VI_1")?;
    eventually(PATIENCE, "some announcements", || {
        (capture.garps().len() >= 2).then_some(())
    })?;
    let other = lan.host(1);
    let better = forge::advert(other.port.v4.into(), 200, interval, &[lan.vip()]);
    let _sender = Sender::start(other, interval, move |_| vec![better.frame()])?;
    wait(&agent, "backup")?;
    wait_vip(host, lan.vip(), false, PATIENCE)?;
    let before = capture.garps().len();
    ensure!(before < 100, "all were out already");
    never(
        Duration::from_secs(1),
        "an announcement of a Backup",
        || (capture.garps().len() > before).then_some(()),
    )
}

#[test]
fn a_delay_after_the_start() -> Result<()> {
    require_both!();
    let lan = Lan::new(2)?;
    let host = lan.host(0);
    let capture = Capture::start(&host.ns, "eth0")?;
    let conf = conf(&router(&lan, 200), "vrrp_startup_delay 3", "");
    let agent = Agent::start_conf(&host.ns, &conf, "VI_1")?;
    let waits = eventually(PATIENCE, "the agent waits", || {
        let status = agent.status().ok()?;
        (instance(&status)["state"] == "initialize").then_some(())?;
        status["waits_ms"].as_u64()
    })?;
    ensure!(waits > 0 && waits <= 3000, "{waits} ms");
    let quiet = capture.adverts().is_empty();
    let still = agent.status()?["waits_ms"].is_u64();
    ensure!(quiet || !still, "an advert before its time");
    wait(&agent, "active")?;
    ensure!(agent.status()?["waits_ms"].is_null());
    Ok(())
}

#[test]
fn a_virtual_router_of_others_is_told_once() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let conf = conf(&router(&lan, 200), "log_unknown_vrids", "");
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    wait(&agent, "active")?;
    let mut other = router(&lan, 100);
    other.vrid = 77;
    other.vips = vec![("192.0.2.99".parse()?, 24)];
    let _other = Agent::start(&lan.host(1).ns, &other)?;
    let source = lan.host(1).port.v4;
    let line = format!("eth0: advert for VRID 77 from {source}, which is not configured here");
    agent.process().wait_line(&line, PATIENCE)?;
    never(Duration::from_secs(1), "a second line", || {
        let lines = agent.process().lines();
        let told = lines.iter().filter(|line| line.text.contains("VRID 77"));
        (told.count() > 1).then_some(())
    })
}

#[test]
fn no_peers_may_be_a_fault() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let own = lan.host(0).port.v4;
    let lines = format!("unicast_src_ip {own}\nunicast_fault_no_peer");
    let agent = Agent::start_conf(
        &lan.host(0).ns,
        &conf(&router(&lan, 200), "", &lines),
        "VI_1",
    )?;
    wait(&agent, "fault")?;
    let fault = instance(&agent.status()?)["fault"]
        .as_str()
        .context("a fault")?
        .to_owned();
    ensure!(fault.contains("unicast_fault_no_peer"), "{fault}");
    Ok(())
}

#[test]
fn reports_of_local_groups_are_off_while_it_runs() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let setting = || ns.sh("cat /proc/sys/net/ipv4/igmp_link_local_mcast_reports");
    ensure!(setting()?.trim() == "1");
    let conf = conf(&router(&lan, 200), "disable_local_igmp", "");
    let mut agent = Agent::start_conf(ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, PATIENCE)?;
    ensure!(setting()?.trim() == "0");
    agent.stop()?;
    ensure!(setting()?.trim() == "1");
    Ok(())
}
