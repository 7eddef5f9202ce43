//! A capture in a namespace: every frame of one interface, both directions,
//! with the kernel's time.

use std::{
    fs,
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    clock::{Deadline, realtime_to_monotonic},
    decode::{self, Advert, Garp, NeighbourAdvert},
    netns::Netns,
    sys::{PacketSocket, packet_socket::ETH_P_ALL, wait_readable},
    wait::stopped,
};

/// Frames kept; a test that makes more has lost its bounds.
const MAX_FRAMES: usize = 1 << 20;
/// Bytes kept of one frame.
const SNAP: usize = 2048;

/// One captured frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// CLOCK_MONOTONIC nanoseconds.
    pub time: u64,
    /// Sent by the captured machine rather than received.
    pub outgoing: bool,
    /// The tag, in the frame or taken out of it by the kernel.
    pub vlan: Option<u16>,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn advert(&self) -> Option<Advert> {
        decode::advert(&self.bytes)
    }

    pub fn garp(&self) -> Option<Garp> {
        decode::garp(&self.bytes)
    }

    pub fn neighbour_advert(&self) -> Option<NeighbourAdvert> {
        decode::neighbour_advert(&self.bytes)
    }
}

#[derive(Debug, Default)]
struct Shared {
    frames: Mutex<Vec<Frame>>,
    arrived: Condvar,
    end: AtomicBool,
}

impl Shared {
    fn frames(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, socket: &PacketSocket) {
        let offset = realtime_to_monotonic();
        let mut buffer = [0; SNAP];
        while !self.end.load(Ordering::Relaxed) {
            // Bounded, so that the end is noticed.
            if !wait_readable(socket.as_fd(), Duration::from_millis(50)).unwrap_or(false) {
                continue;
            }
            // An error is the interface going down or away; it may come back.
            while let Ok(Some(received)) = socket.receive(&mut buffer) {
                let Some(bytes) = buffer.get(..received.length) else {
                    continue;
                };
                let time = i128::from(received.realtime) + offset;
                let frame = Frame {
                    time: u64::try_from(time).unwrap_or(0),
                    outgoing: received.outgoing,
                    vlan: received.vlan.or_else(|| decode::vlan_tag(bytes)),
                    bytes: bytes.to_vec(),
                };
                let mut frames = self.frames();
                if frames.len() < MAX_FRAMES {
                    frames.push(frame);
                }
                drop(frames);
                self.arrived.notify_all();
            }
        }
    }
}

/// A running capture; ends with its guard.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts to capture; when this returns, no later frame is missed.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn start(ns: &Netns, interface: &str) -> Result<Self> {
        let socket = ns.packet_socket(interface, ETH_P_ALL).context("capture")?;
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

    /// A copy of everything so far.
    pub fn frames(&self) -> Vec<Frame> {
        self.shared.frames().clone()
    }

    /// Number of frames so far: the `from` of [`Self::wait_from`].
    pub fn mark(&self) -> usize {
        self.shared.frames().len()
    }

    /// All adverts so far, with their times.
    pub fn adverts(&self) -> Vec<(u64, Advert)> {
        let frames = self.shared.frames();
        frames
            .iter()
            .filter_map(|frame| Some((frame.time, frame.advert()?)))
            .collect()
    }

    /// All gratuitous ARPs so far, with their times.
    pub fn garps(&self) -> Vec<(u64, Garp)> {
        let frames = self.shared.frames();
        frames
            .iter()
            .filter_map(|frame| Some((frame.time, frame.garp()?)))
            .collect()
    }

    /// The first frame that `wanted` takes, from the start of the capture.
    ///
    /// # Errors
    /// When it does not come `within` that time.
    pub fn wait_for<T>(
        &self,
        what: &str,
        within: Duration,
        wanted: impl FnMut(&Frame) -> Option<T>,
    ) -> Result<T> {
        self.wait_from(0, what, within, wanted)
    }

    /// The first frame that `wanted` takes after the first `from` frames.
    ///
    /// # Errors
    /// As [`Self::wait_for`].
    pub fn wait_from<T>(
        &self,
        from: usize,
        what: &str,
        within: Duration,
        mut wanted: impl FnMut(&Frame) -> Option<T>,
    ) -> Result<T> {
        let deadline = Deadline::after(within);
        let mut next = from;
        let mut frames = self.shared.frames();
        loop {
            let fresh = frames.get(next..).unwrap_or_default();
            if let Some(found) = fresh.iter().find_map(&mut wanted) {
                return Ok(found);
            }
            next = next.max(frames.len());
            if deadline.expired() || stopped() {
                bail!("{what}: not captured within {within:?} ({next} frames seen)");
            }
            let span = deadline.remaining().min(Duration::from_millis(50));
            frames = self
                .shared
                .arrived
                .wait_timeout(frames, span)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Writes what `keep` takes as a pcap file (nanosecond form, Ethernet).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_pcap(&self, path: &Path, mut keep: impl FnMut(&Frame) -> bool) -> Result<()> {
        let mut file = Vec::new();
        file.extend(0xa1b2_3c4d_u32.to_le_bytes());
        file.extend(2_u16.to_le_bytes());
        file.extend(4_u16.to_le_bytes());
        file.extend([0; 8]);
        file.extend((SNAP as u32).to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for frame in self.shared.frames().iter().filter(|frame| keep(frame)) {
            let length = (frame.bytes.len() as u32).to_le_bytes();
            file.extend(((frame.time / 1_000_000_000) as u32).to_le_bytes());
            file.extend(((frame.time % 1_000_000_000) as u32).to_le_bytes());
            file.extend(length);
            file.extend(length);
            file.extend(&frame.bytes);
        }
        fs::write(path, file).with_context(|| path.display().to_string())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}
