//! The configuration changes while the agent runs (issue 3): what does not
//! change is not touched, and what is wrong changes nothing.

mod corners;
mod lab;
mod storm;

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result};
use failoverd_tests::{
    agent::{Agent, Ended, call},
    agents::{SOON, START, signal},
    clock::{monotonic, nanos},
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::{eventually, let_pass},
    witness::{Event, Witness},
};
use serde_json::Value;

use crate::lab::*;

#[test]
fn an_identical_file_has_no_effect() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A, B])])?;
    let before = [pair.active.status()?, pair.backup.status()?];
    let transitions = pair.transitions();
    let witness = pair.witness()?;
    let window = Duration::from_secs(2);
    let_pass(window)?;
    let quiet = witness.mark();
    let began = monotonic();
    let mut reloads = 0;
    while monotonic() < began + nanos(window) {
        for agent in [&pair.active, &pair.backup] {
            let ended = agent.reload()?;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert_eq!(ended.output, ["nothing changes"]);
        }
        reloads += 1;
    }
    let events = witness.events();
    let (without, with) = events.split_at(quiet);
    assert!(reloads >= 3, "{reloads} reloads");
    let beats = (monotonic() - began) / nanos(INTERVAL) + 2;
    let sent = adverts(with, pair.lan.host(0), 51).len() as u64;
    assert!(sent <= beats, "{sent} adverts, of which {beats} were due");
    assert_eq!(addresses(with), []);
    assert_eq!(garps(with), [] as [IpAddr; 0]);
    let gap = |events: &[Event]| longest_gap(&adverts(events, pair.lan.host(0), 51));
    let (with, without) = (gap(with), gap(without));
    assert!(
        with < without.max(2 * INTERVAL),
        "{with:?}, else {without:?}"
    );
    assert_eq!(pair.transitions(), transitions);
    let after = [pair.active.status()?, pair.backup.status()?];
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(essence(before), essence(after));
    }
    Ok(())
}

#[test]
fn sighup_reloads_through_the_parent() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    pair.active.write_conf(&conf(&[Block::new(200, &[A, B])]))?;
    let log = pair.active.process();
    let mark = log.mark();
    log.signal(libc::SIGHUP)?;
    log.wait_line_from(mark, "Reloaded:   virtual_ipaddress: +10.77.9.2/32", SOON)?;
    assert!(pair.lan.host(0).has_address(ip(B)?)?);
    Ok(())
}

/// The first advert of the Active after `mark` that has these addresses.
fn wait_list(witness: &Witness, mark: usize, pair: &Pair, vips: &[&str]) -> Result<Event> {
    let wanted: Vec<IpAddr> = vips.iter().map(|vip| ip(vip)).collect::<Result<_>>()?;
    let own = pair.lan.host(0).port.mac;
    witness.wait_from(mark, "the new list", SOON, |event| {
        let advert = event.frame().and_then(|frame| frame.advert());
        advert.is_some_and(|advert| advert.addresses == wanted && advert.source_mac == own)
    })
}

