//! The fast lane: wait, drain, core, effects, flush.
//!
//! One thread that waits for nothing but its own descriptors and allocates
//! nothing after [`Driver::new`]. It decides nothing itself: what happened goes
//! into the core, what the core asks for is carried out in order.

mod batch;
mod drain;
mod effects;
mod flight;
mod heart;
mod install;
mod landing;
mod ledger;
mod succession;
mod surroundings;
mod wait;

use std::io;

use agent_common::{
    KernelTime, Outcome,
    outcome::OutcomeCounters,
    record::{AdvertRecord, InstanceFilter, InstanceKey, SLOTS, advert_flags},
};

pub use self::succession::{HandOver, Heir, NotTaken};
use self::{
    flight::Flights,
    ledger::Ledger,
    wait::{Ready, Waiter},
};
use super::{
    advert::Transmitters,
    asker::Askers,
    bpf::FastMaps,
    clock,
    hands::{Grip, Wish},
    lane::{Command, FastEnd, LaneCounters, Picture, Report, Returned},
    netlink::monitor::Monitor,
    plan::Port,
    receive::{Filters, raw::RawReceiver, refusal::Quiet, slow::SlowReceiver},
    sched,
};
use crate::{
    config::machine::Process,
    core::{Advert, Fault, Input, InstanceConfig, InstanceId, Machine},
    heart::Heart,
    sandbox::Confinement,
};

/// Links whose adverts can come through raw sockets: one for each instance.
const MAX_RECEIVERS: usize = SLOTS;

/// Descriptors that the fast lane is given.
#[derive(Debug)]
pub struct Sockets {
    pub transmitters: Transmitters,
    pub monitor: Monitor,
    pub slow: Vec<SlowReceiver>,
    /// Where a BPF program can be attached.
    pub maps: Option<FastMaps>,
}

/// Announcements of all VIPs after the link was given another MAC address.
const NEW_MAC_REPEAT: u8 = 5;

/// The fast lane's whole state.
#[derive(Debug)]
pub struct Driver {
    machine: Machine,
    ports: Ports,
    sockets: Sockets,
    #[expect(clippy::vec_box, reason = "boxes travel between the lanes whole")]
    receivers: Vec<Box<RawReceiver>>,
    lane: FastEnd,
    waiter: Waiter,
    counters: LaneCounters,
    outcomes: Vec<OutcomeCounters>,
    quiet: Quiet,
    ledger: Ledger,
    heart: Heart,
    askers: Askers,
    flights: Flights,
    finished: bool,
    /// A hand-over that waits for its moment.
    over: Option<Box<HandOver>>,
    /// What to take over first.
    heir: Option<Box<Heir>>,
    /// Until then instances are made ready and take no part.
    waiting: bool,
}

/// What an instance has on the machine.
#[derive(Debug, Default)]
struct Seat {
    /// Some instance has this id.
    taken: bool,
    port: Option<Box<Port>>,
    /// In a fault, so that a new port is wanted.
    down: bool,
    /// Newest stamp that came out of the ring buffer.
    ring_stamp: u64,
    /// Until when the kernel vouches for it.
    leased: Option<KernelTime>,
}

/// The seats of all instances that there can be; instance N has number N - 1.
#[derive(Debug)]
struct Ports(Vec<Seat>);

impl Ports {
    fn seat(&mut self, id: InstanceId) -> Option<&mut Seat> {
        self.0.get_mut(usize::from(id.0).checked_sub(1)?)
    }

    fn port(&mut self, id: InstanceId) -> Option<&mut Port> {
        self.seat(id)?.port.as_deref_mut()
    }

    fn all(&self) -> impl Iterator<Item = &Port> {
        self.0.iter().filter_map(|seat| seat.port.as_deref())
    }
}

impl Filters for Ports {
    fn filter(&self, key: &InstanceKey) -> Option<&InstanceFilter> {
        self.all()
            .find(|port| port.key == *key)
            .map(|port| &port.filter)
    }
}

impl Driver {
    /// # Errors
    ///
    /// When a descriptor to wait on cannot be had.
    pub fn new(
        instances: Vec<InstanceConfig>,
        sockets: Sockets,
        hands: Grip,
        lane: FastEnd,
        heir: Option<Box<Heir>>,
    ) -> io::Result<Self> {
        let waiter = Waiter::new(&sockets, &hands, &lane)?;
        let mut ports = Ports((1..SLOTS).map(|_| Seat::default()).collect());
        for config in &instances {
            if let Some(seat) = ports.seat(config.id) {
                seat.taken = true;
            }
        }
        let mut sockets = sockets;
        // Both families, should the second come into use later.
        sockets.slow.reserve_exact(2);
        Ok(Self {
            ports,
            machine: Machine::new(instances),
            sockets,
            receivers: Vec::with_capacity(MAX_RECEIVERS),
            lane,
            waiter,
            counters: LaneCounters::default(),
            outcomes: vec![[0; Outcome::COUNT]; SLOTS],
            quiet: Quiet::default(),
            ledger: Ledger::new(hands),
            heart: Heart::new(SLOTS - 1),
            askers: Askers::default(),
            flights: Flights::new(),
            finished: false,
            over: None,
            heir,
            waiting: false,
        })
    }

