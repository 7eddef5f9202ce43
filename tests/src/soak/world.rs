//! The scene, and the faults in it.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result};

use crate::{
    agent::Agent,
    clock::monotonic,
    impair::Impaired,
    router::Router,
    sys,
    topology::{Direction, Host, Lan, Loss},
};

use super::{
    ROUTERS_PER_MACHINE,
    judge::Suffered,
    machine::{Machine, Priorities, with_length},
    plan::{Fault, Planned},
};

/// Threads of a hog: more than small machines have processors.
const HOGS: usize = 4;

/// Everything that runs.
#[derive(Debug)]
pub struct World {
    // Before the LAN: daemons end before their namespaces go.
    pub machines: Vec<Machine>,
    impaired: Vec<Impaired>,
    hogs: Vec<Hog>,
    pub vips: [IpAddr; ROUTERS_PER_MACHINE],
    /// Upgrades that were refused.
    pub refused: usize,
    pub lan: Lan,
}

impl World {
    /// `count` routers on a switch, a client, and a machine that nothing is done to.
    ///
    /// # Errors
    /// When an agent does not start.
    pub fn new(count: usize) -> Result<Self> {
        let lan = Lan::new(count + 2)?;
        let mut world = Self {
            machines: Vec::new(),
            impaired: Vec::new(),
            hogs: Vec::new(),
            vips: [lan.vip(), lan.vip6()],
            refused: 0,
            lan,
        };
        for index in 0..count {
            let machine =
                Machine::start(world.lan.host(index), priorities(index, count), world.vips);
            world
                .machines
                .push(machine.with_context(|| format!("machine {index}"))?);
        }
        Ok(world)
    }

    pub fn client(&self) -> &Host {
        self.lan.host(self.machines.len())
    }

    /// Answers always, so that how long it takes tells of the network alone.
    pub fn mirror(&self) -> &Host {
        self.lan.host(self.machines.len() + 1)
    }

    /// Which machine is to serve when nothing is wrong.
    pub fn right(&self, router: usize) -> usize {
        let machines = self.machines.iter().enumerate();
        let best = machines.max_by_key(|(_, machine)| machine.priorities[router]);
        best.map_or(0, |(index, _)| index)
    }

    /// Does it, and returns when it is done.
    ///
    /// # Errors
    /// When a command fails: the lab's own fault.
    pub fn inflict(&mut self, planned: Planned, seed: u64) -> Result<Suffered> {
        let Planned { fault, machine } = planned;
        let begun = monotonic();
        self.inflict_on(fault, machine, seed)
            .with_context(|| format!("{} of machine {machine}", fault.name()))?;
        let (apart, helpless) = match fault {
            Fault::KillAgent
            | Fault::KillParent
            | Fault::KillBoth
            | Fault::FreezeAgent
            | Fault::FreezeAll
            | Fault::Stop
            | Fault::LinkDown
            | Fault::CutCable => (true, true),
            Fault::CutSilently | Fault::Mute | Fault::Deaf | Fault::Impaired(_) => (true, false),
            Fault::TakeVips | Fault::StrayVips => (false, true),
            Fault::ReloadSame | Fault::ReloadOther | Fault::Upgrade | Fault::Hog => (false, false),
        };
        Ok(Suffered {
            fault,
            machine,
            apart,
            helpless,
            begun,
            done: monotonic(),
            mended: u64::MAX,
        })
    }

    fn inflict_on(&mut self, fault: Fault, index: usize, seed: u64) -> Result<()> {
        let host = self.lan.host(index);
        let machine = self.machines.get_mut(index).context("no such machine")?;
        match fault {
            Fault::KillAgent => sys::kill(machine.pid, libc::SIGKILL)?,
            Fault::KillParent => machine.kill_parent()?,
            Fault::KillBoth => machine.kill_both()?,
            Fault::FreezeAgent => sys::kill(machine.pid, libc::SIGSTOP)?,
            Fault::FreezeAll => machine.agent()?.freeze(true)?,
            Fault::Stop => machine.agent.as_mut().map_or(Ok(()), Agent::stop)?,
            Fault::LinkDown => drop(host.ns.sh("ip link set eth0 down")?),
            Fault::CutCable => self.lan.cut_cable(index)?,
            Fault::CutSilently => self.lan.cut_silently(index)?,
            Fault::Mute => {
                self.lan
                    .cut_one_way(index, Direction::FromHost, Loss::Everything)?;
            }
            Fault::Deaf => {
                self.lan
                    .cut_one_way(index, Direction::ToHost, Loss::Everything)?;
            }
            Fault::Impaired(how) => {
                let cable = Impaired::start(&self.lan.switch, &host.port, how, seed)?;
                self.impaired.push(cable);
            }
            Fault::TakeVips | Fault::StrayVips => {
                let take = fault == Fault::TakeVips;
                for (router, vip) in self.vips.into_iter().enumerate() {
                    let holds = machine.scout.look(router, |track| track.holds_since());
                    if holds.is_some() == take {
                        let verb = if take { "del" } else { "add" };
                        let vip = with_length(vip);
                        // The agent may have been quicker.
                        let _done = host.ns.sh(&format!("ip addr {verb} {vip} dev eth0"));
                    }
                }
            }
            Fault::ReloadSame => machine.reload(machine.priorities)?,
            Fault::ReloadOther => {
                machine.reload(machine.priorities.map(|priority| priority / 4 + 202))?;
            }
            Fault::Upgrade => self.refused += usize::from(!machine.upgrade()?),
            Fault::Hog => self.hogs.extend((0..HOGS).map(|_| Hog::start())),
        }
        Ok(())
    }

