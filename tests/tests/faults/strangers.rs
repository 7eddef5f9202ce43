//! Routers on the link that do not belong to ours, or do not agree with it.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{self, SOON, START, instance, outcome},
    capture::Capture,
    require_agent,
    router::{Router, State, VirtualRouter},
    topology::Lan,
};

use crate::lab::*;

// Another pair with our VRID and other addresses: v3 has no way to tell the two
// apart, so they become one; the log says whose adverts are not like ours.
#[test]
fn n06_a_foreign_pair_with_our_vrid_is_named() -> Result<()> {
    require_agent!();
    let pair = fast(&[])?;
    let mut router = VirtualRouter::new(250, [10, 77, 1, 200].into()).every(FAST);
    router.vips.push(([10, 77, 1, 201].into(), 24));
    let foreign = agents::start(pair.client(), &router, &[])?;
    foreign.wait_state(State::Active, START)?;
    let source = pair.client().port.v4;
    let line = format!("{source} advertises other addresses than ours (2 of them, ours 1)");
    for agent in [&pair.active, &pair.backup] {
        agent.process().wait_line(&line, SOON)?;
        agent.wait_state(State::Backup, SOON)?;
    }
    Ok(())
}

// Who is refused for good is named within three of its adverts, with the reason:
// another interval of v2, another version, a password that we do not have.
#[test]
fn n07_n08_who_is_refused_is_named_with_the_reason() -> Result<()> {
    require_agent!();
    const NAMED_WITHIN: usize = 3;
    let lan = Lan::new(4)?;
    let router = |priority, version, seconds| {
        let mut router = VirtualRouter::new(priority, lan.vip());
        router.version = version;
        router.interval = Duration::from_secs(seconds);
        router
    };
    let capture = Capture::start(&lan.host(0).ns, "eth0")?;
    let ours = agents::start(lan.host(0), &router(200, 2, 1), &[])?;
    let slow = agents::start(lan.host(1), &router(150, 2, 2), &[])?;
    let new = agents::start(lan.host(2), &router(120, 3, 2), &[])?;
    let mut locked = router(100, 2, 1);
    locked.password = Some("secret".to_owned());
    let locked = agents::start(lan.host(3), &locked, &[])?;
    for agent in [&ours, &slow, &new, &locked] {
        agent.wait_state(State::Active, START)?;
    }
    for (index, reason) in [(1, "interval_mismatch"), (2, "version"), (3, "auth_type")] {
        let port = &lan.host(index).port;
        let alarm = format!("all adverts of {} on eth0 are refused ({reason})", port.v4);
        let line = ours.process().wait_line(&alarm, SOON)?;
        let adverts = capture.adverts();
        let sent = adverts
            .iter()
            .filter(|(time, advert)| advert.source_mac == port.mac && *time <= line.time);
        let sent = sent.count();
        // What comes each second takes more adverts to be silent for as long.
        let most = if index == 3 {
            2 * NAMED_WITHIN
        } else {
            NAMED_WITHIN
        };
        assert!(sent <= most, "{sent} adverts before: {}", line.text);
        let status = ours.status()?;
        assert!(outcome(&status, reason) > 0, "{status}");
        let refused = instance(&status)["refused"].to_string();
        assert!(refused.contains(&port.v4.to_string()), "{refused}");
    }
    assert_eq!(outcome(&ours.status()?, "accepted"), 0);
    Ok(())
}
