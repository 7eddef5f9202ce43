//! Processes that are stopped, killed or orphaned.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{self, Agents, DOWN, INTERVAL, SOON, instance, never, pid, wait_vip},
    capture::Capture,
    clock::{monotonic, nanos},
    require_agent,
    router::{Router, State},
    sys,
    wait::{eventually, let_pass},
    witness::Witness,
};

/// A bound of the requirements: a killed agent's machine answers no longer (or for the
/// Active_Down_Interval, where that is longer).
const KILLED: Duration = Duration::from_secs(1);

// T3: a Backup that did not run has missed nothing.
// proves: S-16, S-18
#[test]
fn a_stopped_backup_does_not_take_over_when_it_wakes() -> Result<()> {
    require_agent!();
    stopped_backup(&[])
}

#[test]
fn a_stopped_backup_on_a_raw_socket_does_not_either() -> Result<()> {
    require_agent!();
    stopped_backup(&["--backend", "raw"])
}

fn stopped_backup(flags: &[&str]) -> Result<()> {
    let pair = Agents::start(flags, |_, _, _| {})?;
    let witness = Witness::start(&pair.lan.host(1).ns, "eth0")?;
    let before = pair.transitions();
    let agent = pid(&pair.backup)?;
    sys::kill(agent, libc::SIGSTOP)?;
    let_pass(3 * DOWN)?;
    sys::kill(agent, libc::SIGCONT)?;
    never(3 * DOWN, "a transition", || {
        (pair.transitions() != before).then(|| pair.transitions())
    })?;
    let own = pair.lan.host(1).port.mac;
    let events = witness.events();
    assert!(!events.iter().any(|event| event.is_advert(own, None)));
    let status = pair.backup.status()?;
    assert_eq!(instance(&status)["state"], "backup");
    assert_eq!(instance(&status)["priority"], 100);
    assert_eq!(pid(&pair.backup)?, agent, "another process");
    // It is no worse a Backup for it.
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

// T3, T9, S-46
// proves: S-38
#[test]
fn a_stopped_active_wakes_without_a_burst_and_one_of_two_remains() -> Result<()> {
    require_agent!();
    // Seconds of silence, of which a burst of missed adverts would be long.
    const ASLEEP: Duration = Duration::from_secs(3);
    /// S-46: answers to a lower router in one interval.
    const ASSERTS: usize = 10;
    let pair = Agents::start(&[], |_, _, _| {})?;
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    let agent = pid(&pair.active)?;
    sys::kill(agent, libc::SIGSTOP)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let_pass(ASLEEP)?;
    let woken = monotonic();
    sys::kill(agent, libc::SIGCONT)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    pair.steady(3 * DOWN)?;
    assert_eq!(pair.active.state(), Some(State::Active));
    assert!(pair.lan.host(0).has_address(pair.lan.vip())?);
    assert!(!pair.lan.host(1).has_address(pair.lan.vip())?);

    let own = pair.lan.host(0).port.mac;
    let adverts = capture.adverts();
    let times: Vec<u64> = adverts
        .iter()
        .filter(|(time, advert)| *time >= woken && advert.source_mac == own)
        .map(|(time, _)| *time)
        .collect();
    let first = times.first().copied().unwrap_or(0);
    let burst = times
        .iter()
        .filter(|time| **time - first < nanos(INTERVAL))
        .count();
    assert!(burst <= ASSERTS + 2, "{burst} adverts in one interval");
    // Once the other has left there is nobody to assert over.
    let settled = adverts
        .iter()
        .filter(|(_, advert)| advert.source_mac == pair.lan.host(1).port.mac)
        .map(|(time, _)| time + nanos(INTERVAL))
        .max()
        .unwrap_or(0);
    let steady: Vec<u64> = times.into_iter().filter(|time| *time > settled).collect();
    assert!(steady.len() >= 3, "{} adverts", steady.len());
    for pair in steady.windows(2) {
        assert!(pair[1] - pair[0] >= nanos(INTERVAL) / 2, "{steady:?}");
    }
    Ok(())
}

// T1: with the parent alive nothing of a killed agent remains.
#[test]
fn a_killed_agent_loses_its_vip_and_comes_back() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let vip = pair.lan.vip();
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let mark = pair.active.process().mark();
    let killed = monotonic();
    let old = agents::signal(&pair.active, libc::SIGKILL)?;
    let gone = witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    let took = Duration::from_nanos(gone.time.saturating_sub(killed));
    assert!(took <= KILLED.max(DOWN), "{took:?}");
    pair.backup.wait_state(State::Active, SOON)?;
    let log = pair.active.process();
    log.wait_line_from(mark, "the agent died", SOON)?;
    // Its parent starts it again, and it is what it was.
    log.wait_line_from(mark, "Entering MASTER STATE", SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    assert_ne!(pid(&pair.active)?, old);
    wait_vip(pair.lan.host(0), vip, true, SOON)?;
    assert!(!pair.lan.host(1).has_address(vip)?);
    Ok(())
}

// T1 after I4: the parent knows where the VIP is now.
#[test]
fn a_killed_agent_loses_its_vip_on_an_interface_made_again() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    pair.lan.delete_interface(0)?;
    pair.active.wait_state(State::Fault, SOON)?;
    pair.lan.recreate_interface(0)?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    let killed = monotonic();
    agents::signal(&pair.active, libc::SIGKILL)?;
    let gone = witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    let took = Duration::from_nanos(gone.time.saturating_sub(killed));
    assert!(took <= KILLED.max(DOWN), "{took:?}");
    pair.active.wait_state(State::Active, SOON)?;
    wait_vip(host, vip, true, SOON)
}

#[test]
fn without_its_parent_the_agent_leaves_in_good_order() -> Result<()> {
    require_agent!();
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    let vip = pair.lan.vip();
    let agent = pid(&pair.active)?;
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    pair.active.process_mut().kill()?;
    let own = pair.lan.host(0).port.mac;
    let released =
        witness.wait_from(0, "priority 0", SOON, |event| event.is_advert(own, Some(0)))?;
    let removed =
        witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    assert!(released.may_precede(&removed), "the VIP went first");
    pair.backup.wait_state(State::Active, SOON)?;
    eventually(SOON, "the end of the agent", || {
        (!running(agent)).then_some(())
    })?;
    Ok(())
}

/// Whether it exists and is no zombie that its new parent has yet to reap.
fn running(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}
