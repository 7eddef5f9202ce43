//! What scripts do to a thread like the fast lane: how late a timer of 1 ms is,
//! in a process with locked memory, without and with 255 scripts a second.
//!
//! `cargo run --release --example script_noise -- AGENT`, where AGENT is the
//! agent's binary; as root, so that the thread is SCHED_FIFO.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use failoverd::{
    config::machine::Process,
    io::{clock, sched},
    script::{Identity, Lane, Program, Rest, Runner},
};

const SCRIPTS: u32 = 255;
const TIME: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(1);
/// Touched and locked, so that a copy of its tables would cost something.
const MEMORY: usize = 256 << 20;

fn main() {
    let agent = std::env::args().nth(1).expect("the agent's binary");
    let runner = Runner::through(agent.into());
    let locked = vec![1_u8; MEMORY];
    measure("no scripts", None);
    measure("255 scripts a second", Some(runner));
    assert_eq!(locked.iter().filter(|byte| **byte == 1).count(), MEMORY);
}

fn measure(what: &str, runner: Option<Runner>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let lane = std::thread::spawn(move || lateness(&stopped));
    let runs = run_scripts(runner);
    stop.store(true, Ordering::Relaxed);
    let (errno, mut late) = lane.join().expect("the thread");
    late.sort_unstable();
    let at = |share: usize| late.get(late.len() * share / 1000).copied().unwrap_or(0) / 1000;
    let worst = late.last().copied().unwrap_or(0) / 1000;
    println!(
        "{what}: {runs} runs; late by {} us (median), {} us (99.9 %), {worst} us (worst){}",
        at(500),
        at(999),
        if errno == 0 {
            ""
        } else {
            "; without SCHED_FIFO"
        }
    );
}

/// How late each tick was, in nanoseconds.
fn lateness(stop: &AtomicBool) -> (i32, Vec<u64>) {
    let fifo = sched::enter(sched::Rank::FastLane, &Process::default()).fifo_errno;
    let mut late = Vec::with_capacity(16_384);
    let mut due = clock::now().after(TICK);
    while !stop.load(Ordering::Relaxed) {
        let left = rustix::time::Timespec::try_from(due.since(clock::now()));
        let _ = rustix::event::poll(&mut [], left.ok().as_ref());
        let now = clock::now();
        late.push(u64::try_from(now.since(due).as_nanos()).unwrap_or(u64::MAX));
        due = now.after(TICK);
    }
    (fifo, late)
}

fn run_scripts(runner: Option<Runner>) -> u32 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let Some(runner) = runner else {
            tokio::time::sleep(TIME).await;
            return 0;
        };
        let program = Program {
            words: ["/bin/sh", "-c", ":"].map(str::to_owned).to_vec(),
            identity: Identity::own(),
            rest: Rest::Killed,
        };
        let lanes: Vec<Lane> = (0..SCRIPTS).map(|_| Lane::new()).collect();
        let mut tick = tokio::time::interval(Duration::from_secs(1) / SCRIPTS);
        let mut begun = 0;
        let until = clock::now().after(TIME);
        for lane in lanes.into_iter().cycle() {
            if clock::now() >= until {
                break;
            }
            tick.tick().await;
            let (runner, program) = (runner.clone(), program.clone());
            tokio::spawn(async move { runner.run(&lane, &program, TIME).await });
            begun += 1;
        }
        begun
    })
}
