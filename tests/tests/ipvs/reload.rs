//! What is right stays, also what others made; only differences are carried out.

use anyhow::{Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{START, pid},
    netns::Netns,
    require_agent,
    router::{Router, State},
    sys,
    wait::eventually,
};

use crate::lab::*;

/// Somebody's own service, and a server of his in one of ours.
const FOREIGN: &str = "-A -t 10.0.0.9:80 -s rr
-a -t 10.0.0.9:80 -r 10.1.0.9:80 -g -w 1";
const STRANGER: &str = "-a -t 10.0.0.1:80 -r 10.1.0.8:80 -g -w 8";

fn ours(servers: &[&str]) -> String {
    conf(&server(
        "10.0.0.1 80",
        "protocol TCP\nlvs_method DR",
        servers,
    ))
}

fn ipvsadm(ns: &Netns, lines: &str) -> Result<()> {
    lines
        .lines()
        .try_for_each(|line| ns.sh(&format!("ipvsadm {line}")).map(drop))
}

fn reload(director: &Agent, conf: &str) -> Result<()> {
    director.write_conf(conf)?;
    let ended = director.reload()?;
    ensure!(ended.code == Some(0), "{:?}", ended.output);
    Ok(())
}

#[test]
fn only_differences_are_carried_out() -> Result<()> {
    require_agent!();
    if !ready() {
        return Ok(());
    }
    let ns = machine()?;
    ipvsadm(&ns, FOREIGN)?;
    let first = ours(&["10.1.0.1 80", "10.1.0.2 80"]);
    let mut director = start(&ns, &first)?;
    let own = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1\n\
               -a -t 10.0.0.1:80 -r 10.1.0.2:80 -g -w 1\n";
    wait_saved(&ns, &by_ipvsadm(&format!("{own}{FOREIGN}"))?)?;
    ipvsadm(&ns, STRANGER)?;
    // What somebody drained or took out by hand stays so, whatever else changes.
    ipvsadm(&ns, "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 0")?;
    ipvsadm(&ns, "-d -t 10.0.0.1:80 -r 10.1.0.2:80")?;
    let drained = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 0\n";
    let more = "-a -t 10.0.0.1:80 -r 10.1.0.4:80 -g -w 1\n";
    reload(
        &director,
        &ours(&["10.1.0.1 80", "10.1.0.2 80", "10.1.0.4 80"]),
    )?;
    let with_more = by_ipvsadm(&format!("{drained}{more}{FOREIGN}\n{STRANGER}"))?;
    wait_saved(&ns, &with_more)?;
    reload(&director, &first)?;
    wait_saved(
        &ns,
        &by_ipvsadm(&format!("{drained}{FOREIGN}\n{STRANGER}"))?,
    )?;
    // One is heavier, one goes, one comes.
    reload(&director, &ours(&["10.1.0.1 80|weight 7", "10.1.0.3 80"]))?;
    let next = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 7\n\
                -a -t 10.0.0.1:80 -r 10.1.0.3:80 -g -w 1\n";
    let next = by_ipvsadm(&format!("{next}{FOREIGN}\n{STRANGER}"))?;
    wait_saved(&ns, &next)?;
    // A crash: a service that was made anew would be without the stranger.
    let crashed = pid(&director)?;
    sys::kill(crashed, libc::SIGKILL)?;
    eventually(START, "another agent", || {
        let pid = pid(&director).ok()?;
        (pid != crashed).then_some(())
    })?;
    director.wait_state(State::Active, START)?;
    wait_saved(&ns, &next)?;
    director.stop()?;
    wait_saved(&ns, &by_ipvsadm(FOREIGN)?)
}

#[test]
fn lvs_flush_removes_what_others_made() -> Result<()> {
    require_agent!();
    if !ready() {
        return Ok(());
    }
    let ns = machine()?;
    ipvsadm(&ns, FOREIGN)?;
    let flush = "\nglobal_defs {\nlvs_flush\nlvs_flush_on_stop\n}";
    let mut director = start(&ns, &(ours(&["10.1.0.1 80"]) + flush))?;
    let own = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1";
    wait_saved(&ns, &by_ipvsadm(own)?)?;
    ipvsadm(&ns, FOREIGN)?;
    director.stop()?;
    wait_saved(&ns, &[])
}
