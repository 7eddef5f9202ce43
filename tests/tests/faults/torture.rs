//! A machine that has no time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use failoverd_tests::{
    agent::Agent,
    agents::{SOON, START, outcome, pid},
    forge::{self, Sender},
    require_agent,
    router::{Router, State},
    stalls::Stalls,
    topology::Lan,
    wait::eventually,
    witness::Witness,
};

use crate::lab::*;

/// Ordinary threads that compute, several for each processor.
struct Hogs(Arc<AtomicBool>);

impl Hogs {
    fn start() -> Self {
        let end = Arc::<AtomicBool>::default();
        for _ in 0..16 {
            let end = end.clone();
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(end)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

// The processors are wanted by eight times as many threads, and a flood keeps
// the fast lane computing under the limit of keepalived for real-time
// processes: no advert is as late as would be noticed, and nobody is ended.
#[test]
fn t08_t10_without_processors_adverts_are_in_time_and_nobody_is_ended() -> Result<()> {
    require_agent!();
    const LIMIT: &str = "vrrp_rlimit_rttime 10000";
    let lan = Lan::new(3)?;
    let start = |index: usize, priority, state| -> Result<Agent> {
        let agent = Agent::start_conf(&lan.host(index).ns, &conf(LIMIT, priority, ""), "VI_1")?;
        agent.wait_state(state, START)?;
        Ok(agent)
    };
    let active = start(0, 200, State::Active)?;
    let backup = start(1, 100, State::Backup)?;
    wait_status(&backup, "it hears", |status| {
        outcome(status, "accepted") > 5
    })?;
    let pids = [pid(&active)?, pid(&backup)?];
    let mac = lan.host(0).port.mac;
    let stalls = Stalls::watch()?;
    let witness = Witness::start(&lan.host(1).ns, "eth0")?;
    // Lower ones, which an Active may answer, each of another address.
    let client = lan.host(2);
    let vip = lan.vip();
    let _flood = Sender::start(client, Duration::from_millis(1), move |round| {
        let of = |last| {
            let source = std::net::IpAddr::from([10, 77, 1, last]);
            forge::advert(source, 50, FAST, &[vip]).frame()
        };
        (0..20)
            .map(|n| of(120 + (round % 5) as u8 * 20 + n))
            .collect()
    })?;
    let hogs = Hogs::start();
    let adverts = || times(&witness.events(), |event| event.is_advert(mac, None));
    eventually(SOON, "two seconds of adverts", || {
        (adverts().len() >= 200).then_some(())
    })?;
    drop(hogs);
    let seen = adverts();
    let late = seen.windows(2).filter(|pair| {
        let gap = Duration::from_nanos(pair[1] - pair[0]);
        gap >= FAST_DOWN - 2 * FAST + stalls.longest_within(pair[0], pair[1])
    });
    let (late, all) = (late.count(), seen.len());
    // p99.99 of as many is the worst one.
    assert!(late <= all / 10_000, "{late} of {all} late");
    assert_eq!(active.transitions().len(), 2);
    assert_eq!(backup.transitions().len(), 1);
    assert_eq!([pid(&active)?, pid(&backup)?], pids, "it was ended");
    active.process().wait_line("lower priority 50", SOON)?;
    Ok(())
}
