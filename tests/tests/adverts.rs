//! Adverts that should not disturb: steady ones, floods, and such as come in pieces.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agents::{self, Agents, INTERVAL, SOON, START, counter, instance, never, outcome, unclaimed},
    forge::{self, Sender},
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
    wait::{eventually, let_pass},
};

// A steady Backup wakes for its own deadlines alone.
#[test]
fn steady_adverts_do_not_wake_a_backup_on_xdp() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&["--require-xdp"], |_, _, _| {})?;
    let accepted = |status: &serde_json::Value| outcome(status, "accepted");
    // The first adverts of a router do wake.
    eventually(SOON, "the Backup is steady", || {
        (accepted(&pair.backup.status().ok()?) > 10).then_some(())
    })?;
    let wakeups = |status: &serde_json::Value| status["fast_lane"]["wakeups"].as_u64();
    let before = pair.backup.status()?;
    let_pass(25 * INTERVAL)?;
    let after = pair.backup.status()?;
    let adverts = accepted(&after) - accepted(&before);
    assert!(adverts >= 20, "{adverts} adverts");
    // The question itself is one.
    let wakeups = wakeups(&after).unwrap_or(0) - wakeups(&before).unwrap_or(0) - 1;
    assert!(wakeups > 0, "no deadline in {adverts} intervals");
    // A checkpoint comes 2.1 intervals after the newest advert at the last one,
    // which is less than one interval old.
    assert!(
        wakeups * 14 <= (adverts + 2) * 10,
        "{wakeups} for {adverts} adverts"
    );
    Ok(())
}

// N18: what is wrong, foreign or lower changes counters and nothing else.
// proves: R-25, S-46
#[test]
fn a_flood_moves_nothing_and_is_counted() -> Result<()> {
    require_agent!();
    flood(&["--require-xdp"], 200)
}

// proves: R-25, S-46
#[test]
fn a_smaller_flood_on_a_raw_socket_moves_nothing_and_is_counted() -> Result<()> {
    require_agent!();
    flood(&["--backend", "raw"], 20)
}

/// `thousands` of frames at 100 a millisecond at most, all of them refused.
fn flood(flags: &[&str], thousands: u64) -> Result<()> {
    let interval = Duration::from_millis(10);
    let pair = Agents::start(flags, |_, _, router| router.interval = interval)?;
    let client = pair.client();
    let source = IpAddr::from(client.port.v4);
    let vips = [pair.lan.vip()];
    let lower = forge::advert(source, 50, interval, &vips);
    let mut broken = forge::advert(source, 250, interval, &vips);
    broken.message[6] ^= 0xff;
    let mut frames: Vec<_> = (100..=200)
        .map(|vrid| lower.clone().with_byte(1, vrid).frame())
        .collect();
    frames.push(broken.frame());
    frames.push(lower.frame());
    let socket = forge::socket(client)?;
    let before = pair.transitions();
    let statuses = [pair.active.status()?, pair.backup.status()?];
    let mut frames = [&frames[101], &frames[102]]
        .into_iter()
        .cycle()
        .zip(frames[..101].iter().cycle())
        .flat_map(|(ours, foreign)| [ours, foreign]);
    let mut sent = 0;
    for _ in 0..thousands * 10 {
        for frame in frames.by_ref().take(100) {
            // A full queue loses a frame of the flood.
            sent += u64::from(socket.send(frame).is_ok());
        }
        let_pass(Duration::from_millis(1))?;
    }
    never(20 * interval, "a transition", || {
        (pair.transitions() != before).then(|| pair.transitions())
    })?;
    assert_eq!(pair.transitions(), before);
    for (agent, old) in [&pair.active, &pair.backup].into_iter().zip(&statuses) {
        let status = agent.status()?;
        let more = |count: fn(&serde_json::Value, &str) -> u64, name| {
            count(&status, name) - count(old, name)
        };
        let foreign = more(unclaimed, "unknown_vrid") + more(unclaimed, "over_budget");
        let wrong = more(outcome, "checksum") + more(outcome, "over_budget");
        assert!(foreign > sent / 4, "{foreign} of {sent}: {status}");
        assert!(more(outcome, "checksum") > 0, "{status}");
        // Of these a thousand in a second are let through.
        let dropped = more(outcome, "over_budget");
        assert_eq!(dropped > 0, flags.contains(&"--require-xdp"), "{status}");
        assert!(
            foreign + wrong + more(outcome, "accepted") > sent / 2,
            "{sent}: {status}"
        );
        assert!(counter(&status, "notices_suppressed") > 0, "{status}");
    }
    // S-46: no answer for each.
    let asserted = counter(&pair.active.status()?, "adverts_sent");
    assert!(asserted < sent / 10, "{asserted} adverts for {sent}");
    Ok(())
}

// proves: R-21
#[test]
fn a_fragmented_ipv6_advert_counts_on_xdp() -> Result<()> {
    fragmented_adverts_count(&["--require-xdp"], true)
}

// proves: R-21
#[test]
fn a_fragmented_ipv6_advert_counts_on_a_raw_socket() -> Result<()> {
    fragmented_adverts_count(&["--backend", "raw"], true)
}

// proves: R-21
#[test]
fn a_fragmented_ipv4_advert_counts_on_xdp() -> Result<()> {
    fragmented_adverts_count(&["--require-xdp"], false)
}

// proves: R-21
#[test]
fn a_fragmented_ipv4_advert_counts_on_a_raw_socket() -> Result<()> {
    fragmented_adverts_count(&["--backend", "raw"], false)
}

/// A Backup stays one for as long as fragments of an Active's advert come.
fn fragmented_adverts_count(flags: &[&str], ipv6: bool) -> Result<()> {
    require_agent!();
    const COUNT: u8 = 200;
    // Sent five times as often, so that a late sender is no silent Active.
    let interval = Duration::from_millis(500);
    let lan = Lan::new(2)?;
    let sender = &lan.host(1).port;
    let (source, vips): (IpAddr, Vec<IpAddr>) = if ipv6 {
        let vip = |n| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(n)]);
        (sender.link_local.into(), (1..=COUNT).map(vip).collect())
    } else {
        let vip = |n| IpAddr::from([10, 77, 2, n]);
        (sender.v4.into(), (1..=COUNT).map(vip).collect())
    };
    let packet = forge::advert(source, 200, interval, &vips);
    // 3208 and 808 bytes of VRRP: three fragments.
    let size = if ipv6 { 1400 } else { 400 };
    let stream = Sender::start(lan.host(1), interval / 5, move |round| {
        forge::fragments(&packet, size, round)
    })?;
    let mut router = VirtualRouter::new(100, vips[0]).every(interval);
    router.vips = vec![(vips[0], if ipv6 { 64 } else { 24 })];
    let backup = agents::start(lan.host(0), &router, flags)?;
    backup.wait_state(State::Backup, START)?;
    eventually(SOON, "fragments are accepted", || {
        (outcome(&backup.status().ok()?, "accepted") > 3).then_some(())
    })?;
    let down = instance(&backup.status()?)["active_down_interval_ms"].clone();
    let down = Duration::from_secs_f64(down.as_f64().unwrap_or(0.0) / 1e3);
    assert!(down > 3 * interval, "{down:?}");
    never(down + interval, "a transition", || {
        (backup.state() != Some(State::Backup)).then(|| backup.transitions())
    })?;
    let status = backup.status()?;
    let active = instance(&status)["active"].as_str().unwrap_or_default();
    assert_eq!(active, source.to_string(), "{status}");
    // It was those that held it back.
    drop(stream);
    backup.wait_state(State::Active, SOON)?;
    Ok(())
}
