//! Routers with `fast_detect`, and what happens to that: drawn from numbers of
//! their own, so that schedules without it stay what they are.

use fastrand::Rng;

use super::{Fault, Kind, Schedule, pick};
use crate::time::{At, MS, SEC, US};

/// How a router asks and is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fast {
    /// Between two probes, in nanoseconds.
    pub interval: u64,
    pub multiplier: u8,
    /// In nanoseconds; in force is at least what others wait for an advert.
    pub lease: u64,
}

/// Another number than those which the rest is drawn with. With this one none of
/// the seeds that docs/PROOF.md names has a heartbeat: they are what they were.
const SALT: u64 = 0x6865_6172_7400_019C;

impl Schedule {
    /// One seed in five has it.
    pub(super) fn hearten(&mut self) {
        let mut rng = Rng::with_seed(self.seed ^ SALT);
        if rng.u32(0..5) != 0 {
            return;
        }
        let beat = self.beat();
        self.setting.heart = true;
        let common = fast(&mut rng, beat);
        let (differ, mixed) = (rng.u32(0..4) == 0, rng.u32(0..3) == 0);
        for router in &mut self.routers {
            let own = fast(&mut rng, beat);
            let lacks = mixed && rng.u32(0..3) == 0;
            let is_agent = router.kind == Kind::Agent;
            let fast = if differ { own } else { common };
            router.fast = (is_agent && !lacks).then_some(fast);
        }
        let mut more: Vec<(At, Fault)> = (0..rng.usize(1..=4))
            .map(|_| (beat * 5 + rng.u64(0..beat * 120), self.hearts(&mut rng)))
            .collect();
        self.faults.append(&mut more);
        self.faults.sort_by_key(|(at, _)| *at);
        self.heal_at = self.healed(beat);
    }

    /// What is about the heartbeat: hung agents, filtered adverts, forged
    /// probes, reloads.
    fn hearts(&self, rng: &mut Rng) -> Fault {
        let beat = self.beat();
        let router = rng.usize(0..self.routers.len());
        let span = match rng.bool() {
            true => beat * 3 + rng.u64(0..beat * 4),
            false => rng.u64(1..beat * 30),
        };
        match rng.u32(0..8) {
            0..=1 => Fault::Mute { router, span },
            2 => Fault::Pause { router, span },
            3 => Fault::PowerLoss { router, span },
            4 => Fault::Starve {
                router,
                span,
                late: rng.u64(1..beat * 3),
            },
            5 => Fault::Probes { span },
            _ => Fault::FastReload {
                router,
                on: rng.u32(0..3) != 0,
            },
        }
    }
}

/// Two to ten probes in an Advertisement_Interval: 1 to 50 ms where adverts are
/// frequent.
fn fast(rng: &mut Rng, beat: u64) -> Fast {
    let parts = *pick(rng, &[2, 3, 5, 10]);
    Fast {
        interval: (beat / parts).clamp(100 * US, SEC),
        multiplier: rng.u8(2..=5),
        lease: *pick(rng, &[10 * MS, 200 * MS, beat * 6, beat * 15]),
    }
}
