//! Routers with sync groups on a simulated network: cuts and faults at random
//! (safety after every step), then all is mended (one of them becomes Active
//! with all members, and stays it).
//!
//! The other router is one of ours, or a plain model of a daemon that knows
//! sync groups but nothing of elections that both sides lose.

use std::collections::BTreeMap;

use super::{random::Dice, *};
use crate::core::{GroupId, timers::active_down_interval};

const MEMBERS: usize = 3;
const INTERVAL: Duration = ms(1000);

/// What a router sends: member and priority.
type Sent = Vec<(usize, u8)>;

trait Router {
    fn next(&self) -> Option<KernelTime>;
    fn tick(&mut self, now: KernelTime) -> Sent;
    fn hear(&mut self, member: usize, source: IpAddr, priority: u8, now: KernelTime) -> Sent;
    fn fault(&mut self, _member: usize, _on: bool, _now: KernelTime) -> Sent {
        Vec::new()
    }
    fn active(&self) -> Vec<bool>;
}

/// One of ours, with books kept from its effects alone.
struct Ours {
    machine: Machine,
    vips: Vec<bool>,
    faults: Vec<bool>,
}

fn id(member: usize) -> InstanceId {
    InstanceId(u16::try_from(member + 1).unwrap())
}

fn source(router: u8) -> IpAddr {
    ip(10 + router)
}

impl Ours {
    fn new(router: u8, priorities: &[u8], preempt: &[bool]) -> Self {
        let configs = priorities.iter().zip(preempt).enumerate();
        let configs = configs.map(|(member, (priority, preempt))| InstanceConfig {
            id: id(member),
            group: Some(GroupId(1)),
            preempt: *preempt,
            addresses_digest: 100 - member as u32,
            ..config(*priority)
        });
        let mut ours = Self {
            machine: Machine::with_room(configs.collect(), MEMBERS),
            vips: vec![false; priorities.len()],
            faults: vec![false; priorities.len()],
        };
        for member in 0..priorities.len() {
            let source = source(router);
            ours.input(
                Input::Up {
                    id: id(member),
                    source,
                },
                START,
            );
        }
        ours
    }

    fn input(&mut self, input: Input, now: KernelTime) -> Sent {
        self.machine.handle(input, now);
        let mut sent = Vec::new();
        let mut added = false;
        let before = self.vips.clone();
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::SendAdvert { id, priority } => {
                    let member = usize::from(id.0) - 1;
                    assert!(
                        !added || self.vips[member],
                        "an advert behind the addresses"
                    );
                    sent.push((member, priority.get()));
                }
                Effect::AddAddresses { id } => {
                    added = true;
                    let vip = &mut self.vips[usize::from(id.0) - 1];
                    assert!(!std::mem::replace(vip, true));
                }
                Effect::RemoveAddresses { id } => {
                    assert!(!added, "removed behind what was added");
                    let vip = &mut self.vips[usize::from(id.0) - 1];
                    assert!(std::mem::replace(vip, false));
                }
                _ => {}
            }
        }
        // The one rule: all or none, after every single step.
        let all = self.vips.iter().all(|on| *on);
        let none = self.vips.iter().all(|on| !on);
        assert!(all || none, "{input:?} from {before:?} to {:?}", self.vips);
        assert!(none || !self.faults.contains(&true), "Active with a fault");
        sent
    }
}

impl Router for Ours {
    fn next(&self) -> Option<KernelTime> {
        self.machine.poll_timeout()
    }

    fn tick(&mut self, now: KernelTime) -> Sent {
        self.input(Input::Timeout, now)
    }

    fn hear(&mut self, member: usize, source: IpAddr, priority: u8, now: KernelTime) -> Sent {
        let advert = Advert {
            addresses_digest: 100 - member as u32,
            ..advert(source, priority, now)
        };
        let id = id(member);
        self.input(Input::Advert { id, advert }, now)
    }

    fn fault(&mut self, member: usize, on: bool, now: KernelTime) -> Sent {
        self.faults[member] = on;
        let (id, fault) = (id(member), Fault::LinkDown);
        let source = self.machine.snapshot(id).unwrap().source.unwrap();
        self.input(
            if on {
                Input::Down { id, fault }
            } else {
                Input::Up { id, source }
            },
            now,
        )
    }

    fn active(&self) -> Vec<bool> {
        self.vips.clone()
    }
}

/// Sync groups as keepalived has them, as plainly as can be: all become
/// master when each has timed out, all leave when one is outranked.
struct Plain {
    source: IpAddr,
    priorities: Vec<u8>,
    /// Answers lower adverts at once.
    asserts: bool,
    master: bool,
    /// Per member: the time-out of a backup, the next advert of a master.
    timers: Vec<KernelTime>,
}

