//! One machine seen from outside: what it sends, and which VIPs its kernel has.

use std::{
    fmt,
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
    clock::{monotonic, realtime_to_monotonic},
    decode,
    sys::{
        PacketSocket, netlink::AddressWatch, packet_socket::ETH_P_ALL, prefer_this_thread_at,
        wait_either,
    },
    topology::Host,
};

use super::{ROUTERS_PER_MACHINE, VRIDS};

/// Above the agents, so that what they do is seen when they do it.
const PRIORITY: i32 = 70;

/// A time for which the kernel has the VIP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    pub from: u64,
    /// `None` while it has it.
    pub to: Option<u64>,
}

impl Held {
    /// The end, or `now` for one that goes on.
    pub fn until(&self, now: u64) -> u64 {
        self.to.unwrap_or(now)
    }
}

/// One virtual router on one machine. Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Adverts that it sent, with their priority.
    pub sent: Vec<(u64, u8)>,
    /// Adverts that came to it, with their priority.
    pub heard: Vec<(u64, u8)>,
    pub held: Vec<Held>,
    /// Gratuitous ARPs and neighbour advertisements for the VIP.
    pub announced: Vec<u64>,
}

impl Track {
    /// Since when it has the VIP, `None` while it does not.
    pub fn holds_since(&self) -> Option<u64> {
        let last = self.held.last()?;
        last.to.is_none().then_some(last.from)
    }

    /// Adverts that claim to serve in that span.
    pub fn claims(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = u64> {
        let within = self
            .sent
            .iter()
            .filter(move |(time, priority)| *priority > 0 && (from..=to).contains(time));
        within.map(|(time, _)| *time)
    }
}

/// What happened in that span, each time in milliseconds after `from`.
pub struct Story<'a> {
    pub track: &'a Track,
    pub from: u64,
    pub to: u64,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Track {
            sent,
            heard,
            held,
            announced,
        } = self.track;
        let mut all: Vec<(u64, String)> = Vec::new();
        all.extend(sent.iter().map(|(at, with)| (*at, format!("sends {with}"))));
        let hears = |(at, with): &(u64, u8)| (*at, format!("hears {with}"));
        all.extend(heard.iter().map(hears));
        all.extend(announced.iter().map(|at| (*at, "announces".to_owned())));
        for held in held {
            all.push((held.from, "has the VIP".to_owned()));
            all.extend(held.to.map(|to| (to, "has it no more".to_owned())));
        }
        all.retain(|(at, _)| (self.from..=self.to).contains(at));
        all.sort();
        for (at, what) in all {
            let millis = Duration::from_nanos(at - self.from).as_secs_f64() * 1e3;
            write!(f, " {millis:.1} {what},")?;
        }
        Ok(())
    }
}

