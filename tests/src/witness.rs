//! Watches one machine's frames and addresses at once, and tells what came first.
//!
//! Neither `ip monitor` nor a netlink message carries a time of the kernel.
//! But the kernel queues a frame for a packet socket, and an address for a
//! netlink socket, before the call that caused it returns. So one thread reads
//! both sockets in turn: what happened before an event is at the latest found
//! in the next turn of its socket. An order that is right always passes,
//! however late the thread runs; one that is wrong is seen when it runs soon,
//! and it has a priority for that.

use std::{
    net::IpAddr,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    capture::Frame,
    clock::{monotonic, realtime_to_monotonic},
    decode,
    netns::Netns,
    sys::{
        PacketSocket,
        netlink::{AddressEvent, AddressWatch},
        packet_socket::ETH_P_ALL,
        prefer_this_thread, wait_either,
    },
    topology::Mac,
    wait::eventually,
};

/// Events kept; a test that makes more has lost its bounds.
const MAX_EVENTS: usize = 200_000;

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    Frame(Frame),
    Address(AddressEvent),
}

/// One event on the machine.
#[derive(Clone, Debug)]
pub struct Event {
    /// CLOCK_MONOTONIC nanoseconds: the kernel's for frames, when it was read
    /// for addresses.
    pub time: u64,
    /// The turn in which it was read.
    turn: u64,
    pub what: What,
}

impl Event {
    /// False when this is sure to have happened after `other`, an event of the
    /// other kind.
    pub fn may_precede(&self, other: &Self) -> bool {
        self.turn <= other.turn + 1
    }

    pub fn frame(&self) -> Option<&Frame> {
        match &self.what {
            What::Frame(frame) => Some(frame),
            What::Address(_) => None,
        }
    }

    /// Whether it is an advert of that sender, and of that priority if given.
    pub fn is_advert(&self, from: Mac, priority: Option<u8>) -> bool {
        let advert = self.frame().and_then(Frame::advert);
        advert.is_some_and(|advert| {
            advert.source_mac == from && priority.is_none_or(|priority| advert.priority == priority)
        })
    }

    /// Whether `address` came (false) or went (true).
    pub fn is_address(&self, address: IpAddr, gone: bool) -> bool {
        match &self.what {
            What::Frame(_) => false,
            What::Address(event) => event.address == address && event.gone == gone,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<Event>>,
    end: AtomicBool,
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running watch; ends with its guard.
#[derive(Debug)]
pub struct Witness {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Starts to watch the machine; when this returns, nothing later is missed.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn start(ns: &Netns, interface: &str) -> Result<Self> {
        let (frames, addresses) = ns.enter(|| {
            let frames = PacketSocket::open(interface, ETH_P_ALL).context("packet socket")?;
            let addresses = AddressWatch::open().context("netlink socket")?;
            Ok((frames, addresses))
        })?;
        let shared = Arc::new(Shared::default());
        let worker = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || run(&shared, &frames, &addresses)
        });
        Ok(Self {
            shared,
            workers: vec![worker],
        })
    }

    /// Everything so far, in the order of reading.
    pub fn events(&self) -> Vec<Event> {
        self.shared.events().clone()
    }

    /// Number of events so far: the `from` of [`Self::wait_from`].
    pub fn mark(&self) -> usize {
        self.shared.events().len()
    }

    /// The first event that `wanted` takes after the first `from`.
    ///
    /// # Errors
    /// When it does not come `within` that time.
    pub fn wait_from(
        &self,
        from: usize,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Event> {
        eventually(within, what, || {
            let events = self.shared.events();
            events
                .iter()
                .skip(from)
                .find(|event| wanted(event))
                .cloned()
        })
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            drop(worker.join());
        }
    }
}

fn run(shared: &Shared, frames: &PacketSocket, addresses: &AddressWatch) {
    prefer_this_thread();
    let offset = realtime_to_monotonic();
    let mut buffer = [0; 2048];
    let mut turn = 0;
    let mut fresh = Vec::new();
    while !shared.end.load(Ordering::Relaxed) {
        turn += 1;
        // Errors are interfaces and namespaces that go away; they may come back.
        while let Ok(Some(received)) = frames.receive(&mut buffer) {
            let bytes = buffer.get(..received.length).unwrap_or_default();
            let time = u64::try_from(i128::from(received.realtime) + offset).unwrap_or(0);
            let frame = Frame {
                time,
                outgoing: received.outgoing,
                vlan: received.vlan.or_else(|| decode::vlan_tag(bytes)),
                bytes: bytes.to_vec(),
            };
            let what = What::Frame(frame);
            fresh.push(Event { time, turn, what });
        }
        let _ = addresses.drain(|event| {
            let what = What::Address(event);
            let time = monotonic();
            fresh.push(Event { time, turn, what });
        });
        let quiet = fresh.is_empty();
        let mut events = shared.events();
        if events.len() < MAX_EVENTS {
            events.append(&mut fresh);
        }
        fresh.clear();
        drop(events);
        if quiet {
            // Bounded, so that the end is noticed.
            let _ = wait_either(
                [frames.as_fd(), addresses.as_fd()],
                Duration::from_millis(50),
            );
        }
    }
}
