//! Another machine says by ARP that the VIP is its own.

use std::{net::IpAddr, time::Duration};

use agent_common::wire::arp::{FRAME_LEN, GratuitousForm, gratuitous};
use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{INTERVAL, SOON, START, never, wait_vip},
    capture::Capture,
    require_agent,
    router::{Router, State},
    wait::{eventually, let_pass},
};

use super::lab::{Scene, lines, says};

const CLAIM: &str = "says by ARP that it has VIP 10.77.1.100 while we are Active";

fn claim(scene: &Scene, mac: [u8; 6], form: GratuitousForm) -> Result<Vec<u8>> {
    let IpAddr::V4(vip) = scene.lan.vip() else {
        anyhow::bail!("the VIP is IPv6");
    };
    let mut frame = vec![0; FRAME_LEN];
    gratuitous(&mut frame, mac, vip, form).context("a frame")?;
    Ok(frame)
}

#[test]
fn a_claimed_vip_is_said_and_announced_again() -> Result<()> {
    require_agent!();
    let scene = Scene::start("garp_master_delay 0\ngarp_lower_prio_delay 0")?;
    let capture = Capture::start(&scene.lan.host(2).ns, "eth0")?;
    let forger = scene.lan.host(2).port.mac;
    let ours = scene.lan.host(0).port.mac;
    // By then what came with the election is over.
    let_pass(Duration::from_secs(1))?;
    let mark = capture.mark();
    let announced = || {
        let frames = capture.frames();
        let garps = frames.iter().skip(mark).filter_map(|frame| frame.garp());
        garps.filter(|garp| garp.source_mac == ours).count()
    };
    for form in [GratuitousForm::Reply, GratuitousForm::Request] {
        scene.forger.send(&claim(&scene, forger.0, form)?)?;
    }
    eventually(SOON, "GARPs of the Active", || {
        (announced() >= 5).then_some(())
    })?;
    assert_eq!(lines(&scene.active, CLAIM), 0, "it may have been a router");
    eventually(SOON, "a line about who goes on", || {
        let again = claim(&scene, forger.0, GratuitousForm::Reply).ok()?;
        scene.forger.send(&again).ok()?;
        (lines(&scene.active, CLAIM) > 0).then_some(())
    })?;
    let line = says(&scene.active, CLAIM)?;
    assert!(line.text.contains(&forger.to_string()), "{}", line.text);
    // A hundred more in two seconds, and more until the next answer: a line in
    // a minute, an answer in ten seconds.
    let before = announced();
    for _ in 0..100 {
        scene
            .forger
            .send(&claim(&scene, forger.0, GratuitousForm::Reply)?)?;
        let_pass(Duration::from_millis(20))?;
    }
    eventually(SOON, "another answer", || {
        let again = claim(&scene, forger.0, GratuitousForm::Reply).ok()?;
        scene.forger.send(&again).ok()?;
        (announced() > before).then_some(())
    })?;
    assert!(announced() - before < 20, "{}", announced() - before);
    assert_eq!(lines(&scene.active, CLAIM), 1);
    assert_eq!(lines(&scene.backup, "says by ARP"), 0);
    Ok(())
}

/// What a new Active announces is no claim against the old one, nor against a
/// Backup.
#[test]
fn a_change_of_the_active_is_no_claim() -> Result<()> {
    require_agent!();
    let mut scene = Scene::start("garp_master_delay 1")?;
    let (first, second) = (scene.lan.host(0), scene.lan.host(1));
    scene.active.stop()?;
    wait_vip(second, scene.lan.vip(), true, SOON)?;
    let conf = std::fs::read_to_string(scene.active.conf())?;
    let back = Agent::start_conf(&first.ns, &conf, "VI_1")?;
    back.wait_state(State::Active, START)?;
    scene.backup.wait_state(State::Backup, SOON)?;
    // Its second burst is among these.
    never(20 * INTERVAL, "an alarm", || {
        (lines(&scene.backup, "says by ARP") > 0).then_some(())
    })?;
    assert_eq!(lines(&back, "says by ARP"), 0);
    Ok(())
}
