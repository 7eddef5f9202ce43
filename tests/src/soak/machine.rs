//! A machine of the soak: its agent, and what is done to both.

use std::{fmt::Write as _, net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{agent::Agent, agents::pid, router::Router, sys, topology::Host, wait::eventually};

use super::{ROUTERS_PER_MACHINE, VRIDS, scout::Scout};

/// A start loads the kernel side, and a parent may wait before it starts one again.
const STARTS: Duration = Duration::from_secs(60);
/// For an agent that is on its way out.
const ENDS: Duration = Duration::from_secs(10);

/// Names of the instances.
const NAMES: [&str; ROUTERS_PER_MACHINE] = ["V4", "V6"];

/// Priority of each virtual router.
pub type Priorities = [u8; ROUTERS_PER_MACHINE];

/// One of the routers.
#[derive(Debug)]
pub struct Machine {
    pub agent: Option<Agent>,
    /// The agent itself, not its parent.
    pub pid: i32,
    /// How often it was exchanged.
    pub upgrades: usize,
    /// In force when nothing is wrong.
    pub priorities: Priorities,
    pub scout: Scout,
    vips: [IpAddr; ROUTERS_PER_MACHINE],
}

impl Machine {
    /// Starts an agent.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        host: &Host,
        priorities: Priorities,
        vips: [IpAddr; ROUTERS_PER_MACHINE],
    ) -> Result<Self> {
        let mut machine = Self {
            agent: None,
            pid: 0,
            upgrades: 0,
            priorities,
            scout: Scout::start(host, vips)?,
            vips,
        };
        machine.start_agent(host)?;
        Ok(machine)
    }

    pub fn start_agent(&mut self, host: &Host) -> Result<()> {
        // What is left of the old one goes first.
        self.agent = None;
        let text = conf(self.priorities, self.vips);
        let agent = Agent::start_conf(&host.ns, &text, NAMES[0])?;
        self.agent = Some(agent);
        self.wait_running(0)
    }

    pub fn agent(&self) -> Result<&Agent> {
        self.agent.as_ref().context("the agent does not run")
    }

    /// Waits until both instances have told their first state behind that line
    /// of the log, and learns the pid.
    pub fn wait_running(&mut self, mark: usize) -> Result<()> {
        let agent = self.agent()?;
        for name in NAMES {
            let line = format!("({name}) Entering BACKUP STATE");
            agent.process().wait_line_from(mark, &line, STARTS)?;
        }
        self.learn_pid()
    }

    pub fn learn_pid(&mut self) -> Result<()> {
        let agent = self.agent()?;
        self.pid = eventually(STARTS, "the pid of the agent", || pid(agent).ok())?;
        Ok(())
    }

    /// SIGKILL to the parent; the agent, which hears of it, is waited for.
    pub fn kill_parent(&mut self) -> Result<()> {
        self.agent
            .as_mut()
            .context("no agent")?
            .process_mut()
            .kill()?;
        self.wait_gone()
    }

    /// The parent is stopped first, or it would do its work.
    pub fn kill_both(&mut self) -> Result<()> {
        let agent = self.agent.as_mut().context("no agent")?;
        agent.process().signal(libc::SIGSTOP)?;
        sys::kill(self.pid, libc::SIGKILL)?;
        agent.process_mut().kill()?;
        self.wait_gone()
    }

    fn wait_gone(&self) -> Result<()> {
        let stat = format!("/proc/{}/stat", self.pid);
        eventually(ENDS, "the end of the agent", || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = stat
                .rsplit_once(") ")
                .map(|(_, rest)| rest.starts_with('Z'));
            (state != Some(false)).then_some(())
        })
    }

    /// Writes the file with these priorities and has it read.
    pub fn reload(&self, priorities: Priorities) -> Result<()> {
        let agent = self.agent()?;
        agent.write_conf(&conf(priorities, self.vips))?;
        let ended = agent.reload()?;
        ensure!(ended.code == Some(0), "reload: {ended:?}");
        Ok(())
    }

    /// True when the agent was exchanged, false when it refused, which changes
    /// nothing: an upgrade has limits of time.
    pub fn upgrade(&mut self) -> Result<bool> {
        let ended = self.agent()?.ask("upgrade", &["--json"])?;
        self.learn_pid()?;
        let done = ended.code == Some(0);
        self.upgrades += usize::from(done);
        Ok(done)
    }

    /// The last lines of the agent's log.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let lines = self.agent.as_ref().map(|agent| agent.process().lines());
        let lines = lines.unwrap_or_default();
        let from = lines.len().saturating_sub(count);
        lines
            .iter()
            .skip(from)
            .map(|line| line.text.clone())
            .collect()
    }
}

/// A virtual router in each family, with adverts each 10 ms.
fn conf(priorities: Priorities, vips: [IpAddr; ROUTERS_PER_MACHINE]) -> String {
    let mut text = String::new();
    for (index, name) in NAMES.into_iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "vrrp_instance {name} {{\n  interface eth0\n  version 3\n  advert_int 0.01\n  \
             virtual_router_id {}\n  priority {}\n  virtual_ipaddress {{\n    {}\n  }}\n}}\n",
            VRIDS[index],
            priorities[index],
            with_length(vips[index]),
        );
    }
    text
}

/// A VIP with its prefix length.
pub fn with_length(vip: IpAddr) -> String {
    let length = if vip.is_ipv4() { 24 } else { 64 };
    format!("{vip}/{length}")
}
