//! GARP and unsolicited NA: how hosts and switches learn where the VIPs are now.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use agent_common::wire::{
    arp::{self, GratuitousForm},
    ndisc::{self, Announcement},
};

use super::{clock, sys};
use crate::flight::Burst;

/// The longest frame announced: an unsolicited NA.
const LONGEST: usize = if ndisc::FRAME_LEN > arp::FRAME_LEN {
    ndisc::FRAME_LEN
} else {
    arp::FRAME_LEN
};

/// The socket that sends frames on any link and receives none.
#[derive(Debug)]
pub struct Announcer(OwnedFd);

impl Announcer {
    /// # Errors
    ///
    /// Without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        sys::packet_sender().map(Self)
    }
}

/// A limit on announcements: of a link or a group of links, and of GARP or NA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaceKey {
    /// An interface index, or the number of a group.
    pub id: u32,
    pub is_group: bool,
    pub is_na: bool,
}

/// The limit that a frame is subject to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FramePace {
    pub key: PaceKey,
    /// Between two frames.
    pub interval: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Frame {
    ifindex: u32,
    len: usize,
    bytes: [u8; LONGEST],
    pace: Option<FramePace>,
}

/// One frame for each VIP, built beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnouncePlan {
    frames: Vec<Frame>,
    /// For each frame how often it still has to be sent, at the pace of its
    /// limit. What is asked for again while it waits is not sent twice.
    left: Vec<u8>,
}

/// VIPs to announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    All,
    One(u16),
    /// Those on another link than this.
    Elsewhere(u32),
}

/// One VIP and where it lives.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    pub address: IpAddr,
    pub ifindex: u32,
    /// All zero on a link without Ethernet addresses: nothing to announce.
    pub mac: [u8; 6],
    /// The R flag of an NA: this node forwards IPv6.
    pub router: bool,
    pub pace: Option<FramePace>,
}

impl AnnouncePlan {
    pub fn new(vips: impl Iterator<Item = Announced>) -> Self {
        let frames: Vec<Frame> = vips.map(frame).collect();
        Self {
            left: vec![0; frames.len()],
            frames,
        }
    }

    /// Leaves frames that have a limit to [`Self::send_one`], where `admit`
    /// lets them.
    pub fn queue(&mut self, which: Which, repeat: u8, mut admit: impl FnMut(FramePace) -> bool) {
        let mut last = None;
        for (at, (frame, left)) in self.frames.iter().zip(&mut self.left).enumerate() {
            let (Some(pace), true) = (frame.pace, frame.len > 0 && which.has(at, frame)) else {
                continue;
            };
            // VIPs of one link stand together most of the time.
            let good = match last {
                Some((key, good)) if key == pace.key => good,
                Some(_) | None => admit(pace),
            };
            last = Some((pace.key, good));
            if good {
                *left = (*left).max(repeat);
            }
        }
    }

    /// Announces `repeat` times what [`Self::queue`] has not taken.
    ///
    /// Repeats go around all VIPs, so that a lost frame of one is not followed
    /// at once by the loss of its repetition. What leaves is noted in `burst`. Ends early when `go` says so: a
    /// Backup never announces.
    ///
    /// # Errors
    ///
    /// What the first frame that could not be sent met; the others are sent
    /// all the same.
    pub fn send(
        &self,
        socket: &Announcer,
        which: Which,
        repeat: u8,
        burst: &mut Burst,
        go: impl Fn() -> bool,
    ) -> io::Result<()> {
        // No more than leaves within some 50 us after `go` was asked.
        const CHUNK: usize = 16;
        let mut first_error = None;
        for _ in 0..repeat {
            let mut at = 0;
            while at < self.frames.len() && go() {
                let mut refs: [(u32, &[u8]); CHUNK] = [(0, &[]); CHUNK];
                let mut count = 0;
                for (slot, frame) in refs.iter_mut().zip(self.at_once(which, &mut at)) {
                    *slot = (
                        frame.ifindex,
                        frame.bytes.get(..frame.len).unwrap_or_default(),
                    );
                    count += 1;
                }
                // A VIP on a link that is down must not silence the others: a
                // frame that fails is left out. One that ended a batch heads
                // the next, where its error is told.
                let mut rest = refs.get(..count).unwrap_or_default();
                while !rest.is_empty() {
                    let done = match sys::send_frames(socket.0.as_fd(), rest) {
                        Ok(sent) => {
                            burst.note(sent, clock::now());
                            sent.max(1)
                        }
                        Err(error) => {
                            first_error.get_or_insert(error);
                            1
                        }
                    };
                    rest = rest.get(done..).unwrap_or_default();
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// Frames from `at` on that nothing holds back; `at` follows them.
    fn at_once<'a>(&'a self, which: Which, at: &'a mut usize) -> impl Iterator<Item = &'a Frame> {
        std::iter::from_fn(move || {
            while let Some(frame) = self.frames.get(*at) {
                let number = *at;
                *at += 1;
                let waits = self.left.get(number).is_some_and(|left| *left > 0);
                if frame.len > 0 && !waits && which.has(number, frame) {
                    return Some(frame);
                }
            }
            None
        })
    }

    /// The first frame from number `from` on that waits for the limit `key`,
    /// and the interval of the limit.
    pub fn waiting(&self, key: PaceKey, from: usize) -> Option<(usize, Duration)> {
        let frames = self.frames.iter().zip(&self.left).enumerate().skip(from);
        let mut waiting = frames.filter(|(_, (_, left))| **left > 0);
        waiting.find_map(|(at, (frame, _))| {
            let pace = frame.pace.filter(|pace| pace.key == key)?;
            Some((at, pace.interval))
        })
    }

    /// Sends frame number `at` once.
    ///
    /// # Errors
    ///
    /// Why it could not be sent; it counts as sent all the same.
    pub fn send_one(&mut self, socket: &Announcer, at: usize) -> io::Result<()> {
        let (Some(frame), Some(left)) = (self.frames.get(at), self.left.get_mut(at)) else {
            return Ok(());
        };
        *left = left.saturating_sub(1);
        let bytes = frame.bytes.get(..frame.len).unwrap_or_default();
        sys::send_frames(socket.0.as_fd(), &[(frame.ifindex, bytes)]).map(drop)
    }

    /// Nothing is to be announced any more.
    pub fn cancel(&mut self) {
        self.left.fill(0);
    }

    /// How often the frame that waits for most still has to be sent.
    pub fn most_left(&self) -> u8 {
        self.left.iter().copied().max().unwrap_or(0)
    }
}

impl Which {
    fn has(self, at: usize, frame: &Frame) -> bool {
        match self {
            Self::All => true,
            Self::One(vip) => usize::from(vip) == at,
            Self::Elsewhere(ifindex) => frame.ifindex != ifindex,
        }
    }
}

fn frame(vip: Announced) -> Frame {
    let mut frame = Frame {
        ifindex: vip.ifindex,
        len: 0,
        bytes: [0; LONGEST],
        pace: vip.pace,
    };
    // A multicast group is where everybody is.
    if vip.mac == [0; 6] || vip.address.is_multicast() {
        return frame;
    }
    frame.len = match vip.address {
        IpAddr::V4(address) => {
            arp::gratuitous(&mut frame.bytes, vip.mac, address, GratuitousForm::Request)
        }
        IpAddr::V6(address) => ndisc::unsolicited_na(
            &mut frame.bytes,
            &Announcement {
                mac: vip.mac,
                source: address,
                vip: address,
                router: vip.router,
            },
        ),
    }
    .unwrap_or(0);
    frame
}