#[test]
fn vips_come_and_go_one_by_one() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A, B])])?;
    let host = pair.lan.host(0);
    let witness = pair.witness()?;
    let transitions = pair.transitions();

    let mark = witness.mark();
    let said = reload(&pair.active, &[Block::new(200, &[A, B, C])])?;
    assert!(said.join("\n").contains("+10.77.9.3/32"), "{said:?}");
    assert!(
        host.has_address(ip(C)?)?,
        "not there when the reload has ended"
    );
    let advert = wait_list(&witness, mark, &pair, &[A, B, C])?;
    let_pass(2 * INTERVAL)?;
    let events = witness.events().split_off(mark);
    // At once, and not with the next beat: before the address is there.
    let added = events
        .iter()
        .find(|event| matches!(ip(C), Ok(c) if event.is_address(c, false)));
    let added = added.context("no address event")?;
    assert!(advert.may_precede(added), "the address came first");
    assert_eq!(addresses(&events), [(ip(C)?, false)]);
    assert_eq!(garps(&events), [ip(C)?; 5]);

    let mark = witness.mark();
    reload(&pair.active, &[Block::new(200, &[B, C])])?;
    wait_list(&witness, mark, &pair, &[B, C])?;
    let_pass(2 * INTERVAL)?;
    let events = witness.events().split_off(mark);
    assert_eq!(addresses(&events), [(ip(A)?, true)]);
    assert_eq!(garps(&events), [] as [IpAddr; 0]);

    // Another prefix is another address for the kernel; nobody took it from us.
    let mark = witness.mark();
    let line = pair.active.process().mark();
    reload(&pair.active, &[Block::new(200, &["10.77.9.2/28", C])])?;
    let_pass(2 * INTERVAL)?;
    let events = witness.events().split_off(mark);
    assert_eq!(addresses(&events), [(ip(B)?, true), (ip(B)?, false)]);
    assert_eq!(garps(&events), [ip(B)?; 5]);
    let log = pair.active.process().lines();
    let restored = log.iter().skip(line).find(|l| l.text.contains("put back"));
    assert!(restored.is_none(), "{restored:?}");

    let gap = longest_gap(&adverts(&witness.events(), host, 51));
    assert!(gap < 2 * INTERVAL, "{gap:?}");
    assert_eq!(pair.transitions(), transitions);
    // Only now do the others hear of it; and a Backup has nothing to add.
    reload(&pair.backup, &[Block::new(100, &["10.77.9.2/28", C])])?;
    assert!(!pair.lan.host(1).has_address(ip(C)?)?);
    assert_eq!(pair.transitions(), transitions);
    Ok(())
}

#[test]
fn a_priority_moves_the_election_without_a_lost_advert() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let witness = pair.witness()?;
    let own = pair.lan.host(0).port.mac;
    reload(&pair.active, &[Block::new(50, &[A])])?;
    pair.backup.wait_state(State::Active, SOON)?;
    pair.active.wait_state(State::Backup, SOON)?;
    let_pass(DOWN)?;
    // And back, by the Backup that rises.
    reload(&pair.active, &[Block::new(220, &[A])])?;
    pair.active.wait_state(State::Active, SOON)?;
    pair.backup.wait_state(State::Backup, SOON)?;
    let_pass(DOWN)?;
    let events = witness.events();
    let said = events.iter().find(|event| event.is_advert(own, Some(50)));
    assert!(said.is_some(), "the lower priority was not said");
    let released = events.iter().find(|event| event.is_advert(own, Some(0)));
    assert!(released.is_none(), "nobody was to leave: {released:?}");
    let mut all: Vec<u64> = [0, 1]
        .iter()
        .flat_map(|host| adverts(&events, pair.lan.host(*host), 51))
        .collect();
    all.sort_unstable();
    let gap = longest_gap(&all);
    assert!(gap < 2 * INTERVAL, "{gap:?}");
    Ok(())
}

#[test]
fn a_broken_file_leaves_everything_as_it_was() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let before = pair.active.status()?;
    let transitions = pair.transitions();
    let witness = pair.witness()?;
    let good = conf(&[Block::new(200, &[A])]);
    let twice = conf(&[Block::new(200, &[A, B]), Block::new(200, &[C])]);
    for (text, reason) in [
        (good.replace("interface eth0\n", ""), "interface"),
        (format!("{good}vrrp_instance"), "vrrp_instance"),
        (twice, "VI_1"),
        ("# nothing\n".to_owned(), "vrrp_instance"),
        (
            conf(&[
                Block {
                    interface: "eth7",
                    ..Block::second(&[B])
                },
                Block::new(200, &[A, B]),
            ]),
            "eth7",
        ),
    ] {
        pair.active.write_conf(&text)?;
        let mark = pair.active.process().mark();
        let ended = pair.active.reload()?;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.output.join("\n").contains(reason), "{ended:?}");
        let log = pair.active.process();
        log.wait_line_from(mark, "Not reloaded, all goes on as before", SOON)?;
    }
    std::fs::remove_file(pair.active.conf())?;
    let ended = pair.active.reload()?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    // In the form of `run`.
    let said = ended.output.join("\n");
    assert!(said.contains("error: cannot be read"), "{said}");
    let_pass(3 * INTERVAL)?;
    let events = witness.events();
    assert_eq!((addresses(&events), garps(&events)), (vec![], vec![]));
    assert_eq!(pair.transitions(), transitions);
    assert_eq!(essence(&before), essence(&pair.active.status()?));
    // It is none the worse for it.
    reload(&pair.active, &[Block::new(200, &[A, B])])?;
    assert!(pair.lan.host(0).has_address(ip(B)?)?);
    Ok(())
}

