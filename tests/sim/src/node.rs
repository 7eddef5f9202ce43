//! One simulated machine: its kernel, its clock, and the process that runs the
//! production core as the driver does.

use std::{collections::VecDeque, net::IpAddr};

use agent_common::{AdvertInterval, Family, KernelTime, Priority, Version};
use failoverd::core::{
    Advert, AnnouncePolicy, Effect, Input, InstanceConfig, InstanceId, Machine, Snapshot, State,
};

use crate::{
    kernel::Kernel,
    network,
    reference::{self, Reference},
    schedule::{INSTANCES, Kind, RouterSpec, VIPS},
    time::{At, MS},
};

/// What decides.
#[derive(Debug)]
pub enum Brain {
    Agent(Box<Machine>),
    Reference([Reference; INSTANCES]),
}

/// What has happened to the process or the machine; each counts the faults
/// that hold it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plight {
    pub paused: u32,
    pub frozen: u32,
    pub starved: u32,
    /// Not running: crashed, stopped or without power.
    pub gone: u32,
    pub unpowered: u32,
    pub cut: u32,
    pub refused: u32,
}

impl Plight {
    /// The process gets to run when it wants to.
    pub fn runs(&self) -> bool {
        self.paused == 0 && self.frozen == 0 && self.gone == 0
    }

    pub fn is_well(&self) -> bool {
        self.runs() && self.starved == 0 && self.cut == 0 && self.refused == 0
    }

    /// Frames come in and go out.
    pub fn is_linked(&self) -> bool {
        self.frozen == 0 && self.unpowered == 0 && self.cut == 0
    }
}

#[derive(Debug)]
pub struct Node {
    pub spec: RouterSpec,
    pub priority: [u8; INSTANCES],
    pub kernel: Kernel,
    pub brain: Option<Brain>,
    /// Counts processes: what was meant for an earlier one is void.
    pub life: u64,
    pub plight: Plight,
    pub late: u64,
    /// Inputs from the slow lane and the monitor.
    pub commands: VecDeque<Input>,
    /// Adverts for a peer that is not ours, which has no kernel side.
    pub inbox: VecDeque<network::Advert>,
    /// The next wake-up, and its number: others are void.
    pub wake: Option<At>,
    pub wake_number: u64,
}

/// An effect, and the input and the state before it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub input: Input,
    pub before: Snapshot,
    pub after: Snapshot,
}

impl Node {
    pub fn new(spec: RouterSpec) -> Self {
        Self {
            priority: spec.priority,
            kernel: Kernel::new(spec.ring),
            brain: None,
            life: 0,
            plight: Plight::default(),
            late: 0,
            commands: VecDeque::new(),
            inbox: VecDeque::new(),
            wake: None,
            wake_number: 0,
            spec,
        }
    }

    /// The process starts: VIPs that an earlier one left go first.
    pub fn start(&mut self) {
        self.life += 1;
        self.kernel.forget_agent();
        self.kernel.vips = [[false; VIPS]; INSTANCES];
        self.commands.clear();
        self.inbox.clear();
        self.priority = self.spec.priority;
        let spec = &self.spec;
        let reference = |index: usize, asserts| {
            let priority = spec.priority[index];
            Reference::new(spec.host, priority, spec.preempt, spec.interval_cs, asserts)
        };
        self.brain = Some(match spec.kind {
            Kind::Agent => {
                let configs = (0..INSTANCES).map(|index| self.config(index)).collect();
                Brain::Agent(Box::new(Machine::with_room(configs, INSTANCES)))
            }
            Kind::Rfc9568 => Brain::Reference([reference(0, true), reference(1, true)]),
            Kind::Rfc5798 => Brain::Reference([reference(0, false), reference(1, false)]),
        });
    }

    pub fn kill(&mut self) {
        self.brain = None;
        self.life += 1;
        self.wake = None;
        self.kernel.forget_agent();
        self.commands.clear();
        self.inbox.clear();
    }

    pub fn config(&self, index: usize) -> InstanceConfig {
        let beat = u64::from(self.spec.interval_cs) * 10;
        let delay = std::time::Duration::from_millis(beat * 5);
        InstanceConfig {
            id: id(index),
            version: Version::V3,
            family: Family::V4,
            priority: Priority(self.priority[index]),
            base_priority: Priority(self.priority[index]),
            group: None,
            interval: interval(self.spec.interval_cs),
            preempt: self.spec.preempt,
            preempt_delay: std::time::Duration::from_millis(self.spec.preempt_delay_ms),
            down_factor: 3,
            assert_on_lower: true,
            higher_prio_send_advert: self.spec.higher_prio_send_advert,
            announce: AnnouncePolicy {
                delay,
                lower_prio_delay: delay,
                refresh: self.spec.refreshes.then_some(delay),
                ..AnnouncePolicy::default()
            },
            vip_count: VIPS as u16,
            vips_digest: 1,
            address_count: VIPS as u8,
            addresses_digest: 1,
            max_learned: None,
            senders_listed: false,
            check_addresses: true,
        }
    }

