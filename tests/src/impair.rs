//! A cable that loses, delays, doubles and reorders frames, by a seed.
//!
//! Not every kernel has netem, so a thread carries the frames: the machine's
//! cable is taken off the switch and put on again at the end of a second one,
//! and what comes out of either end goes into the other, or does not, or later.

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    clock::{monotonic, nanos},
    netns,
    random::Random,
    sys::{PacketSocket, packet_socket::ETH_P_ALL, prefer_this_thread_at, wait_either},
    topology::{Port, Switch},
};

/// Frames on their way; more are lost, as in a switch that is full.
const ROOM: usize = 10_000;

/// What happens to frames, in both directions alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Impairment {
    /// In 100 frames.
    pub loss: u64,
    /// After a lost frame the next one is lost with this chance in 100 (Gilbert):
    /// losses come in bursts. 0 for single ones.
    pub burst: u64,
    /// In 100 frames.
    pub doubled: u64,
    /// What each frame takes.
    pub delay: Duration,
    /// Up to this much more, of each frame by itself: with more than the
    /// distance of frames they overtake each other.
    pub jitter: Duration,
}

/// What was done so far.
#[derive(Debug, Default)]
struct Counts {
    carried: AtomicU64,
    lost: AtomicU64,
}

/// A cable that is impaired until this is dropped.
#[derive(Debug)]
pub struct Impaired {
    /// Name of the switch's namespace.
    switch: String,
    port: Port,
    /// The ends of the second cable.
    ends: [String; 2],
    end: Arc<AtomicBool>,
    counts: Arc<Counts>,
    worker: Option<JoinHandle<()>>,
}

impl Impaired {
    /// Impairs the cable of `port`.
    ///
    /// # Errors
    /// When the kernel refuses an interface.
    pub fn start(switch: &Switch, port: &Port, how: Impairment, seed: u64) -> Result<Self> {
        let ns = &switch.ns;
        let ends = ["i", "o"].map(|end| format!("{}{end}", port.switch_side));
        let [inner, outer] = &ends;
        ns.sh(&format!("ip link add {inner} type veth peer name {outer}"))?;
        let mut cable = Self {
            switch: ns.name().to_owned(),
            port: port.clone(),
            ends: ends.clone(),
            end: Arc::default(),
            counts: Arc::default(),
            worker: None,
        };
        ns.sh(&format!("ip link set {inner} up"))?;
        let machine = ns.packet_socket(&port.switch_side, ETH_P_ALL)?;
        let network = ns.packet_socket(inner, ETH_P_ALL)?;
        ns.sh(&format!("ip link set {} nomaster", port.switch_side))?;
        ns.sh(&format!("ip link set {outer} master br0 up"))?;
        let mut carrier = Carrier {
            sockets: [machine, network],
            how,
            random: Random::new(seed),
            losing: [false; 2],
            waiting: BTreeMap::new(),
            number: 0,
            counts: Arc::clone(&cable.counts),
        };
        let end = Arc::clone(&cable.end);
        cable.worker = Some(std::thread::spawn(move || carrier.run(&end)));
        Ok(cable)
    }

    /// Frames that got through, and frames that were lost.
    pub fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.counts.carried), read(&self.counts.lost))
    }

    fn mend(&mut self) -> Result<()> {
        self.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
        let link = |words: &[&str]| {
            let mut command = Command::new("ip");
            netns::run(command.args(["-n", &self.switch, "link"]).args(words))
        };
        link(&["del", &self.ends[0]])?;
        link(&["set", &self.port.switch_side, "master", "br0"])
            .map(drop)
            .context("the cable's way back to the switch")
    }
}

impl Drop for Impaired {
    fn drop(&mut self) {
        if let Err(error) = self.mend() {
            eprintln!("lab: {} stays impaired: {error:#}", self.port.switch_side);
        }
    }
}

/// The thread's side.
struct Carrier {
    /// Of the machine and of the switch.
    sockets: [PacketSocket; 2],
    how: Impairment,
    random: Random,
    /// Whether the last frame of each direction was lost.
    losing: [bool; 2],
    /// By when it is due and its number: to which end, and the frame.
    waiting: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    number: u64,
    counts: Arc<Counts>,
}

impl Carrier {
    fn run(&mut self, end: &AtomicBool) {
        prefer_this_thread_at(2);
        while !end.load(Ordering::Relaxed) {
            for from in [0, 1] {
                self.take(from);
            }
            self.deliver();
            let next = self.waiting.first_key_value().map(|((due, _), _)| *due);
            let now = monotonic();
            let span = next.map_or(20_000_000, |due| due.saturating_sub(now).min(20_000_000));
            let ends = [self.sockets[0].as_fd(), self.sockets[1].as_fd()];
            // An interface that is down is no reason to end.
            drop(wait_either(ends, Duration::from_nanos(span)));
        }
    }

    fn take(&mut self, from: usize) {
        let mut buffer = [0; 2048];
        while let Ok(Some(received)) = self.sockets[from].receive(&mut buffer) {
            // What this thread sent itself.
            if received.outgoing {
                continue;
            }
            let chance = match (self.losing[from], self.how.burst) {
                (true, burst) if burst > 0 => burst,
                _ => self.how.loss,
            };
            self.losing[from] = self.random.chance(chance);
            let frame = buffer.get(..received.length).unwrap_or_default();
            if self.losing[from] || self.waiting.len() >= ROOM {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let copies = 1 + u64::from(self.random.chance(self.how.doubled));
            for _ in 0..copies {
                let jitter = self.random.below(nanos(self.how.jitter));
                let due = monotonic() + nanos(self.how.delay) + jitter;
                self.number += 1;
                self.waiting
                    .insert((due, self.number), (1 - from, frame.to_vec()));
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > monotonic() {
                return;
            }
            let (to, frame) = entry.remove();
            if self.sockets[to].send(&frame).is_ok() {
                self.counts.carried.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
