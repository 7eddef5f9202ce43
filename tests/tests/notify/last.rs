//! The end of the agent: what its supervisor does meanwhile.

use std::time::Duration;

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents, require_agent,
    router::{Router, State},
    sys,
    topology::Lan,
    wait::eventually,
};

use crate::{
    lab::{LONG, Place, lines},
    scripts::conf,
};

/// What the shutdown script puts there is not the agent's any more.
#[test]
fn what_the_shutdown_script_leaves_stays() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let hands_on = place.script("hands-on", "ip address add 10.77.1.100/24 dev eth0")?;
    let globals = format!("shutdown_script {}", hands_on.display());
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf(&globals, ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    agent.stop()?;
    let addresses = lan.host(0).ns.sh("ip -4 address show dev eth0")?;
    ensure!(addresses.contains("10.77.1.100/24"), "{addresses}");
    Ok(())
}

/// A stop of the supervisor leaves an agent that ends already its time.
#[test]
fn an_agent_that_ends_by_itself_keeps_the_time_it_asked_for() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let out = place.path("out");
    let slow = place.script(
        "slow",
        &format!(
            "echo begins >> {out}\nsleep 7\necho ends >> {out}",
            out = out.display()
        ),
    )?;
    let lines_of_it = format!("notify_stop {}", slow.display());
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf("", &lines_of_it), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    sys::kill(agents::pid(&agent)?, libc::SIGTERM)?;
    eventually(LONG, "the script", || {
        (lines(&out) == ["begins"]).then_some(())
    })?;
    agent.process().signal(libc::SIGTERM)?;
    agent.process_mut().wait(Duration::from_secs(25))?;
    ensure!(lines(&out) == ["begins", "ends"], "{:?}", lines(&out));
    Ok(())
}
