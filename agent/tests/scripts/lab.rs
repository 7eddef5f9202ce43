//! A directory for scripts, a runner, and looks into /proc.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use failoverd::script::{Ended, Identity, Lane, Outcome, Program, Rest, Runner};

/// Long enough for a starved machine, short enough for a test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A directory that only its owner can change, removed on drop.
#[derive(Debug)]
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Self {
        // Below /tmp everything but the last part is root's and sticky.
        let path = std::env::temp_dir().join(format!("fo-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a directory");
        mode(&path, 0o755);
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A script for `sh`.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
        mode(&path, 0o755);
        path.display().to_string()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

pub fn runner() -> Runner {
    Runner::through(env!("CARGO_BIN_EXE_failoverd").into())
}

pub fn program(words: &[&str]) -> Program {
    Program {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        identity: Identity::own(),
        rest: Rest::Killed,
    }
}

pub fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let limit = PATIENCE * 6;
    let done = runtime.block_on(async { tokio::time::timeout(limit, work).await });
    done.expect("an end of the test in time")
}

/// One run with a time-out that is not meant to be reached.
pub fn run(words: &[&str]) -> Ended {
    on_runtime(runner().run(&Lane::new(), &program(words), PATIENCE))
}

pub fn outcome(words: &[&str]) -> Outcome {
    run(words).outcome
}

/// Waits on the runtime, so that what is spawned there goes on.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Whether a process is there and is no zombie.
pub fn is_alive(pid: &str) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The state letter of a process in /proc.
pub fn state(pid: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Zombies that are children of this process.
pub fn zombies() -> usize {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc");
    processes
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter(|stat| {
            stat.rsplit_once(") ").is_some_and(|(_, rest)| {
                let mut words = rest.split(' ');
                words.next() == Some("Z") && words.next() == Some(&own)
            })
        })
        .count()
}

pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}
