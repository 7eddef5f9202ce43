//! The world: one queue of events in the order of time, and nothing else that
//! moves. The same schedule gives the same events.

mod attack;
mod faults;
mod forged;
mod hearing;
mod heart;
mod process;
mod tracking;

use std::{cmp::Reverse, collections::BinaryHeap};

use fastrand::Rng;

use self::heart::HeartBook;
use crate::{
    books::Book,
    check::{Broken, Rule, Vacancy},
    coverage::Coverage,
    hosts::Host,
    network::{Advert, Frame, Network, Port},
    node::Node,
    probe::Datagram,
    schedule::{Fault, HOSTS, INSTANCES, Kind, Schedule},
    time::{At, MS, SEC, US},
};

/// What a wake-up takes on a machine that has nothing else to do.
const LATENCY: std::ops::Range<u64> = 10 * US..150 * US;
/// How long a frame takes through a loop and back.
const MIRROR: u64 = 60 * US;
/// Beyond what the timers say: wake-ups, the wire, processing.
pub const MARGIN: u64 = 3 * MS;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Event {
    Begin(usize),
    End(usize),
    Deliver {
        to: Port,
        what: usize,
    },
    Wake {
        router: usize,
        number: u64,
    },
    /// The process starts, or its instance is given its link.
    Start {
        router: usize,
    },
    Up {
        router: usize,
        life: u64,
    },
    /// The supervisor removes the VIPs of a dead agent.
    CleanUp {
        router: usize,
        life: u64,
    },
    /// The slow lane compares VIPs with what should be there.
    Resync {
        router: usize,
        life: u64,
    },
    /// Somebody on the link forges an advert.
    Forge {
        fault: usize,
    },
    /// A router gets its part of a change of all.
    Rollout {
        fault: usize,
        router: usize,
    },
    /// The last frame of a bad link has arrived, or what waited is read.
    Settle,
    /// The checkers look at everything.
    Look,
    Ask {
        host: usize,
    },
}

#[derive(Debug)]
pub struct World {
    pub now: At,
    pub schedule: Schedule,
    pub nodes: Vec<Node>,
    pub books: Vec<[Book; INSTANCES]>,
    pub network: Network,
    pub hosts: Vec<Host>,
    pub coverage: Coverage,
    pub broken: Option<Broken>,
    /// A hash of all that happened.
    pub trace: u64,
    /// From here on, should nothing else happen, all must be well.
    pub calm_at: At,
    /// Faults that last just now.
    pub faults: u32,
    /// Of those, loops that bring each advert back to its sender.
    pub mirrors: u32,
    /// Frames that were sent over a bad link arrive until then: the word of a
    /// router that may be another one since.
    pub stray_until: At,
    /// Since when two are Active, and none of the faults lasts.
    pub two_since: [Option<At>; INSTANCES],
    /// Of two Actives that did not hear each other one went in silence, and
    /// nobody took over since: what it told hosts nobody knows of.
    pub left_unheard: [bool; INSTANCES],
    /// An Active has gone, and somebody must take over in time.
    pub vacant: [Option<Vacancy>; INSTANCES],
    /// Whom a newcomer must not disturb.
    pub incumbent: [Option<usize>; INSTANCES],
    pub events: u64,
    pub hearts: Vec<HeartBook>,
    /// Since when no path is blocked and no frame is lost or late.
    pub clear_since: At,
    /// For somebody who listens.
    last_probe: Option<Datagram>,
    last_answer: Option<Datagram>,
    /// Adverts that were on the link, some of the last.
    remembered: Vec<Advert>,
    /// The port that the switch sends frames for a virtual MAC address to;
    /// `None` where it has learned of none, or of that of an attacker.
    pub learned: [Option<usize>; INSTANCES],
    frames: Vec<Frame>,
    free: Vec<usize>,
    queue: BinaryHeap<Reverse<(At, u64, Event)>>,
    sequence: u64,
    rng: Rng,
}

