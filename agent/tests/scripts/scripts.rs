//! `vrrp_script` with real programs.

use std::{fs, time::Duration};

use failoverd::{
    config::model::{RunAs, ScriptSpec},
    track::{Spec, Value, Wanted},
};

use crate::{
    lab::{Place, descriptors, on_runtime, until, zombies},
    watcher::{Watcher, script, wanted},
};

fn one(epoch: u32, spec: &ScriptSpec) -> Wanted {
    wanted(epoch, Spec::Script(spec.clone()))
}

#[test]
fn the_exit_code_is_the_health() {
    let place = Place::new("health");
    let state = place.path("state");
    fs::write(&state, "0").expect("a file");
    let check = place.script("x", &format!("echo no service >&2; exit $(cat {state})"));
    on_runtime(async {
        let spec = ScriptSpec {
            rise: 2,
            fall: 3,
            ..script("x", &[&check])
        };
        let mut watcher = Watcher::new(&[one(4, &spec)]);
        let first = watcher.next().await;
        assert_eq!(
            (first.value, first.epoch, first.detail.as_str()),
            (Value::Up, 4, "")
        );
        fs::write(&state, "1").expect("a file");
        let down = watcher.next().await;
        assert_eq!(down.value, Value::Down);
        assert_eq!(down.detail, "exited with status 1: no service");
        fs::write(&state, "0").expect("a file");
        assert_eq!(watcher.value().await, Value::Up);
    });
}

#[test]
fn what_takes_too_long_has_failed_once_and_runs_once() {
    let place = Place::new("late");
    let log = place.path("log");
    let hang = place.script(
        "x",
        &format!("trap '' TERM; echo begin >> {log}; sleep 302; sleep 302"),
    );
    on_runtime(async {
        let spec = ScriptSpec {
            timeout: Duration::from_millis(200),
            ..script("x", &[&hang])
        };
        let mut watcher = Watcher::new(&[one(1, &spec)]);
        let down = watcher.next().await;
        assert_eq!(
            (down.value, down.detail.as_str()),
            (Value::Down, "timed out after 200 ms")
        );
        // The second begins when the first, which ignores SIGTERM, is gone.
        until("a second run", || place.read("log").lines().count() == 2).await;
        assert_eq!(watcher.told(), [], "it was told as one failure");
    });
}

#[test]
fn what_cannot_be_run_is_down_and_says_why() {
    on_runtime(async {
        let missing = script("missing", &["/nowhere/check"]);
        let run_as = Some(RunAs {
            user: "no-such-user".to_owned(),
            group: None,
        });
        let nobody = ScriptSpec {
            run_as,
            ..script("nobody", &["/bin/true"])
        };
        let mut watcher = Watcher::new(&[one(1, &missing), one(1, &nobody)]);
        for _ in 0..2 {
            let reading = watcher.next().await;
            assert_eq!(reading.value, Value::Down);
            let why = match &*reading.tracker.name {
                "missing" => "'/nowhere/check' is not found",
                _ => "there is no user 'no-such-user'",
            };
            assert!(reading.detail.contains(why), "{}", reading.detail);
        }
    });
}

#[test]
fn a_reload_touches_what_changed_and_never_runs_two_at_once() {
    let place = Place::new("reload");
    let text = |name: &str| {
        format!(
            "trap '' TERM\nmkdir {0}/lock.{name} || echo twice >> {0}/twice\necho {name} $1 >> {0}/log\nsleep 0.2\nrmdir {0}/lock.{name}",
            place.0.display()
        )
    };
    let (stays, changes) = (place.script("a", &text("a")), place.script("b", &text("b")));
    let lines = |of: &str| place.read("log").lines().filter(|line| *line == of).count();
    on_runtime(async {
        let a = one(1, &script("a", &[&stays, "old"]));
        let b = |epoch: u32, word| one(epoch, &script("b", &[&changes, word]));
        let mut watcher = Watcher::new(&[a.clone(), b(1, "old")]);
        until("both run", || lines("a old") > 0 && lines("b old") > 0).await;
        let told = [watcher.next().await, watcher.next().await];
        assert!(
            told.iter().all(|reading| reading.value == Value::Up),
            "{told:?}"
        );
        watcher.sources.apply(&[a.clone(), b(2, "new")]);
        until("the new one runs", || lines("b new") > 0).await;
        let again = watcher.next().await;
        assert_eq!(
            (&*again.tracker.name, again.epoch),
            ("b", 2),
            "only what changed is told"
        );
        watcher.sources.apply(&[a]);
        let (old, new) = (lines("a old"), lines("b new"));
        until("the other goes on", || lines("a old") > old + 2).await;
        assert!(lines("b new") <= new + 1, "it was to end");
    });
    assert_eq!(place.read("twice"), "");
}

#[test]
fn many_scripts_run_each_second_without_a_leak() {
    let place = Place::new("many-sources");
    let check = place.script("x", &format!("echo >> {}", place.path("log")));
    on_runtime(async {
        let before = descriptors();
        let second = Duration::from_secs(1);
        let specs: Vec<Wanted> = (0..255)
            .map(|n| ScriptSpec {
                interval: second,
                ..script(&format!("s{n}"), &[&check])
            })
            .map(|spec| one(1, &spec))
            .collect();
        let mut watcher = Watcher::new(&specs);
        let runs = || place.read("log").lines().count();
        until("three runs of each", || runs() >= 3 * 255).await;
        let up = watcher
            .told()
            .iter()
            .filter(|reading| reading.value == Value::Up)
            .count();
        assert!(up >= 64, "{up}");
        drop(watcher);
        until("descriptors are given back", || descriptors() <= before).await;
        until("all are reaped", || zombies() == 0).await;
    });
}
