//! The link between all of them: what becomes of a frame, and when.

use agent_common::{AdvertInterval, Priority};
use fastrand::Rng;

use crate::{
    probe::Datagram,
    schedule::Quality,
    time::{At, US},
};

/// Whose port of the switch a frame leaves or enters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Port {
    Router(usize),
    Host(usize),
    Attacker,
}

/// An advert as it is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advert {
    /// Last byte of the source address.
    pub host: u8,
    pub instance: usize,
    pub priority: Priority,
    pub interval: AdvertInterval,
    pub bend: Bend,
}

/// What somebody did to its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bend {
    Straight,
    /// It comes from behind a router. By unicast nobody looks.
    Ttl,
    Checksum,
    /// A version that is not the one configured, nor any.
    Version,
    Vrid,
    /// Its last byte is missing.
    Short,
    /// One bit, wherever it is.
    Flip(u16),
}

impl Bend {
    /// No parser may take it for an advert of the virtual router.
    pub const fn is_refused(self, unicast: bool) -> bool {
        match self {
            Self::Straight | Self::Flip(_) => false,
            Self::Ttl => !unicast,
            Self::Checksum | Self::Version | Self::Vrid | Self::Short => true,
        }
    }

    /// How far the VRID is off.
    pub const fn stray_vrid(self) -> u8 {
        match self {
            Self::Vrid => 7,
            Self::Straight
            | Self::Ttl
            | Self::Checksum
            | Self::Version
            | Self::Short
            | Self::Flip(_) => 0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    Advert(Advert),
    /// Tells that the VIP is at the router's MAC address.
    Garp {
        router: usize,
        instance: usize,
        vip: usize,
    },
    /// A probe of the heartbeat, or an answer to one.
    Probe(Datagram),
}

/// One direction between two ports.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Faults that block it just now.
    blocked: u32,
    /// Frames of a burst that are still to be lost.
    burst: u32,
}

#[derive(Debug)]
pub struct Network {
    routers: usize,
    ways: Vec<Way>,
    quality: Quality,
    /// Faults that make the weather just now.
    storms: u32,
    pub sent: u64,
    pub lost: u64,
}

impl Network {
    pub fn new(routers: usize) -> Self {
        Self {
            routers,
            ways: vec![Way::default(); routers * routers],
            quality: Quality::GOOD,
            storms: 0,
            sent: 0,
            lost: 0,
        }
    }

    pub fn block(&mut self, from: usize, to: usize, on: bool) {
        let way = &mut self.ways[from * self.routers + to];
        way.blocked = if on {
            way.blocked + 1
        } else {
            way.blocked.saturating_sub(1)
        };
    }

    /// Cuts a router off from all others, both ways, or mends it.
    pub fn isolate(&mut self, router: usize, on: bool) {
        for other in (0..self.routers).filter(|other| *other != router) {
            self.block(router, other, on);
            self.block(other, router, on);
        }
    }

    pub fn weather(&mut self, quality: Option<Quality>) {
        match quality {
            Some(quality) => {
                self.storms += 1;
                self.quality = quality;
            }
            None => {
                self.storms = self.storms.saturating_sub(1);
                if self.storms == 0 {
                    self.quality = Quality::GOOD;
                    self.ways.iter_mut().for_each(|way| way.burst = 0);
                }
            }
        }
    }

    /// Nothing gets from one router to another just now.
    pub fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.ways[from * self.routers + to].blocked > 0
    }

    /// No path is blocked and no frame is lost.
    pub fn is_good(&self) -> bool {
        self.storms == 0 && self.ways.iter().all(|way| way.blocked == 0)
    }

    /// The longest that a frame may take just now.
    pub fn longest(&self) -> u64 {
        self.quality.delay + self.quality.jitter
    }

    /// When a frame sent at `at` arrives: never, once, or twice.
    pub fn pass(&mut self, from: Port, to: Port, at: At, rng: &mut Rng) -> [Option<At>; 2] {
        self.sent += 1;
        let quality = self.quality;
        let blocked = match (from, to) {
            (Port::Router(from), Port::Router(to)) => {
                let way = &mut self.ways[from * self.routers + to];
                if way.burst > 0 {
                    way.burst -= 1;
                    true
                } else {
                    if quality.burst_every > 0 && rng.u32(0..quality.burst_every) == 0 {
                        way.burst = quality.burst_len;
                    }
                    way.blocked > 0
                }
            }
            _ => false,
        };
        if blocked || rng.u32(0..1000) < quality.loss {
            self.lost += 1;
            return [None, None];
        }
        let mut arrival = || at + 10 * US + quality.delay + rng.u64(0..=quality.jitter);
        let first = arrival();
        let again = arrival();
        let twice = rng.u32(0..1000) < quality.duplicates;
        [Some(first), twice.then_some(again)]
    }
}