    pub fn local(&self, at: At) -> KernelTime {
        self.spec.clock.local(at)
    }

    pub fn snapshot(&self, index: usize) -> Option<Snapshot> {
        match self.brain.as_ref()? {
            Brain::Agent(machine) => machine.snapshot(id(index)),
            Brain::Reference(_) => None,
        }
    }

    pub fn is_active(&self, index: usize) -> bool {
        match &self.brain {
            None => false,
            Some(Brain::Agent(machine)) => machine
                .snapshot(id(index))
                .is_some_and(|snapshot| snapshot.state == State::Active),
            Some(Brain::Reference(routers)) => routers[index].state == reference::State::Active,
        }
    }

    /// Takes part in the election.
    pub fn is_eligible(&self, index: usize) -> bool {
        match &self.brain {
            None => false,
            Some(Brain::Agent(machine)) => machine
                .snapshot(id(index))
                .is_some_and(|snapshot| snapshot.state != State::Initialize),
            Some(Brain::Reference(routers)) => routers[index].state != reference::State::Initialize,
        }
    }

    /// When its Backups would take over at the latest, and the longest
    /// Active_Down_Interval, both in simulated time.
    pub fn patience(&self) -> (At, u64) {
        let (mut until, mut down) = (0, 0);
        for index in 0..INSTANCES {
            let (deadline, interval) = match &self.brain {
                None => (None, 0),
                Some(Brain::Agent(machine)) => match machine.snapshot(id(index)) {
                    Some(snapshot) => (
                        snapshot.deadline,
                        self.spec.clock.span(snapshot.active_down_interval),
                    ),
                    None => (None, 0),
                },
                Some(Brain::Reference(routers)) => (routers[index].timer, routers[index].down()),
            };
            until = until.max(deadline.map_or(0, |deadline| self.spec.clock.when(deadline)));
            down = down.max(interval);
        }
        (until, down.max(u64::from(self.spec.interval_cs) * 40 * MS))
    }

    /// The next deadline, in simulated time.
    pub fn deadline(&self) -> Option<At> {
        let local = match self.brain.as_ref()? {
            Brain::Agent(machine) => machine.poll_timeout(),
            Brain::Reference(routers) => routers.iter().filter_map(|router| router.timer).min(),
        };
        local.map(|local| self.spec.clock.when(local))
    }

    /// As the core sees an advert that arrives now.
    pub fn heard(&self, advert: &network::Advert, at: At) -> Advert {
        Advert {
            stamp: self.local(at),
            source: address(advert.host),
            priority: advert.priority,
            interval: advert.interval,
            address_count: VIPS as u8,
            addresses_digest: 1,
        }
    }

    /// One input into the core; its effects in order.
    pub fn feed(&mut self, input: Input, now: KernelTime) -> (Vec<Step>, Vec<Effect>) {
        let Some(Brain::Agent(machine)) = &mut self.brain else {
            return (Vec::new(), Vec::new());
        };
        let look = |machine: &Machine| -> Vec<Snapshot> {
            let all = (0..INSTANCES).filter_map(|index| machine.snapshot(id(index)));
            all.collect()
        };
        let before = look(machine);
        machine.handle(input, now);
        let mut effects = Vec::new();
        while let Some(effect) = machine.poll_effect() {
            effects.push(effect);
        }
        let after = look(machine);
        let steps = before.into_iter().zip(after);
        let steps = steps.map(|(before, after)| Step {
            input,
            before,
            after,
        });
        (steps.collect(), effects)
    }
}

pub const fn id(index: usize) -> InstanceId {
    InstanceId(index as u16 + 1)
}

pub const fn index(id: InstanceId) -> usize {
    id.0 as usize - 1
}

/// In the order of `host`; as signed numbers, or from the last byte on, in
/// another one.
pub fn address(host: u8) -> IpAddr {
    IpAddr::from([host, 0, 0, host ^ 0x55])
}

pub fn host(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[0],
        IpAddr::V6(_) => 0,
    }
}

pub fn interval(centis: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centis).unwrap_or(AdvertInterval::DEFAULT)
}
