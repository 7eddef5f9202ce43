//! `track_process` with real processes, by the kernel's word and by /proc.

use std::{
    fs,
    process::{Child, Command},
    time::Duration,
};

use failoverd::{
    config::model::ProcessSpec,
    track::{Spec, Value, Wanted},
};
use failoverd_tests::{netns::Netns, require_root};

use crate::{
    lab::{Place, mode, on_runtime},
    watcher::{Watcher, process, wanted},
};

/// A program that sleeps, under a name that nobody else has.
fn sleeper(place: &Place, name: &str) -> String {
    let path = place.path(name);
    fs::copy("/bin/sleep", &path).expect("a copy");
    mode(std::path::Path::new(&path), 0o755);
    path
}

struct Sleeping(Child);

impl Sleeping {
    fn start(program: &str) -> Self {
        Self(Command::new(program).arg("303").spawn().expect("a process"))
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn one(spec: &ProcessSpec) -> Wanted {
    wanted(1, Spec::Process(spec.clone()))
}

/// From none to three and back to none.
async fn story(program: &str, name: &str) {
    let spec = ProcessSpec {
        quorum: 2,
        quorum_max: Some(2),
        ..process("p", name)
    };
    let full = ProcessSpec {
        params: vec!["303".to_owned()],
        quorum: 3,
        ..process("full", program)
    };
    let mut watcher = Watcher::new(&[one(&spec), one(&full)]);
    let first = [watcher.next().await, watcher.next().await];
    assert!(
        first.iter().all(|reading| reading.value == Value::Down),
        "{first:?}"
    );
    let _a = Sleeping::start(program);
    let b = Sleeping::start(program);
    let up = watcher.next().await;
    assert_eq!(
        (&*up.tracker.name, up.value, up.detail.as_str()),
        ("p", Value::Up, "2 processes")
    );
    let c = Sleeping::start(program);
    let mut both = [watcher.next().await, watcher.next().await];
    both.sort_by_key(|reading| reading.tracker.clone());
    assert_eq!(
        both.each_ref().map(|reading| reading.value),
        [Value::Up, Value::Down]
    );
    assert_eq!(both[1].detail, "3 processes, 2 at most");
    drop(c);
    let mut both = [watcher.next().await, watcher.next().await];
    both.sort_by_key(|reading| reading.tracker.clone());
    assert_eq!(
        both.each_ref().map(|reading| reading.value),
        [Value::Down, Value::Up]
    );
    drop(b);
    let down = watcher.next().await;
    assert_eq!(
        (down.value, down.detail.as_str()),
        (Value::Down, "1 process, 2 needed")
    );
}

#[test]
fn processes_are_counted_as_they_come_and_go() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("process");
    let program = sleeper(&place, "fo-counted");
    on_runtime(story(&program, "fo-counted"));
    Ok(())
}

/// As in a container: the kernel's word is not to be had.
#[test]
fn without_the_kernels_word_proc_is_looked_through() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("poll");
    let program = sleeper(&place, "fo-polled");
    Netns::new()?.enter(|| {
        on_runtime(story(&program, "fo-polled"));
        Ok(())
    })
}

#[test]
fn a_delay_bridges_a_restart_and_not_an_end() -> anyhow::Result<()> {
    require_root!();
    let place = Place::new("delay");
    let program = sleeper(&place, "fo-delayed");
    on_runtime(async {
        let spec = ProcessSpec {
            terminate_delay: Duration::from_secs(3),
            ..process("p", "fo-delayed")
        };
        let first = Sleeping::start(&program);
        let mut watcher = Watcher::new(&[one(&spec)]);
        assert_eq!(watcher.value().await, Value::Up);
        drop(first);
        let second = Sleeping::start(&program);
        drop(second);
        let down = watcher.next().await;
        assert_eq!(
            (down.value, down.detail.as_str()),
            (Value::Down, "0 processes, 1 needed")
        );
    });
    Ok(())
}
