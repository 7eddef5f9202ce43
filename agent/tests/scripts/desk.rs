//! Notify scripts: their order, and what hangs.

use std::time::Duration;

use failoverd::{
    config::model::Hook,
    script::{Lane, runner::MAX_RUNS},
    tell::{
        Desk, Event, Job, What, Who,
        desk::{PATIENCE, WAITING},
    },
};

use crate::lab::{Place, on_runtime, runner, until};

fn job(who: &str, words: &[&str]) -> Job {
    Job {
        event: Event {
            who: Who::instance(who),
            what: What::Master,
            priority: 100,
        },
        hook: Hook {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            run_as: None,
        },
    }
}

/// Says when it begins and when it ends.
fn teller(place: &Place) -> String {
    let out = place.path("out");
    place.script(
        "tell",
        &format!("echo \"$1 begins\" >> {out}\nsleep $2\necho \"$1 ends\" >> {out}"),
    )
}

#[test]
fn scripts_of_one_instance_run_one_after_another_in_order() {
    let place = Place::new("order");
    let script = teller(&place);
    let spans = ["0.2", "0", "0.1", "0", "0.05", "0"];
    let done = on_runtime(async {
        let desk = Desk::new(runner());
        for (at, span) in spans.iter().enumerate() {
            desk.push(job("a", &[&script, &at.to_string(), span]));
        }
        assert!(desk.busy().is_some());
        desk.finish(PATIENCE).await && desk.busy().is_none()
    });
    assert!(done);
    let expected: String = (0..spans.len())
        .map(|at| format!("{at} begins\n{at} ends\n"))
        .collect();
    assert_eq!(place.read("out"), expected);
}

#[test]
fn what_hangs_is_ended_only_when_it_holds_up_the_next_one() {
    let place = Place::new("hangs");
    let script = teller(&place);
    on_runtime(async {
        let desk = Desk::patient_for(runner(), Duration::from_secs(2));
        desk.push(job("a", &[&script, "slow", "4"]));
        desk.push(job("b", &[&script, "other", "0"]));
        until("the other one", || place.read("out").contains("other ends")).await;
        until("a slow one may", || place.read("out").contains("slow ends")).await;
        desk.push(job("a", &[&script, "hangs", "600"]));
        desk.push(job("a", &[&script, "next", "0"]));
        until("the next one", || place.read("out").contains("next ends")).await;
        let counts = desk.counts();
        assert_eq!((counts.failed, counts.dropped), (1, 0), "{counts:?}");
    });
    assert!(!place.read("out").contains("hangs ends"));
}

#[test]
fn of_too_many_the_oldest_are_left_out_and_counted() {
    let place = Place::new("many");
    let script = teller(&place);
    on_runtime(async {
        let desk = Desk::new(runner());
        desk.pause();
        for at in 0..WAITING + 3 {
            desk.push(job("a", &[&script, &at.to_string(), "0"]));
        }
        let counts = desk.counts();
        assert_eq!((counts.waiting, counts.dropped), (WAITING, 3));
        assert!(desk.busy().is_none(), "nothing begins");
        desk.resume();
        assert!(desk.finish(PATIENCE).await);
    });
    let out = place.read("out");
    assert!(out.starts_with("3 begins\n"), "{out}");
    assert_eq!(out.lines().count(), 2 * WAITING);
}

#[test]
fn what_waits_can_be_given_to_another_agent() {
    let place = Place::new("given");
    let script = teller(&place);
    on_runtime(async {
        let desk = Desk::new(runner());
        desk.push(job("a", &[&script, "first", "0.3"]));
        desk.push(job("a", &[&script, "second", "0"]));
        until("the first one", || {
            place.read("out").contains("first begins")
        })
        .await;
        desk.pause();
        assert!(desk.finish(PATIENCE).await);
        let left = desk.take_waiting();
        assert_eq!(left, [job("a", &[&script, "second", "0"])]);
        assert_eq!(desk.counts().waiting, 0);
    });
    assert!(!place.read("out").contains("second"));
}

#[test]
fn at_the_end_what_hangs_makes_way_for_the_last_one() {
    let place = Place::new("last");
    let script = teller(&place);
    on_runtime(async {
        let desk = Desk::new(runner());
        desk.push(job("a", &[&script, "hangs", "600"]));
        until("the first one", || {
            place.read("out").contains("hangs begins")
        })
        .await;
        desk.push(job("a", &[&script, "last", "0"]));
        assert!(desk.finish(PATIENCE / 2).await);
        let counts = desk.counts();
        assert_eq!((counts.failed, counts.dropped), (1, 0), "{counts:?}");
    });
    assert_eq!(place.read("out"), "hangs begins\nlast begins\nlast ends\n");
}

#[test]
fn what_has_not_begun_does_not_hold_up_anybody() {
    let place = Place::new("turn");
    let script = teller(&place);
    on_runtime(async {
        let runner = runner();
        // All that may run at once are others'.
        let mut turns = Vec::new();
        for _ in 0..MAX_RUNS {
            turns.push(runner.turn(&Lane::new()).await.expect("a turn"));
        }
        let desk = Desk::patient_for(runner, Duration::from_secs(1));
        desk.push(job("a", &[&script, "first", "0"]));
        desk.push(job("a", &[&script, "next", "0"]));
        assert!(!desk_ends(&desk, Duration::from_secs(3)).await);
        let counts = desk.counts();
        assert_eq!((counts.run, counts.waiting), (0, 2), "{counts:?}");
        drop(turns);
        assert!(desk_ends(&desk, PATIENCE).await);
    });
    let out = place.read("out");
    assert_eq!(out, "first begins\nfirst ends\nnext begins\nnext ends\n");
}

/// Whether nothing runs or waits within `within`.
async fn desk_ends(desk: &Desk, within: Duration) -> bool {
    let idle = async {
        while desk.counts().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(within, idle).await.is_ok()
}

#[test]
fn the_end_does_not_wait_for_what_hangs() {
    let place = Place::new("end");
    let script = teller(&place);
    on_runtime(async {
        let desk = Desk::new(runner());
        desk.push(job("a", &[&script, "hangs", "600"]));
        desk.push(job("a", &[&script, "next", "0"]));
        until("the first one", || {
            place.read("out").contains("hangs begins")
        })
        .await;
        assert!(!desk.finish(Duration::from_millis(50)).await);
        assert_eq!(desk.counts().dropped, 1);
    });
    let out = place.read("out");
    assert_eq!(out, "hangs begins\n");
}
