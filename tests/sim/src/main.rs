//! `failoverd-sim`: many schedules, or one again.

use std::{
    io::IsTerminal,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use clap::Parser;
use failoverd_sim::{
    check::{Broken, Rule},
    coverage::Coverage,
    run::{Outcome, run, run_told, run_twice},
    schedule::Schedule,
    shrink::shrink,
    time::SEC,
};
use indicatif::{ProgressBar, ProgressStyle};

/// Simulates elections under faults and checks the invariants of the protocol
#[derive(Parser, Debug)]
struct Args {
    /// How many schedules
    #[arg(long, default_value_t = 25_000)]
    schedules: u64,
    /// The seed of the first one; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Routers in each, 2 to 5 [default: as the seed says]
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=5))]
    routers: Option<u8>,
    /// v3 over IPv4 by multicast only, without trackers and groups
    #[arg(long)]
    plain: bool,
    /// Only these faults of the seed, by number: replays what a violation printed
    #[arg(long, value_delimiter = ',')]
    keep: Option<Vec<usize>>,
    /// Threads [default: one for each CPU]
    #[arg(long)]
    jobs: Option<usize>,
    /// End with the first violation, and do not look for what it takes
    #[arg(long)]
    first: bool,
    /// Figures as JSON on standard output
    #[arg(long)]
    json: bool,
}

impl Args {
    fn schedule(&self, seed: u64) -> Schedule {
        let routers = self.routers.map(usize::from);
        match self.plain {
            true => Schedule::plain(seed, routers),
            false => Schedule::generate(seed, routers),
        }
    }
}

/// What all schedules came to.
#[derive(Default)]
struct Sum {
    coverage: Coverage,
    schedules: u64,
    router_time: u128,
    events: u64,
    broken: Vec<(u64, Broken)>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(keep) = &args.keep {
        return replay(&args.schedule(args.seed).only(keep));
    }
    // The core's panics are violations, told with their seed.
    std::panic::set_hook(Box::new(|_| {}));
    let sum = simulate(&args);
    let ok = sum.broken.is_empty();
    report(&args, &sum);
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One schedule again, with all that happens in it.
fn replay(schedule: &Schedule) -> ExitCode {
    println!("{schedule}");
    let Outcome { broken, span, .. } = run_told(schedule);
    match broken {
        None => {
            println!(
                "{:.3} s simulated, no invariant broken",
                span as f64 / SEC as f64
            );
            ExitCode::SUCCESS
        }
        Some(broken) => {
            print_broken(&broken);
            ExitCode::FAILURE
        }
    }
}

fn simulate(args: &Args) -> Sum {
    let next = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    let bar = progress(args.schedules);
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let mut mine = Sum::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let enough = mine.broken.len() >= 5 || done.load(Ordering::Relaxed);
                    if number >= args.schedules || enough {
                        break;
                    }
                    one(&args.schedule(args.seed.wrapping_add(number)), &mut mine);
                    if args.first && !mine.broken.is_empty() {
                        done.store(true, Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
                if let Ok(mut sum) = sum.lock() {
                    sum.add(mine);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut sum = sum.into_inner().unwrap_or_default();
    sum.broken.sort_by_key(|(seed, _)| *seed);
    sum
}

fn one(schedule: &Schedule, sum: &mut Sum) {
    let seed = schedule.seed;
    // One in a hundred twice: the same seed must give the same run.
    let outcome = match seed % 100 {
        0 => run_twice(schedule),
        _ => run(schedule, false),
    };
    sum.schedules += 1;
    sum.router_time += u128::from(outcome.span) * schedule.routers.len() as u128;
    sum.events += outcome.events;
    sum.coverage.merge(&outcome.coverage);
    if let Some(broken) = outcome.broken {
        sum.broken.push((seed, broken));
    }
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.coverage.merge(&other.coverage);
        self.schedules += other.schedules;
        self.router_time += other.router_time;
        self.events += other.events;
        self.broken.extend(other.broken);
    }

    fn router_years(&self) -> f64 {
        self.router_time as f64 / SEC as f64 / 86_400.0 / 365.25
    }
}

fn progress(schedules: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(schedules);
    if let Ok(style) =
        ProgressStyle::with_template("{wide_bar} {pos}/{len} schedules, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn report(args: &Args, sum: &Sum) {
    if args.json {
        println!("{}", json(args, sum));
    } else {
        print(args, sum);
    }
    for (seed, broken) in &sum.broken {
        if args.first {
            break;
        }
        eprintln!("\nseed {seed}:");
        print_broken(broken);
        let keep = shrink(&args.schedule(*seed), broken.rule);
        let keep: Vec<String> = keep.iter().map(usize::to_string).collect();
        let count = args.routers;
        let count = count.map_or(String::new(), |count| format!(" --routers {count}"));
        let plain = if args.plain { " --plain" } else { "" };
        eprintln!(
            "  again, with no more than it takes: cargo xtask sim --seed {seed}{count}{plain} --keep {}",
            if keep.is_empty() {
                "99".to_owned()
            } else {
                keep.join(",")
            },
        );
    }
}

fn print(args: &Args, sum: &Sum) {
    println!(
        "{} schedules, seeds {} to {}: {:.3} router-years, {} adverts, {} events",
        sum.schedules,
        args.seed,
        args.seed.wrapping_add(args.schedules).wrapping_sub(1),
        sum.router_years(),
        sum.coverage.adverts,
        sum.events
    );
    println!("transitions:");
    for ((from, to, cause), count) in &sum.coverage.transitions {
        println!("  {count:>10}  {from} -> {to}: {cause}");
    }
    println!("notices:");
    for (notice, count) in &sum.coverage.notices {
        println!("  {count:>10}  {notice}");
    }
    println!("heartbeats:");
    for (what, count) in &sum.coverage.heart {
        println!("  {count:>10}  {what}");
    }
    println!("faults:");
    for (fault, count) in &sum.coverage.faults {
        println!("  {count:>10}  {fault}");
    }
    println!("invariants looked at: {}", Rule::ALL.len());
    match sum.broken.len() {
        0 => println!(
            "violations: 0, so with 95 % confidence fewer than {:.1e} of such schedules have one",
            3.0 / sum.schedules as f64
        ),
        count => println!("violations: {count}"),
    }
}

fn json(args: &Args, sum: &Sum) -> serde_json::Value {
    let transitions = sum.coverage.transitions.iter().map(|((from, to, cause), count)| {
        serde_json::json!({ "from": from, "to": to, "cause": cause, "count": count })
    });
    let transitions: Vec<_> = transitions.collect();
    let broken: Vec<_> = sum
        .broken
        .iter()
        .map(|(seed, broken)| {
            let (number, name) = broken.rule.title();
            serde_json::json!({ "seed": seed, "invariant": number, "name": name, "what": broken.what })
        })
        .collect();
    serde_json::json!({
        "schedules": sum.schedules,
        "seed": args.seed,
        "router_years": sum.router_years(),
        "adverts": sum.coverage.adverts,
        "events": sum.events,
        "transitions": transitions,
        "notices": sum.coverage.notices,
        "faults": sum.coverage.faults,
        "heartbeats": sum.coverage.heart,
        "violations": broken,
    })
}

fn print_broken(broken: &Broken) {
    let (number, name) = broken.rule.title();
    let router = broken
        .router
        .map_or(String::new(), |router| format!(", router {router}"));
    eprintln!(
        "  invariant {number} ({name}) at {:.6} s{router}: {}",
        broken.at as f64 / SEC as f64,
        broken.what
    );
}
