//! A Backup whose own cable goes: what it hears no more says nothing of others.

use anyhow::Result;
use failoverd_tests::{
    agents::SOON,
    require_agent,
    router::{Router, State},
};

use crate::lab::{Scene, number, wait_heart};

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
