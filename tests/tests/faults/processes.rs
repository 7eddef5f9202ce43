//! What is left when nobody is left.

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, pid},
    require_agent,
    router::{Router, State},
    sys,
    topology::Lan,
    wait::eventually,
    witness::Witness,
};

use crate::lab::*;

fn has_xdp(lan: &Lan) -> Result<bool> {
    let link = lan.host(0).ns.sh("ip -d -o link show eth0")?;
    Ok(link.contains("prog/xdp"))
}

// Agent and parent killed at once: the VIPs stay, and the next start, which the
// unit does a second later, removes them first of all. The program goes with
// the agent, and all traffic goes through as before.
#[test]
fn t02_b07_what_both_leave_is_gone_with_the_next_start() -> Result<()> {
    require_agent!("ping");
    let lan = Lan::new(2)?;
    let (host, vip) = (lan.host(0), lan.vip());
    let mut agent = Agent::start_conf(&host.ns, &conf("", 200, ""), "VI_1")?;
    agent.wait_state(State::Active, START)?;
    assert!(has_xdp(&lan)?);
    let worker = pid(&agent)?;
    // Stopped, it cannot do its work first.
    agent.process().signal(libc::SIGSTOP)?;
    sys::kill(worker, libc::SIGKILL)?;
    agent.process_mut().kill()?;
    eventually(SOON, "no XDP program", || {
        (!has_xdp(&lan).ok()?).then_some(())
    })?;
    lan.host(1)
        .ns
        .sh(&format!("ping -c 1 -W 2 {}", host.port.v4))?;
    assert!(host.has_address(vip)?, "somebody else cleaned up");
    let witness = Witness::start(&host.ns, "eth0")?;
    // A Backup, so that the VIP goes and does not come again.
    let waiting = conf("vrrp_startup_delay 30", 200, "");
    let next = Agent::start_conf(&host.ns, &waiting, "VI_1")?;
    let gone = witness.wait_from(0, "the VIP goes", SOON, |event| event.is_address(vip, true))?;
    // How long a start takes is the machine's affair; it is what comes first.
    let runs = next.process().wait_line("is running", START)?;
    assert!(gone.time <= runs.time, "it ran before it cleaned up");
    assert!(said(&next, "as after a crash: removing it"));
    Ok(())
}
