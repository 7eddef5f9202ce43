//! A client that asks for the VIP at a fixed spacing and keeps the books.
//!
//! IPv4: ARP probes (RFC 5227: sender address 0.0.0.0, so that nobody's cache
//! changes). The sender hardware address inside the ARP packet, which the
//! answer repeats, carries the number of the request, so every answer is
//! matched with its question, and its Ethernet source tells which machine
//! answered. IPv6: neighbour solicitations; an answer is matched with the last
//! solicitation before it.

mod packets;
mod report;

use std::{
    net::{IpAddr, Ipv6Addr},
    os::fd::AsFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    clock::{monotonic, nanos, realtime_to_monotonic},
    sys::{PacketSocket, packet_socket, prefer_this_thread, wait_readable},
    topology::{Host, Mac},
};

use packets::{arp_answer, arp_probe, neighbour_answer, solicitation};
use report::report;
pub use report::{Gap, Report, Request};

/// Requests after which a probe ends by itself.
const MAX_REQUESTS: usize = 600_000;

#[derive(Debug)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    end: AtomicBool,
}

/// A running probe; ends with its guard.
#[derive(Debug)]
pub struct Probe {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
    spacing: Duration,
}

impl Probe {
    /// Asks for `vip` from `client` each `spacing`, until it is stopped.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn start(client: &Host, vip: IpAddr, spacing: Duration) -> Result<Self> {
        let protocol = match vip {
            IpAddr::V4(_) => packet_socket::ETH_P_ARP,
            IpAddr::V6(_) => packet_socket::ETH_P_IPV6,
        };
        if spacing < Duration::from_micros(50) {
            bail!("a probe each {spacing:?} is a flood");
        }
        let socket = client
            .ns
            .packet_socket(&client.port.interface, protocol)
            .context("probe")?;
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            end: AtomicBool::new(false),
        });
        let mut prober = Prober {
            shared: Arc::clone(&shared),
            socket,
            own: client.port.mac,
            own_address: client.port.link_local,
            vip,
            spacing: nanos(spacing),
            offset: realtime_to_monotonic(),
            sent: Vec::with_capacity(1 << 16),
            booked: 0,
            answers: Vec::new(),
        };
        let worker = std::thread::spawn(move || prober.run());
        Ok(Self {
            shared,
            worker: Some(worker),
            spacing,
        })
    }

    pub fn spacing(&self) -> Duration {
        self.spacing
    }

    fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .map(|requests| requests.clone())
            .unwrap_or_default()
    }

    /// Waits until a request sent after `since` is answered (by `by`, if
    /// given); the time of the answer.
    ///
    /// # Errors
    /// When that does not happen `within` that time.
    pub fn wait_answer(&self, since: u64, by: Option<Mac>, within: Duration) -> Result<u64> {
        crate::wait::eventually(within, "an answer from the VIP", || {
            let requests = self.shared.requests.lock().ok()?;
            let first = requests.partition_point(|request| request.sent < since);
            let answers = requests
                .get(first..)?
                .iter()
                .flat_map(|request| &request.answers);
            let mut wanted = answers.filter(|(mac, _)| by.is_none_or(|by| by == *mac));
            wanted.next().map(|(_, arrived)| *arrived)
        })
    }

    /// Everything so far.
    pub fn report(&self) -> Report {
        report(&self.requests())
    }

    /// Only requests sent from `from` on, and gaps that end after it.
    pub fn report_since(&self, from: u64) -> Report {
        let requests = self.requests();
        let start = requests.partition_point(|request| request.sent < from);
        // One answered request before, so that a gap across `from` is seen whole.
        let before = requests.get(..start).unwrap_or_default();
        let start = before
            .iter()
            .rposition(|request| !request.answers.is_empty())
            .unwrap_or(start);
        report(requests.get(start..).unwrap_or_default())
    }

    /// Ends the probe; everything that it found.
    pub fn stop(mut self) -> Report {
        self.end();
        self.report()
    }

    fn end(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread's side. It never waits for a lock: whoever reads the books may
/// have been put aside by the scheduler while holding it.
struct Prober {
    shared: Arc<Shared>,
    socket: PacketSocket,
    own: Mac,
    own_address: Ipv6Addr,
    vip: IpAddr,
    spacing: u64,
    offset: i128,
    /// When each request was sent, by number.
    sent: Vec<u64>,
    /// How many of these are in the books.
    booked: usize,
    /// Answers that are not in the books: number of the request, who, when.
    answers: Vec<(usize, Mac, u64)>,
}

impl Prober {
    fn run(&mut self) {
        prefer_this_thread();
        let mut next = monotonic();
        while self.sent.len() < MAX_REQUESTS && !self.shared.end.load(Ordering::Relaxed) {
            let now = monotonic();
            if now >= next {
                self.ask(now);
                // A prober that was late does not catch up with a burst.
                next = (next + self.spacing).max(now + self.spacing / 2);
            }
            let wait = Duration::from_nanos(next.saturating_sub(monotonic()));
            if wait_readable(self.socket.as_fd(), wait).unwrap_or(false) {
                self.drain();
            }
            let shared = Arc::clone(&self.shared);
            if let Ok(mut books) = shared.requests.try_lock() {
                self.write(&mut books);
            }
        }
        let shared = Arc::clone(&self.shared);
        if let Ok(mut books) = shared.requests.lock() {
            self.write(&mut books);
        }
    }

    fn ask(&mut self, now: u64) {
        let frame = match self.vip {
            IpAddr::V4(vip) => arp_probe(self.own, self.sent.len() as u32, vip).to_vec(),
            IpAddr::V6(vip) => solicitation(self.own, self.own_address, vip),
        };
        self.sent.push(now);
        // A refused frame (cable pulled) is a lost request like any other.
        drop(self.socket.send(&frame));
    }

    fn drain(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok(Some(received)) = self.socket.receive(&mut buffer) {
            if received.outgoing {
                continue;
            }
            let Some(frame) = buffer.get(..received.length) else {
                continue;
            };
            let arrived = u64::try_from(i128::from(received.realtime) + self.offset).unwrap_or(0);
            let found = match self.vip {
                IpAddr::V4(vip) => arp_answer(frame, vip),
                IpAddr::V6(vip) => neighbour_answer(frame, vip).map(|mac| {
                    let before = self.sent.partition_point(|sent| *sent <= arrived);
                    (before.saturating_sub(1), mac)
                }),
            };
            if let Some((number, mac)) = found {
                self.answers.push((number, mac, arrived));
            }
        }
    }

    /// Enters what is new into the books.
    fn write(&mut self, books: &mut Vec<Request>) {
        let fresh = self.sent.get(self.booked..).unwrap_or_default();
        books.extend(fresh.iter().map(|sent| Request {
            sent: *sent,
            answers: Vec::new(),
        }));
        self.booked = self.sent.len();
        for (number, mac, arrived) in self.answers.drain(..) {
            if let Some(request) = books.get_mut(number) {
                request.answers.push((mac, arrived));
            }
        }
    }
}
