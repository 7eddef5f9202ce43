//! Who is measured: a daemon with its settings, behind one interface.

use std::{fmt, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{
    agent::{self, Agent},
    agents::instance,
    keepalived::Keepalived,
    netns::Netns,
    router::Router,
    sys,
    usage::{Usage, family},
};

use super::conf::{FIRST, Setup};

/// A daemon and how it is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// By adverts alone.
    Failoverd,
    /// With the kernel heartbeat, probes each so many microseconds, down after
    /// so many unanswered ones.
    Heartbeat { period_us: u32, misses: u8 },
    /// As the distribution has it.
    Keepalived,
    /// With the settings that its manual has for busy machines.
    KeepalivedRealTime,
}

impl Side {
    pub const HEARTBEAT: Self = Self::Heartbeat {
        period_us: 1000,
        misses: 3,
    };

    pub fn is_ours(self) -> bool {
        matches!(self, Self::Failoverd | Self::Heartbeat { .. })
    }

    /// As it stands in tables and targets.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failoverd => "failoverd",
            Self::Heartbeat { .. } => "failoverd, heartbeat",
            Self::Keepalived => "keepalived",
            Self::KeepalivedRealTime => "keepalived, real-time",
        }
    }

    /// Lines of `global_defs`. The limit on computing is raised, because with
    /// its default of 10 ms the kernel ends keepalived in some scenarios.
    pub const fn globals(self) -> &'static str {
        match self {
            Self::Failoverd | Self::Heartbeat { .. } | Self::Keepalived => "",
            Self::KeepalivedRealTime => {
                "vrrp_rt_priority 60\nvrrp_rlimit_rttime 1000000\nvrrp_no_swap\n"
            }
        }
    }

    /// Lines of each `vrrp_instance`.
    pub fn lines(self) -> String {
        match self {
            Self::Heartbeat { period_us, misses } => {
                format!("fast_detect interval {period_us}us multiplier {misses}\n")
            }
            Self::Failoverd | Self::Keepalived | Self::KeepalivedRealTime => String::new(),
        }
    }

    /// Starts it on a machine.
    ///
    /// # Errors
    /// When it is not there or cannot be started.
    pub fn start(self, ns: &Netns, setup: &Setup) -> Result<Running> {
        let conf = setup.conf(self);
        if self.is_ours() {
            Agent::start_conf(ns, &conf, FIRST).map(Running::Agent)
        } else {
            Keepalived::start_terse(ns, &conf, FIRST).map(Running::Keepalived)
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why the binary under test has no heartbeat to measure, `None` when it has.
pub fn no_heartbeat(setup: &Setup) -> Result<Option<String>> {
    let file = tempfile(&setup.conf(Side::HEARTBEAT))?;
    let path = file.display().to_string();
    let ended = agent::call(None, &["check", &path], Duration::from_secs(20))?;
    let _left = std::fs::remove_file(&file);
    let refused = ended.output.iter().find(|line| line.contains("'interval'"));
    Ok(match refused {
        Some(_) => Some("this failoverd has no heartbeat (fast_detect interval)".to_owned()),
        None if ended.code != Some(0) => {
            Some(format!("failoverd refuses fast_detect: {:?}", ended.output))
        }
        None => None,
    })
}

fn tempfile(text: &str) -> Result<std::path::PathBuf> {
    let name = format!("failoverd-bench-{}.conf", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).context("a file to check")?;
    Ok(path)
}

/// A running daemon.
#[derive(Debug)]
pub enum Running {
    Agent(Agent),
    Keepalived(Keepalived),
}

impl Running {
    pub fn router(&self) -> &dyn Router {
        match self {
            Self::Agent(agent) => agent,
            Self::Keepalived(keepalived) => keepalived,
        }
    }

    /// Pids of all its processes.
    pub fn family(&self) -> Vec<i32> {
        family(self.router().process().pid())
    }

    pub fn usage(&self) -> Usage {
        Usage::of(&self.family())
    }

    /// Whether the first instance has an Active that answers its heartbeat.
    pub fn is_armed(&self) -> bool {
        let Self::Agent(agent) = self else {
            return false;
        };
        let status = agent.status().unwrap_or_default();
        instance(&status)["fast_detect"]["heartbeat"]["state"] == "armed"
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) -> Result<()> {
        self.router().process().signal(libc::SIGTERM)
    }

    /// SIGTERM and its end.
    pub fn stop(&mut self) -> Result<()> {
        match self {
            Self::Agent(agent) => agent.stop(),
            Self::Keepalived(keepalived) => keepalived.stop(),
        }
    }

    /// Ends all its processes at once, for a namespace that goes with them.
    pub fn kill(&self) {
        for pid in self.family() {
            let _gone = sys::kill(pid, libc::SIGKILL);
        }
    }

    /// Stops or continues all its processes.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        for pid in self.family() {
            sys::kill(pid, signal).with_context(|| format!("signal to {pid}"))?;
        }
        Ok(())
    }

    /// Lets it read its file again, which has not changed.
    pub fn reload(&self) -> Result<()> {
        match self {
            Self::Agent(agent) => {
                let ended = agent.reload()?;
                ensure!(ended.code == Some(0), "reload: {:?}", ended.output);
                Ok(())
            }
            Self::Keepalived(keepalived) => keepalived.process().signal(libc::SIGHUP),
        }
    }
}
