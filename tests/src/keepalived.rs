//! keepalived as a peer: its configuration, its process, its log.

use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::Process,
    router::{Router, VirtualRouter},
};

/// A running keepalived with one instance.
#[derive(Debug)]
pub struct Keepalived {
    process: Process,
    instance: String,
    // After the process, which reads and writes there.
    _directory: TempDir,
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
        let directory = tempfile::Builder::new()
            .prefix("lab-keepalived")
            .tempdir()?;
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("keepalived.conf"), conf).context("keepalived.conf")?;
        let mut command = ns.command("keepalived");
        command.args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"]);
        command.arg("--use-file").arg(path("keepalived.conf"));
        command
            .arg("--pid")
            .arg(path("pid"))
            .arg("--vrrp_pid")
            .arg(path("vrrp_pid"));
        let process = Process::start("keepalived", &mut command)?;
        Ok(Self {
            process,
            instance: instance.to_owned(),
            _directory: directory,
        })
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

    /// SIGTERM, then its end: a planned hand-over when it is Active.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(libc::SIGTERM)?;
        self.process.wait(Duration::from_secs(5)).map(drop)
    }
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
