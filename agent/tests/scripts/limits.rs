//! Many runs: bounded, without leaks, and in order.

use std::{fs, time::Duration};

use failoverd::script::{Lane, Outcome, runner::MAX_RUNS};

use crate::lab::{PATIENCE, Place, descriptors, on_runtime, program, runner, until, zombies};

#[test]
fn runs_of_one_lane_are_in_order_and_never_two_at_once() {
    let place = Place::new("lane");
    let out = place.path("out");
    let script = place.script(
        "x",
        &format!("echo begin $1 >> {out}; sleep 0.02; echo end $1 >> {out}"),
    );
    on_runtime(async {
        let (runner, lane) = (runner(), Lane::new());
        let programs: Vec<_> = (0..5)
            .map(|n| program(&[&script, &n.to_string()]))
            .collect();
        let runs = programs
            .iter()
            .map(|program| runner.run(&lane, program, PATIENCE));
        for ended in futures_util::future::join_all(runs).await {
            assert_eq!(ended.outcome, Outcome::Exited(0));
        }
    });
    let expected: String = (0..5).map(|n| format!("begin {n}\nend {n}\n")).collect();
    assert_eq!(place.read("out"), expected);
}

#[test]
fn runs_are_bounded_and_waiting_is_no_time_out() {
    let place = Place::new("bound");
    let script = place.script(
        "x",
        &format!(
            "touch {0}/run.$$; ls {0} | grep -c run. >> {0}/count; sleep 1.5; rm {0}/run.$$",
            place.0.display()
        ),
    );
    on_runtime(async {
        let runner = runner();
        let program = program(&[&script]);
        let lanes: Vec<Lane> = (0..MAX_RUNS * 2 + 10).map(|_| Lane::new()).collect();
        // Those at the end of the queue wait for longer than this in all.
        let runs = lanes
            .iter()
            .map(|lane| runner.run(lane, &program, PATIENCE));
        for ended in futures_util::future::join_all(runs).await {
            assert_eq!(ended.outcome, Outcome::Exited(0), "{ended}");
        }
    });
    let most = place
        .read("count")
        .lines()
        .filter_map(|n| n.parse::<usize>().ok())
        .max();
    assert!(
        most.is_some_and(|most| most > 1 && most <= MAX_RUNS),
        "{most:?}"
    );
}

#[test]
fn a_script_that_forks_endlessly_is_gone_after_its_time() {
    let place = Place::new("forks");
    let count = place.path("count");
    // Bounded by itself as well: 200 children that each sleep.
    let script = place.script("x", &format!(
        "trap '' TERM; n=0; while [ $n -lt 200 ]; do n=$((n+1)); (trap '' TERM; sleep 301) & done; echo $n > {count}; wait"
    ));
    on_runtime(async {
        let (runner, lane) = (runner(), Lane::new());
        let run = runner
            .run(&lane, &program(&[&script]), Duration::from_millis(500))
            .await;
        assert_eq!(run.outcome, Outcome::TimedOut);
        let next = runner.run(&lane, &program(&["/bin/true"]), PATIENCE).await;
        assert_eq!(next.outcome, Outcome::Exited(0));
    });
    on_runtime(until("nobody sleeps any more", || sleepers("301") == 0));
    on_runtime(until("all are reaped", || zombies() == 0));
}

fn sleepers(seconds: &str) -> usize {
    let line = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").expect("/proc");
    processes
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("cmdline")).ok())
        .filter(|found| *found == line)
        .count()
}

#[test]
fn many_runs_leave_nothing_behind() {
    let place = Place::new("many");
    let script = place.script("x", "exit 0");
    on_runtime(async {
        let runner = runner();
        let program = program(&[&script]);
        let lanes: Vec<Lane> = (0..255).map(|_| Lane::new()).collect();
        let before = descriptors();
        for _ in 0..3 {
            let runs = lanes
                .iter()
                .map(|lane| runner.run(lane, &program, PATIENCE));
            for ended in futures_util::future::join_all(runs).await {
                assert_eq!(ended.outcome, Outcome::Exited(0), "{ended}");
            }
        }
        // The tasks that attended to them may still be letting go.
        until("descriptors are given back", || descriptors() <= before).await;
    });
    on_runtime(until("all are reaped", || zombies() == 0));
}
