//! One simulated machine: its kernel, its clock, and the process that runs the
//! production core as the driver does.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use agent_common::{
    AdvertInterval, Family, KernelTime, Priority, Vrid,
    record::InstanceFilter,
    wire::{bfd::discriminator, frame::wire_address, vrrp::address_digest},
};
use failoverd::{
    core::{
        AnnouncePolicy, Effect, GroupId, Input, InstanceConfig, InstanceId, Machine, Snapshot,
        State,
    },
    heart::{Heart, Phase, Plan},
};

use crate::{
    kernel::{Kernel, Target},
    network,
    probe::LINK,
    reference::{self, Reference},
    schedule::{Fast, INSTANCES, Kind, RouterSpec, Setting, VIPS},
    time::{At, MS},
    wire,
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
    /// Its adverts go nowhere.
    pub muted: u32,
}

impl Plight {
    /// The process gets to run when it wants to.
    pub fn runs(&self) -> bool {
        self.paused == 0 && self.frozen == 0 && self.gone == 0
    }

    pub fn is_well(&self) -> bool {
        let whole = self.cut == 0 && self.refused == 0 && self.muted == 0;
        self.runs() && self.starved == 0 && whole
    }

    /// Frames come in and go out.
    pub fn is_linked(&self) -> bool {
        self.frozen == 0 && self.unpowered == 0 && self.cut == 0
    }
}

/// What a tracker says of an instance while a fault lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tracked {
    pub fault: usize,
    pub instance: usize,
    /// `None`: it must not take part.
    pub priority: Option<u8>,
}

#[derive(Debug)]
pub struct Node {
    pub spec: RouterSpec,
    setting: Setting,
    /// Of the configuration.
    pub base: [u8; INSTANCES],
    /// In force: what trackers make of it.
    pub priority: [u8; INSTANCES],
    pub tracked: Vec<Tracked>,
    /// Its instances were given their link.
    pub is_up: bool,
    first_interval_cs: u16,
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
    /// `fast_detect`, as the file has it now.
    pub fast: Option<Fast>,
    pub heart: Option<Box<Heart>>,
    /// What each advert renews the lease by.
    pub lease: [Option<Duration>; INSTANCES],
}

/// An effect, and the input and the state before it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub input: Input,
    pub before: Snapshot,
    pub after: Snapshot,
}

impl Node {
    pub fn new(spec: RouterSpec, setting: Setting) -> Self {
        let filters = std::array::from_fn(|index| wire::filter(&setting, &spec, index));
        Self {
            setting,
            base: spec.priority,
            tracked: Vec::new(),
            is_up: false,
            first_interval_cs: spec.interval_cs,
            priority: spec.priority,
            kernel: Kernel::new(spec.ring, filters),
            brain: None,
            life: 0,
            plight: Plight::default(),
            late: 0,
            commands: VecDeque::new(),
            inbox: VecDeque::new(),
            wake: None,
            wake_number: 0,
            fast: spec.fast,
            heart: None,
            lease: [None; INSTANCES],
            spec,
        }
    }

    /// The process starts: VIPs that an earlier one left go first.
    pub fn start(&mut self) {
        self.life += 1;
        self.is_up = false;
        self.kernel.forget_agent();
        self.kernel.vips = [[false; VIPS]; INSTANCES];
        self.commands.clear();
        self.inbox.clear();
        self.base = self.spec.priority;
        self.track();
        self.kernel.filters = std::array::from_fn(|index| self.filter(index));
        let reference = |index| Reference::new(&self.spec, &self.setting, index);
        self.heart = None;
        self.brain = Some(match self.spec.kind {
            Kind::Agent => {
                self.begin_heart();
                let configs = (0..INSTANCES).map(|index| self.config(index)).collect();
                Brain::Agent(Box::new(Machine::with_room(configs, INSTANCES)))
            }
            Kind::Rfc9568 | Kind::Rfc5798 | Kind::Keepalived => {
                Brain::Reference(std::array::from_fn(reference))
            }
        });
    }

    pub fn kill(&mut self) {
        self.brain = None;
        self.heart = None;
        self.life += 1;
        self.wake = None;
        self.kernel.forget_agent();
        self.commands.clear();
        self.inbox.clear();
    }

    pub fn config(&self, index: usize) -> InstanceConfig {
        let beat = u64::from(self.first_interval_cs) * 10;
        let delay = std::time::Duration::from_millis(beat * 5);
        InstanceConfig {
            id: id(index),
            version: self.setting.version,
            family: self.setting.family[index],
            priority: Priority(self.priority[index]),
            base_priority: Priority(self.base[index]),
            group: self.setting.grouped.then_some(GroupId(1)),
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
            addresses_digest: address_digest(wire::vips(&self.setting, index)),
            max_learned: None,
            senders_listed: false,
            check_addresses: true,
        }
    }

