//! Routes and rules: the static ones, and when to look after those of
//! instances.
//!
//! Those of instances are added and removed by the fast lane. That something
//! of them may be missing is seen here: a router with hundreds of thousands
//! of routes announces every change, which must not keep the fast lane busy.
//! A link that comes back is a reason to look too, as the kernel says nothing
//! of routes that went with it.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    time::Duration,
};

use agent_common::KernelTime;
use tokio::io::unix::AsyncFd;
use tracing::{error, info, warn};

use super::Failure;
use crate::{
    config::{Config, IfName, model},
    core::InstanceId,
    io::{
        clock,
        netlink::{
            batch::{BatchResult, CommandSocket},
            monitor::{Event, Monitor},
            paths::PathPlan,
            survey::World,
        },
    },
};

/// Between two times that static ones are put back.
const PAUSE: Duration = Duration::from_secs(1);
/// So often in a minute those of an instance are put back, as VIPs are.
const ROUNDS: usize = 10;
const PERIOD: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Paths {
    socket: CommandSocket,
    /// None where there are neither routes nor rules.
    monitor: Option<AsyncFd<Monitor>>,
    /// The static ones that are there.
    plan: PathPlan,
    /// Whom the kernel names as the one who set any of ours.
    protocols: Vec<u8>,
    /// Some may be missing.
    doubt: bool,
    /// Some were refused, or wait for their interface: a new address may help.
    unsettled: bool,
    put_back: Option<KernelTime>,
    refused: Option<(u16, i32)>,
    /// When those of an instance were put back.
    rounds: BTreeMap<u16, VecDeque<KernelTime>>,
}

impl Paths {
    /// # Errors
    ///
    /// When a netlink socket cannot be had.
    pub(super) fn new() -> Result<Self, Failure> {
        let socket = CommandSocket::open();
        Ok(Self {
            socket: socket.map_err(Failure::runtime("cannot open a netlink socket"))?,
            monitor: None,
            plan: PathPlan::default(),
            protocols: Vec::new(),
            doubt: false,
            unsettled: false,
            put_back: None,
            refused: None,
            rounds: BTreeMap::new(),
        })
    }

    /// Makes the static ones what `config` wants: only what differs is
    /// touched. False when it should be tried again.
    ///
    /// # Errors
    ///
    /// When the kernel's announcements cannot be had.
    pub(super) fn apply(&mut self, config: &Config, world: &World) -> Result<bool, Failure> {
        let of_instances = config.instances.iter().map(|instance| &instance.paths);
        let all = || of_instances.clone().chain([&config.static_paths]);
        if all().all(model::Paths::is_empty) && self.plan.is_empty() {
            return Ok(true);
        }
        self.listen()?;
        let index = |name: &IfName| world.link(name.as_str()).map(|link| link.ifindex);
        let plans: Vec<_> = all().map(|paths| PathPlan::new(paths, index)).collect();
        self.protocols = plans
            .iter()
            .flat_map(|plan| plan.protocols().iter().copied())
            .collect();
        let incomplete = plans.iter().any(PathPlan::is_incomplete);
        self.unsettled |= incomplete;
        let Some(mut plan) = plans.into_iter().next_back() else {
            return Ok(true);
        };
        let settled = if plan == self.plan {
            self.ensure(&config.static_paths)
        } else {
            let removed = self.socket.remove_paths_beside(&mut self.plan, &plan);
            let added = self.socket.add_paths(&mut plan);
            self.plan = plan;
            self.told(removed, &config.static_paths);
            self.told(added, &config.static_paths);
            true
        };
        Ok(settled)
    }

    fn listen(&mut self) -> Result<(), Failure> {
        if self.monitor.is_none() {
            let monitor = Monitor::open().and_then(|mut monitor| {
                monitor.join_paths()?;
                super::readable(monitor)
            });
            self.monitor = Some(monitor.map_err(Failure::runtime(
                "cannot listen to the kernel's announcements",
            ))?);
        }
        Ok(())
    }

