//! Frames that no router of the link can have sent: replayed, from elsewhere,
//! malformed.

use anyhow::{Context, Result};
use failoverd_tests::{
    agents::{INTERVAL, SOON, counter, outcome},
    capture::Capture,
    fixtures, require_agent,
    wait::let_pass,
};

use super::lab::{Scene, grows, lines, says};

/// S-45: an Active that hears itself, or a router with its address, answers
/// nothing of it: no storm.
// proves: S-45, R-23
#[test]
fn replayed_adverts_of_the_active_start_no_storm() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let capture = Capture::start(&scene.lan.host(2).ns, "eth0")?;
    let from = scene.lan.host(0).port.mac;
    let advert = capture.wait_for("an advert of the Active", SOON, |frame| {
        let advert = frame.advert()?;
        (advert.source_mac == from).then(|| frame.bytes.clone())
    })?;
    let before = scene.transitions();
    let sent = |status: &serde_json::Value| counter(status, "adverts_sent");
    let first = scene.active.status()?;
    const REPLAYED: u64 = 300;
    for _ in 0..REPLAYED {
        scene.forger.send(&advert)?;
        let_pass(INTERVAL / 100)?;
    }
    grows(
        &scene.active,
        |status| outcome(status, "own_source"),
        REPLAYED,
    )?;
    let status = scene.active.status()?;
    // Its own cadence, on however slow a machine, and no answer.
    assert_eq!(counter(&status, "asserts_limited"), 0, "{status}");
    assert_eq!(
        counter(&status, "adverts_received"),
        counter(&first, "adverts_received")
    );
    assert!(sent(&status) > sent(&first));
    says(&scene.active, "it carries our own address")?;
    scene.unmoved_since(before, 5 * INTERVAL)
}

/// GTSM: whatever came through a router has another TTL.
// proves: R-01
#[test]
fn r01_adverts_from_another_network_are_refused() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let before = scene.transitions();
    let mut forged = scene.forged(255);
    for ttl in [254, 64, 1] {
        forged.ttl = ttl;
        scene.send(&forged)?;
    }
    for agent in scene.both() {
        grows(agent, |status| outcome(status, "ttl"), 3)?;
        says(agent, "adverts have TTL 255")?;
    }
    scene.unmoved_since(before, 5 * INTERVAL)
}

/// By unicast a TTL of 255 proves nothing: the source has to be a peer, and
/// min_ttl tells a peer from somebody far away who uses its address.
// proves: R-26
#[test]
fn r26_unicast_adverts_of_others_are_refused() -> Result<()> {
    require_agent!();
    let scene = Scene::start_with("", |lan, index, router| {
        let [own, peer] = [index, 1 - index].map(|host| lan.host(host).port.v4.into());
        router.unicast = Some((own, vec![peer]));
    })?;
    let before = scene.transitions();
    let host = &scene.lan.host(0).port;
    let mut forged = scene.forged(255);
    forged.destination = host.v4.into();
    forged.destination_mac = host.mac.0;
    scene.send(&forged)?;
    grows(&scene.active, |status| outcome(status, "unknown_peer"), 1)?;
    says(&scene.active, "none of the configured unicast peers")?;
    // With the address of the peer, from far away.
    let conf = std::fs::read_to_string(scene.active.conf())?;
    let limited = conf.replace("    10.77.1.2\n", "    10.77.1.2 min_ttl 255\n");
    assert_ne!(conf, limited);
    scene.active.write_conf(&limited)?;
    let ended = scene.active.reload()?;
    assert_eq!(ended.code, Some(0), "{:?}", ended.output);
    forged.source = scene.lan.host(1).port.v4.into();
    forged.ttl = 250;
    scene.send(&forged)?;
    grows(&scene.active, |status| outcome(status, "peer_ttl"), 1)?;
    scene.unmoved_since(before, 5 * INTERVAL)
}

/// Every frame that is refused by a fixture, every cut and every flipped bit of
/// an advert that would win: nothing but counters moves.
// proves: R-25
#[test]
fn r25_malformed_frames_move_nothing() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let before = scene.transitions();
    let refused = |status: &serde_json::Value| {
        let all = status["instances"][0]["outcomes"].as_object();
        let all = all.into_iter().flatten();
        let bad = all.filter(|(name, _)| *name != "accepted");
        bad.filter_map(|(_, count)| count.as_u64()).sum::<u64>()
    };
    let start = refused(&scene.active.status()?);
    for fixture in fixtures::all().iter().filter(|one| one.frame.len() > 14) {
        // One that is longer than the link allows is lost.
        let _ = scene.forger.send(&fixture.frame);
    }
    let mut forged = scene.forged(255);
    // A sum with four wrong bits: no bit that is flipped mends it.
    forged.message[6] ^= 0x55;
    let frame = forged.frame();
    for length in 15..frame.len() {
        scene.forger.send(frame.get(..length).context("shorter")?)?;
    }
    for bit in 14 * 8..frame.len() * 8 {
        let mut bent = frame.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        scene.forger.send(&bent)?;
    }
    for agent in scene.both() {
        grows(agent, refused, start + 10)?;
        assert_eq!(lines(agent, "panicked"), 0);
    }
    scene.unmoved_since(before, 10 * INTERVAL)
}
