//! What a whole machine is needed for: `cargo xtask vm --test faults` runs these
//! in the virtual machine, one after the other. Time is slow there, so nothing
//! is measured; that nobody changes is what is looked at.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::Agent,
    agents::{Agents, SOON, START, backend},
    clock::monotonic,
    netns::run,
    privilege, require_agent,
    router::{Router, State, VirtualRouter},
    sys,
    topology::Lan,
    wait::eventually,
};

use crate::lab::wait_status;

const INTERVAL: Duration = Duration::from_millis(500);
/// Active_Down_Interval of priority 100.
const DOWN: Duration = Duration::from_millis(1805);

/// True inside of the machine that may be turned upside down.
fn ready() -> bool {
    let inside = std::env::var_os("FAILOVERD_MACHINE").is_some();
    if !inside {
        privilege::say_skipped(
            "it turns a whole machine upside down: cargo xtask vm --test faults",
        );
    }
    inside
}

fn pair() -> Result<Agents> {
    Agents::start(&[], |_, _, router: &mut VirtualRouter| {
        router.interval = INTERVAL;
    })
}

/// The client gets an answer of the VIP.
fn is_reached(pair: &Agents) -> Result<()> {
    let vip = pair.lan.vip();
    pair.client()
        .ns
        .sh(&format!("ping -c 1 -W 2 {vip}"))
        .map(drop)
}

// The time of day goes a day ahead, back, and ten years ahead: no deadline is
// of that clock.
#[test]
fn t05_a_step_of_the_wall_clock_moves_nobody() -> Result<()> {
    require_agent!("date");
    if !ready() {
        return Ok(());
    }
    let pair = pair()?;
    let before = pair.transitions();
    for step in ["+1 day", "-2 days", "+3650 days", "-3649 days"] {
        run(Command::new("date").args(["-s", &format!("now {step}")]))?;
        pair.steady(2 * DOWN).with_context(|| step.to_owned())?;
    }
    assert_eq!(pair.transitions(), before);
    is_reached(&pair)
}

// The machine is stopped from outside for four seconds, as for a snapshot or a
// migration, and does not know: the Backup was not awake, so it knows nothing
// of the Active, and hosts reach the VIP at once.
#[test]
fn t07_a_machine_that_was_stopped_goes_on_as_it_was() -> Result<()> {
    require_agent!("ping");
    if !ready() {
        return Ok(());
    }
    let pair = pair()?;
    let before = pair.transitions();
    let mut last = monotonic();
    println!("\nplease stop this machine for 4 s");
    eventually(Duration::from_secs(60), "a stop from outside", || {
        let now = monotonic();
        let stood = now - std::mem::replace(&mut last, now);
        (stood > 3_000_000_000).then_some(())
    })?;
    is_reached(&pair)?;
    pair.steady(2 * DOWN)?;
    assert_eq!(pair.transitions(), before);
    Ok(())
}

// After those that a machine which does not wake up would keep from running.
mod then_asleep {
    use super::*;

    // Suspended to idle for some seconds: CLOCK_MONOTONIC stands still meanwhile,
    // and everybody goes on where it was.
    #[test]
    fn t06_b09_a_suspended_machine_wakes_as_it_was() -> Result<()> {
        require_agent!("rtcwake");
        if !ready() {
            return Ok(());
        }
        let states = fs::read_to_string("/sys/power/state").unwrap_or_default();
        if !states.contains("freeze") {
            privilege::say_skipped("the kernel does not suspend to idle");
            return Ok(());
        }
        let pair = pair()?;
        let before = pair.transitions();
        let boot = || sys::clock_ns(libc::CLOCK_BOOTTIME);
        let (slept, ran) = (boot(), monotonic());
        // Time enough to fall asleep: an alarm that has passed by then wakes nobody.
        run(Command::new("rtcwake").args(["-m", "freeze", "-s", "20"]))?;
        let (slept, ran) = (boot() - slept, monotonic() - ran);
        ensure!(
            slept > ran + 1_000_000_000,
            "it did not sleep: {slept} and {ran} ns"
        );
        pair.steady(2 * DOWN)?;
        assert_eq!(pair.transitions(), before);
        is_reached(&pair)
    }
}

// The last one: what is locked down stays so.
mod very_last {
    use super::*;

    #[test]
    fn b12_a_kernel_that_is_locked_down_runs_a_pair() -> Result<()> {
        require_agent!();
        if !ready() {
            return Ok(());
        }
        const LOCK: &str = "/sys/kernel/security/lockdown";
        // Mounted already, where it is.
        let security = ["-t", "securityfs", "securityfs", "/sys/kernel/security"];
        let _mounted = run(Command::new("mount").args(security));
        fs::write(LOCK, "confidentiality").context(LOCK)?;
        let locked = fs::read_to_string(LOCK)?;
        ensure!(locked.contains("[confidentiality]"), "{locked}");
        let lan = Lan::new(2)?;
        let start = |index: usize, priority, state| -> Result<Agent> {
            let router = VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
            let agent = Agent::start(&lan.host(index).ns, &router)?;
            agent.wait_state(state, START)?;
            Ok(agent)
        };
        let _active = start(0, 200, State::Active)?;
        let backup = start(1, 100, State::Backup)?;
        let status = wait_status(&backup, "it hears", |status| {
            status["instances"][0]["active"].is_string()
        })?;
        println!("locked down, adverts come through {}", backend(&status));
        lan.cut_silently(0)?;
        backup.wait_state(State::Active, SOON)?;
        Ok(())
    }
}
