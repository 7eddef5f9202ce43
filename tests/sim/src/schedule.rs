//! What happens in one run, made from a seed: routers, their configuration,
//! and faults at their times. A schedule without some of its faults is a
//! schedule too, which is how a violation is made short.

mod fault;
mod heart;
mod setting;

use std::fmt;

use fastrand::Rng;

pub use self::{
    fault::{Attack, Fault},
    heart::Fast,
    setting::Setting,
};
use crate::time::{At, LocalClock, MS, SEC, US};

/// Instances that every router has; the second one is there to stay untouched
/// by what happens to the first.
pub const INSTANCES: usize = 2;
pub const VIPS: usize = 2;
pub const HOSTS: usize = 2;

/// How a simulated router behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The production core.
    Agent,
    /// The text of RFC 9568, and nothing else.
    Rfc9568,
    /// RFC 5798: discards lower priorities in silence, as many routers in the
    /// field do.
    Rfc5798,
    /// keepalived 2.2, as its users have it: no advert before it yields, and
    /// Backup for a moment when somebody takes a VIP.
    Keepalived,
}

#[derive(Clone, Debug)]
pub struct RouterSpec {
    pub kind: Kind,
    /// Last byte of its address: decides ties.
    pub host: u8,
    pub priority: [u8; INSTANCES],
    /// Centiseconds.
    pub interval_cs: u16,
    pub preempt: bool,
    pub preempt_delay_ms: u64,
    pub higher_prio_send_advert: bool,
    /// Announces its VIPs again and again.
    pub refreshes: bool,
    pub clock: LocalClock,
    pub starts_at: At,
    /// Records that its ring has room for.
    pub ring: usize,
    /// `fast_detect`.
    pub fast: Option<Fast>,
}

/// What a link does to frames.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quality {
    /// Frames lost of a thousand.
    pub loss: u32,
    /// In the bad state of a bursty link; entered once in `burst_every` frames.
    pub burst_every: u32,
    pub burst_len: u32,
    pub delay: u64,
    pub jitter: u64,
    /// Frames of a thousand that come twice.
    pub duplicates: u32,
}

impl Quality {
    pub const GOOD: Self = Self {
        loss: 0,
        burst_every: 0,
        burst_len: 0,
        delay: 40 * US,
        jitter: 40 * US,
        duplicates: 0,
    };
}

#[derive(Clone, Debug)]
pub struct Schedule {
    pub seed: u64,
    pub setting: Setting,
    pub routers: Vec<RouterSpec>,
    pub faults: Vec<(At, Fault)>,
    /// From here on all is well.
    pub heal_at: At,
}

impl Schedule {
    /// v3 over IPv4 by multicast, without trackers and groups: the rows of
    /// earlier figures.
    pub fn plain(seed: u64, routers: Option<usize>) -> Self {
        Self::drawn(seed, routers, None)
    }

