//! Two agents that hold addresses between them, and what their status says.

use std::{fmt::Debug, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{
    agent::Agent,
    netns::Netns,
    router::{Router, State, VirtualRouter},
    sys,
    topology::{Host, Lan},
    wait::{eventually, stopped},
};

/// Longer than any start takes, so that a slow machine fails no test.
pub const START: Duration = Duration::from_secs(60);
/// For what takes a second at most where nobody else wants the processors.
pub const SOON: Duration = Duration::from_secs(30);
/// Quick, and nothing false on a busy machine.
pub const INTERVAL: Duration = Duration::from_millis(100);
/// Active_Down_Interval of priority 100 with that interval.
pub const DOWN: Duration = Duration::from_millis(361);

/// Host 0 is Active with priority 200, host 1 is Backup with 100, host 2 is
/// the client.
#[derive(Debug)]
pub struct Agents {
    // Before the LAN: daemons end before their namespaces go.
    pub active: Agent,
    pub backup: Agent,
    pub lan: Lan,
}

impl Agents {
    /// Starts one after the other with `flags` on top and waits until each is
    /// where it belongs. `adjust` changes what each is configured with; it gets
    /// the index of the host.
    ///
    /// # Errors
    /// When an agent does not start or the election does not end as it must.
    pub fn start(flags: &[&str], adjust: impl Fn(&Lan, usize, &mut VirtualRouter)) -> Result<Self> {
        Self::start_on(Lan::new(3)?, flags, adjust)
    }

    /// The same on a LAN that was made ready.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(
        lan: Lan,
        flags: &[&str],
        adjust: impl Fn(&Lan, usize, &mut VirtualRouter),
    ) -> Result<Self> {
        let start = |index: usize, priority, state| -> Result<Agent> {
            let mut router = VirtualRouter::new(priority, lan.vip()).every(INTERVAL);
            adjust(&lan, index, &mut router);
            let agent = start(lan.host(index), &router, flags)?;
            agent
                .wait_state(state, START)
                .with_context(|| format!("host {index}"))?;
            Ok(agent)
        };
        let active = start(0, 200, State::Active)?;
        let backup = start(1, 100, State::Backup)?;
        let pair = Self {
            active,
            backup,
            lan,
        };
        // Not before it has heard the Active is it the Backup of somebody.
        pair.backup_hears()?;
        Ok(pair)
    }

    /// Waits until the Backup knows its Active.
    ///
    /// # Errors
    /// When it hears none.
    pub fn backup_hears(&self) -> Result<()> {
        eventually(START, "the Backup hears its Active", || {
            let status = self.backup.status().ok()?;
            (instance(&status)["active"].is_string()).then_some(())
        })
    }

    pub fn client(&self) -> &Host {
        self.lan.host(2)
    }

    /// How many transitions each has made.
    pub fn transitions(&self) -> [usize; 2] {
        [&self.active, &self.backup].map(|agent| agent.transitions().len())
    }

    /// Watches for `span` that neither changes its state.
    ///
    /// # Errors
    /// When one does.
    pub fn steady(&self, span: Duration) -> Result<()> {
        let before = self.transitions();
        never(span, "a transition", || {
            let now = self.transitions();
            (now != before).then_some((before, now))
        })
    }
}

/// Starts an agent with `flags` on top of what `router` says.
///
/// # Errors
/// As [`Agent::start`].
pub fn start(host: &Host, router: &VirtualRouter, flags: &[&str]) -> Result<Agent> {
    let mut arguments = router.agent_arguments();
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Agent::start_with(&host.ns, &arguments, &router.name)
}

/// Watches for `span` that `contrary` stays `None`.
///
/// # Errors
/// When it does not.
pub fn never<T: Debug>(
    span: Duration,
    what: &str,
    contrary: impl FnMut() -> Option<T>,
) -> Result<()> {
    match eventually(span, what, contrary) {
        Ok(found) => bail!("{what}, which must not be: {found:?}"),
        Err(error) if stopped() => Err(error),
        Err(_) => Ok(()),
    }
}

/// The only instance in a status.
pub fn instance(status: &Value) -> &Value {
    &status["instances"][0]
}

/// A counter of the core, 0 when it is missing.
pub fn counter(status: &Value, name: &str) -> u64 {
    instance(status)["counters"][name].as_u64().unwrap_or(0)
}

/// A verdict on adverts of the instance, 0 when there was none.
pub fn outcome(status: &Value, name: &str) -> u64 {
    instance(status)["outcomes"][name].as_u64().unwrap_or(0)
}

/// The same of frames that belong to no instance.
pub fn unclaimed(status: &Value, name: &str) -> u64 {
    status["unclaimed"][name].as_u64().unwrap_or(0)
}

/// The backend of the only link.
pub fn backend(status: &Value) -> &str {
    status["links"][0]["backend"].as_str().unwrap_or_default()
}

/// The agent itself, not the parent that watches over it.
///
/// # Errors
/// When the agent does not answer.
pub fn pid(agent: &Agent) -> Result<i32> {
    let status = agent.status()?;
    let pid = status["pid"].as_i64().context("no pid in the status")?;
    let pid = i32::try_from(pid)?;
    if pid == agent.process().pid() {
        bail!("the agent runs without a parent");
    }
    Ok(pid)
}

/// Sends `signal` to the agent itself.
///
/// # Errors
/// When the agent does not answer.
pub fn signal(agent: &Agent, signal: i32) -> Result<i32> {
    let pid = pid(agent)?;
    sys::kill(pid, signal)?;
    Ok(pid)
}

/// Waits until a machine has the address, or has it no more.
///
/// # Errors
/// When that does not happen `within` that time.
pub fn wait_vip(host: &Host, vip: std::net::IpAddr, present: bool, within: Duration) -> Result<()> {
    let what = if present {
        "the VIP comes"
    } else {
        "the VIP goes"
    };
    eventually(within, what, || {
        (host.has_address(vip).ok()? == present).then_some(())
    })
}

/// What the kernel has on a machine, as text: links with their XDP programs,
/// addresses, memberships and routes.
///
/// # Errors
/// When `ip` fails.
pub fn picture(ns: &Netns) -> Result<String> {
    let parts = [
        "ip -d -o link show",
        "ip -o addr show",
        "ip maddr show",
        "ip route show table all",
        "ip -6 route show table all",
    ];
    parts.iter().map(|line| ns.sh(line)).collect()
}

/// Returns `Ok(())` from the calling test, with the reason printed, where no
/// agent can be started: [`require_root`](crate::require_root), and a binary.
#[macro_export]
macro_rules! require_agent {
    ($($program:expr),* $(,)?) => {
        $crate::require_root!($($program),*);
        if !$crate::privilege::ready($crate::agent::missing()) {
            return Ok(());
        }
    };
}

/// The same for a test that needs macvlan interfaces, and `programs`.
#[macro_export]
macro_rules! require_macvlan {
    ($($program:expr),* $(,)?) => {
        $crate::require_agent!($($program),*);
        if !$crate::privilege::ready($crate::privilege::missing_link_type("macvlan")) {
            return Ok(());
        }
    };
}
