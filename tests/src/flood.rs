//! A machine that sends hostile adverts as fast as it can or as it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Result;

use crate::{
    clock::{Deadline, monotonic},
    forge,
    sys::{PacketSocket, sleep_until},
    topology::Host,
};

/// Frames of one system call.
const BATCH: usize = 64;
/// A flood ends by itself after that long.
const LIMIT: Duration = Duration::from_secs(120);

/// A running flood; ends with its guard.
#[derive(Debug)]
pub struct Flood {
    sent: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends `frames` in turns from `host`, `rate` of them a second (0: as fast
    /// as it can).
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn start(host: &Host, frames: Vec<Vec<u8>>, rate: u64) -> Result<Self> {
        let socket = forge::socket(host)?;
        let sent = Arc::new(AtomicU64::new(0));
        let end = Arc::new(AtomicBool::new(false));
        let worker = std::thread::spawn({
            let (sent, end) = (Arc::clone(&sent), Arc::clone(&end));
            move || run(&socket, &frames, rate, &sent, &end)
        });
        Ok(Self {
            sent,
            end,
            worker: Some(worker),
        })
    }

    /// Frames that the kernel has taken so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn run(socket: &PacketSocket, frames: &[Vec<u8>], rate: u64, sent: &AtomicU64, end: &AtomicBool) {
    let deadline = Deadline::after(LIMIT);
    let start = monotonic();
    let mut turn = frames.iter().cycle();
    let mut total: u64 = 0;
    while !end.load(Ordering::Relaxed) && !deadline.expired() {
        let batch: Vec<&[u8]> = turn.by_ref().take(BATCH).map(Vec::as_slice).collect();
        // Refused frames are not sent frames.
        let taken = socket.send_many(&batch).unwrap_or(0);
        total += taken as u64;
        sent.store(total, Ordering::Relaxed);
        if let Some(due) = total.saturating_mul(1_000_000_000).checked_div(rate) {
            sleep_until(start + due);
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}
