//! What others do to the machine: interfaces and addresses that go and come.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, INTERVAL, SOON, START, backend, counter, instance, wait_vip},
    capture::Capture,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::{Host, Lan},
    wait::eventually,
    witness::{Event, Witness},
};
use serde_json::Value;

/// A bound of the requirements: a VIP that somebody removes is back.
const RESTORED: Duration = Duration::from_millis(100);

fn index_of(host: &Host) -> Result<u64> {
    host.ns
        .enter(|| Ok(u64::from(sys::interface_index("eth0")?)))
}

fn states(agent: &Agent) -> Vec<State> {
    agent.transitions().iter().map(|t| t.state).collect()
}

/// Waits for a status that `wanted` takes.
fn wait_status(agent: &Agent, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(SOON, what, || {
        agent.status().ok().filter(|status| wanted(status))
    })
}

// I4
#[test]
fn an_active_resumes_on_an_interface_made_again() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let host = pair.lan.host(0);
    let (old, before) = (index_of(host)?, pair.active.status()?);
    pair.lan.delete_interface(0)?;
    pair.active.wait_state(State::Fault, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    pair.lan.recreate_interface(0)?;
    let new = index_of(host)?;
    assert_ne!(new, old);

    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    wait_vip(host, pair.lan.vip(), true, SOON)?;
    wait_vip(pair.lan.host(1), pair.lan.vip(), false, SOON)?;
    let status = pair.active.status()?;
    assert_eq!(status["pid"], before["pid"], "it was started again");
    assert_eq!(
        status["links"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    assert_eq!(status["links"][0]["ifindex"], new, "{status}");
    assert_eq!(backend(&status), backend(&before));
    let back = [State::Backup, State::Active];
    assert_eq!(
        states(&pair.active),
        [&back[..], &[State::Fault], &back].concat()
    );
    pair.steady(3 * DOWN)
}

#[test]
fn a_backup_resumes_on_an_interface_made_again() -> Result<()> {
    require_agent!();
    for flags in [&[][..], &["--backend", "raw"]] {
        let pair = Agents::start(flags, |_, _, _| {})?;
        pair.lan.delete_interface(1)?;
        pair.backup.wait_state(State::Fault, SOON)?;
        pair.lan.recreate_interface(1)?;
        pair.backup.wait_state(State::Backup, SOON)?;
        // Deaf on the new interface it would be Active by then.
        pair.backup_hears()?;
        pair.steady(3 * DOWN)?;
        pair.lan.cut_silently(0)?;
        pair.backup.wait_state(State::Active, SOON)?;
        wait_vip(pair.lan.host(1), pair.lan.vip(), true, SOON)?;
    }
    Ok(())
}

// I1, as the administrator does it
#[test]
fn an_interface_set_down_is_given_up_and_comes_back_as_backup() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let host = pair.lan.host(0);
    host.ns.sh("ip link set eth0 down")?;
    pair.active.wait_state(State::Fault, SOON)?;
    wait_vip(host, pair.lan.vip(), false, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    host.ns.sh("ip link set eth0 up")?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let back = [State::Backup, State::Active];
    assert_eq!(
        states(&pair.active),
        [&back[..], &[State::Fault], &back].concat()
    );
    wait_vip(host, pair.lan.vip(), true, SOON)?;
    wait_vip(pair.lan.host(1), pair.lan.vip(), false, SOON)
}

// I7
#[test]
fn without_its_primary_address_an_active_leaves_and_with_it_returns() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let host = pair.lan.host(0);
    let address = format!("{}/24", host.port.v4);
    host.ns.sh(&format!("ip addr del {address} dev eth0"))?;
    pair.active.wait_state(State::Fault, SOON)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let status = pair.active.status()?;
    let fault = instance(&status)["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("address"), "{status}");
    wait_vip(host, pair.lan.vip(), false, SOON)?;
    host.ns.sh(&format!("ip addr add {address} dev eth0"))?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    pair.steady(3 * DOWN)
}

// proves: F-01
#[test]
fn another_primary_address_is_sent_from_without_a_transition() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, router| {
        // Of a subnet of its own, so that no primary address takes it along.
        router.vips = vec![([10, 78, 1, 100].into(), 32)];
    })?;
    let host = pair.lan.host(0);
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    host.ns.sh("ip addr add 10.77.1.201/24 dev eth0")?;
    host.ns
        .sysctl("net/ipv4/conf/eth0/promote_secondaries", "1")?;
    host.ns
        .sh(&format!("ip addr del {}/24 dev eth0", host.port.v4))?;
    let advert = capture.wait_for("an advert from the new address", SOON, |frame| {
        frame
            .advert()
            .filter(|advert| advert.source.to_string() == "10.77.1.201")
    })?;
    assert_eq!(advert.source_mac, host.port.mac);
    wait_status(&pair.backup, "the Backup follows", |status| {
        instance(status)["active"] == "10.77.1.201"
    })?;
    assert_eq!(pair.backup.transitions().len(), 1);
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}