impl World {
    pub fn new(schedule: Schedule) -> Self {
        let setting = schedule.setting;
        let specs = schedule.routers.iter().cloned();
        let nodes: Vec<Node> = specs.map(|spec| Node::new(spec, setting)).collect();
        let mut world = Self {
            now: 0,
            books: nodes.iter().map(|_| Default::default()).collect(),
            network: Network::new(nodes.len()),
            hosts: (0..HOSTS).map(|_| Host::default()).collect(),
            coverage: Coverage::default(),
            broken: None,
            trace: 0xcbf2_9ce4_8422_2325,
            calm_at: SEC,
            faults: 0,
            mirrors: 0,
            stray_until: 0,
            two_since: [None; INSTANCES],
            left_unheard: [false; INSTANCES],
            vacant: [None; INSTANCES],
            incumbent: [None; INSTANCES],
            events: 0,
            hearts: vec![HeartBook::default(); nodes.len()],
            clear_since: 0,
            last_probe: None,
            last_answer: None,
            remembered: Vec::new(),
            learned: [None; INSTANCES],
            frames: Vec::new(),
            free: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            rng: Rng::with_seed(schedule.seed ^ 0x5eed),
            nodes,
            schedule,
        };
        for router in 0..world.nodes.len() {
            let at = world.nodes[router].spec.starts_at;
            world.at(at, Event::Start { router });
        }
        for fault in 0..world.schedule.faults.len() {
            let at = world.schedule.faults[fault].0;
            world.at(at, Event::Begin(fault));
        }
        for host in 0..HOSTS {
            world.at(host as u64 * MS, Event::Ask { host });
        }
        world.at(MS, Event::Look);
        world
    }

