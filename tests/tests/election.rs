//! Who becomes Active: elections between agents, in every form of advert.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{self, Agents, DOWN, INTERVAL, SOON, START, counter, instance, never, outcome},
    capture::{Capture, Frame},
    clock::monotonic,
    probe::Probe,
    require_agent,
    router::{Router, State, VirtualRouter},
    sys::netlink,
    topology::Lan,
    wait::{eventually, let_pass},
    witness::{Event, What, Witness},
};

const SPACING: Duration = Duration::from_millis(2);

// proves: X-06, S-10, S-30
#[test]
fn the_higher_priority_is_active_and_nobody_else_answers() -> Result<()> {
    require_agent!();
    let pair = Agents::start(&[], |_, _, _| {})?;
    let vip = pair.lan.vip();
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    let probe = Probe::start(pair.client(), vip, SPACING)?;
    let active = pair.lan.host(0).port.mac;
    probe.wait_answer(monotonic(), Some(active), SOON)?;
    pair.steady(5 * DOWN)?;
    let report = probe.stop();
    assert_eq!(report.double_answers, 0, "{report:?}");
    assert_eq!(
        report.answers_by_mac.keys().collect::<Vec<_>>(),
        [&active],
        "{report:?}"
    );
    // F-01..F-24 as another decoder reads them; one sender only.
    let adverts = capture.adverts();
    assert!(adverts.len() >= 10, "{} adverts", adverts.len());
    for (_, advert) in &adverts {
        assert_eq!((advert.version, advert.vrid, advert.priority), (3, 51, 200));
        assert_eq!((advert.ttl, advert.interval), (255, INTERVAL));
        assert_eq!(advert.source, pair.lan.host(0).port.v4);
        assert_eq!(advert.addresses, [vip]);
    }
    Ok(())
}

// S-19, S-21: a lower Active is put up with for ever.
// proves: S-14, S-18
#[test]
fn no_preempt_leaves_a_living_active_alone() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let router = |priority| VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
    let low = Agent::start(&lan.host(1).ns, &router(100))?;
    low.wait_state(State::Active, START)?;
    let mut high = router(200);
    high.preempt = false;
    let high = Agent::start(&lan.host(0).ns, &high)?;
    high.wait_state(State::Backup, START)?;
    eventually(SOON, "adverts of the lower Active are accepted", || {
        (outcome(&high.status().ok()?, "accepted") > 15).then_some(())
    })?;
    assert_eq!(high.transitions().len(), 1, "{:?}", high.transitions());
    assert_eq!(low.state(), Some(State::Active));
    assert!(!lan.host(0).has_address(lan.vip())?);
    // It is a Backup like any other when that Active goes.
    lan.cut_silently(1)?;
    high.wait_state(State::Active, SOON)?;
    Ok(())
}

// proves: F-14, S-01, S-44
#[test]
fn the_owner_is_active_at_once_and_takes_over_whatever_preemption_says() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let router = |priority| VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
    let other = Agent::start(&lan.host(1).ns, &router(254))?;
    other.wait_state(State::Active, START)?;
    let mut owner = router(255);
    owner.preempt = false;
    let owner = Agent::start(&lan.host(0).ns, &owner)?;
    let first = owner
        .process()
        .wait_lines("its first state", START, |lines| {
            owner.transitions_in(lines).first().copied()
        })?;
    assert_eq!(first.state, State::Active);
    other.wait_state(State::Backup, SOON)?;
    assert!(lan.host(0).has_address(lan.vip())?);
    assert!(!lan.host(1).has_address(lan.vip())?);
    assert_eq!(owner.transitions().len(), 1);
    Ok(())
}

// proves
#[test]
fn a_unicast_pair_elects_and_takes_over() -> Result<()> {
    require_agent!();
    let addresses = |lan: &Lan| [0, 1].map(|index| IpAddr::from(lan.host(index).port.v4));
    let pair = Agents::start(&[], |lan, index, router| {
        let [first, second] = addresses(lan);
        let (own, peer) = [(first, second), (second, first)][index];
        router.unicast = Some((own, vec![peer]));
    })?;
    let [first, second] = addresses(&pair.lan);
    let capture = Capture::start(&pair.lan.host(1).ns, "eth0")?;
    let advert = capture.wait_for("an advert", SOON, Frame::advert)?;
    assert_eq!((advert.source, advert.destination), (first, second));
    assert_eq!(advert.priority, 200);
    pair.steady(5 * DOWN)?;
    // With an ICMP error for each advert the Active would know no better.
    let errors = capture.frames().iter().filter(|f| is_icmp(f)).count();
    assert_eq!(errors, 0, "answers of ICMP to adverts");
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    assert!(pair.lan.host(1).has_address(pair.lan.vip())?);
    pair.lan.mend(0)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    Ok(())
}

