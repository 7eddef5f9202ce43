//! One of the two that are compared: its machine, its files, its peer, and what
//! it says of itself.

use std::{fs, os::unix::fs::PermissionsExt};

use anyhow::{Context, Result, bail};
use failoverd_tests::{agent::Agent, keepalived::Keepalived, router::Router, topology::Lan};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Picture, State, World, conf, peer};

/// How many instances there are.
const INSTANCES: usize = 3;

#[derive(Debug)]
enum Daemon {
    Agent(Agent),
    Keepalived(Keepalived),
}

/// One daemon with everything that it tracks, and a keepalived as its peer.
#[derive(Debug)]
pub struct Side {
    // Before the LAN: daemons end before their namespaces go.
    daemon: Daemon,
    _peer: Keepalived,
    lan: Lan,
    directory: TempDir,
}

impl Side {
    pub fn agent(world: &World) -> Result<Self> {
        Self::start(world, |lan, conf| {
            let agent = Agent::start_conf(&lan.host(0).ns, conf, "VI_1")?;
            Ok(Daemon::Agent(agent))
        })
    }

    pub fn keepalived(world: &World) -> Result<Self> {
        Self::start(world, |lan, conf| {
            let keepalived = Keepalived::start_with(&lan.host(0).ns, conf, "VI_1")?;
            Ok(Daemon::Keepalived(keepalived))
        })
    }

    fn start(world: &World, run: impl Fn(&Lan, &str) -> Result<Daemon>) -> Result<Self> {
        let lan = Lan::new(2)?;
        let directory = tempfile::tempdir()?;
        let notify = directory.path().join("notify");
        let log = directory.path().join("notified");
        fs::write(
            &notify,
            format!("#!/bin/sh\necho \"$@\" >> {}\n", log.display()),
        )?;
        fs::set_permissions(&notify, fs::Permissions::from_mode(0o755))?;
        let ns = &lan.host(0).ns;
        for number in 1..=4 {
            ns.sh(&format!(
                "ip link add t{number} type veth peer name p{number}"
            ))?;
            ns.sh(&format!("ip link set t{number} up"))?;
        }
        world.apply(ns, directory.path())?;
        let peer = Keepalived::start_with(&lan.host(1).ns, &peer(), "VI_1")?;
        let daemon = run(&lan, &conf(directory.path()))?;
        Ok(Self {
            daemon,
            _peer: peer,
            lan,
            directory,
        })
    }

    pub fn apply(&self, world: &World) -> Result<()> {
        world.apply(&self.lan.host(0).ns, self.directory.path())
    }

    /// What notify scripts were given so far, a line for each run.
    pub fn notified(&self) -> Vec<String> {
        let log = self.directory.path().join("notified");
        let text = fs::read_to_string(log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Where its instances are now.
    pub fn picture(&self) -> Result<Picture> {
        match &self.daemon {
            Daemon::Agent(agent) => {
                let status = agent.status()?;
                let instances = status["instances"].as_array().context("instances")?;
                let of = |one: &Value| of_the_agent(one);
                in_order(instances.iter().map(of).collect::<Result<_>>()?)
            }
            Daemon::Keepalived(keepalived) => {
                let json = keepalived.json()?;
                let instances = json.as_array().context("instances")?;
                let of = |one: &Value| of_keepalived(&one["data"]);
                in_order(instances.iter().map(of).collect::<Result<_>>()?)
            }
        }
    }
}

type Named = (String, State, u8);

fn in_order(mut found: Vec<Named>) -> Result<Picture> {
    found.sort();
    if found.len() != INSTANCES {
        bail!("{} instances", found.len());
    }
    Ok(found
        .into_iter()
        .map(|(_, state, own)| (state, own))
        .collect())
}

fn name_and_priority(name: &Value, priority: &Value) -> Result<(String, u8)> {
    let name = name.as_str().context("a name")?;
    let priority = priority.as_u64().context("a priority")?;
    Ok((name.to_owned(), u8::try_from(priority)?))
}

fn of_the_agent(one: &Value) -> Result<Named> {
    let (name, priority) = name_and_priority(&one["name"], &one["priority"])?;
    let state = match one["state"].as_str() {
        Some("active") => State::Active,
        Some("backup") => State::Backup,
        Some("fault") => State::Fault,
        other => bail!("{name}: {other:?}"),
    };
    Ok((name, state, priority))
}

fn of_keepalived(data: &Value) -> Result<Named> {
    let (name, priority) = name_and_priority(&data["iname"], &data["effective_priority"])?;
    let state = match data["state"].as_u64() {
        Some(1) => State::Backup,
        Some(2) => State::Active,
        Some(3) => State::Fault,
        other => bail!("{name}: {other:?}"),
    };
    Ok((name, state, priority))
}
