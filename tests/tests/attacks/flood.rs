//! More adverts than anybody can read: none of the Active is lost, and the log
//! stays readable.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agents::{INTERVAL, counter, outcome},
    require_agent,
    router::Router,
    wait::let_pass,
};

use super::lab::Scene;

/// Adverts of made-up routers, good ones and wrong ones, 100 in a millisecond
/// at most.
// proves: L-08, S-46
#[test]
fn a_flood_of_made_up_routers_moves_nothing() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let before = scene.transitions();
    let marks = scene.both().map(|agent| agent.process().mark());
    let frames: Vec<Vec<u8>> = (0..200_u8)
        .map(|number| {
            let source = Ipv4Addr::new(10, 77, 1, number.saturating_add(20));
            let mut forged = scene.forged_by(source.into(), 50);
            if number % 2 == 0 {
                forged.message[7] ^= 0xff;
            }
            forged.frame()
        })
        .collect();
    let mut sent = 0_u64;
    for _ in 0..200 {
        for frame in &frames {
            // A full queue loses a frame of the flood.
            sent += u64::from(scene.forger.send(frame).is_ok());
        }
        let_pass(Duration::from_millis(2))?;
    }
    scene.unmoved_since(before, 10 * INTERVAL)?;
    for (agent, mark) in scene.both().into_iter().zip(marks) {
        let status = agent.status()?;
        let refused = outcome(&status, "checksum") + outcome(&status, "over_budget");
        assert!(refused > sent / 4, "{refused} of {sent}: {status}");
        assert_eq!(counter(&status, "unknown_winners"), 0, "{status}");
        let lines = agent.process().lines().len() - mark;
        assert!(lines < 100, "{lines} lines for {sent} frames");
    }
    let answers = counter(&scene.active.status()?, "adverts_sent");
    assert!(answers < sent / 10, "{answers} adverts for {sent}");
    Ok(())
}