fn is_icmp(frame: &Frame) -> bool {
    frame.bytes.get(12..14) == Some(&[8, 0]) && frame.bytes.get(23) == Some(&1)
}

// D-21, F-20..F-22, R-12
// proves: F-02, F-04, F-22, F-24, S-11, S-31, S-32, D-13, D-21
#[test]
fn an_ipv6_pair_holds_a_link_local_and_a_global_address() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let vips: [IpAddr; 2] = ["fe80::51".parse()?, lan.vip6()];
    for host in &lan.hosts[..2] {
        // With duplicate address detection as on a real machine.
        host.ns.sysctl("net/ipv6/conf/eth0/accept_dad", "1")?;
        host.ns.sysctl("net/ipv6/conf/eth0/dad_transmits", "1")?;
    }
    // The R flag tells whether the machine forwards: one does, one does not.
    let forwards = &lan.host(1).ns;
    forwards.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    let capture = Capture::start(&lan.host(2).ns, "eth0")?;
    let witness = Witness::start(&lan.host(0).ns, "eth0")?;
    let pair = Agents::start_on(lan, &[], |_, _, router| {
        router.vips = vips.map(|vip| (vip, 64)).to_vec();
    })?;
    let lan = &pair.lan;
    for vip in vips {
        let added =
            witness.wait_from(0, "a VIP comes", SOON, |event| event.is_address(vip, false))?;
        if let What::Address(event) = added.what {
            assert_eq!(event.flags & netlink::TENTATIVE, 0, "{event:?}");
            assert_ne!(event.flags & netlink::NODAD, 0, "{event:?}");
        }
    }
    let advert = capture.wait_for("an advert", SOON, Frame::advert)?;
    assert_eq!(advert.source, lan.host(0).port.link_local);
    assert_eq!(advert.destination, "ff02::12".parse::<IpAddr>()?);
    assert_eq!((advert.ttl, &advert.addresses[..]), (255, &vips[..]));
    neighbour_adverts(&capture, lan, 0, &vips, false)?;

    let probe = Probe::start(lan.host(2), vips[1], SPACING)?;
    probe.wait_answer(monotonic(), Some(lan.host(0).port.mac), SOON)?;
    lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    neighbour_adverts(&capture, lan, 1, &vips, true)?;
    probe.wait_answer(monotonic(), Some(lan.host(1).port.mac), SOON)?;
    assert_eq!(probe.stop().double_answers, 0);
    Ok(())
}

/// Every VIP was announced to all nodes by that host, with the flags S off and O on.
fn neighbour_adverts(
    capture: &Capture,
    lan: &Lan,
    host: usize,
    vips: &[IpAddr],
    router: bool,
) -> Result<()> {
    let mac = lan.host(host).port.mac;
    for vip in vips {
        let what = format!("an unsolicited NA for {vip} of host {host}");
        let found = capture.wait_for(&what, SOON, |frame| {
            let announced = frame.neighbour_advert()?;
            let all_nodes = announced.destination == "ff02::1".parse::<IpAddr>().ok()?;
            let ours = announced.source_mac == mac && IpAddr::from(announced.target) == *vip;
            (all_nodes && ours).then_some(announced)
        })?;
        assert_eq!(found.claimed, Some(mac), "{found:?}");
        assert!(found.overriding && !found.solicited, "{found:?}");
        assert_eq!(found.router, router, "{found:?}");
    }
    Ok(())
}

// F-27, R-09; T-01
// proves: F-27, R-09
#[test]
fn version_2_with_a_password_elects_and_a_wrong_password_is_a_stranger() -> Result<()> {
    require_agent!();
    let v2 = |router: &mut VirtualRouter, password: &str| {
        router.version = 2;
        router.interval = Duration::from_secs(1);
        router.password = Some(password.to_owned());
    };
    let pair = Agents::start(&[], |_, _, router| v2(router, "secret"))?;
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    let frame = capture.wait_for("an advert", SOON, |frame| {
        frame.advert().map(|_| frame.bytes.clone())
    })?;
    // Authentication type 1 and 8 bytes behind the one address.
    assert_eq!(frame[34], 0x21, "version and type");
    assert_eq!(frame[38], 1, "authentication type");
    assert_eq!(&frame[46..54], b"secret\0\0");

    let mut stranger = VirtualRouter::new(50, pair.lan.vip());
    v2(&mut stranger, "another");
    let stranger = Agent::start(&pair.client().ns, &stranger)?;
    stranger.wait_state(State::Active, START)?;
    let status = stranger.status()?;
    assert!(outcome(&status, "auth_failed") >= 3, "{status}");
    assert_eq!(outcome(&status, "accepted"), 0, "{status}");
    assert_eq!(counter(&pair.backup.status()?, "adverts_discarded"), 0);
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, SOON)?;
    Ok(())
}

