//! A Backup whose own cable goes: what it hears no more says nothing of others.

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START},
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};

use crate::lab::{Scene, conf, number, secs, wait_heart};

/// Pulls of the cable, each at another phase of the probes.
const PULLS: usize = 12;

#[test]
fn a_backup_without_a_carrier_is_in_fault_and_never_active() -> Result<()> {
    require_agent!();
    let scene = Scene::pair("1", "fast_detect on")?;
    for _ in 0..PULLS {
        let known = scene.backup().transitions().len();
        scene.lan.cut_cable(1)?;
        scene.backup().wait_state(State::Fault, SOON)?;
        scene.lan.mend(1)?;
        scene.backup().wait_state(State::Backup, SOON)?;
        wait_heart(scene.backup(), "armed")?;
        let states: Vec<State> = scene
            .backup()
            .transitions()
            .iter()
            .skip(known)
            .map(|transition| transition.state)
            .collect();
        assert_eq!(states, [State::Fault, State::Backup]);
    }
    // What a dead link of our own seemed to say was no alarm.
    assert_eq!(number(scene.backup(), "false_alarms")?, 0);
    Ok(())
}

/// Losses of up to 1.5 s are bridged; the other number is the delay of the way up.
const DELAYS: &str = "interface_up_down_delays {\neth0 1.5 0.5\n}\n";

/// Down long before the cable is back, and long before adverts could be missed:
/// only the verdict on the silence could make it Active.
const FAST: &str = "fast_detect {\ninterval 10ms\n}";

/// Pulls of a cable that nobody else is to notice.
const SHORT_PULLS: usize = 3;

/// Its cable is pulled until its heartbeat has found the Active down.
fn is_not_active_without_a_carrier(priority: u8, extra: &str, global: &str) -> Result<()> {
    let lan = Lan::new(2)?;
    let active = conf(&lan, 200, "1", FAST);
    let active = Agent::start_conf(&lan.host(0).ns, &active, "VI_1")?;
    active.wait_state(State::Active, START)?;
    let backup = conf(&lan, priority, "1", &format!("{FAST}\n{extra}"));
    let backup = format!("{global}{backup}");
    let backup = Agent::start_conf(&lan.host(1).ns, &backup, "VI_1")?;
    backup.wait_state(State::Backup, START)?;
    let known = (active.transitions().len(), backup.transitions().len());
    for _ in 0..SHORT_PULLS {
        wait_heart(&backup, "armed")?;
        let downs = number(&backup, "downs")?;
        lan.cut_cable(1)?;
        eventually(secs(1), "a verdict on the silence", || {
            (number(&backup, "downs").ok()? > downs).then_some(())
        })?;
        lan.mend(1)?;
    }
    wait_heart(&backup, "armed")?;
    assert_eq!(backup.transitions().len(), known.1, "of the Backup");
    assert_eq!(active.transitions().len(), known.0, "of the Active");
    assert_eq!(number(&backup, "false_alarms")?, 0);
    Ok(())
}

#[test]
fn a_backup_that_bridges_the_loss_of_its_carrier_is_not_active_meanwhile() -> Result<()> {
    require_agent!();
    is_not_active_without_a_carrier(100, "", DELAYS)
}

#[test]
fn nor_is_one_of_higher_priority_that_does_not_preempt() -> Result<()> {
    require_agent!();
    is_not_active_without_a_carrier(250, "nopreempt", DELAYS)
}

#[test]
fn nor_is_one_that_does_not_track_its_link() -> Result<()> {
    require_agent!();
    is_not_active_without_a_carrier(100, "dont_track_primary", "")
}
