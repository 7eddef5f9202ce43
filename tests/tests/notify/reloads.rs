//! What a reload changes while it is in use.

use std::{fs, os::unix::fs::FileTypeExt};

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    require_agent,
    router::{Router, State},
    topology::Lan,
};

use crate::{
    lab::{LONG, Place, Reader},
    scripts::conf,
};

#[test]
fn a_replaced_instance_is_gone_before_the_new_one_is_there() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let fifo = place.fifo("fifo")?;
    let globals = format!("notify_fifo {}", place.path("fifo").display());
    let before = conf(&globals, "");
    let agent = Agent::start_conf(&lan.host(0).ns, &before, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let after = before.replace("virtual_router_id 51", "virtual_router_id 52");
    agent.write_conf(&after)?;
    let reloaded = agent.reload()?;
    ensure!(reloaded.code == Some(0), "{reloaded:?}");
    let states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"];
    let lines = states.map(|state| format!("INSTANCE \"VI_1\" {state} 100"));
    let all = || (fifo.lines().len() >= lines.len()).then_some(());
    failoverd_tests::wait::eventually(LONG, "all lines", all)?;
    ensure!(fifo.lines() == lines, "{:?}", fifo.lines());
    Ok(())
}

#[test]
fn a_fifo_that_changes_its_keyword_is_the_same() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let path = place.path("fifo");
    let with = |keyword: &str| conf(&format!("{keyword} {}", path.display()), "");
    let mut agent = Agent::start_conf(&lan.host(0).ns, &with("vrrp_notify_fifo"), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let reader = Reader::start(&path)?;
    reader.wait(0, &["INSTANCE \"VI_1\" MASTER 100"])?;
    for keyword in ["notify_fifo", "vrrp_notify_fifo"] {
        agent.write_conf(&with(keyword))?;
        let reloaded = agent.reload()?;
        ensure!(reloaded.code == Some(0), "{reloaded:?}");
        ensure!(fs::symlink_metadata(&path)?.file_type().is_fifo());
        let from = reader.lines().len();
        let ns = &lan.host(0).ns;
        ns.sh("ip link set eth0 down")?;
        ns.sh("ip link set eth0 up")?;
        reader.wait(from, &["INSTANCE \"VI_1\" MASTER 100"])?;
    }
    agent.stop()?;
    ensure!(!path.exists(), "it is removed");
    Ok(())
}