impl Plain {
    fn new(router: u8, priorities: &[u8], asserts: bool) -> Self {
        let mut plain = Self {
            asserts,
            source: source(router),
            priorities: priorities.to_vec(),
            master: false,
            timers: vec![START; priorities.len()],
        };
        plain.back(START);
        plain
    }

    fn down(&self, member: usize) -> Duration {
        let priority = Priority(self.priorities[member]);
        active_down_interval(Version::V3, priority, cs(100), 3)
    }

    fn back(&mut self, now: KernelTime) {
        self.master = false;
        for member in 0..self.timers.len() {
            self.timers[member] = now.after(self.down(member));
        }
    }
}

impl Router for Plain {
    fn next(&self) -> Option<KernelTime> {
        match self.master {
            true => self.timers.iter().min().copied(),
            // All of them have to have passed.
            false => self.timers.iter().max().copied(),
        }
    }

    fn tick(&mut self, now: KernelTime) -> Sent {
        if !self.master {
            self.master = true;
            self.timers.fill(now);
        }
        let mut sent = Vec::new();
        for (member, timer) in self.timers.iter_mut().enumerate() {
            if *timer <= now {
                *timer = now.after(INTERVAL);
                sent.push((member, self.priorities[member]));
            }
        }
        sent
    }

    fn hear(&mut self, member: usize, source: IpAddr, priority: u8, now: KernelTime) -> Sent {
        let own = self.priorities[member];
        match (self.master, priority) {
            (true, 0) => return vec![(member, own)],
            (true, _) if (priority, source) > (own, self.source) => self.back(now),
            (true, _) if self.asserts => return vec![(member, own)],
            (true, _) => {}
            (false, 0) => {
                let whole = self.down(member);
                self.timers[member] = now.after(whole - INTERVAL * 3);
            }
            (false, _) if priority >= own => self.timers[member] = now.after(self.down(member)),
            (false, _) => {}
        }
        Vec::new()
    }

    fn active(&self) -> Vec<bool> {
        vec![self.master; self.priorities.len()]
    }
}

struct Net {
    now: KernelTime,
    routers: Vec<Box<dyn Router>>,
    flights: BTreeMap<(KernelTime, u64), (usize, usize, IpAddr, u8)>,
    sequence: u64,
    /// By member: nothing passes from the first to the second, and back.
    cut: Vec<[bool; 2]>,
    latency: Duration,
    changes: u64,
}

impl Net {
    fn post(&mut self, from: usize, sent: Sent) {
        for (member, priority) in sent {
            if self.cut[member][from] {
                continue;
            }
            for to in (0..self.routers.len()).filter(|to| *to != from) {
                let flight = (to, member, source(from as u8), priority);
                self.sequence += 1;
                let key = (self.now.after(self.latency), self.sequence);
                self.flights.insert(key, flight);
            }
        }
    }

    fn picture(&self) -> Vec<Vec<bool>> {
        self.routers.iter().map(|router| router.active()).collect()
    }

    fn run_until(&mut self, end: KernelTime) {
        loop {
            let timers = self.routers.iter().enumerate();
            let timer = timers.filter_map(|(at, one)| Some((one.next()?, at))).min();
            let flight = self.flights.keys().next().copied();
            let next = timer
                .map(|(at, _)| at)
                .into_iter()
                .chain(flight.map(|(at, _)| at))
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = next;
            let before = self.picture();
            match (flight, timer) {
                (Some(key), _) if key.0 <= next => {
                    let (to, member, source, priority) = self.flights.remove(&key).unwrap();
                    let sent = self.routers[to].hear(member, source, priority, next);
                    self.post(to, sent);
                }
                (_, Some((_, router))) => {
                    let sent = self.routers[router].tick(next);
                    self.post(router, sent);
                }
                (_, None) => unreachable!(),
            }
            self.changes += u64::from(self.picture() != before);
        }
        self.now = end;
    }
}

fn network(dice: &mut Dice, plain: bool) -> Net {
    let members = dice.pick(&[2, 2, 3]);
    let pool = [50, 90, 100, 100, 150];
    let mut priorities = || -> Vec<u8> { (0..members).map(|_| dice.pick(&pool)).collect() };
    let first = priorities();
    // Often the same ones the other way round: that is what loops.
    let mut second = priorities();
    if dice.roll(2) == 0 {
        second = first.iter().rev().copied().collect();
    }
    let preempt =
        |dice: &mut Dice| -> Vec<bool> { (0..members).map(|_| dice.roll(5) != 0).collect() };
    let ours = Ours::new(0, &first, &preempt(dice));
    let other: Box<dyn Router> = match plain {
        true => Box::new(Plain::new(1, &second, dice.roll(2) == 0)),
        false => Box::new(Ours::new(1, &second, &preempt(dice))),
    };
    Net {
        now: START,
        routers: vec![Box::new(ours), other],
        flights: BTreeMap::new(),
        sequence: 0,
        cut: vec![[false; 2]; members],
        latency: dice.pick(&[Duration::ZERO, Duration::from_micros(100), ms(3)]),
        changes: 0,
    }
}