    /// What the kernel side is told with [`Self::config`].
    pub fn filter(&self, index: usize) -> InstanceFilter {
        wire::filter(&self.setting, &self.spec, index)
    }

    pub fn address(&self, index: usize) -> IpAddr {
        address(self.spec.host, self.setting.family[index])
    }

    /// Both instances of it move together.
    pub fn is_grouped(&self) -> bool {
        self.setting.grouped && self.spec.kind == Kind::Agent
    }

    /// The priorities in force, anew: the lowest that a tracker asks for.
    pub fn track(&mut self) {
        for index in 0..INSTANCES {
            let base = self.base[index];
            let mine = self.tracked.iter().filter(|t| t.instance == index);
            let least = mine.filter_map(|tracked| tracked.priority).min();
            self.priority[index] = match base {
                255 => 255,
                base => least.unwrap_or(base),
            };
        }
    }

    /// A tracker keeps an instance from taking part.
    pub fn is_barred(&self, index: usize) -> bool {
        let bars = |tracked: &Tracked| tracked.instance == index && tracked.priority.is_none();
        self.tracked.iter().any(bars)
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

    /// The next deadline of the election, in simulated time.
    pub fn deadline(&self) -> Option<At> {
        let local = match self.brain.as_ref()? {
            Brain::Agent(machine) => machine.poll_timeout(),
            Brain::Reference(routers) => routers.iter().filter_map(|router| router.timer).min(),
        };
        local.map(|local| self.spec.clock.when(local))
    }

    /// When it wants to run, in simulated time.
    pub fn alarm(&self) -> Option<At> {
        let beat = self.heart.as_ref().and_then(|heart| heart.poll_timeout());
        let beat = beat.map(|local| self.spec.clock.when(local));
        self.deadline().into_iter().chain(beat).min()
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

impl Node {
    /// A new process asks nobody yet, and has no lease.
    fn begin_heart(&mut self) {
        if self.setting.heart {
            self.heart = Some(Box::new(Heart::new(INSTANCES)));
            (0..INSTANCES).for_each(|index| self.aim(index));
        }
    }

    /// Who is answered for from now on, as the slow lane has it: without
    /// `fast_detect` an Active goes on as before, for those that count on it.
    pub fn aim(&mut self, index: usize) {
        let beat = Duration::from_millis(u64::from(self.spec.interval_cs) * 10);
        match self.fast {
            Some(fast) => {
                let lease = Duration::from_nanos(fast.lease);
                self.lease[index] = Some(lease.max(beat * 4));
                self.kernel.targets[index] = Some(Target {
                    discriminator: self.discriminator(index),
                    own: wire_address(self.address(index)),
                    mac: wire::mac(self.spec.host),
                });
            }
            None if self.is_active(index) => {}
            None => {
                self.lease[index] = None;
                self.kernel.targets[index] = None;
            }
        }
    }

    fn discriminator(&self, index: usize) -> u32 {
        let vrid = Vrid::new(wire::vrid(&self.setting, index));
        vrid.map_or(0, |vrid| discriminator(self.setting.family[index], vrid))
    }

    /// How this instance asks.
    pub fn plan(&self, index: usize) -> Option<Plan> {
        self.fast.map(|fast| Plan {
            ifindex: LINK.ifindex,
            source: self.address(index),
            discriminator: self.discriminator(index),
            interval: Duration::from_nanos(fast.interval),
            multiplier: fast.multiplier,
        })
    }

    pub fn is_fenced(&self, index: usize, at: At) -> bool {
        self.kernel.is_fenced(index, self.local(at))
    }

    /// The heartbeat towards the Active of this instance counts.
    pub fn is_armed(&self, index: usize, now: KernelTime) -> bool {
        let heart = self.heart.as_ref();
        let heart = heart.and_then(|heart| heart.snapshot(id(index), now));
        heart.is_some_and(|heart| heart.phase == Phase::Armed)
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
pub fn address(host: u8, family: Family) -> IpAddr {
    // Not 127, which is no address of a router.
    let high = 64 + host / 2 + u8::from(host >= 126);
    match family {
        Family::V4 => IpAddr::from([high, host & 1, 0, host ^ 0x55]),
        Family::V6 => {
            let [order, last] = [host, host ^ 0x55].map(u16::from);
            IpAddr::from([0xFE80, 0, 0, 0, order << 8, 0, 0, last])
        }
    }
}

pub fn interval(centis: u16) -> AdvertInterval {
    AdvertInterval::from_centis(centis).unwrap_or(AdvertInterval::DEFAULT)
}
