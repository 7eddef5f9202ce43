//! Somebody holds the kernel's RTNL lock: addresses wait for it, adverts do not.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, DOWN, SOON, START},
    netns::Netns,
    privilege, require_agent, require_macvlan,
    router::{Router, State},
    sys::rtnl::RtnlHold,
    topology::{Lan, Mac},
    wait::{eventually, let_pass},
    witness::{Event, Witness},
};

/// The lock is held on the whole machine: no longer than it has to be.
const WHILE_HELD: Duration = Duration::from_secs(4);

/// A test that waits for the lock must not be one of these.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the lock is held from. A kernel that cannot do it is told.
fn holder() -> Result<Option<Netns>> {
    let namespace = Netns::new()?;
    let tried = namespace.enter(|| Ok(RtnlHold::new(SOON)))?.err();
    let missing = tried.map(|error| format!("the kernel has no userfaultfd: {error}"));
    Ok(privilege::ready(missing).then_some(namespace))
}

fn hold(holder: &Netns) -> Result<RtnlHold> {
    holder.enter(|| RtnlHold::new(SOON).context("holding RTNL"))
}

fn announces(event: &Event, mac: Mac, vip: IpAddr) -> bool {
    let garp = event.frame().and_then(|frame| frame.garp());
    garp.is_some_and(|garp| garp.claimed == mac && IpAddr::V4(garp.address) == vip)
}

#[test]
fn adverts_go_on_while_addresses_wait_for_the_kernel() -> Result<()> {
    require_agent!();
    let _turn = turn();
    let Some(holder) = holder()? else {
        return Ok(());
    };
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(1), pair.lan.vip());
    let mac = host.port.mac;
    let witness = Witness::start(&host.ns, "eth0")?;
    let ours = |event: &&Event| event.is_advert(mac, Some(100));
    let held = hold(&holder)?;
    pair.active.freeze(true)?;
    // More than a second, and as many adverts as that has intervals: it is
    // Active, whatever the kernel does with its VIPs.
    eventually(WHILE_HELD, "adverts while the lock is held", || {
        (witness.events().iter().filter(ours).count() >= 15).then_some(())
    })?;
    let events = witness.events();
    assert!(!events.iter().any(|event| announces(event, mac, vip)));
    assert!(!events.iter().any(|event| event.is_address(vip, false)));
    drop(held);

    let came = witness.wait_from(0, "the VIP", SOON, |event| event.is_address(vip, false))?;
    let told = witness.wait_from(0, "a GARP", SOON, |event| announces(event, mac, vip))?;
    assert!(came.may_precede(&told), "announced before it was there");
    // The log may have to wait for the lock as well: whoever writes it also
    // looks at links.
    let process = pair.backup.process();
    let waits = "the kernel has not carried out a change of addresses";
    process.wait_line(waits, SOON)?;
    let goes_on = "the kernel goes on with changes of addresses";
    process.wait_line(goes_on, SOON)?;
    pair.active.freeze(false)?;
    pair.backup.wait_state(State::Backup, SOON).map(drop)
}

/// The VIP of an Active that is Backup again before the kernel has added it is
/// taken off, and nobody hears of it.
#[test]
fn a_promotion_that_is_taken_back_meanwhile_is_not_announced() -> Result<()> {
    require_agent!();
    let _turn = turn();
    let Some(holder) = holder()? else {
        return Ok(());
    };
    let pair = Agents::start(&[], |_, _, _| {})?;
    let (host, vip) = (pair.lan.host(1), pair.lan.vip());
    let mac = host.port.mac;
    let witness = Witness::start(&host.ns, "eth0")?;
    let held = hold(&holder)?;
    pair.active.freeze(true)?;
    witness.wait_from(0, "a take-over", WHILE_HELD, |event| {
        event.is_advert(mac, Some(100))
    })?;
    pair.active.freeze(false)?;
    pair.backup.wait_state(State::Backup, WHILE_HELD)?;
    drop(held);
    witness.wait_from(0, "its removal", SOON, |event| event.is_address(vip, true))?;
    let_pass(DOWN)?;
    let events = witness.events();
    assert!(!events.iter().any(|event| announces(event, mac, vip)));
    assert!(!host.has_address(vip)?);
    Ok(())
}

/// Nor do adverts that leave by a link with a virtual MAC address: that a VIP
/// is gone says nothing of its link.
#[test]
fn adverts_go_on_while_a_vip_is_put_back() -> Result<()> {
    require_macvlan!();
    let _turn = turn();
    let Some(holder) = holder()? else {
        return Ok(());
    };
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let agent = Agent::start_conf(
        &host.ns,
        &format!(
            "vrrp_instance VI_1 {{\ninterface eth0\nversion 3\nadvert_int 0.1\n\
             virtual_router_id 51\nuse_vmac\nvirtual_ipaddress {{\n{vip}/24\n}}\n}}\n"
        ),
        "VI_1",
    )?;
    agent.wait_state(State::Active, START)?;
    let witness = Witness::start(&host.ns, "eth0")?;
    let mac = Mac([0, 0, 0x5e, 0, 1, 51]);
    witness.wait_from(0, "an advert", SOON, |event| {
        event.is_advert(mac, Some(100))
    })?;
    // It finds out when the lock is taken already.
    agent.freeze(true)?;
    host.ns.sh(&format!("ip addr del {vip}/24 dev vrrp.51"))?;
    let held = hold(&holder)?;
    let before = witness.mark();
    agent.freeze(false)?;
    eventually(WHILE_HELD, "adverts while the lock is held", || {
        let events = witness.events();
        let later = events.iter().skip(before);
        let ours = later.filter(|event| event.is_advert(mac, Some(100)));
        (ours.count() >= 15).then_some(())
    })?;
    let put_back = |event: &Event| event.is_address(vip, false);
    assert!(!witness.events().iter().skip(before).any(put_back));
    drop(held);
    witness
        .wait_from(before, "the VIP", SOON, put_back)
        .map(drop)
}

/// Priority 0 does not wait, and the end of the agent does.
#[test]
fn an_agent_that_ends_meanwhile_says_so_at_once() -> Result<()> {
    require_agent!();
    let _turn = turn();
    let Some(holder) = holder()? else {
        return Ok(());
    };
    let mut pair = Agents::start(&[], |_, _, _| {})?;
    let mac = pair.lan.host(0).port.mac;
    let witness = Witness::start(&pair.lan.host(0).ns, "eth0")?;
    let held = hold(&holder)?;
    pair.active.process().signal(libc::SIGTERM)?;
    witness.wait_from(0, "priority 0", WHILE_HELD, |event| {
        event.is_advert(mac, Some(0))
    })?;
    pair.backup.wait_state(State::Active, WHILE_HELD)?;
    let lines = pair.active.process().lines();
    assert!(
        !lines
            .iter()
            .any(|line| line.text.contains("Stopped failoverd"))
    );
    drop(held);
    pair.active.stop()?;
    assert!(!pair.lan.host(0).has_address(pair.lan.vip())?);
    Ok(())
}
