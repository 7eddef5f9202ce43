//! Forged intervals: one advert that puts a Backup to sleep.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{INTERVAL, SOON, counter, instance, outcome},
    forge, require_agent,
    router::{Router, State},
    wait::eventually,
};

use super::lab::{Scene, grows, says};

/// What an advert can carry at most.
const LONGEST: Duration = Duration::from_millis(40_950);

fn patience(scene: &Scene) -> Result<f64> {
    let status = scene.backup.status()?;
    Ok(instance(&status)["active_down_interval_ms"]
        .as_f64()
        .unwrap_or(f64::MAX))
}

fn poison(scene: &Scene) -> Result<()> {
    let source = scene.lan.host(2).port.v4.into();
    scene.send(&forge::advert(source, 150, LONGEST, &[scene.lan.vip()]))
}

/// As the RFC has it: two minutes, and a line that says so.
#[test]
fn a_poisoned_interval_is_learned_and_said() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    // Deaf to its Active, which would teach it the right one again.
    scene.lan.cut_silently(0)?;
    poison(&scene)?;
    let line = says(&scene.backup, "nobody serves for")?;
    assert!(
        line.text.contains("10.77.1.3 is 40950 ms, ours 100 ms"),
        "{}",
        line.text
    );
    assert!(patience(&scene)? > 120_000.0);
    assert_eq!(scene.backup.state(), Some(State::Backup));
    Ok(())
}

/// The same packet, and the Backup takes over nevertheless.
#[test]
fn a_poisoned_interval_is_limited() -> Result<()> {
    require_agent!();
    let scene = Scene::start("max_learned_interval 0.2")?;
    scene.lan.cut_silently(0)?;
    poison(&scene)?;
    says(
        &scene.backup,
        "more than max_learned_interval, 200 ms are used",
    )?;
    assert!(counter(&scene.backup.status()?, "intervals_limited") > 0);
    scene.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

/// An Active that is configured anew sends less often: nobody takes over.
#[test]
fn a_slower_active_within_the_limit_stays_alone() -> Result<()> {
    require_agent!();
    let scene = Scene::start("max_learned_interval 300ms")?;
    let before = scene.transitions();
    let conf = std::fs::read_to_string(scene.active.conf())?;
    let slower = conf.replace("advert_int 0.1", "advert_int 0.3");
    assert_ne!(conf, slower);
    scene.active.write_conf(&slower)?;
    let ended = scene.active.reload()?;
    assert_eq!(ended.code, Some(0), "{:?}", ended.output);
    eventually(SOON, "the Backup learns it", || {
        let down = patience(&scene).ok()?;
        (down > 1000.0).then_some(())
    })?;
    assert_eq!(counter(&scene.backup.status()?, "intervals_limited"), 0);
    scene.unmoved_since(before, 30 * INTERVAL)
}

// proves: R-11
#[test]
fn r11_interval_zero_is_refused() -> Result<()> {
    require_agent!();
    let scene = Scene::start("")?;
    let before = scene.transitions();
    let source = scene.lan.host(2).port.v4.into();
    let zero = forge::advert(source, 255, Duration::ZERO, &[scene.lan.vip()]);
    for _ in 0..20 {
        scene.send(&zero)?;
    }
    for agent in scene.both() {
        grows(agent, |status| outcome(status, "interval_zero"), 20)?;
        says(agent, "its interval is 0")?;
    }
    scene.unmoved_since(before, 5 * INTERVAL)
}
