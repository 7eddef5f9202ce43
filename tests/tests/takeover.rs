//! The VIP moves: cables, hand-overs, and processes that are stopped or killed.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent,
    agents::{self, Agents, DOWN, INTERVAL, SOON, counter, instance, never, pid, wait_vip},
    capture::Capture,
    clock::{monotonic, nanos},
    privilege,
    probe::Probe,
    require_root,
    router::{Router, State},
    sys,
    topology::{Lan, Mac},
    wait::{eventually, let_pass},
    witness::{Event, Witness},
};

const SPACING: Duration = Duration::from_millis(2);
/// A bound of the requirements: priority 0, VIPs removed, the Backup Active.
const HAND_OVER: Duration = Duration::from_millis(100);
/// Another: a killed agent's machine answers no longer (or for the
/// Active_Down_Interval, where that is longer).
const KILLED: Duration = Duration::from_secs(1);

fn ready() -> bool {
    privilege::ready(agent::missing())
}

fn mac(lan: &Lan, index: usize) -> Mac {
    lan.host(index).port.mac
}

/// An advert of that sender, of that priority if given.
fn is_advert(event: &Event, from: Mac, priority: Option<u8>) -> bool {
    let advert = event.frame().and_then(|frame| frame.advert());
    advert.is_some_and(|advert| {
        advert.source_mac == from && priority.is_none_or(|priority| advert.priority == priority)
    })
}

// S-16, and S-19 on the way back
#[test]
fn a_silent_cut_moves_the_vip_and_the_mended_cable_brings_it_back() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let pair = Agents::start(&[], |_, _, _| {})?;
    let probe = Probe::start(pair.client(), pair.lan.vip(), SPACING)?;
    probe.wait_answer(monotonic(), Some(mac(&pair.lan, 0)), SOON)?;
    let cut = monotonic();
    pair.lan.cut_silently(0)?;
    probe.wait_answer(cut, Some(mac(&pair.lan, 1)), SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let blackout = probe.report_since(cut).blackout_max();
    // Not before the Active_Down_Interval of the last advert has passed.
    assert!(blackout >= DOWN - INTERVAL - 2 * SPACING, "{blackout:?}");
    // Cut off, with its carrier: nothing tells it.
    assert_eq!(pair.active.state(), Some(State::Active));

    let mended = monotonic();
    pair.lan.mend(0)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    wait_vip(pair.lan.host(1), pair.lan.vip(), false, SOON)?;
    // The client knows the way back, by the GARPs of the Active (S-47).
    probe.wait_answer(mended, Some(mac(&pair.lan, 0)), SOON)?;
    pair.steady(3 * DOWN)?;
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}

#[test]
fn a_lost_carrier_is_a_fault_and_the_way_back_leads_through_backup() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let pair = Agents::start(&[], |_, _, _| {})?;
    pair.lan.cut_cable(0)?;
    pair.active.wait_state(State::Fault, SOON)?;
    wait_vip(pair.lan.host(0), pair.lan.vip(), false, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let status = pair.active.status()?;
    assert_eq!(instance(&status)["state"], "fault", "{status}");
    assert!(instance(&status)["fault"].is_string(), "{status}");

    pair.lan.mend(0)?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let states: Vec<_> = pair.active.transitions().iter().map(|t| t.state).collect();
    let back = [State::Backup, State::Active, State::Fault];
    assert_eq!(states, [&back[..], &back[..2]].concat());
    Ok(())
}

// S-17, S-25: a planned hand-over, with the times of the kernel.
#[test]
fn sigterm_hands_over_within_100_ms() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    // Several, so that an order that is wrong takes long enough to be seen.
    let vips: Vec<IpAddr> = (1..=50).map(|n| [10, 77, 2, n].into()).collect();
    let mut pair = Agents::start(&[], |_, _, router| {
        router.interval = Duration::from_millis(10);
        router.vips = vips.iter().map(|vip| (*vip, 32)).collect();
    })?;
    let [active, backup] = [mac(&pair.lan, 0), mac(&pair.lan, 1)];
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let asked = monotonic();
    pair.active.process().signal(libc::SIGTERM)?;
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        is_advert(event, active, Some(0))
    })?;
    let removed =
        |vip: IpAddr| witness.wait_from(0, "a VIP goes", SOON, |event| event.is_address(vip, true));
    let removed: Vec<Event> = vips
        .iter()
        .map(|vip| removed(*vip))
        .collect::<Result<_>>()?;
    let taken = witness.wait_from(0, "an advert of the Backup", SOON, |event| {
        is_advert(event, backup, Some(100))
    })?;
    for event in &removed {
        assert!(released.may_precede(event), "a VIP went first");
    }
    for event in [&released, &taken].into_iter().chain(&removed) {
        let took = Duration::from_nanos(event.time.saturating_sub(asked));
        assert!(took <= HAND_OVER, "{took:?}: {:?}", event.what);
    }
    let adverts = |event: &&Event| is_advert(event, active, None);
    let last = witness.events().iter().filter(adverts).count();
    pair.active.stop()?;
    // Nothing is heard of it afterwards.
    let events = witness.events();
    assert_eq!(events.iter().filter(adverts).count(), last);
    let zeros = events.iter().filter(|e| is_advert(e, active, Some(0)));
    assert_eq!(zeros.count(), 1);
    for vip in vips {
        assert!(!pair.lan.host(0).has_address(vip)?);
    }
    pair.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

// T3: a Backup that did not run has missed nothing.
#[test]
fn a_stopped_backup_does_not_take_over_when_it_wakes() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    stopped_backup(&[])
}

#[test]
fn a_stopped_backup_on_a_raw_socket_does_not_either() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
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
    let own = mac(&pair.lan, 1);
    let events = witness.events();
    assert!(!events.iter().any(|event| is_advert(event, own, None)));
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
#[test]
fn a_stopped_active_wakes_without_a_burst_and_one_of_two_remains() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
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

    let own = mac(&pair.lan, 0);
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
        .filter(|(_, advert)| advert.source_mac == mac(&pair.lan, 1))
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
    require_root!();
    if !ready() {
        return Ok(());
    }
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

#[test]
fn without_its_parent_the_agent_leaves_in_good_order() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    let vip = pair.lan.vip();
    let agent = pid(&pair.active)?;
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    pair.active.process_mut().kill()?;
    let own = mac(&pair.lan, 0);
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        is_advert(event, own, Some(0))
    })?;
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

// S-25, S-17: the counters tell the same story.
#[test]
fn a_hand_over_is_counted_on_both_sides() -> Result<()> {
    require_root!();
    if !ready() {
        return Ok(());
    }
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    pair.active.stop()?;
    pair.backup.wait_state(State::Active, SOON)?;
    let status = pair.backup.status()?;
    assert_eq!(counter(&status, "priority_zero_received"), 1, "{status}");
    assert_eq!(counter(&status, "priority_zero_not_active"), 0, "{status}");
    assert_eq!(counter(&status, "became_active"), 1, "{status}");
    Ok(())
}