fn trouble(dice: &mut Dice, net: &mut Net) {
    for _ in 0..dice.roll(30) {
        let members = net.cut.len();
        let member = usize::try_from(dice.roll(members as u64)).unwrap();
        match dice.roll(6) {
            0 | 1 => net.cut[member] = [true; 2],
            2 => net.cut[member] = [dice.roll(2) == 0, dice.roll(2) == 0],
            3 => net.cut = vec![[true; 2]; members],
            4 => net.cut = vec![[false; 2]; members],
            _ => {
                let router = usize::try_from(dice.roll(2)).unwrap();
                let on = dice.roll(2) == 0;
                let sent = net.routers[router].fault(member, on, net.now);
                net.post(router, sent);
            }
        }
        let end = net.now.after(ms(dice.roll(9000)));
        net.run_until(end);
    }
}

/// How many elections it took at most once all was mended.
fn settles(seed: u64, plain: bool) -> u64 {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut net = network(&mut dice, plain);
    trouble(&mut dice, &mut net);
    net.cut = vec![[false; 2]; net.cut.len()];
    for router in 0..2 {
        for member in 0..net.cut.len() {
            let sent = net.routers[router].fault(member, false, net.now);
            net.post(router, sent);
        }
    }
    let before = net.changes;
    net.run_until(net.now.after(ms(60_000)));
    let (settled, picture) = (net.changes, net.picture());
    net.run_until(net.now.after(ms(60_000)));
    let count = picture
        .iter()
        .filter(|one| one.iter().all(|on| *on))
        .count();
    assert_eq!(count, 1, "{picture:?}");
    let none = picture
        .iter()
        .filter(|one| one.iter().all(|on| !on))
        .count();
    assert_eq!(none, 1, "{picture:?}");
    assert_eq!(
        (net.changes, net.picture()),
        (settled, picture),
        "oscillates"
    );
    settled - before
}

fn all_settle(plain: bool, seeds: u64) {
    let mut most = 0;
    for seed in 0..seeds {
        match std::panic::catch_unwind(|| settles(seed, plain)) {
            Ok(changes) => most = most.max(changes),
            Err(_) => panic!("seed {seed}, plain {plain}"),
        }
    }
    // Some run did have an election that both sides lost.
    assert!(most >= 3, "{most}");
    assert!(most <= 16, "{most}");
}

#[test]
fn two_of_ours_settle_whatever_happened_before() {
    all_settle(false, 400);
}

#[test]
fn ours_settles_beside_a_daemon_that_knows_less() {
    all_settle(true, 400);
}

/// Each is the better one for one member, and both are Active until they hear
/// each other in the same moment: the case that never ends in keepalived.
#[test]
fn a_split_that_both_sides_hear_at_once_ends() {
    for plain in [false, true] {
        let (first, second) = ([100, 90], [90, 100]);
        let other: Box<dyn Router> = match plain {
            true => Box::new(Plain::new(1, &second, false)),
            false => Box::new(Ours::new(1, &second, &[true, true])),
        };
        let mut net = Net {
            now: START,
            routers: vec![Box::new(Ours::new(0, &first, &[true, true])), other],
            flights: BTreeMap::new(),
            sequence: 0,
            cut: vec![[true; 2]; 2],
            latency: ms(1),
            changes: 0,
        };
        net.run_until(at(10_000));
        assert_eq!(net.picture(), [[true; 2]; 2]);
        net.cut = vec![[false; 2]; 2];
        net.run_until(at(60_000));
        let changes = net.changes;
        let active = net.picture().iter().filter(|one| one[0]).count();
        assert_eq!(active, 1, "plain {plain}");
        assert!(changes <= 10, "plain {plain}: {changes}");
        net.run_until(at(600_000));
        assert_eq!(net.changes, changes, "plain {plain}: it goes on");
    }
}

/// The model does what it is there for: two of it never stop.
#[test]
fn two_that_know_less_go_on_for_ever() {
    let routers: Vec<Box<dyn Router>> = vec![
        Box::new(Plain::new(0, &[100, 90], false)),
        Box::new(Plain::new(1, &[90, 100], false)),
    ];
    let mut net = Net {
        now: START,
        routers,
        flights: BTreeMap::new(),
        sequence: 0,
        cut: vec![[false; 2]; 2],
        latency: ms(1),
        changes: 0,
    };
    net.run_until(at(600_000));
    assert!(net.changes > 100);
}
