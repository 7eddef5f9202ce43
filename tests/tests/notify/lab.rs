//! Files that tell, and what was told.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use failoverd_tests::wait::eventually;

/// Long enough for a machine that has other things to do.
pub const LONG: Duration = Duration::from_secs(30);

/// A directory with a script that writes down its arguments.
#[derive(Debug)]
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("lab-notify").tempdir()?;
        // Scripts of others than root have to get there.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let place = Self { directory };
        let log = place.path("log");
        // One write for each line: keepalived runs several at once.
        place.script(
            "log.sh",
            &format!(
                "line=\nfor word; do line=\"$line[$word]\"; done\necho \"$line\" >> {}",
                log.display()
            ),
        )?;
        fs::write(&log, "")?;
        Ok(place)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A script for `sh`.
    pub fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// What the script has written, line by line.
    pub fn log(&self) -> Vec<String> {
        lines(&self.path("log"))
    }

    pub fn wait_log(&self, what: &str, condition: impl Fn(&[String]) -> bool) -> Result<()> {
        let found = eventually(LONG, what, || condition(&self.log()).then_some(()));
        found.with_context(|| format!("{:#?}", self.log()))
    }

    /// A FIFO of ours, and all that is written to it.
    pub fn fifo(&self, name: &str) -> Result<Reader> {
        let path = self.path(name);
        let made = Command::new("mkfifo").arg(&path).status()?;
        anyhow::ensure!(made.success(), "mkfifo");
        Reader::start(&path)
    }
}

pub fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Reads a FIFO for as long as the test runs.
#[derive(Clone, Debug)]
pub struct Reader(Arc<Mutex<Vec<String>>>);

impl Reader {
    pub fn start(path: &Path) -> Result<Self> {
        // Open for writing too, so that it never ends.
        let file = fs::File::options().read(true).write(true).open(path)?;
        let all = Self(Arc::default());
        let to = all.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                to.0.lock().expect("no panic").push(line);
            }
        });
        Ok(all)
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    /// Waits for lines after the first `from`, in any order.
    pub fn wait(&self, from: usize, wanted: &[&str]) -> Result<()> {
        let all = || {
            let lines = self.lines();
            let news = lines.get(from..).unwrap_or_default().to_vec();
            let there = |line: &&str| news.iter().any(|one| one == line);
            wanted.iter().all(there)
        };
        let found = eventually(LONG, &format!("{wanted:?}"), || all().then_some(()));
        found.with_context(|| format!("{:#?}", self.lines()))
    }
}
