//! A kernel without IPVS: VRRP goes on, and one line says what is not done.

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent,
    agents::{SOON, START},
    privilege, require_agent,
    router::{Router, State},
};

use crate::lab::*;

#[test]
fn without_ipvs_the_virtual_router_runs() -> Result<()> {
    require_agent!();
    let ns = machine()?;
    let asked = agent::call(Some(&ns), &["ipvs"], SOON)?;
    if asked.code == Some(0) {
        privilege::say_skipped("the kernel has IPVS");
        return Ok(());
    }
    ensure!(asked.code == Some(1), "{:?}", asked.output);
    let said = "this kernel has no IPVS";
    ensure!(asked.output.iter().any(|line| line.contains(said)));
    let servers = server(
        "192.0.2.100 80",
        "protocol TCP\nlvs_method DR",
        &["192.0.2.7 80"],
    );
    let mut director = start(&ns, &conf(&servers))?;
    let process = director.process();
    process.wait_line("virtual servers are not set up, all else goes on", SOON)?;
    // It is said once.
    for _ in 0..2 {
        ensure!(director.reload()?.code == Some(0));
    }
    director.wait_state(State::Active, START)?;
    director.stop()?;
    let lines = director.process().lines();
    let told = lines.iter().filter(|line| line.text.contains(said)).count();
    assert_eq!(told, 1);
    Ok(())
}