    /// Runs to the end of the schedule and until the world has been calm for
    /// a while, or until an invariant breaks.
    pub fn run(&mut self) {
        let beat = self.schedule.beat();
        // A forged interval can keep Backups back for that long.
        let limit = self.schedule.heal_at + 400 * SEC + 800 * beat;
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            let end = self.schedule.heal_at.max(self.calm_at) + 8 * beat;
            if self.broken.is_some() || at > end {
                break;
            }
            if at > limit {
                self.fail(Rule::Liveness, None, "never calm again".to_owned());
                break;
            }
            self.now = at;
            self.events += 1;
            self.note(&(at, event));
            self.handle(event);
        }
        if self.broken.is_none() {
            self.look_at_the_end();
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Begin(fault) => self.begin(fault),
            Event::End(fault) => self.end(fault),
            Event::Deliver { to, what } => self.deliver(to, what),
            Event::Wake { router, number } => {
                if self.nodes[router].wake_number == number {
                    self.nodes[router].wake = None;
                    self.wake(router);
                }
            }
            Event::Start { router } => self.start(router),
            Event::Up { router, life } => self.up(router, life),
            Event::CleanUp { router, life } => self.clean_up(router, life),
            Event::Resync { router, life } => self.resync(router, life),
            Event::Forge { fault } => self.forge(fault),
            Event::Rollout { fault, router } => self.roll_out(fault, router),
            Event::Settle => self.disturb(),
            Event::Look => {
                self.look();
                let pause = self.schedule.beat() / 2;
                self.at(self.now + pause, Event::Look);
            }
            Event::Ask { host } => {
                self.ask(host);
                let pause = self.schedule.beat() * 4;
                self.at(self.now + pause, Event::Ask { host });
            }
        }
    }

    pub fn at(&mut self, at: At, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, event)));
    }

    /// FNV-1a over what happened.
    pub fn note(&mut self, what: &impl std::fmt::Debug) {
        use std::fmt::Write;
        struct Hash<'a>(&'a mut u64);
        impl Write for Hash<'_> {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                for byte in text.bytes() {
                    *self.0 = (*self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
                }
                Ok(())
            }
        }
        if self.coverage.traced {
            let _ = write!(Hash(&mut self.trace), "{what:?}");
        }
    }

    /// A line of a replay.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.coverage.told {
            println!("  {:>12.6} s  {}", self.now as f64 / SEC as f64, what());
        }
    }

    pub fn fail(&mut self, rule: Rule, router: Option<usize>, what: String) {
        if self.broken.is_none() {
            self.broken = Some(Broken {
                rule,
                at: self.now,
                router,
                what,
            });
        }
    }

    /// Something happened after which an election may have to be held.
    pub fn disturb(&mut self) {
        let beat = self.beat();
        let (mut until, mut down, mut delay) = (0, 0, 0);
        for node in &self.nodes {
            let (deadline, interval) = node.patience();
            until = until.max(deadline);
            down = down.max(interval);
            delay = delay.max(node.spec.preempt_delay_ms * MS);
        }
        // Sync groups may wait for each other some rounds.
        let rounds = if self.schedule.setting.grouped { 48 } else { 0 };
        let calm = self.now.max(until) + 2 * down + 2 * delay + (8 + rounds) * beat + 2 * MARGIN;
        self.calm_at = self.calm_at.max(calm);
        self.incumbent = [None; INSTANCES];
    }

    /// What is heard was sent just now, and to all.
    pub fn is_clear(&self) -> bool {
        self.network.is_good() && self.now > self.stray_until
    }

    /// The longest Advertisement_Interval that anybody has just now.
    pub fn beat(&self) -> u64 {
        let longest = self.nodes.iter().map(|node| node.spec.interval_cs).max();
        u64::from(longest.unwrap_or(1)) * 10 * MS
    }

    /// Nothing is wrong, and has not been for as long as elections take.
    pub fn is_calm(&self) -> bool {
        self.faults == 0 && self.now >= self.calm_at && self.is_clear()
    }

    pub fn broadcast(&mut self, from: Port, frame: Frame) {
        if let Port::Router(router) = from
            && (!self.nodes[router].plight.is_linked()
                || matches!(frame, Frame::Advert(_)) && self.nodes[router].plight.muted > 0)
        {
            return;
        }
        self.switch(from, &frame);
        let routers = (0..self.nodes.len()).map(Port::Router);
        let ports = routers.chain((0..HOSTS).map(Port::Host));
        let good = self.network.is_good();
        for to in ports.filter(|to| *to != from) {
            let arrivals = self.network.pass(from, to, self.now, &mut self.rng);
            for at in arrivals.into_iter().flatten() {
                if !good {
                    self.stray_until = self.stray_until.max(at);
                }
                let what = self.keep(frame);
                self.at(at, Event::Deliver { to, what });
            }
        }
        if self.mirrors > 0 && matches!((from, frame), (Port::Router(_), Frame::Advert(_))) {
            let what = self.keep(frame);
            self.at(self.now + MIRROR, Event::Deliver { to: from, what });
        }
    }

    fn keep(&mut self, frame: Frame) -> usize {
        match self.free.pop() {
            Some(slot) => {
                self.frames[slot] = frame;
                slot
            }
            None => {
                self.frames.push(frame);
                self.frames.len() - 1
            }
        }
    }

    fn deliver(&mut self, to: Port, what: usize) {
        let frame = self.frames[what];
        self.free.push(what);
        match (to, frame) {
            (Port::Router(router), Frame::Advert(advert)) => self.hear(router, advert),
            (
                Port::Host(host),
                Frame::Garp {
                    router,
                    instance,
                    vip,
                },
            ) => {
                self.hosts[host].learn(router, instance, vip);
            }
            (Port::Router(router), Frame::Probe(datagram)) => self.receive(router, datagram),
            (Port::Router(_), Frame::Garp { .. })
            | (Port::Host(_), Frame::Advert(_) | Frame::Probe(_))
            | (Port::Attacker, _) => {}
        }
    }

    /// The process has a reason to run: soon, if it gets to.
    pub fn signal(&mut self, router: usize) {
        let at = self.now + self.latency(router);
        self.wake_at(router, at);
    }

    /// What its next deadline asks for.
    pub fn arm(&mut self, router: usize) {
        if let Some(deadline) = self.nodes[router].alarm() {
            let at = deadline.max(self.now) + self.latency(router);
            self.wake_at(router, at);
        }
    }

    fn latency(&mut self, router: usize) -> u64 {
        let late = match self.nodes[router].plight.starved {
            0 => 0,
            _ => self.rng.u64(0..=self.nodes[router].late),
        };
        self.rng.u64(LATENCY) + late
    }

    fn wake_at(&mut self, router: usize, at: At) {
        let node = &mut self.nodes[router];
        if node.wake.is_none_or(|wake| at < wake) {
            node.wake = Some(at);
            node.wake_number += 1;
            let number = node.wake_number;
            self.at(at, Event::Wake { router, number });
        }
    }

    fn ask(&mut self, host: usize) {
        for instance in 0..INSTANCES {
            for vip in 0..crate::schedule::VIPS {
                if self.hosts[host].knows(instance, vip) {
                    continue;
                }
                let now = self.now;
                let answers = |node: &Node| {
                    let there = node.plight.is_linked() && node.kernel.vips[instance][vip];
                    there && !node.is_fenced(instance, now)
                };
                if let Some(router) = self.nodes.iter().position(answers) {
                    self.hosts[host].learn(router, instance, vip);
                }
            }
        }
    }

    pub fn kind(&self, router: usize) -> Kind {
        self.nodes[router].spec.kind
    }

    pub fn fault(&self, fault: usize) -> Fault {
        self.schedule.faults[fault].1.clone()
    }

    pub fn dice(&mut self) -> &mut Rng {
        &mut self.rng
    }
}