/// Watches until dropped.
#[derive(Debug)]
pub struct Scout {
    tracks: Arc<Mutex<[Track; ROUTERS_PER_MACHINE]>>,
    end: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Scout {
    /// Before the VIPs come.
    ///
    /// # Errors
    /// When the machine lacks its interface.
    pub fn start(host: &Host, vips: [IpAddr; ROUTERS_PER_MACHINE]) -> Result<Self> {
        let (frames, addresses) = host.ns.enter(|| {
            let frames = PacketSocket::open("eth0", ETH_P_ALL).context("packet socket")?;
            let addresses = AddressWatch::open().context("netlink socket")?;
            Ok((frames, addresses))
        })?;
        let tracks = Arc::<Mutex<[Track; ROUTERS_PER_MACHINE]>>::default();
        let end = Arc::<AtomicBool>::default();
        let mut watch = Watch {
            frames,
            addresses,
            vips,
            tracks: tracks.clone(),
            fresh: Vec::new(),
        };
        let worker = std::thread::spawn({
            let end = end.clone();
            move || watch.run(&end)
        });
        Ok(Self {
            tracks,
            end,
            worker: Some(worker),
        })
    }

    fn lock(&self) -> MutexGuard<'_, [Track; ROUTERS_PER_MACHINE]> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of all that is kept.
    pub fn tracks(&self) -> [Track; ROUTERS_PER_MACHINE] {
        self.lock().clone()
    }

    /// What `look` makes of one of them.
    pub fn look<T>(&self, router: usize, look: impl FnOnce(&Track) -> T) -> T {
        look(&self.lock()[router])
    }

    /// Forgets what ended before that time.
    pub fn forget(&self, before: u64) {
        for track in self.lock().iter_mut() {
            track.sent.retain(|(time, _)| *time >= before);
            track.heard.retain(|(time, _)| *time >= before);
            track.announced.retain(|time| *time >= before);
            track
                .held
                .retain(|held| held.to.is_none_or(|to| to >= before));
        }
    }
}

impl Drop for Scout {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

/// Something that one machine did, of the virtual router with that index.
#[derive(Clone, Copy, Debug)]
enum News {
    Sent(usize, u64, u8),
    Heard(usize, u64, u8),
    Announced(usize, u64),
    Held(usize, u64),
    Gone(usize, u64),
}

/// The thread's side. It never waits for a lock: whoever reads the books may
/// have been put aside by the scheduler while holding it.
struct Watch {
    frames: PacketSocket,
    addresses: AddressWatch,
    vips: [IpAddr; ROUTERS_PER_MACHINE],
    tracks: Arc<Mutex<[Track; ROUTERS_PER_MACHINE]>>,
    /// What is not in the books.
    fresh: Vec<News>,
}

impl Watch {
    fn run(&mut self, end: &AtomicBool) {
        prefer_this_thread_at(PRIORITY);
        while !end.load(Ordering::Relaxed) {
            // Before the frames: an address has the time when it is read.
            self.take_addresses();
            self.take_frames();
            let tracks = Arc::clone(&self.tracks);
            if let Ok(mut tracks) = tracks.try_lock() {
                for news in self.fresh.drain(..) {
                    enter(&mut tracks, news);
                }
            }
            let both = [self.frames.as_fd(), self.addresses.as_fd()];
            // A link that is down may come back.
            drop(wait_either(both, Duration::from_millis(5)));
        }
    }

    fn take_frames(&mut self) {
        let offset = realtime_to_monotonic();
        let mut buffer = [0; 2048];
        while let Ok(Some(received)) = self.frames.receive(&mut buffer) {
            let bytes = buffer.get(..received.length).unwrap_or_default();
            let time = u64::try_from(i128::from(received.realtime) + offset).unwrap_or(0);
            if let Some(advert) = decode::advert(bytes) {
                let router = VRIDS.iter().position(|vrid| *vrid == advert.vrid);
                let news = router.map(|router| match received.outgoing {
                    true => News::Sent(router, time, advert.priority),
                    false => News::Heard(router, time, advert.priority),
                });
                self.fresh.extend(news);
            } else if !received.outgoing {
                // What others announce is theirs.
            } else if let Some(address) = announced(bytes) {
                let router = self.vips.iter().position(|vip| *vip == address);
                self.fresh
                    .extend(router.map(|router| News::Announced(router, time)));
            }
        }
    }

    fn take_addresses(&mut self) {
        let (vips, fresh) = (self.vips, &mut self.fresh);
        // Lost announcements would show as a VIP that never comes or goes.
        let _lost = self.addresses.drain(|event| {
            let router = vips.iter().position(|vip| *vip == event.address);
            let time = monotonic();
            fresh.extend(router.map(|router| match event.gone {
                false => News::Held(router, time),
                true => News::Gone(router, time),
            }));
        });
    }
}

/// The address that a gratuitous ARP or an unsolicited neighbour advertisement
/// is for.
fn announced(frame: &[u8]) -> Option<IpAddr> {
    if let Some(garp) = decode::garp(frame) {
        return Some(garp.address.into());
    }
    let found = decode::neighbour_advert(frame).filter(|found| !found.solicited);
    found.map(|found| found.target.into())
}

fn enter(tracks: &mut [Track; ROUTERS_PER_MACHINE], news: News) {
    match news {
        News::Sent(router, time, priority) => tracks[router].sent.push((time, priority)),
        News::Heard(router, time, priority) => tracks[router].heard.push((time, priority)),
        News::Announced(router, time) => tracks[router].announced.push(time),
        // The kernel tells changes of an address as well.
        News::Held(router, time) => {
            let held = &mut tracks[router].held;
            if held.last().is_none_or(|held| held.to.is_some()) {
                held.push(Held {
                    from: time,
                    to: None,
                });
            }
        }
        News::Gone(router, time) => {
            let last = tracks[router].held.last_mut();
            if let Some(held) = last.filter(|held| held.to.is_none()) {
                held.to = Some(time);
            }
        }
    }
}