    fn ensure(&mut self, paths: &model::Paths) -> bool {
        if !self.doubt || self.plan.is_empty() {
            return true;
        }
        let now = clock::now();
        if self.put_back.is_some_and(|at| now.since(at) < PAUSE) {
            return false;
        }
        let wanted = self.plan.tracked();
        let result = self.socket.ensure_paths(&mut self.plan);
        if let Ok(result) = &result {
            let there = result.fulfilled.saturating_add(result.failed);
            let count = wanted.saturating_sub(there);
            if count > 0 {
                self.put_back = Some(now);
                info!("static routes or rules were gone: {count} put back");
            }
        }
        self.told(result, paths);
        true
    }

    /// One line for a refusal, until it is another one.
    fn told(&mut self, result: io::Result<BatchResult>, paths: &model::Paths) {
        match result {
            Ok(BatchResult { failed: 0, .. }) => self.refused = None,
            Ok(result) => {
                self.unsettled = true;
                let refusal = (result.first, result.first_errno);
                if self.refused.replace(refusal) != Some(refusal) {
                    let line = paths.line(result.first).unwrap_or_default();
                    let error = io::Error::from_raw_os_error(result.first_errno);
                    warn!("the kernel refuses the static {line}: {error}");
                }
            }
            Err(error) => warn!("cannot change static routes and rules: {error}"),
        }
    }

    /// When there is reason to look at the machine again.
    pub(super) async fn changed(&mut self) {
        let Some(monitor) = &mut self.monitor else {
            return std::future::pending().await;
        };
        loop {
            let Ok(mut ready) = monitor.readable_mut().await else {
                return std::future::pending().await;
            };
            let mut look = false;
            let each = |event: Event| {
                look |= match event {
                    Event::Link { usable, .. } => usable || self.unsettled,
                    Event::LinkGone { .. } => false,
                    Event::Address { gone, .. } => !gone && self.unsettled,
                    Event::PathGone { protocol } => self.protocols.contains(&protocol),
                    Event::Overrun => true,
                }
            };
            match ready.get_inner_mut().read(each) {
                Ok(true) => {}
                Ok(false) | Err(_) => ready.clear_ready(),
            }
            if look {
                self.doubt = true;
                return;
            }
        }
    }

    /// Announcements were lost elsewhere.
    pub(super) fn doubt(&mut self) {
        self.doubt = self.monitor.is_some();
    }

    /// The fast lane could not add all.
    pub(super) fn was_refused(&mut self) {
        self.unsettled = true;
    }

    /// Whether some of those of instances may be missing; asked once.
    pub(super) fn take_doubt(&mut self) -> bool {
        let doubt = std::mem::take(&mut self.doubt);
        self.unsettled &= !doubt;
        doubt
    }

    /// Those of an instance were put back. A line where that is too often.
    pub(super) fn restored(&mut self, id: InstanceId, name: &str, now: KernelTime) {
        let times = self.rounds.entry(id.0).or_default();
        times.retain(|at| now.since(*at) < PERIOD);
        times.push_back(now);
        if times.len() == ROUNDS {
            error!(
                instance = name,
                "({name}) routes or rules are removed faster than they are put back: leaving \
                 them as they are for up to a minute; the VIPs stay"
            );
        }
    }

    /// How long those of an instance are not put back.
    pub(super) fn rest(&self, id: InstanceId, now: KernelTime) -> Option<Duration> {
        let times = self.rounds.get(&id.0)?;
        let recent = || times.iter().filter(|at| now.since(**at) < PERIOD);
        let oldest = recent().next()?;
        let full = recent().count() >= ROUNDS;
        full.then(|| PERIOD.saturating_sub(now.since(*oldest)))
    }

    /// They are a successor's from now on, who finds them where it adds them.
    pub(super) fn give_away(&mut self) {
        self.plan = PathPlan::default();
    }

    /// Takes off the static ones.
    pub(super) fn end(&mut self) {
        let mut plan = std::mem::take(&mut self.plan);
        match self.socket.remove_paths(&mut plan) {
            Ok(BatchResult { failed: 0, .. }) => {}
            Ok(BatchResult { first_errno, .. }) => {
                let error = io::Error::from_raw_os_error(first_errno);
                warn!("cannot remove all static routes and rules: {error}");
            }
            Err(error) => warn!("cannot remove static routes and rules: {error}"),
        }
    }
}