    /// Undoes all of it, links first, and waits until every agent runs again.
    /// `marks` is how long the log of each machine was before.
    ///
    /// # Errors
    /// When an agent does not come back.
    pub fn heal(&mut self, suffered: &mut [Suffered], marks: &[usize]) -> Result<()> {
        self.hogs.clear();
        self.impaired.clear();
        self.lan.mend_one_way()?;
        for suffered in suffered.iter_mut() {
            self.heal_link(suffered.fault, suffered.machine)?;
            suffered.mended = monotonic();
        }
        for (suffered, mark) in suffered.iter_mut().zip(marks) {
            let (fault, machine) = (suffered.fault, suffered.machine);
            let waited = self
                .heal_agent(fault, machine, *mark)
                .with_context(|| format!("after {} of machine {machine}", fault.name()))?;
            if waited {
                suffered.mended = monotonic();
            }
        }
        Ok(())
    }

    fn heal_link(&mut self, fault: Fault, index: usize) -> Result<()> {
        match fault {
            Fault::LinkDown => drop(self.lan.host(index).ns.sh("ip link set eth0 up")?),
            Fault::CutCable | Fault::CutSilently => self.lan.mend(index)?,
            Fault::FreezeAgent => sys::kill(self.machines[index].pid, libc::SIGCONT)?,
            Fault::FreezeAll => self.machines[index].agent()?.freeze(false)?,
            Fault::KillAgent
            | Fault::KillParent
            | Fault::KillBoth
            | Fault::Stop
            | Fault::Mute
            | Fault::Deaf
            | Fault::Impaired(_)
            | Fault::TakeVips
            | Fault::StrayVips
            | Fault::ReloadSame
            | Fault::ReloadOther
            | Fault::Upgrade
            | Fault::Hog => {}
        }
        Ok(())
    }

    /// True when there was something to do.
    fn heal_agent(&mut self, fault: Fault, index: usize, mark: usize) -> Result<bool> {
        let machine = self.machines.get_mut(index).context("no such machine")?;
        match fault {
            Fault::KillAgent => machine.wait_running(mark)?,
            Fault::KillParent | Fault::KillBoth | Fault::Stop => {
                machine.start_agent(self.lan.host(index))?;
            }
            Fault::ReloadOther => machine.reload(machine.priorities)?,
            Fault::FreezeAgent
            | Fault::FreezeAll
            | Fault::LinkDown
            | Fault::CutCable
            | Fault::CutSilently
            | Fault::Mute
            | Fault::Deaf
            | Fault::Impaired(_)
            | Fault::TakeVips
            | Fault::StrayVips
            | Fault::ReloadSame
            | Fault::Upgrade
            | Fault::Hog => return Ok(false),
        }
        Ok(true)
    }

    /// How long the log of each machine with a fault is.
    pub fn marks(&self, faults: &[Planned]) -> Vec<usize> {
        let mark = |planned: &Planned| {
            let machine = self.machines.get(planned.machine)?;
            Some(machine.agent.as_ref()?.process().mark())
        };
        faults
            .iter()
            .map(|fault| mark(fault).unwrap_or(0))
            .collect()
    }
}

/// 200, 150, 100, 50 and so on in IPv4; in IPv6 the last one comes first.
fn priorities(index: usize, count: usize) -> Priorities {
    let step = 200 / count.max(1);
    let of = |rank: usize| u8::try_from(step * (count - rank)).unwrap_or(u8::MAX);
    [of(index), of((index + count - 1) % count)]
}

/// A thread that wants a processor.
#[derive(Debug)]
struct Hog {
    end: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Hog {
    fn start() -> Self {
        let end = Arc::<AtomicBool>::default();
        let worker = std::thread::spawn({
            let end = end.clone();
            move || {
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
        Self {
            end,
            worker: Some(worker),
        }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}
