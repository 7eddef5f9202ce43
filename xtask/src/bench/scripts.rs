//! What scripts do to adverts: 255 instances that are Active with 10 ms adverts,
//! without and with a script a second for each of them.
//!
//! The gaps are those of the kernel's time stamps of a capture on the agent's
//! own interface, of each instance by itself.

use std::{fmt::Write as _, os::fd::AsFd, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    clock::{Deadline, nanos},
    decode,
    netns::Netns,
    privilege,
    router::{Router, State},
    sys,
    topology::Lan,
    wait::eventually,
};

use crate::{build, shell};

const INSTANCES: u8 = 255;
const INTERVAL: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);
const ETH_P_ALL: u16 = 3;
/// An advert of one VIP is shorter.
const SNAP: usize = 128;

#[derive(clap::Args)]
pub struct Arguments {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is measured, in turns
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    agent::use_binary(&build::agent()?);
    if !sys::is_root() {
        let mut command = shell::as_root("env")?;
        command.arg(format!("FAILOVERD_BIN={}", agent::binary()?.display()));
        command.arg(std::env::current_exe().context("path of xtask")?);
        command.args(std::env::args_os().skip(1));
        return shell::run(&mut command);
    }
    if let Some(reason) = privilege::missing() {
        bail!("the bench cannot run here: {reason}");
    }
    let span = Duration::from_secs(arguments.seconds);
    println!("scripts  adverts     median      99.9 %       worst   gaps of {INTERVAL:?} adverts");
    for _ in 0..arguments.rounds {
        for scripts in [false, true] {
            let gaps = measure(scripts, span)?;
            line(scripts, &gaps);
        }
    }
    Ok(())
}

fn conf(scripts: bool) -> String {
    let mut text = String::new();
    for number in 1..=INSTANCES {
        let track = match scripts {
            true => format!("track_script {{\nS{number}\n}}\n"),
            false => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "vrrp_script S{number} {{\nscript \"/bin/sh -c :\"\ninterval 1\nuser root\n}}\n\
             vrrp_instance V{number} {{\ninterface eth0\nvirtual_router_id {number}\n\
             version 3\npriority 200\nadvert_int 0.01\n\
             virtual_ipaddress {{\n10.78.0.{number}/32\n}}\n{track}}}\n"
        );
    }
    text
}

/// All gaps between adverts of one instance, in nanoseconds, ascending.
fn measure(scripts: bool, span: Duration) -> Result<Vec<u64>> {
    let lan = Lan::new(1)?;
    let ns = &lan.host(0).ns;
    let agent = Agent::start_conf(ns, &conf(scripts), "V255")?;
    agent.wait_state(State::Active, PATIENCE)?;
    eventually(PATIENCE, "all instances Active", || {
        let status = agent.status().ok()?;
        let all = status["instances"].as_array()?;
        let active = all.iter().all(|one| one["state"] == "active");
        active.then_some(())
    })?;
    let gaps = gaps(ns, span)?;
    ensure!(!gaps.is_empty(), "no adverts");
    Ok(gaps)
}

fn gaps(ns: &Netns, span: Duration) -> Result<Vec<u64>> {
    let socket = ns.packet_socket("eth0", ETH_P_ALL).context("capture")?;
    sys::prefer_this_thread();
    let mut last = [0_u64; 256];
    let mut gaps = Vec::new();
    let mut buffer = [0; SNAP];
    let end = Deadline::after(span);
    while !end.expired() {
        if !sys::wait_readable(socket.as_fd(), Duration::from_millis(50))? {
            continue;
        }
        while let Some(received) = socket.receive(&mut buffer)? {
            let frame = buffer.get(..received.length).unwrap_or_default();
            let Some(advert) = decode::advert(frame) else {
                continue;
            };
            let Some(last) = last.get_mut(usize::from(advert.vrid)) else {
                continue;
            };
            let time = received.realtime;
            if *last > 0 {
                gaps.push(time.saturating_sub(*last));
            }
            *last = time;
        }
    }
    gaps.sort_unstable();
    Ok(gaps)
}

fn line(scripts: bool, gaps: &[u64]) {
    let at = |share: usize| gaps.get(gaps.len() * share / 1000).copied().unwrap_or(0);
    let millis = |time: u64| time as f64 / 1e6;
    let late = gaps
        .iter()
        .filter(|gap| **gap > 2 * nanos(INTERVAL))
        .count();
    println!(
        "{:7}  {:7}  {:6.2} ms  {:7.2} ms  {:7.2} ms   {late} above two intervals",
        if scripts { "255/s" } else { "none" },
        gaps.len(),
        millis(at(500)),
        millis(at(999)),
        millis(gaps.last().copied().unwrap_or(0)),
    );
}