    /// Runs until told to shut down, with no more rights than it needs from here on.
    pub fn run(mut self, process: &Process, confinement: Option<Confinement>) {
        let mut entered = sched::enter(sched::Rank::FastLane, process);
        entered.confined = confinement.map(Confinement::enter).unwrap_or_default();
        self.lane.report(Report::Privileges(entered));
        if let Some(heir) = self.heir.take()
            && !self.inherit(heir)
        {
            return;
        }
        while !self.finished {
            let other = self.ledger.delay_due().into_iter().chain(self.over_due());
            let deadline = self.machine.poll_timeout().into_iter().chain(other).min();
            let tick = self.heart.poll_timeout();
            self.ledger
                .desk()
                .set_due(deadline.into_iter().chain(tick).min());
            let ready = self.waiter.wait(deadline, tick);
            self.counters.wakeups += 1;
            self.round(ready);
            if let Some(over) = self.over.take() {
                self.try_hand_over(over);
            }
        }
        self.await_hands();
    }

    /// Everything that has happened until now, then every deadline until now.
    fn round(&mut self, ready: Ready) {
        // Read before the drain: an advert that came before `now` is seen
        // before a deadline at `now` may fire.
        let now = clock::now();
        if ready.hands {
            self.ledger.collect();
        }
        if ready.commands {
            self.lane.clear_wake();
            while let Some(command) = self.lane.command() {
                self.command(command, now);
            }
        }
        if ready.monitor || self.ledger.has_landed() {
            let all = self.watch_surroundings(now);
            // What our own changes brought about is to be read before they
            // count as done.
            if all {
                self.land(now);
            }
        }
        self.drain_ring(now);
        if ready.sockets || self.is_judging(now) {
            self.drain_sockets(now);
        }
        self.judge_hearts(now);
        // All that came until now is known.
        self.ledger.desk().set_due(Some(clock::now()));
        if self
            .machine
            .poll_timeout()
            .is_some_and(|deadline| deadline <= now)
        {
            if self.machine.has_expiring(now) {
                self.doubt_links(now);
            }
            // As late as can be.
            self.read_latest(now);
            self.veto(now);
            if self.machine.has_expiring(now) {
                // While the advert leaves, they come to.
                self.ledger.desk().prepare();
            }
            self.feed(Input::Timeout, now);
        }
        self.send_probes(now);
        self.hand_out();
    }

    fn feed(&mut self, input: Input, now: KernelTime) {
        let configuring = matches!(input, Input::Configure { .. } | Input::Retire { .. });
        self.flights.set_configuring(configuring);
        self.machine.handle(input, now);
        while let Some(effect) = self.machine.poll_effect() {
            self.carry_out(effect);
        }
        self.hand_out();
    }

    /// Before a Backup's deadline may fire: what XDP saw last, should the ring
    /// have been full.
    fn read_latest(&mut self, now: KernelTime) {
        for id in self.expiring(now) {
            self.read_latest_of(id, now);
            self.note_due(id, now);
        }
    }

    /// Copied, because whoever looks after them needs the whole driver.
    fn expiring(&self, now: KernelTime) -> impl Iterator<Item = InstanceId> + use<> {
        let mut due = [InstanceId(0); SLOTS];
        let mut count = 0;
        for (slot, id) in due.iter_mut().zip(self.machine.expiring(now)) {
            *slot = id;
            count += 1;
        }
        due.into_iter().take(count)
    }

    fn read_latest_of(&mut self, id: InstanceId, now: KernelTime) {
        let latest = |maps: &FastMaps| maps.latest(u32::from(id.0));
        // Not held meanwhile: what is fed may have to be told to the maps.
        let Some(record) = self.sockets.maps.as_ref().and_then(latest) else {
            return;
        };
        let known = self.ports.seat(id).map_or(0, |seat| seat.ring_stamp);
        // An older stamp is news as well: the newest that the ring had may
        // be of another router, when it had no room for the Active's.
        if record.stamp_ns != known {
            self.counters.from_latest += u64::from(record.stamp_ns > known);
            self.advert(&record, now);
        }
    }

