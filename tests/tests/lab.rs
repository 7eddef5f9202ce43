//! Tests of the lab itself, with keepalived as the router under test: what the
//! lab says of a known daemon must be true before it judges the agent.

use std::time::Duration;

use anyhow::Result;
use failoverd_tests::{
    capture::{Capture, Frame},
    clock::monotonic,
    daemon::Daemon,
    frr::{self, Frr},
    keepalived::Keepalived,
    netns::{self, Netns},
    pair::Pair,
    privilege,
    probe::Probe,
    require_root,
    router::{Router, State, VirtualRouter},
    sys,
    topology::{Direction, Lan, Loss, Mac},
    tshark,
    wait::{eventually, let_pass},
};

const SECOND: Duration = Duration::from_secs(1);
const SPACING: Duration = Duration::from_millis(1);
/// 100 ms adverts: quick, and nothing false on a busy build machine.
const INTERVAL: Duration = Duration::from_millis(100);
/// A priority of 200 and of 100: Active_Down_Interval of the latter 3.61 A.
const TAKE_OVER: Duration = Duration::from_millis(361);

fn pair() -> Result<Pair> {
    Pair::start([Daemon::Keepalived; 2], |_lan, _index, router| {
        router.interval = INTERVAL
    })
}

#[test]
fn a_cable_cut_moves_the_vip_and_the_lab_sees_it() -> Result<()> {
    require_root!("keepalived");
    let Pair {
        active,
        backup,
        lan,
    } = pair()?;
    let vip = lan.vip();
    assert!(lan.host(0).has_address(vip)?);
    assert!(!lan.host(1).has_address(vip)?);

    let capture = Capture::start(&lan.host(2).ns, "eth0")?;
    let probe = Probe::start(lan.host(2), vip, SPACING)?;
    let start = monotonic();
    probe.wait_answer(start, Some(lan.host(0).port.mac), 2 * SECOND)?;
    let steady = probe.report();
    assert_eq!(steady.double_answers, 0, "{steady:?}");

    let cut = monotonic();
    lan.cut_silently(0)?;
    backup.wait_state(State::Active, 5 * SECOND)?;
    let back = probe.wait_answer(cut, Some(lan.host(1).port.mac), 2 * SECOND)?;
    let garp = capture.wait_for("a GARP of the new Active", 2 * SECOND, |frame: &Frame| {
        frame
            .garp()
            .filter(|garp| garp.claimed == lan.host(1).port.mac)
    })?;
    assert_eq!(std::net::IpAddr::from(garp.address), vip);
    assert_eq!(garp.destination_mac, Mac::BROADCAST);

    let report = probe.stop();
    // The floor is the Active_Down_Interval less the age of the last advert.
    let floor = TAKE_OVER - INTERVAL;
    let blackout = report.blackout_max();
    assert!(blackout >= floor && blackout < 2 * SECOND, "{blackout:?}");
    assert!(back > cut && report.double_answers == 0, "{report:?}");
    assert_eq!(report.changes.len(), 2, "{report:?}");

    // The carrier stayed, so the cut-off keepalived noticed nothing.
    assert_eq!(active.state(), Some(State::Active));
    lan.mend(0)?;
    backup.wait_state(State::Backup, 5 * SECOND)?;
    Ok(())
}

#[test]
fn a_pulled_cable_takes_the_carrier() -> Result<()> {
    require_root!("keepalived");
    let Pair {
        active,
        backup,
        lan,
    } = pair()?;
    lan.cut_cable(0)?;
    active.wait_state(State::Fault, 5 * SECOND)?;
    backup.wait_state(State::Active, 5 * SECOND)?;
    lan.mend(0)?;
    active.wait_state(State::Active, 10 * SECOND)?;
    backup.wait_state(State::Backup, 5 * SECOND)?;
    Ok(())
}