    /// `interval`: one for all, in centiseconds, or as the seed says.
    fn drawn(seed: u64, routers: Option<usize>, interval: Option<u16>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let count = routers.unwrap_or_else(|| rng.usize(2..=5));
        let drawn = *pick(&mut rng, &[1, 1, 10, 10, 100]);
        let interval_cs = interval.unwrap_or(drawn);
        let mixed = rng.u32(0..10) == 0 && interval.is_none();
        let preempt = rng.u32(0..4) != 0;
        let equals = rng.u32(0..4) == 0;
        let all_agents = rng.u32(0..3) != 0;
        let all_refresh = rng.bool();
        let all_tell = rng.u32(0..3) != 0;
        let owner = rng.u32(0..12) == 0;
        let beat = u64::from(interval_cs) * 10 * MS;
        let mut specs = Vec::new();
        for index in 0..count {
            let kind = match (all_agents || index == 0, rng.bool()) {
                (true, _) => Kind::Agent,
                (false, true) => Kind::Rfc9568,
                (false, false) => Kind::Rfc5798,
            };
            let base = 50 + 40 * u8::try_from(index).unwrap_or(0);
            let priority = match (owner && index == 0, equals) {
                (true, _) => [255, 50],
                (false, true) => [100, 100],
                (false, false) => [base + rng.u8(0..20), 250 - base + rng.u8(0..20)],
            };
            specs.push(RouterSpec {
                kind,
                host: rng.u8(1..=50) * 5 + u8::try_from(index).unwrap_or(0) % 5,
                priority,
                interval_cs: match mixed {
                    true => *pick(&mut rng, &[interval_cs, interval_cs * 2]),
                    false => interval_cs,
                },
                preempt,
                preempt_delay_ms: match rng.u32(0..6) {
                    0 => rng.u64(1..20) * beat / MS,
                    _ => 0,
                },
                higher_prio_send_advert: all_tell || rng.bool(),
                refreshes: all_refresh,
                clock: LocalClock {
                    offset: rng.u64(0..400 * 86_400) * SEC + rng.u64(0..SEC),
                    ppm: rng.i32(-100..=100),
                },
                starts_at: rng.u64(0..beat * 4),
                ring: *pick(&mut rng, &[4, 64, 4096]),
                fast: None,
            });
        }
        let length = beat * 120;
        let mut faults: Vec<(At, Fault)> = (0..rng.usize(4..=16))
            .map(|_| {
                let at = beat * 5 + rng.u64(0..length);
                (at, fault::fault(&mut rng, count, beat))
            })
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        let mut schedule = Self {
            seed,
            setting: Setting::PLAIN,
            routers: specs,
            heal_at: 0,
            faults,
        };
        schedule.heal_at = schedule.healed(beat);
        schedule
    }

    fn healed(&self, beat: u64) -> At {
        let ends = self.faults.iter().map(|(at, fault)| at + fault.span());
        ends.max().unwrap_or(0) + beat
    }

    /// The same with only those faults whose numbers are in `keep`.
    pub fn only(&self, keep: &[usize]) -> Self {
        let faults = self.faults.iter().enumerate();
        let faults = faults.filter(|(index, _)| keep.contains(index));
        Self {
            faults: faults.map(|(_, fault)| fault.clone()).collect(),
            ..self.clone()
        }
    }

    /// Announcements can be lost, or forged adverts change who serves without
    /// anybody else knowing.
    pub fn loses_announcements(&self) -> bool {
        self.faults.iter().any(|(_, fault)| match fault {
            Fault::Weather { .. }
            | Fault::Attack { .. }
            | Fault::OneWay { .. }
            | Fault::Mute { .. } => true,
            Fault::Pause { .. }
            | Fault::Freeze { .. }
            | Fault::Starve { .. }
            | Fault::Crash { .. }
            | Fault::CrashDirty { .. }
            | Fault::PowerLoss { .. }
            | Fault::Restart { .. }
            | Fault::LinkDown { .. }
            | Fault::Island { .. }
            | Fault::Removed { .. }
            | Fault::Overrun { .. }
            | Fault::Refusal { .. }
            | Fault::Reconfigure { .. }
            | Fault::Reload { .. }
            | Fault::Tracked { .. }
            | Fault::Rollout { .. }
            | Fault::Probes { .. }
            | Fault::FastReload { .. }
            | Fault::ClockStep { .. } => false,
        })
    }

    /// The shortest Advertisement_Interval in nanoseconds.
    pub fn beat(&self) -> u64 {
        let shortest = self.routers.iter().map(|router| router.interval_cs).min();
        u64::from(shortest.unwrap_or(1)) * 10 * MS
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:?}", self.setting)?;
        for (index, router) in self.routers.iter().enumerate() {
            writeln!(f, "  router {index}: {router:?}")?;
        }
        for (at, fault) in &self.faults {
            let millis = at / MS;
            writeln!(f, "  {millis:>7} ms  {fault:?}")?;
        }
        write!(f, "  {:>7} ms  healed", self.heal_at / MS)
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(0..from.len())]
}