    fn advert(&mut self, record: &AdvertRecord, now: KernelTime) {
        let (Some(id), Some(advert)) = (slot(record), Advert::from_record(record)) else {
            return;
        };
        if self.ports.port(id).is_none() {
            return;
        }
        if let Some(port) = self.ports.port(id) {
            let old = record.flags & advert_flags::OLD_CHECKSUM != 0;
            port.advert.heard(advert.source, old);
        }
        self.counters.adverts += 1;
        self.flights.heard(id, &advert);
        self.feed(Input::Advert { id, advert }, now);
        self.heart.heard(id, advert.source, advert.stamp, now);
        self.tell_hearts(now);
    }

    fn command(&mut self, command: Command, now: KernelTime) {
        match command {
            Command::Install(port) => self.install(port, now),
            Command::Configure(config) => self.configure(config, now),
            Command::Retire { id } => self.retire(id, now),
            Command::AddFamily(sockets) => self.add_family(sockets),
            Command::AddAsker(mut asker) => {
                self.askers.add(&mut asker);
                self.lane.give_back(Returned::Asker(asker));
            }
            Command::Mark(mark) => self.ledger.mark(mark),
            Command::Priority { id, priority } => self.feed(Input::Priority { id, priority }, now),
            Command::Fault { id, fault } => self.fault(id, fault, now),
            Command::AddReceiver(receiver) => {
                if self.receivers.len() < MAX_RECEIVERS && self.waiter.add(&*receiver).is_ok() {
                    self.receivers.push(receiver);
                    self.sockets.slow.iter().for_each(SlowReceiver::unfilter);
                } else {
                    self.lane.give_back(Returned::Receiver(receiver));
                }
            }
            Command::RemoveReceiver { ifindex } => {
                while let Some(at) = self.receivers.iter().position(|r| r.ifindex() == ifindex) {
                    let receiver = self.receivers.swap_remove(at);
                    self.waiter.remove(&*receiver);
                    self.lane.give_back(Returned::Receiver(receiver));
                }
            }
            Command::AddressMissing { id, vip } => self.feed(Input::AddressLost { id, vip }, now),
            Command::AddressClaimed { id } => self.feed(Input::AddressClaimed { id }, now),
            Command::EnsurePaths { id } => self.ledger.want(id, Wish::ensure_paths),
            Command::AddressPresent { id } => drop(self.remove_stray(id)),
            Command::Inspect(picture) => self.inspect(picture, now),
            Command::Hold => {
                self.machine.hold();
                self.heart.hold(true, now);
            }
            Command::HandOver(over) => self.over = Some(over),
            Command::Resume => {
                self.machine.resume(now);
                self.heart.hold(false, now);
            }
            Command::ForgetBacklog => self.forget_backlog(),
            Command::Shutdown => {
                for index in 1..=self.ports.0.len() {
                    self.feed(
                        Input::Shutdown {
                            id: InstanceId(index as u16),
                        },
                        now,
                    );
                }
                self.finished = true;
            }
        }
    }

    fn fault(&mut self, id: InstanceId, fault: Fault, now: KernelTime) {
        if let Some(seat) = self.ports.seat(id) {
            seat.down = true;
        }
        if self.waiting {
            return;
        }
        self.feed(Input::Down { id, fault }, now);
    }

    fn inspect(&mut self, mut picture: Box<Picture>, now: KernelTime) {
        let counters = self.counted();
        let Picture {
            at,
            instances,
            hearts,
            outcomes,
            lane,
        } = &mut *picture;
        *at = now;
        *lane = counters;
        lane.stray_answers = self.askers.strays() + self.heart.strays();
        instances.clear();
        hearts.clear();
        for index in 1..=self.ports.0.len() {
            let id = InstanceId(index as u16);
            let heart = self.heart.snapshot(id, now);
            if let Some(heart) = heart.filter(|_| hearts.len() < hearts.capacity()) {
                hearts.push(heart);
            }
            let snapshot = self.machine.snapshot(id);
            // Never beyond what the asker made room for.
            if let Some(snapshot) = snapshot.filter(|_| instances.len() < instances.capacity()) {
                instances.push(snapshot);
            }
        }
        for (copy, counters) in outcomes.iter_mut().zip(&self.outcomes) {
            *copy = *counters;
        }
        self.lane.give_back(Returned::Picture(picture));
    }
}

/// The instance of a record that the kernel side or the parser made.
fn slot(record: &AdvertRecord) -> Option<InstanceId> {
    u16::try_from(record.slot)
        .ok()
        .filter(|slot| *slot > 0)
        .map(InstanceId)
}

#[cfg(test)]
mod tests;