fn is_garp(event: &Event) -> bool {
    event.frame().is_some_and(|frame| frame.garp().is_some())
}

// I9
#[test]
fn a_vip_that_somebody_removes_is_back_and_announced() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    let witness = Witness::start(&host.ns, "eth0")?;
    let mark = witness.mark();
    host.ns.sh(&format!("ip addr del {vip}/24 dev eth0"))?;
    let gone = witness.wait_from(mark, "the VIP goes", SOON, |event| {
        event.is_address(vip, true)
    })?;
    let back = witness.wait_from(mark, "the VIP is back", SOON, |event| {
        event.is_address(vip, false)
    })?;
    let took = Duration::from_nanos(back.time.saturating_sub(gone.time));
    assert!(took <= RESTORED, "{took:?}");
    let garp = witness.wait_from(mark, "a GARP", SOON, is_garp)?;
    assert!(back.may_precede(&garp), "announced before it was there");
    let status = pair.active.status()?;
    assert_eq!(counter(&status, "addresses_restored"), 1, "{status}");
    pair.active
        .process()
        .wait_line("is gone from the kernel: put back", SOON)?;
    pair.steady(3 * DOWN)?;
    assert!(host.has_address(vip)?);
    Ok(())
}

#[test]
fn who_insists_on_removing_a_vip_gets_a_hand_over_and_no_loop() -> Result<()> {
    require_agent!();
    const TIMES: usize = 20;
    /// Repairs in a minute; the next loss is the last.
    const LIMIT: u64 = 10;
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    let witness = Witness::start(&host.ns, "eth0")?;
    for _ in 0..TIMES {
        // Not there for a moment, or not there any more.
        let _ = host.ns.sh(&format!("ip addr del {vip}/24 dev eth0"));
    }
    let released = witness.wait_from(0, "priority 0", SOON, |event| {
        let advert = event.frame().and_then(|frame| frame.advert());
        advert.is_some_and(|advert| advert.source_mac == host.port.mac && advert.priority == 0)
    })?;
    pair.active
        .process()
        .wait_line("removed faster than they are put back", SOON)?;
    eventually(SOON, "the Backup takes over", || {
        states(&pair.backup).contains(&State::Active).then_some(())
    })?;
    // It stands back for a while, then takes over what nobody removes any more.
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    pair.steady(3 * DOWN)?;
    wait_vip(host, vip, true, SOON)?;
    wait_vip(pair.lan.host(1), vip, false, SOON)?;
    let status = pair.active.status()?;
    assert_eq!(counter(&status, "addresses_restored"), LIMIT, "{status}");
    let lost = |event: &&Event| event.is_address(vip, true) && event.time < released.time;
    let lost = witness.events().iter().filter(lost).count();
    assert!(lost as u64 >= LIMIT, "{lost} losses before the hand-over");
    Ok(())
}

// I10
#[test]
fn a_vip_left_by_an_earlier_run_is_removed_at_the_start() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let vip = lan.vip();
    let router = |priority| VirtualRouter::new(priority, vip).every(INTERVAL);
    let active = Agent::start(&lan.host(0).ns, &router(200))?;
    active.wait_state(State::Active, START)?;
    let host = lan.host(1);
    host.ns.sh(&format!("ip addr add {vip}/24 dev eth0"))?;
    let backup = Agent::start(&host.ns, &router(100))?;
    let line = format!("VIP {vip} is on eth0 already, as after a crash: removing it");
    backup.process().wait_line(&line, START)?;
    backup.wait_state(State::Backup, START)?;
    wait_vip(host, vip, false, SOON)?;
    assert!(host.has_address(host.port.v4.into())?);
    // Nothing to remove, nothing to say.
    let lines = active.process().lines();
    assert!(!lines.iter().any(|line| line.text.contains("earlier run")));
    Ok(())
}

// I1, I2: a link that flaps leaves one holder and no VIP behind.
#[test]
fn a_flapping_link_ends_with_one_holder() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(0), pair.lan.vip());
    for _ in 0..10 {
        host.ns.sh("ip link set eth0 down")?;
        host.ns.sh("ip link set eth0 up")?;
    }
    eventually(SOON, "one Active after the flaps", || {
        let states = [&pair.active, &pair.backup].map(|agent| agent.state());
        let held = [0, 1].map(|index| pair.lan.host(index).has_address(vip).ok());
        let expected = [Some(State::Active), Some(State::Backup)];
        (states == expected && held == [Some(true), Some(false)]).then_some(())
    })?;
    pair.steady(3 * DOWN)
}