#[test]
fn instances_come_and_go_and_the_others_do_not_notice() -> Result<()> {
    require_agent!();
    let lan = Lan::new(3)?;
    let ns = &lan.host(0).ns;
    ns.sh("ip link add eth9 type veth peer name peer9")?;
    ns.sh("ip addr add 10.77.8.1/24 dev eth9")?;
    ns.sh("ip link set eth9 up")?;
    ns.sh("ip link set peer9 up")?;
    let first = Block::new(200, &[A]);
    let pair = Pair::start_on(lan, std::slice::from_ref(&first))?;
    let host = pair.lan.host(0);
    let witness = pair.witness()?;
    let transitions = pair.transitions();
    let second = Block {
        interface: "eth9",
        ..Block::second(&[B])
    };
    let third = Block {
        name: "VI_3",
        vrid: 53,
        ..Block::new(255, &[C])
    };
    let log = pair.active.process();
    let mark = log.mark();
    reload(&pair.active, &[third.clone(), second, first.clone()])?;
    log.wait_line_from(mark, "(VI_2) Entering MASTER STATE", SOON)?;
    assert!(host.has_address(ip(B)?)? && host.has_address(ip(C)?)?);
    let status = pair.active.status()?;
    let names: Vec<_> = status["instances"]
        .as_array()
        .context("instances")?
        .iter()
        .map(|instance| (instance["name"].as_str(), instance["state"].as_str()))
        .collect();
    let active = Some("active");
    assert_eq!(
        names,
        [
            (Some("VI_3"), active),
            (Some("VI_2"), active),
            (Some("VI_1"), active)
        ]
    );
    assert_eq!(
        status["links"].as_array().map(Vec::len),
        Some(2),
        "{status}"
    );

    // A killed agent leaves none of them behind.
    let mark = log.mark();
    signal(&pair.active, libc::SIGKILL)?;
    log.wait_line_from(mark, "the agent died", SOON)?;
    // Its parent waits before it starts another one, which would remove them.
    for vip in [A, B, C] {
        assert!(!host.has_address(ip(vip)?)?, "{vip} was left");
    }
    log.wait_line_from(mark, "(VI_2) Entering MASTER STATE", SOON)?;
    eventually(SOON, "the pair is as before", || {
        let both = [pair.active.state()?, pair.backup.state()?];
        (both == [State::Active, State::Backup]).then_some(())
    })?;
    let transitions_killed = pair.transitions();
    assert!(transitions_killed > transitions);

    let began = witness.mark();
    let mark = log.mark();
    reload(&pair.active, std::slice::from_ref(&first))?;
    assert!(!host.has_address(ip(B)?)? && !host.has_address(ip(C)?)?);
    log.wait_line_from(mark, "(VI_3) sent 0 priority", SOON)?;
    log.wait_line_from(mark, "(VI_2) sent 0 priority", SOON)?;
    let status = pair.active.status()?;
    assert_eq!(
        status["instances"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    assert_eq!(
        status["links"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    let attached = host.ns.sh("ip -d link show eth9")?;
    assert!(!attached.contains("xdp"), "{attached}");
    assert_eq!(pair.transitions(), transitions_killed);
    let_pass(3 * INTERVAL)?;
    let events = witness.events().split_off(began);
    let gap = longest_gap(&adverts(&events, host, 51));
    assert!(gap < 2 * INTERVAL, "{gap:?}");
    assert!(adverts(&events, host, 53).len() < 5, "it still sends");
    // Nor does it keep the lock.
    let mut other = Agent::start_conf(&host.ns, &conf(std::slice::from_ref(&third)), "VI_3")?;
    other.wait_state(State::Active, SOON)?;
    other.stop()?;
    // Adverts of it are nobody's now.
    let theirs = Block {
        priority: 100,
        ..third.clone()
    };
    reload(&pair.backup, &[Block::new(100, &[A]), theirs])?;
    eventually(SOON, "adverts of an unknown virtual router", || {
        let status = pair.active.status().ok()?;
        status["unclaimed"]["unknown_vrid"]
            .as_u64()
            .filter(|count| *count > 0)
    })?;
    // The id is used again, and its successor counts from zero.
    reload(&pair.active, &[first, third])?;
    let status = pair.active.status()?;
    assert_eq!(status["instances"][1]["state"], "active", "{status}");
    assert_eq!(
        status["instances"][1]["counters"]["became_active"], 1,
        "{status}"
    );
    Ok(())
}

#[test]
fn a_virtual_router_that_another_agent_has_fails_the_reload_as_a_whole() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let other = conf(&[Block::second(&[B])]);
    let mut other = Agent::start_conf(&pair.lan.host(0).ns, &other, "VI_2")?;
    other.wait_state(State::Active, START)?;
    let third = Block {
        name: "VI_3",
        vrid: 53,
        ..Block::new(255, &[C])
    };
    let wanted = [
        Block::new(200, &[A, "10.77.9.4/32"]),
        third,
        Block::second(&[B]),
    ];
    pair.active.write_conf(&conf(&wanted))?;
    let ended = pair.active.reload()?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.output.join("\n").contains("VI_2"), "{ended:?}");
    let status = pair.active.status()?;
    assert_eq!(
        status["instances"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    assert!(!pair.lan.host(0).has_address("10.77.9.4".parse()?)?);
    // Nor does it keep the locks that it could have had.
    other.stop()?;
    let ended = pair.active.reload()?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Ok(())
}

/// Another kind of transport or version is another virtual router, in the
/// same slot of the same link: it leaves and starts anew.
#[test]
fn another_version_is_replaced_and_works() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let text = conf(&[Block::new(200, &[A])]).replace("version 3", "version 2");
    let text = text.replace("advert_int 0.1", "advert_int 1");
    pair.active.write_conf(&text)?;
    let mark = pair.active.process().mark();
    let ended = pair.active.reload()?;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.output.join("\n").contains("replaced"), "{ended:?}");
    let log = pair.active.process();
    log.wait_line_from(mark, "sent 0 priority", SOON)?;
    log.wait_line_from(mark, "Entering MASTER STATE", SOON)?;
    let status = pair.active.status()?;
    assert_eq!(status["instances"][0]["vrrp_version"], 2, "{status}");
    Ok(())
}

#[test]
fn an_agent_with_flags_refuses_in_one_sentence() -> Result<()> {
    require_agent!();
    let lan = Lan::new(1)?;
    let words = [
        "run",
        "--iface",
        "eth0",
        "--vrid",
        "51",
        "--vip",
        "10.77.9.1/32",
    ];
    let agent = Agent::start_with(&lan.host(0).ns, &words, "VI_1")?;
    agent.wait_state(State::Active, START)?;
    let ended = agent.reload()?;
    assert_eq!((ended.code, ended.output.len()), (Some(2), 1), "{ended:?}");
    assert!(ended.output[0].contains("started with flags"), "{ended:?}");
    Ok(())
}

#[test]
fn diff_says_what_a_reload_would_do() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let directory = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = directory.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let same = file("same", &conf(&[Block::new(200, &[A])]))?;
    let other = file(
        "other",
        &conf(&[Block::new(120, &[A, B]), Block::second(&[C])]),
    )?;
    let wrong = file("wrong", "vrrp_instance VI_1 {\n}\n")?;
    let ask = |words: &[&str]| pair.active.ask("diff", words);
    let code = |ended: &Ended| ended.code;
    assert_eq!(code(&ask(&[&same])?), Some(0));
    let ended = ask(&[&other])?;
    let text = ended.output.join("\n");
    assert_eq!(ended.code, Some(1), "{text}");
    for part in [
        "(VI_1) changed",
        "priority: 200 -> 120",
        "+10.77.9.2/32",
        "(VI_2) added",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let ended = ask(&[&other, "--json"])?;
    let json: Value = serde_json::from_str(&ended.output.join("\n"))?;
    assert_eq!(json["instances"][0]["action"], "changed", "{json}");
    assert_eq!(
        json["instances"][0]["changes"][0]["field"], "priority",
        "{json}"
    );
    let ended = ask(&[&wrong])?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    // Without an agent.
    let against = ["diff", &same, "--against", &other];
    assert_eq!(code(&call(None, &against, SOON)?), Some(1));
    let nobody = directory.path().join("control").display().to_string();
    let ended = call(None, &["diff", &same, "--control", &nobody], SOON)?;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    // Nothing was done.
    assert!(!pair.lan.host(0).has_address(ip(B)?)?);
    Ok(())
}
