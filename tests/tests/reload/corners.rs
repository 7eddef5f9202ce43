//! What an ordinary reload does not meet: names that do not exist, VIPs between
//! instances, a second family, instances with a fault.

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::SOON,
    require_agent,
    router::{Router, State},
    wait::{eventually, let_pass},
};

use crate::lab::*;

/// A name that is no interface's would be a fault of an instance that runs.
#[test]
fn an_interface_that_does_not_exist_is_refused() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let transitions = pair.transitions();
    pair.active
        .write_conf(&conf(&[Block::new(200, &[A, "10.77.9.2/32 dev eth7"])]))?;
    let ended = pair.active.reload()?;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.output.join("\n").contains("eth7"), "{ended:?}");
    assert_eq!(pair.transitions(), transitions);
    Ok(())
}

/// keepalived needs two reloads for that (COMPAT 2.17).
#[test]
fn a_vip_moves_from_one_instance_to_the_other_in_place() -> Result<()> {
    require_agent!();
    let both = |first: &[&str], second: &[&str]| [Block::new(200, first), Block::second(second)];
    let pair = Pair::start(&both(&[A, B], &[C]))?;
    pair.active
        .process()
        .wait_line("(VI_2) Entering MASTER STATE", SOON)?;
    let (witness, moved) = (pair.witness()?, ip(B)?);
    for [first, second] in [[&[A][..], &[C, B][..]], [&[A, B], &[C]]] {
        let mark = witness.mark();
        reload(&pair.active, &both(first, second))?;
        let_pass(2 * INTERVAL)?;
        assert!(pair.lan.host(0).has_address(ip(B)?)?);
        let events = witness.events().split_off(mark);
        let others = addresses(&events)
            .into_iter()
            .filter(|(address, _)| *address != moved);
        assert_eq!(others.count(), 0, "{:?}", addresses(&events));
        assert_eq!(garps(&events), [ip(B)?; 5]);
    }
    Ok(())
}

/// The agent started without IPv6.
#[test]
fn another_family_comes_into_use() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    let six = ["fe80::9:1/64", "fd77:9::1/128"];
    for (agent, priority) in [(&pair.active, 200), (&pair.backup, 100)] {
        let sixth = Block {
            name: "VI_6",
            vrid: 60,
            ..Block::new(priority, &six)
        };
        reload(agent, &[Block::new(priority, &[A]), sixth])?;
    }
    let state = |agent: &Agent| Some(agent.status().ok()?["instances"][1]["state"].clone());
    eventually(SOON, "an election in IPv6", || {
        let states = [state(&pair.active)?, state(&pair.backup)?];
        (states == ["active", "backup"]).then_some(())
    })?;
    assert!(pair.lan.host(0).has_address("fd77:9::1".parse()?)?);
    let_pass(DOWN)?;
    assert_eq!(state(&pair.backup), Some("backup".into()));
    Ok(())
}

#[test]
fn an_instance_with_a_fault_is_changed_as_well() -> Result<()> {
    require_agent!();
    let pair = Pair::start(&[Block::new(200, &[A])])?;
    pair.lan.cut_cable(0)?;
    pair.active.wait_state(State::Fault, SOON)?;
    reload(&pair.active, &[Block::new(220, &[B])])?;
    let status = pair.active.status()?;
    assert_eq!(status["instances"][0]["priority"], 220, "{status}");
    assert_eq!(status["instances"][0]["state"], "fault", "{status}");
    pair.lan.mend(0)?;
    pair.active.wait_state(State::Active, SOON)?;
    let host = pair.lan.host(0);
    assert!(host.has_address(ip(B)?)? && !host.has_address(ip(A)?)?);
    Ok(())
}
