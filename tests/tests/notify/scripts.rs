//! What the agent promises beyond keepalived: the order of scripts, and that
//! none of them is in the way.

use std::{fs, os::unix::fs::FileTypeExt, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    capture::Capture,
    require_agent,
    router::{Router, State},
    topology::Lan,
    wait::eventually,
};

use crate::lab::{LONG, Place, Reader};

/// One instance that is Active at once, and more.
pub fn conf(globals: &str, lines: &str) -> String {
    format!(
        "global_defs {{\nenable_script_security\nscript_user root\n{globals}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\npriority 100\n\
         version 3\nadvert_int 0.1\nvirtual_ipaddress {{\n10.77.1.100/24\n}}\n{lines}\n}}\n"
    )
}

fn flap(lan: &Lan) -> Result<()> {
    let ns = &lan.host(0).ns;
    ns.sh("ip link set eth0 down")?;
    ns.sh("ip link set eth0 up").map(drop)
}

#[test]
fn however_long_a_script_takes_the_next_one_comes_after_it() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let out = place.path("out");
    let slow = place.script(
        "slow",
        &format!(
            "echo \"$3 begins\" >> {out}\n[ $3 = MASTER ] || sleep 0.3\necho \"$3 ends\" >> {out}",
            out = out.display()
        ),
    )?;
    let conf = conf("", &format!("notify {}", slow.display()));
    let agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    for _ in 0..3 {
        agent.wait_state(State::Active, LONG)?;
        let mark = agent.process().mark();
        flap(&lan)?;
        agent
            .process()
            .wait_line_from(mark, "Entering FAULT STATE", LONG)?;
    }
    agent.wait_state(State::Active, LONG)?;
    let round = ["BACKUP", "MASTER", "FAULT"];
    let states = round.iter().cycle().take(3 * round.len() + 2);
    let expected: Vec<String> = states
        .flat_map(|state| [format!("{state} begins"), format!("{state} ends")])
        .collect();
    let told = || (crate::lab::lines(&out) == expected).then_some(());
    let found = eventually(LONG, "all of them in order", told);
    found.with_context(|| format!("{:#?}", crate::lab::lines(&out)))
}

#[test]
fn a_script_that_hangs_or_forks_changes_no_advert() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let hangs = place.script(
        "hangs",
        "for at in $(seq 50); do sleep 600 & done\nsleep 600",
    )?;
    let conf = conf("", &format!("notify {}", hangs.display()));
    let capture = Capture::start(&lan.host(0).ns, "eth0")?;
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let sent = || (capture.adverts().len() > 30).then_some(());
    eventually(LONG, "adverts", sent)?;
    // Every 100 ms: with a reader that waits, three of them would be missing.
    let adverts = capture.adverts();
    let gaps = adverts
        .windows(2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].0));
    let worst = gaps.max().context("adverts")?;
    ensure!(worst < 400_000_000, "{worst} ns");
    let status = agent.status()?;
    ensure!(status["telling"]["scripts_waiting"] == 2, "{status}");
    // It is not waited for for ever.
    agent.process().signal(libc::SIGTERM)?;
    let status = agent.process_mut().wait(Duration::from_secs(25))?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn the_agent_s_own_fifo_is_for_its_owner_and_goes_with_the_agent() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let (fifo, read) = (place.path("fifo"), place.path("read"));
    let reader = place.script("reader", &format!("exec cat \"$2\" >> {}", read.display()))?;
    let globals = format!(
        "vrrp_notify_fifo {}\nvrrp_notify_fifo_script \"{} one\"",
        fifo.display(),
        reader.display()
    );
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf(&globals, ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    ensure!(fs::symlink_metadata(&fifo)?.file_type().is_fifo());
    agent.stop()?;
    ensure!(!fifo.exists(), "it is removed");
    let expected =
        ["BACKUP", "MASTER", "STOP"].map(|state| format!("INSTANCE \"VI_1\" {state} 100"));
    ensure!(
        crate::lab::lines(&read) == expected,
        "{:?}",
        crate::lab::lines(&read)
    );
    Ok(())
}

#[test]
fn a_fifo_that_nobody_reads_is_in_nobody_s_way_and_a_link_is_not_followed() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let (target, link) = (place.path("target"), place.path("link"));
    fs::write(&target, "")?;
    std::os::unix::fs::symlink(&target, &link)?;
    let globals = format!(
        "notify_fifo {}\nvrrp_notify_fifo {}",
        link.display(),
        place.path("unread").display()
    );
    let agent = Agent::start_conf(&lan.host(0).ns, &conf(&globals, ""), "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    agent
        .process()
        .wait_line("something else than a FIFO", LONG)?;
    ensure!(fs::read(&target)?.is_empty());
    Ok(())
}

#[test]
fn a_reload_takes_other_scripts_and_repeats_nothing() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let log = place.path("log.sh").display().to_string();
    let old = conf("", &format!("notify \"{log} old\""));
    let agent = Agent::start_conf(&lan.host(0).ns, &old, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    place.wait_log("the first ones", |lines| lines.len() == 2)?;
    let fifo = place.fifo("fifo")?;
    let globals = format!(
        "notify_fifo {}\nfifo_write_vrrp_states_on_reload",
        place.path("fifo").display()
    );
    agent.write_conf(&conf(&globals, &format!("notify_fault \"{log} new\"")))?;
    let reloaded = agent.reload()?;
    ensure!(reloaded.code == Some(0), "{reloaded:?}");
    fifo.wait(0, &["INSTANCE \"VI_1\" MASTER 100"])?;
    lan.host(0).ns.sh("ip link set eth0 down")?;
    place.wait_log("the new one", |lines| {
        lines.last().is_some_and(|l| l == "[new]")
    })?;
    let expected = [
        "[old][INSTANCE][VI_1][BACKUP][100]",
        "[old][INSTANCE][VI_1][MASTER][100]",
        "[new]",
    ];
    ensure!(place.log() == expected, "{:?}", place.log());
    Ok(())
}

#[test]
fn an_upgrade_repeats_nothing_and_keeps_the_fifo() -> Result<()> {
    require_agent!();
    let (lan, place) = (Lan::new(1)?, Place::new()?);
    let log = place.path("log.sh").display().to_string();
    let path = place.path("fifo");
    let globals = format!("notify_fifo {}", path.display());
    let conf = conf(&globals, &format!("notify \"{log} any\""));
    let mut agent = Agent::start_conf(&lan.host(0).ns, &conf, "VI_1")?;
    agent.wait_state(State::Active, LONG)?;
    let fifo = Reader::start(&path)?;
    fifo.wait(0, &["INSTANCE \"VI_1\" MASTER 100"])?;
    place.wait_log("the first ones", |lines| lines.len() == 2)?;
    let upgraded = agent.ask("upgrade", &[])?;
    ensure!(upgraded.code == Some(0), "{upgraded:?}");
    flap(&lan)?;
    place.wait_log("the next ones", |lines| lines.len() == 5)?;
    agent.stop()?;
    let states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP"];
    let lines = states.map(|state| format!("INSTANCE \"VI_1\" {state} 100"));
    fifo.wait(0, &[&lines[5]])?;
    ensure!(fifo.lines() == lines, "{:?}", fifo.lines());
    let scripts = states.map(|state| format!("[any][INSTANCE][VI_1][{state}][100]"));
    ensure!(place.log() == scripts, "{:?}", place.log());
    ensure!(!path.exists(), "the successor removes it");
    Ok(())
}