// S-17, S-16, D-20, D-22, D-23: the order of a promotion.
// proves: S-16, D-05, D-22, D-23
#[test]
fn a_promotion_is_an_advert_then_the_vips_then_their_garps_twice() -> Result<()> {
    const COUNT: usize = 100;
    require_agent!();
    let lan = Lan::new(1)?;
    let host = lan.host(0);
    // Many, so that an order that is wrong takes long enough to be seen.
    let vips: Vec<IpAddr> = (1..=COUNT as u8).map(|n| [10, 77, 2, n].into()).collect();
    let mut router = VirtualRouter::new(200, lan.vip()).every(INTERVAL);
    router.vips = vips.iter().map(|vip| (*vip, 32)).collect();
    let conf =
        router
            .keepalived_conf()
            .replacen("  priority ", "  garp_master_delay 1\n  priority ", 1);
    let witness = Witness::start(&host.ns, "eth0")?;
    let agent = Agent::start_conf(&host.ns, &conf, &router.name)?;
    agent.wait_state(State::Active, START)?;
    let garps = || {
        let events = witness.events();
        let is_garp = |event: &&Event| event.frame().is_some_and(|frame| frame.garp().is_some());
        events.iter().filter(is_garp).cloned().collect::<Vec<_>>()
    };
    eventually(SOON, "two bursts of GARPs", || {
        (garps().len() >= 10 * COUNT).then_some(())
    })?;
    never(2 * Duration::from_secs(1), "a third burst", || {
        let count = garps().len();
        (count != 10 * COUNT).then_some(count)
    })?;
    let events = witness.events();
    let first =
        |wanted: &dyn Fn(&Event) -> bool| events.iter().find(|event| wanted(event)).cloned();
    let advert = first(&|event| event.frame().is_some_and(|f| f.advert().is_some()));
    let advert = advert.expect("an advert");
    let garps = garps();
    for vip in &vips {
        let added = first(&|event| event.is_address(*vip, false)).expect("every VIP comes");
        assert!(advert.may_precede(&added), "{vip} before the advert");
        assert!(added.may_precede(&garps[0]), "a GARP before {vip}");
        let of_vip = garps.iter().filter(|event| {
            let garp = event.frame().and_then(Frame::garp);
            garp.is_some_and(|garp| IpAddr::from(garp.address) == *vip)
        });
        let times: Vec<u64> = of_vip.map(|event| event.time).collect();
        assert_eq!(times.len(), 10, "GARPs of {vip}");
        // The second five come a second after the first: not before half of it.
        let pause = Duration::from_nanos(times[5].saturating_sub(times[4]));
        assert!(pause > Duration::from_millis(500), "{pause:?}");
    }
    Ok(())
}

// S-18: two of the same priority: the higher address wins, and stays.
// proves: S-40
#[test]
fn equal_priorities_end_with_one_active() -> Result<()> {
    require_agent!();
    let lan = Lan::new(2)?;
    let router = VirtualRouter::new(100, lan.vip()).every(INTERVAL);
    lan.cut_silently(0)?;
    let agents = [0, 1].map(|index| agents::start(lan.host(index), &router, &[]));
    let [first, second] = agents;
    let (first, second) = (first?, second?);
    first.wait_state(State::Active, START)?;
    second.wait_state(State::Active, START)?;
    lan.mend(0)?;
    // S-40: host 1 has the higher address.
    first.wait_state(State::Backup, SOON)?;
    let_pass(3 * DOWN)?;
    assert_eq!(second.state(), Some(State::Active));
    assert_eq!(second.transitions().len(), 2);
    assert!(!lan.host(0).has_address(lan.vip())?);
    let status = first.status()?;
    assert_eq!(
        instance(&status)["active"],
        lan.host(1).port.v4.to_string().as_str()
    );
    Ok(())
}
