//! Adverts alone, with the kernel's time, of hundreds of virtual routers for
//! minutes: what each is, and no more.

use std::{
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    clock::realtime_to_monotonic,
    decode,
    sys::{PacketSocket, prefer_this_thread, wait_readable},
    topology::{Host, Mac},
    wait::eventually,
};

/// More than 255 virtual routers with 10 ms adverts send in five minutes.
const MAX: usize = 8 << 20;
/// IPv4: what comes in, not what this machine sends.
const ETH_P_IP: u16 = 0x0800;
/// The headers, and some addresses.
const SNAP: usize = 128;

/// One advert as a third machine has received it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// CLOCK_MONOTONIC nanoseconds.
    pub time: u64,
    pub from: Mac,
    pub vrid: u8,
    pub priority: u8,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    end: AtomicBool,
}

impl Shared {
    fn heard(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, socket: &PacketSocket) {
        prefer_this_thread();
        let offset = realtime_to_monotonic();
        let mut buffer = [0; SNAP];
        while !self.end.load(Ordering::Relaxed) {
            // Bounded, so that the end is noticed.
            if !wait_readable(socket.as_fd(), Duration::from_millis(50)).unwrap_or(false) {
                continue;
            }
            while let Ok(Some(received)) = socket.receive(&mut buffer) {
                let bytes = buffer.get(..received.length.min(SNAP)).unwrap_or_default();
                let Some(advert) = decode::advert(bytes) else {
                    continue;
                };
                let time = i128::from(received.realtime) + offset;
                let mut heard = self.heard();
                if heard.len() < MAX {
                    heard.push(Heard {
                        time: u64::try_from(time).unwrap_or(0),
                        from: advert.source_mac,
                        vrid: advert.vrid,
                        priority: advert.priority,
                    });
                }
            }
        }
    }
}

/// A running listener; ends with its guard.
#[derive(Debug)]
pub struct Adverts {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

impl Adverts {
    /// Listens on a machine that sends none itself. When this returns, no
    /// later advert is missed.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn listen(host: &Host) -> Result<Self> {
        let socket = host
            .ns
            .packet_socket(&host.port.interface, ETH_P_IP)
            .context("listener")?;
        let shared = Arc::new(Shared::default());
        let worker = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&socket)
        });
        Ok(Self {
            shared,
            worker: Some(worker),
        })
    }

    /// All so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard().clone()
    }

    /// All from that time on.
    pub fn since(&self, time: u64) -> Vec<Heard> {
        let heard = self.shared.heard();
        let first = heard.partition_point(|one| one.time < time);
        heard.get(first..).unwrap_or_default().to_vec()
    }

    /// The first of a machine from a time on.
    ///
    /// # Errors
    /// When none comes `within` that time.
    pub fn wait(&self, from: Mac, since: u64, within: Duration) -> Result<Heard> {
        let what = format!("an advert of {from}");
        let found = eventually(within, &what, || {
            self.since(since)
                .into_iter()
                .find(|one| one.from == from && one.priority > 0)
        })?;
        if self.shared.heard().len() >= MAX {
            bail!("more than {MAX} adverts");
        }
        Ok(found)
    }
}

impl Drop for Adverts {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

/// When each take-over of `router` began: an advert of it that is not the end
/// of a virtual router, after none for `pause` (nanoseconds), or after its own
/// farewell. Of all its virtual routers, in the order of time.
pub fn take_overs(heard: &[Heard], router: Mac, pause: u64) -> Vec<Heard> {
    let mut last = [None::<Heard>; 256];
    let mut found = Vec::new();
    for one in heard.iter().filter(|one| one.from == router) {
        let before = last[usize::from(one.vrid)].replace(*one);
        let goes_on = before.is_some_and(|before| {
            before.priority > 0 && one.time.saturating_sub(before.time) <= pause
        });
        if one.priority > 0 && !goes_on {
            found.push(*one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 1, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 1, 2]);

    fn heard(time: u64, from: Mac, vrid: u8, priority: u8) -> Heard {
        Heard {
            time,
            from,
            vrid,
            priority,
        }
    }

    #[test]
    fn a_take_over_is_the_first_advert_after_a_silence() {
        let log = [
            heard(0, A, 1, 200),
            heard(5, B, 1, 100),
            heard(15, B, 1, 100),
            heard(16, B, 2, 100),
            heard(17, A, 1, 200),
            heard(90, B, 1, 100),
            heard(95, B, 1, 0),
            heard(99, B, 1, 100),
        ];
        let found: Vec<(u64, u8)> = take_overs(&log, B, 30)
            .iter()
            .map(|one| (one.time, one.vrid))
            .collect();
        assert_eq!(found, [(5, 1), (16, 2), (90, 1), (99, 1)]);
        assert_eq!(take_overs(&log, A, 30), [log[0]]);
    }
}