#[test]
fn one_way_loss_makes_two_that_answer_and_the_probe_counts_them() -> Result<()> {
    require_root!("keepalived", "nft");
    let Pair {
        active,
        backup,
        lan,
    } = pair()?;
    // A Backup that is deaf to adverts only: both serve, and the client hears both.
    lan.cut_one_way(1, Direction::ToHost, Loss::Adverts)?;
    backup.wait_state(State::Active, 5 * SECOND)?;
    let probe = Probe::start(lan.host(2), lan.vip(), SPACING)?;
    eventually(5 * SECOND, "double answers", || {
        (probe.report().double_answers > 10).then_some(())
    })?;
    lan.mend_one_way()?;
    backup.wait_state(State::Backup, 5 * SECOND)?;
    assert_eq!(active.state(), Some(State::Active));
    let mended = monotonic();
    let_pass(Duration::from_millis(200))?;
    assert_eq!(probe.report_since(mended + 20_000_000).double_answers, 0);
    Ok(())
}

#[test]
fn adverts_are_captured_and_tshark_reads_the_same() -> Result<()> {
    require_root!("keepalived", "tshark");
    let Pair {
        active: _active,
        backup: _backup,
        lan,
    } = pair()?;
    let capture = Capture::start(&lan.host(2).ns, "eth0")?;
    let advert = capture.wait_for("an advert", 5 * SECOND, Frame::advert)?;
    assert_eq!((advert.version, advert.vrid, advert.priority), (3, 51, 200));
    assert_eq!((advert.ttl, advert.interval), (255, INTERVAL));
    assert_eq!(advert.addresses, [lan.vip()]);
    assert_eq!(advert.source, lan.host(0).port.v4);

    let directory = tempfile::tempdir()?;
    let pcap = directory.path().join("adverts.pcap");
    capture.write_pcap(&pcap, |frame| frame.advert().is_some())?;
    let rows = tshark::decode(
        &pcap,
        "vrrp",
        &["vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio"],
    )?;
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row == &["3", "51", "200"]),
        "{rows:?}"
    );
    assert_eq!(tshark::complaints(&pcap)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn ipv6_is_usable_at_once_and_probed_by_solicitations() -> Result<()> {
    require_root!();
    let lan = Lan::new(2)?;
    let vip = lan.vip6();
    let probe = Probe::start(lan.host(1), vip, SPACING)?;
    lan.host(0)
        .ns
        .sh(&format!("ip addr add {vip}/64 dev eth0 nodad"))?;
    probe.wait_answer(0, Some(lan.host(0).port.mac), 2 * SECOND)?;
    lan.cut_silently(0)?;
    let_pass(Duration::from_millis(100))?;
    lan.mend(0)?;
    let mended = monotonic();
    probe.wait_answer(mended, None, 2 * SECOND)?;
    let gap = probe.stop().blackout_max();
    assert!(gap >= Duration::from_millis(100) && gap < SECOND, "{gap:?}");
    Ok(())
}

#[test]
fn an_interface_comes_back_under_the_same_name_with_another_index() -> Result<()> {
    require_root!();
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let index = || ns.enter(|| Ok(sys::interface_index("eth0")?));
    let before = index()?;
    lan.delete_interface(0)?;
    assert!(index().is_err());
    lan.recreate_interface(0)?;
    assert_ne!(index()?, before);
    assert!(lan.host(0).has_address(lan.host(0).port.v4.into())?);
    Ok(())
}

#[test]
fn a_namespace_and_its_processes_go_with_the_guard() -> Result<()> {
    require_root!();
    let ns = Netns::new()?;
    let (name, process) = (ns.name().to_owned(), ns.spawn("sleep", ["60"])?);
    assert!(netns::ours().contains(&name));
    let pid = process.pid();
    // The namespace goes first here, which is the harder order.
    drop(ns);
    assert!(!netns::ours().contains(&name));
    drop(process);
    assert!(!sys::exists(pid));
    Ok(())
}

#[test]
fn a_line_that_does_not_come_is_an_error_with_the_output() -> Result<()> {
    require_root!();
    let ns = Netns::new()?;
    let process = ns.spawn("echo", ["something else"])?;
    let start = monotonic();
    let error = process
        .wait_line("Entering", 60 * SECOND)
        .expect_err("no such line");
    assert!(
        monotonic() - start < 30_000_000_000,
        "the end goes unnoticed"
    );
    let error = error.to_string();
    assert!(
        error.contains("something else") && error.contains("has ended"),
        "{error}"
    );
    Ok(())
}

#[test]
fn frr_and_keepalived_agree_on_one_active() -> Result<()> {
    require_root!("keepalived");
    if !privilege::ready(frr::missing()) {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let router = |priority| VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
    let keepalived = Keepalived::start(&lan.host(0).ns, &router(200))?;
    keepalived.wait_state(State::Active, 10 * SECOND)?;
    let mut frr = Frr::start(&lan.host(1).ns, &router(100))?;
    frr.wait_state(State::Backup, 10 * SECOND)?;
    lan.cut_cable(0)?;
    frr.wait_state(State::Active, 5 * SECOND)?;
    lan.mend(0)?;
    frr.wait_state(State::Backup, 10 * SECOND)?;
    frr.process_mut().terminate()?;
    Ok(())
}

/// What the generated configurations must mean, in every mode that the agent
/// will be tried in: a pair elects, and takes over.
fn elects_and_takes_over(adjust: impl FnMut(&Lan, usize, &mut VirtualRouter)) -> Result<Pair> {
    let pair = Pair::start([Daemon::Keepalived; 2], adjust)?;
    pair.lan.cut_silently(0)?;
    pair.backup.wait_state(State::Active, 10 * SECOND)?;
    Ok(pair)
}

#[test]
fn version_2_with_a_password() -> Result<()> {
    require_root!("keepalived");
    let pair = elects_and_takes_over(|_lan, _index, router| {
        router.version = 2;
        router.password = Some("secret".to_owned());
    })?;
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    let advert = capture.wait_for("an advert", 5 * SECOND, Frame::advert)?;
    assert_eq!((advert.version, advert.interval), (2, SECOND));
    Ok(())
}

#[test]
fn unicast() -> Result<()> {
    require_root!("keepalived");
    let pair = elects_and_takes_over(|lan, index, router| {
        let [own, peer] = [index, 1 - index].map(|index| lan.host(index).port.v4.into());
        router.unicast = Some((own, vec![peer]));
        router.interval = INTERVAL;
    })?;
    let capture = Capture::start(&pair.lan.host(1).ns, "eth0")?;
    let advert = capture.wait_for("an advert", 5 * SECOND, Frame::advert)?;
    assert_eq!(advert.destination, pair.lan.host(0).port.v4);
    Ok(())
}

#[test]
fn ipv6_with_keepalived_and_with_frr() -> Result<()> {
    require_root!("keepalived");
    let v6 = |lan: &Lan, _index: usize, router: &mut VirtualRouter| {
        router.vips = vec![(lan.vip6_link_local(), 64), (lan.vip6(), 64)];
        router.interval = INTERVAL;
    };
    let pair = elects_and_takes_over(v6)?;
    let capture = Capture::start(&pair.client().ns, "eth0")?;
    let advert = capture.wait_for("an advert", 5 * SECOND, Frame::advert)?;
    assert_eq!(advert.source, pair.lan.host(1).port.link_local);
    assert_eq!(
        advert.addresses,
        [pair.lan.vip6_link_local(), pair.lan.vip6()]
    );
    assert!(pair.lan.host(1).has_address(pair.lan.vip6())?);
    drop(pair);

    if !privilege::ready(frr::missing()) {
        return Ok(());
    }
    let lan = Lan::new(2)?;
    let mut router = VirtualRouter::new(100, lan.vip6());
    v6(&lan, 0, &mut router);
    let frr = Frr::start(&lan.host(0).ns, &router)?;
    frr.wait_state(State::Active, 15 * SECOND)?;
    Ok(())
}
