//! keepalived as a peer: its configuration, its process, its log.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::Process,
    router::{Router, VirtualRouter},
    wait::eventually,
};

/// A running keepalived with one instance.
#[derive(Debug)]
pub struct Keepalived {
    process: Process,
    instance: String,
    // After the process, which reads and writes there.
    directory: TempDir,
}

impl Keepalived {
    /// Starts it in a namespace; its log goes to [`Router::process`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(ns: &Netns, router: &VirtualRouter) -> Result<Self> {
        Self::start_with(ns, &router.keepalived_conf(), &router.name)
    }

    /// Starts it with a configuration as written. `instance` is whose states
    /// [`Router::state`] tells.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(ns: &Netns, conf: &str, instance: &str) -> Result<Self> {
        Self::start_flags(ns, conf, instance, &["--log-detail"])
    }

    /// The same without a line for each gratuitous ARP, which it waits for
    /// somebody to read: as distributions start it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_terse(ns: &Netns, conf: &str, instance: &str) -> Result<Self> {
        Self::start_flags(ns, conf, instance, &[])
    }

    fn start_flags(ns: &Netns, conf: &str, instance: &str, flags: &[&str]) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("lab-keepalived")
            .tempdir()?;
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("keepalived.conf"), conf).context("keepalived.conf")?;
        let mut command = ns.command("keepalived");
        command.args(["--dont-fork", "--log-console", "--vrrp"]);
        command.args(flags);
        command.arg("--use-file").arg(path("keepalived.conf"));
        command
            .arg("--pid")
            .arg(path("pid"))
            .arg("--vrrp_pid")
            .arg(path("vrrp_pid"));
        // Its statistics; without this all of a machine write to one file.
        command.env("TMPDIR", directory.path());
        let process = Process::start("keepalived", &mut command)?;
        Ok(Self {
            process,
            instance: instance.to_owned(),
            directory,
        })
    }

    /// Writes its file anew.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_conf(&self, conf: &str) -> Result<()> {
        std::fs::write(self.directory.path().join("keepalived.conf"), conf)
            .context("keepalived.conf")
    }

    /// Lines in its log that complain about adverts it received.
    pub fn complaints(&self) -> Vec<String> {
        const SIGNS: [&str; 8] = [
            "Invalid",
            "invalid",
            "incorrect",
            "mismatch",
            "expecting",
            "bogus",
            "ignoring",
            "wrong",
        ];
        let lines = self.process.lines().into_iter().map(|line| line.text);
        lines
            .filter(|line| SIGNS.iter().any(|sign| line.contains(sign)))
            .collect()
    }

    /// Its counters (SIGUSR2) of its one instance, by `Section: Name`, for
    /// example `Advertisements: Received`.
    ///
    /// # Errors
    /// When it does not write them.
    pub fn statistics(&self) -> Result<BTreeMap<String, u64>> {
        let path = self.directory.path().join("keepalived.stats");
        if path.exists() {
            fs::remove_file(&path).context("old statistics")?;
        }
        self.process.signal(libc::SIGUSR2)?;
        eventually(Duration::from_secs(5), "statistics of keepalived", || {
            let counters = counters(&fs::read_to_string(&path).ok()?);
            // The last that it writes.
            counters
                .contains_key("Priority Zero: Sent")
                .then_some(counters)
        })
    }

    /// What it says of its instances (SIGRTMIN + 2): an array in its own form.
    ///
    /// # Errors
    /// When it does not write it.
    pub fn json(&self) -> Result<Value> {
        let path = self.directory.path().join("keepalived.json");
        if path.exists() {
            fs::remove_file(&path).context("old dump")?;
        }
        self.process.signal(libc::SIGRTMIN() + 2)?;
        eventually(Duration::from_secs(5), "a dump of keepalived", || {
            // Not written in one piece.
            serde_json::from_str(&fs::read_to_string(&path).ok()?).ok()
        })
    }

    /// SIGTERM, then its end: a planned hand-over when it is Active.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(libc::SIGTERM)?;
        // It takes a second of its own, and more where it hardly gets the CPU.
        self.process.wait(Duration::from_secs(20)).map(drop)
    }
}

/// The counters of a complete line each, under their section.
fn counters(text: &str) -> BTreeMap<String, u64> {
    let mut section = "";
    let mut counters = BTreeMap::new();
    let complete = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    for (name, value) in complete.filter_map(|line| line.trim().split_once(':')) {
        match value.trim().parse() {
            Ok(count) => drop(counters.insert(format!("{section}: {name}"), count)),
            Err(_) => section = name,
        }
    }
    counters
}

impl Router for Keepalived {
    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn instance(&self) -> &str {
        &self.instance
    }
}
