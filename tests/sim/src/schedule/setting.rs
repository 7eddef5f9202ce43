//! What all routers of a schedule have in common, and the faults that come with
//! it: drawn from numbers of their own, so that a plain schedule of the same
//! seed stays what it is.

use agent_common::{Family, Version};
use fastrand::Rng;

use super::{Attack, Fault, INSTANCES, Kind, RouterSpec, Schedule, pick};
use crate::time::{At, MS};

/// Routers that a schedule may have.
pub const MOST_ROUTERS: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    pub version: Version,
    /// Of each instance.
    pub family: [Family; INSTANCES],
    /// The two instances of an agent are a sync group.
    pub grouped: bool,
    /// Frames of a virtual router come from its virtual MAC address: hosts have
    /// that, and the switch learns where it is.
    pub virtual_mac: bool,
    /// The kernel side knows the address of its own adverts. Where it does not
    /// yet, the core has to.
    pub knows_own: bool,
    /// Adverts go to each peer, and are taken from peers only.
    pub unicast: bool,
    /// With `unicast`, last bytes of the addresses of all routers; 0 for none.
    pub peers: [u8; MOST_ROUTERS],
    /// Some of the agents have `fast_detect`.
    pub heart: bool,
}

impl Setting {
    pub const PLAIN: Self = Self {
        version: Version::V3,
        family: [Family::V4; INSTANCES],
        grouped: false,
        virtual_mac: false,
        knows_own: false,
        unicast: false,
        peers: [0; MOST_ROUTERS],
        heart: false,
    };
}

/// Another number than that which the rest is drawn with.
const SALT: u64 = 0x7365_7474_696E_6773;

impl Schedule {
    /// `routers`: how many, or as the seed says. One in five is plain, one in
    /// five has the heartbeat.
    pub fn generate(seed: u64, routers: Option<usize>) -> Self {
        let mut schedule = Self::without_heart(seed, routers);
        schedule.hearten();
        schedule
    }

    fn without_heart(seed: u64, routers: Option<usize>) -> Self {
        let mut rng = Rng::with_seed(seed ^ SALT);
        if rng.u32(0..5) == 0 {
            return Self::plain(seed, routers);
        }
        let old = rng.u32(0..3) == 0;
        // Whole seconds, of which 1 s hides what scales with them.
        let interval = old.then(|| *pick(&mut rng, &[100, 200, 300]));
        let mut schedule = Self::drawn(seed, routers, interval);
        let (v4, v6) = (Family::V4, Family::V6);
        let setting = Setting {
            version: if old { Version::V2 } else { Version::V3 },
            family: match (old, rng.u32(0..4)) {
                (true, _) | (false, 0 | 1) => [v4, v4],
                (false, 2) => [v4, v6],
                (false, _) => [v6, v6],
            },
            grouped: rng.u32(0..4) == 0,
            virtual_mac: rng.u32(0..3) == 0,
            knows_own: rng.bool(),
            unicast: rng.u32(0..4) == 0,
            peers: [0; MOST_ROUTERS],
            heart: false,
        };
        schedule.set(setting);
        schedule.mix(&mut rng);
        schedule.trouble(&mut rng);
        schedule
    }

    fn set(&mut self, setting: Setting) {
        let unicast = setting.unicast;
        self.setting = setting;
        if unicast {
            let peers = self.setting.peers.iter_mut().zip(&self.routers);
            peers.for_each(|(peer, router)| *peer = router.host);
        }
    }

    /// Some peers are like keepalived, and groups mostly agree on who is best.
    fn mix(&mut self, rng: &mut Rng) {
        let agree = self.setting.grouped && rng.u32(0..3) != 0;
        for RouterSpec { kind, priority, .. } in &mut self.routers {
            if *kind != Kind::Agent && rng.bool() {
                *kind = Kind::Keepalived;
            }
            if agree {
                *priority = [priority[0]; INSTANCES];
            }
        }
    }

    fn trouble(&mut self, rng: &mut Rng) {
        let beat = self.beat();
        let mut more: Vec<(At, Fault)> = (0..rng.usize(0..=6))
            .map(|_| (beat * 5 + rng.u64(0..beat * 120), self.another(rng)))
            .collect();
        if rng.u32(0..6) == 0 {
            let fault = self.rollout(rng);
            more.push((beat * 5 + rng.u64(0..beat * 120), fault));
        }
        self.faults.append(&mut more);
        self.faults.sort_by_key(|(at, _)| *at);
        self.heal_at = self.healed(beat);
    }

    /// One interval for all, as an operator would have it.
    fn rollout(&self, rng: &mut Rng) -> Fault {
        let interval_cs = self.routers[0].interval_cs;
        let others = match interval_cs {
            0..100 => [interval_cs * 2, interval_cs * 3],
            _ => [100, 300],
        };
        Fault::Rollout {
            interval_cs: *pick(rng, &others),
            span: rng.u64(MS..self.beat() * 4),
        }
    }

    fn another(&self, rng: &mut Rng) -> Fault {
        let beat = self.beat();
        let router = rng.usize(0..self.routers.len());
        let instance = rng.usize(0..INSTANCES);
        let span = match rng.bool() {
            true => rng.u64(1..beat * 4),
            false => rng.u64(1..beat * 20),
        };
        let flavours = [
            Attack::Owner,
            Attack::Poison,
            Attack::Replay,
            Attack::Garbage,
            Attack::Flood,
        ];
        match rng.u32(0..8) {
            0..=2 => Fault::Tracked {
                router,
                instance,
                priority: Some(rng.u8(1..=254)),
                span,
            },
            3..=4 => Fault::Tracked {
                router,
                instance,
                priority: None,
                span,
            },
            5 => Fault::Reconfigure {
                router,
                priority: *pick(rng, &[255, 254, 1]),
            },
            _ => Fault::Attack {
                span,
                flavour: *pick(rng, &flavours),
            },
        }
    }
}
