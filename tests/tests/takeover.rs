//! The VIP moves: cables, hand-overs, and processes that are stopped or killed.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agents::{Agents, DOWN, INTERVAL, SOON, counter, instance, wait_vip},
    clock::monotonic,
    probe::Probe,
    require_agent,
    router::{Router, State},
    witness::{Event, Witness},
};

const SPACING: Duration = Duration::from_millis(2);
/// A bound of the requirements: priority 0, VIPs removed, the Backup Active.
const HAND_OVER: Duration = Duration::from_millis(100);

// S-16, and S-19 on the way back
#[test]
fn a_silent_cut_moves_the_vip_and_the_mended_cable_brings_it_back() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let probe = Probe::start(pair.client(), pair.lan.vip(), SPACING)?;
    probe.wait_answer(monotonic(), Some(pair.lan.host(0).port.mac), SOON)?;
    let cut = monotonic();
    pair.lan.cut_silently(0)?;
    probe.wait_answer(cut, Some(pair.lan.host(1).port.mac), SOON)?;
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
    probe.wait_answer(mended, Some(pair.lan.host(0).port.mac), SOON)?;
    pair.steady(3 * DOWN)?;
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}

#[test]
fn a_lost_carrier_is_a_fault_and_the_way_back_leads_through_backup() -> Result<()> {
    require_agent!();
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
// proves: S-37
#[test]
fn sigterm_hands_over_within_100_ms() -> Result<()> {
    require_agent!();
    // Several, so that an order that is wrong takes long enough to be seen.
    let vips: Vec<IpAddr> = (1..=50).map(|n| [10, 77, 2, n].into()).collect();
    let mut pair = Agents::start(&[], |_, _, router| {
        router.interval = Duration::from_millis(10);
        router.vips = vips.iter().map(|vip| (*vip, 32)).collect();
    })?;
    let [active, backup] = [pair.lan.host(0).port.mac, pair.lan.host(1).port.mac];
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let asked = monotonic();
    pair.active.process().signal(libc::SIGTERM)?;
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        event.is_advert(active, Some(0))
    })?;
    let removed =
        |vip: IpAddr| witness.wait_from(0, "a VIP goes", SOON, |event| event.is_address(vip, true));
    let removed: Vec<Event> = vips
        .iter()
        .map(|vip| removed(*vip))
        .collect::<Result<_>>()?;
    let taken = witness.wait_from(0, "an advert of the Backup", SOON, |event| {
        event.is_advert(backup, Some(100))
    })?;
    for event in &removed {
        assert!(released.may_precede(event), "a VIP went first");
    }
    for event in [&released, &taken].into_iter().chain(&removed) {
        let took = Duration::from_nanos(event.time.saturating_sub(asked));
        assert!(took <= HAND_OVER, "{took:?}: {:?}", event.what);
    }
    let adverts = |event: &&Event| event.is_advert(active, None);
    let last = witness.events().iter().filter(adverts).count();
    pair.active.stop()?;
    // Nothing is heard of it afterwards.
    let events = witness.events();
    assert_eq!(events.iter().filter(adverts).count(), last);
    let zeros = events.iter().filter(|e| e.is_advert(active, Some(0)));
    assert_eq!(zeros.count(), 1);
    for vip in vips {
        assert!(!pair.lan.host(0).has_address(vip)?);
    }
    pair.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

// S-25, S-17: the counters tell the same story.
#[test]
fn a_hand_over_is_counted_on_both_sides() -> Result<()> {
    require_agent!();
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    pair.active.stop()?;
    pair.backup.wait_state(State::Active, SOON)?;
    let status = pair.backup.status()?;
    assert_eq!(counter(&status, "priority_zero_received"), 1, "{status}");
    assert_eq!(counter(&status, "priority_zero_not_active"), 0, "{status}");
    assert_eq!(counter(&status, "became_active"), 1, "{status}");
    Ok(())
}
