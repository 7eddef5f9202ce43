//! A client that asks for the VIP at a fixed spacing and keeps the books.
//!
//! IPv4: ARP probes (RFC 5227: sender address 0.0.0.0, so that nobody's cache
//! changes). The sender hardware address inside the ARP packet, which the
//! answer repeats, carries the number of the request, so every answer is
//! matched with its question, and its Ethernet source tells which machine
//! answered. IPv6: neighbour solicitations; an answer is matched with the last
//! solicitation before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
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
    decode,
    sys::{PacketSocket, packet_socket, prefer_this_thread, wait_readable},
    topology::{Host, Mac},
};

/// Requests after which a probe ends by itself.
const MAX_REQUESTS: usize = 600_000;
/// First bytes of the sender hardware address of our ARP probes: locally
/// administered, unicast.
const ARP_MARK: [u8; 2] = [0x02, 0xfe];

/// One request, by its number in the order of sending.
#[derive(Clone, Debug)]
struct Request {
    sent: u64,
    /// Machine and arrival of each answer.
    answers: Vec<(Mac, u64)>,
}

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

/// A time without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last answer before it, CLOCK_MONOTONIC nanoseconds.
    pub from: u64,
    /// The first answer after it.
    pub to: u64,
    /// Requests that were sent in between and stayed without an answer.
    pub lost: usize,
}

impl Gap {
    pub fn length(&self) -> Duration {
        Duration::from_nanos(self.to.saturating_sub(self.from))
    }
}

/// What a probe found in some span of time.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub sent: usize,
    pub answered: usize,
    /// Every time between two answers in which at least one request was lost.
    pub gaps: Vec<Gap>,
    pub answers_by_mac: BTreeMap<Mac, usize>,
    /// Requests answered by more than one machine.
    pub double_answers: usize,
    /// Each change of the machine that answers: when, and who from then on.
    pub changes: Vec<(u64, Mac)>,
    /// The longest that the prober itself was late: above the spacing, the
    /// figures say less than they seem to.
    pub own_delay_max: Duration,
    /// Requests without an answer after the last answer.
    pub unanswered_at_end: usize,
}

impl Report {
    /// The longest gap, zero when there is none. At least one spacing long
    /// otherwise; an upper bound of the true blackout.
    pub fn blackout_max(&self) -> Duration {
        self.gaps.iter().map(Gap::length).max().unwrap_or_default()
    }
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

fn arp_probe(own: Mac, number: u32, vip: Ipv4Addr) -> [u8; 42] {
    let mut frame = [0; 42];
    frame[..6].copy_from_slice(&Mac::BROADCAST.0);
    frame[6..12].copy_from_slice(&own.0);
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..24].copy_from_slice(&ARP_MARK);
    frame[24..28].copy_from_slice(&number.to_be_bytes());
    frame[38..42].copy_from_slice(&vip.octets());
    frame
}

/// Number of the request that an ARP answer belongs to, and who answered.
fn arp_answer(frame: &[u8], vip: Ipv4Addr) -> Option<(usize, Mac)> {
    let arp = decode::arp(frame)?;
    let [a, b, number @ ..] = arp.target_mac.0;
    if arp.operation != 2 || arp.sender != vip || [a, b] != ARP_MARK {
        return None;
    }
    let answering = Mac(frame.get(6..12)?.try_into().ok()?);
    Some((u32::from_be_bytes(number) as usize, answering))
}

/// A neighbour solicitation with the source link-layer address option.
fn solicitation(own: Mac, source: Ipv6Addr, vip: Ipv6Addr) -> Vec<u8> {
    let [.., x, y, z] = vip.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(x),
        u16::from_be_bytes([y, z]),
    );
    let mut icmp = vec![135, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(vip.octets());
    icmp.extend([1, 1]);
    icmp.extend(own.0);
    let mut sum = 58 + icmp.len() as u32;
    let words = [
        source.octets().as_slice(),
        group.octets().as_slice(),
        icmp.as_slice(),
    ]
    .concat();
    for word in words.chunks(2) {
        sum += u32::from(u16::from_be_bytes([
            word[0],
            word.get(1).copied().unwrap_or(0),
        ]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    icmp[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0xff, x, y, z];
    frame.extend(own.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend((icmp.len() as u16).to_be_bytes());
    frame.extend([58, 255]);
    frame.extend(source.octets());
    frame.extend(group.octets());
    frame.extend(icmp);
    frame
}

fn neighbour_answer(frame: &[u8], vip: Ipv6Addr) -> Option<Mac> {
    let advert = decode::neighbour_advert(frame)?;
    // An unsolicited one announces; it does not answer.
    (advert.target == vip && advert.solicited).then_some(advert.source_mac)
}

fn report(requests: &[Request]) -> Report {
    let mut report = Report {
        sent: requests.len(),
        ..Report::default()
    };
    let mut lost = 0;
    let mut last: Option<u64> = None;
    let mut serving = None;
    for pair in requests.windows(2) {
        let delay = Duration::from_nanos(pair[1].sent.saturating_sub(pair[0].sent));
        report.own_delay_max = report.own_delay_max.max(delay);
    }
    for request in requests {
        let machines: BTreeSet<Mac> = request.answers.iter().map(|(mac, _)| *mac).collect();
        for mac in &machines {
            *report.answers_by_mac.entry(*mac).or_default() += 1;
        }
        report.double_answers += usize::from(machines.len() > 1);
        let Some(&(mac, arrived)) = request.answers.iter().min_by_key(|(_, arrived)| *arrived)
        else {
            lost += 1;
            continue;
        };
        report.answered += 1;
        if serving != Some(mac) {
            report.changes.push((arrived, mac));
            serving = Some(mac);
        }
        if let Some(from) = last
            && lost > 0
        {
            report.gaps.push(Gap {
                from,
                to: arrived,
                lost,
            });
        }
        last = Some(arrived);
        lost = 0;
    }
    report.unanswered_at_end = lost;
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 1, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 1, 2]);

    fn request(sent: u64, answers: &[(Mac, u64)]) -> Request {
        Request {
            sent,
            answers: answers.to_vec(),
        }
    }

    #[test]
    fn a_gap_lies_between_the_answers_around_lost_requests() {
        let report = report(&[
            request(0, &[]),
            request(10, &[(A, 11)]),
            request(20, &[]),
            request(30, &[]),
            request(40, &[(B, 42)]),
            request(50, &[(A, 51), (B, 52)]),
            request(60, &[]),
        ]);
        assert_eq!(
            report.gaps,
            [Gap {
                from: 11,
                to: 42,
                lost: 2
            }]
        );
        assert_eq!(report.blackout_max(), Duration::from_nanos(31));
        assert_eq!(report.double_answers, 1);
        assert_eq!(report.unanswered_at_end, 1);
        assert_eq!(report.changes, [(11, A), (42, B), (51, A)]);
        assert_eq!((report.sent, report.answered), (7, 3));
    }

    #[test]
    fn an_answer_names_its_request() {
        let vip = Ipv4Addr::new(10, 77, 1, 100);
        let mut frame = arp_probe(A, 0x0102_0304, vip);
        assert_eq!(arp_answer(&frame, vip), None, "a request is no answer");
        // What the kernel makes of it: a reply to the sender hardware address.
        let asked = frame;
        frame[21] = 2;
        frame[6..12].copy_from_slice(&B.0);
        frame[22..28].copy_from_slice(&B.0);
        frame[28..32].copy_from_slice(&vip.octets());
        frame[32..38].copy_from_slice(&asked[22..28]);
        assert_eq!(arp_answer(&frame, vip), Some((0x0102_0304, B)));
    }
}
