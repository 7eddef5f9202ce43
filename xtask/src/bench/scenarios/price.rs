//! What the heartbeat costs in processor time.

use anyhow::{Context, Result};
use failoverd_tests::{
    router::State,
    sys::bpf_time::Counting,
    topology::Lan,
    usage::Usage,
    wait::{eventually, let_pass},
};

use super::{
    super::{
        conf::Setup,
        context::Bench,
        data::Scenario,
        pair::PATIENCE,
        side::{Running, Side},
        target::{Bound, Figure, Target},
    },
    Entry,
};

pub const ENTRY: Entry = Entry {
    name: "price",
    metric: "",
    title: "What the heartbeat costs",
    method: "An Active and eight Backups that probe it each millisecond, nothing is cut. Processor \
        time as a share of one CPU: of the processes of each Backup; of those of the Active, and \
        of its BPF programs, which answer the probes, by the run times that the kernel counts \
        (bpf_stats). What the kernel does besides to take a frame in and send one, in the system \
        calls of a process or in soft interrupts, is the processes' or nobody's.",
    needs: &[],
    usual: true,
    run,
    targets,
};

const BACKUPS: usize = 8;
const LOAD: &str = "CPU";
const RUNS: &str = "runs of a program";
const BACKUP: &str = "a Backup that probes";
const ACTIVE: &str = "the Active, its processes and its BPF programs";
const PROGRAMS: &str = "the Active, its BPF programs";

fn run(bench: &mut Bench, scenario: &mut Scenario) -> Result<()> {
    let side = Side::HEARTBEAT;
    let sides = bench.sides(scenario, &[side]);
    if sides.is_empty() {
        return Ok(());
    }
    let lan = Lan::new(BACKUPS + 1)?;
    let start = |host: usize, priority: u8, state| -> Result<Running> {
        let setup = Setup {
            interval: bench.interval(),
            ..Setup::new(priority)
        };
        let running = side.start(&lan.host(host).ns, &setup)?;
        running.router().wait_state(state, PATIENCE)?;
        Ok(running)
    };
    let active = start(0, 200, State::Active)?;
    let mut backups = Vec::new();
    for (host, priority) in (1..=BACKUPS).zip(100..) {
        bench.show(format!("Backup {host} of {BACKUPS}"));
        let backup = start(host, priority, State::Backup)?;
        eventually(PATIENCE, "an armed heartbeat", || {
            backup.is_armed().then_some(())
        })?;
        backups.push(backup);
    }
    let counting = Counting::start().context("run times of BPF programs")?;
    let span = bench.span(3, 20);
    let family = active.family();
    for round in 0..bench.rounds(1, 5) {
        bench.show(format!("processor time, {}", round + 1));
        let usages = || backups.iter().map(Running::usage).collect::<Vec<Usage>>();
        let before = (usages(), active.usage(), counting.of(&family));
        let_pass(span)?;
        let after = (usages(), active.usage(), counting.of(&family));
        for (after, before) in after.0.iter().zip(&before.0) {
            let load = after.load_since(before, span) * 100.0;
            scenario.add(side.name(), BACKUP, LOAD, "%", load);
        }
        let programs = after.2.0.saturating_sub(before.2.0).as_secs_f64();
        let programs = programs / span.as_secs_f64() * 100.0;
        let runs = after.2.1.saturating_sub(before.2.1) as f64 / span.as_secs_f64();
        let load = after.1.load_since(&before.1, span) * 100.0;
        scenario.add(side.name(), ACTIVE, LOAD, "%", load + programs);
        scenario.add(side.name(), PROGRAMS, LOAD, "%", programs);
        scenario.add(side.name(), PROGRAMS, RUNS, "/s", runs);
    }
    backups.iter().chain([&active]).for_each(Running::kill);
    Ok(())
}

fn targets() -> Vec<Target> {
    let target = |case: &str, bound| Target {
        side: Side::HEARTBEAT.name().to_owned(),
        case: Some(case.to_owned()),
        quantity: LOAD,
        figure: Figure::P50,
        bound: Bound::AtMost(bound),
    };
    vec![target(BACKUP, 2.0), target(ACTIVE, 1.0)]
}
