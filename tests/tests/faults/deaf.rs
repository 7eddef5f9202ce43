//! Routers that do not hear each other, or of which one does not hear.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    agents::{self, SOON, counter, wait_vip},
    capture::Capture,
    clock::{monotonic, nanos},
    require_agent,
    router::{Router, State, VirtualRouter},
    stalls::Stalls,
    topology::{Direction, Loss, Mac},
    wait::{eventually, let_pass},
    witness::{Event, Witness},
};

use crate::lab::*;

/// What a host believes of an address, asked of its kernel.
fn neighbour(host: &failoverd_tests::topology::Host, vip: std::net::IpAddr) -> Result<String> {
    host.ns.sh(&format!("ip neigh show {vip} dev eth0"))
}

// Both serve while neither hears the other. Then one leaves within an interval,
// and a host that has learned the wrong address is told the right one.
#[test]
fn n01_after_a_partition_one_leaves_within_an_interval() -> Result<()> {
    require_agent!("ping");
    let pair = fast(&[])?;
    let (lan, vip) = (&pair.lan, pair.lan.vip());
    let (host, client) = (lan.host(1), pair.client());
    let own = host.port.mac;
    let stalls = Stalls::watch()?;
    let witness = Witness::start(&host.ns, "eth0")?;
    lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    wait_vip(lan.host(0), vip, true, SOON)?;
    wait_vip(host, vip, true, SOON)?;
    client.ns.sh(&format!("ping -c 1 -W 2 {vip}"))?;
    assert!(neighbour(client, vip)?.contains(&own.to_string()));
    lan.mend(0)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    wait_vip(host, vip, false, SOON)?;
    let events = witness.events();
    let other = lan.host(0).port.mac;
    let taken = times(&events, |event| event.is_advert(own, None));
    let began = taken.first().copied().unwrap_or(0);
    let heard = times(&events, |event| event.is_advert(other, None));
    let heard = heard.into_iter().find(|time| *time > began);
    let heard = heard.expect("an advert of the better one");
    let gone = times(&events, |event| event.is_address(vip, true));
    let gone = gone.last().copied().expect("the VIP goes");
    let dual = Duration::from_nanos(gone.saturating_sub(heard));
    let bound = FAST + FAST + stalls.longest_within(heard, gone);
    assert!(dual <= bound, "{dual:?} of two, bound {bound:?}");
    // The Active announces because it has heard another one.
    let told = eventually(Duration::from_secs(1), "the client's entry", || {
        let entry = neighbour(client, vip).ok()?;
        entry.contains(&other.to_string()).then_some(())
    });
    told?;
    assert_eq!(pair.active.transitions().len(), 2);
    Ok(())
}

/// How often a router has begun to announce since then: a burst is quicker, and
/// the answers to another Active are further apart.
fn bursts(capture: &Capture, mac: Mac, from: u64) -> usize {
    let garps = capture.garps().into_iter();
    let garps = garps.filter(|(time, garp)| *time >= from && garp.claimed == mac);
    let times: Vec<u64> = garps.map(|(time, _)| time).collect();
    let apart = |pair: &&[u64]| pair[1] - pair[0] >= nanos(5 * FAST);
    times.windows(2).filter(apart).count() + usize::from(!times.is_empty())
}

// A deaf Backup serves as well; the Active stays, says that another one is
// there, and tells hosts again and again where the VIP is.
#[test]
fn n02_n03_who_is_deaf_moves_nobody_else() -> Result<()> {
    require_agent!();
    let pair = fast(&[])?;
    let (lan, vip) = (&pair.lan, pair.lan.vip());
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    lan.cut_one_way(1, Direction::ToHost, Loss::Adverts)?;
    pair.backup.wait_state(State::Active, SOON)?;
    let (from, mac) = (monotonic(), lan.host(0).port.mac);
    // More than the burst after its election, which may still be to come.
    eventually(SOON, "announcements again and again", || {
        (bursts(&capture, mac, from) >= 4).then_some(())
    })?;
    let alarm = format!(
        "Received advert from {} with lower priority 100, forcing new election",
        lan.host(1).port.v4
    );
    pair.active.process().wait_line(&alarm, SOON)?;
    let_pass(5 * FAST_DOWN)?;
    assert_eq!(pair.active.transitions().len(), 2);
    assert!(lan.host(0).has_address(vip)?);
    lan.mend_one_way()?;
    pair.backup.wait_state(State::Backup, SOON)?;

    // A deaf Active is heard, and so nobody takes over; a third router that is
    // better does not know that it is not heard, and both serve until it is.
    let before = pair.transitions();
    lan.cut_one_way(0, Direction::ToHost, Loss::Adverts)?;
    pair.steady(10 * FAST_DOWN)?;
    let third = VirtualRouter::new(150, vip).every(FAST);
    let third = agents::start(pair.client(), &third, &[])?;
    third.wait_state(State::Backup, SOON)?;
    let accepted = |status: &serde_json::Value| counter(status, "adverts_received");
    wait_status(&third, "it hears", |status| accepted(status) > 20)?;
    assert_eq!(third.transitions().len(), 1);
    assert_eq!(pair.transitions(), before);
    Ok(())
}

// Adverts of our own that come back change nothing and are not answered: a loop
// would be a storm otherwise.
#[test]
fn n19_adverts_that_come_back_are_no_storm() -> Result<()> {
    require_agent!();
    let pair = fast(&[])?;
    let (lan, switch) = (&pair.lan, &pair.lan.switch);
    let witness = Witness::start(&lan.host(0).ns, "eth0")?;
    let port = &lan.host(0).port;
    let side = &port.switch_side;
    // Besides where it belongs, each goes back to where it came from.
    let script = format!(
        "add table netdev loop; add chain netdev loop c {{ type filter hook ingress device \
         \"{side}\" priority 0; }}; add rule netdev loop c ip protocol 112 dup to \"{side}\";"
    );
    let before = pair.transitions();
    switch.ns.exec(["nft", &script])?;
    let from = monotonic();
    pair.active.process().wait_line("own_source", SOON)?;
    let_pass(20 * FAST)?;
    let to = monotonic();
    switch.ns.exec(["nft", "delete table netdev loop"])?;
    assert_eq!(pair.transitions(), before);
    let events = witness.events();
    let ours = |event: &Event| {
        event.is_advert(port.mac, None)
            && event.frame().is_some_and(|frame| frame.outgoing)
            && (from..to).contains(&event.time)
    };
    let back = |event: &Event| {
        event.is_advert(port.mac, None) && event.frame().is_some_and(|frame| !frame.outgoing)
    };
    let (sent, back) = (times(&events, ours).len(), times(&events, back).len());
    assert!(back >= 10, "{back} came back");
    let intervals = (to - from) / nanos(FAST);
    assert!(
        sent as u64 <= intervals + 2,
        "{sent} in {intervals} intervals"
    );
    Ok(())
}
