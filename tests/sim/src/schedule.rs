//! What happens in one run, made from a seed: routers, their configuration,
//! and faults at their times. A schedule without some of its faults is a
//! schedule too, which is how a violation is made short.

use std::fmt;

use fastrand::Rng;

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

#[derive(Clone, PartialEq, Debug)]
pub enum Fault {
    /// SIGSTOP, or all CPUs taken: the kernel goes on.
    Pause {
        router: usize,
        span: u64,
    },
    /// The machine with its network: a snapshot, a migration.
    Freeze {
        router: usize,
        span: u64,
    },
    /// Every wake-up is late by up to this.
    Starve {
        router: usize,
        span: u64,
        late: u64,
    },
    /// The agent is killed; its supervisor cleans up and starts it again.
    Crash {
        router: usize,
        span: u64,
    },
    /// Supervisor and agent are killed together: VIPs stay until the restart.
    CrashDirty {
        router: usize,
        span: u64,
    },
    PowerLoss {
        router: usize,
        span: u64,
    },
    /// Stopped in good order, and started again.
    Restart {
        router: usize,
        span: u64,
    },
    LinkDown {
        router: usize,
        span: u64,
    },
    /// No frame from one to the other, and nobody is told.
    OneWay {
        from: usize,
        to: usize,
        span: u64,
    },
    /// Cut off from all others, and nobody is told.
    Island {
        router: usize,
        span: u64,
    },
    Weather {
        quality: Quality,
        span: u64,
    },
    /// Somebody removes a VIP by hand.
    Removed {
        router: usize,
        vip: usize,
    },
    /// Somebody removes it, and the kernel's word of it is lost.
    Overrun {
        router: usize,
        vip: usize,
    },
    /// The kernel refuses addresses for a while.
    Refusal {
        router: usize,
        span: u64,
    },
    /// Configured anew with another priority.
    Reconfigure {
        router: usize,
        priority: u8,
    },
    /// Configured anew with the same.
    Reload {
        router: usize,
    },
    /// Forged adverts from somebody on the link.
    Attack {
        span: u64,
        flavour: Attack,
    },
    /// The wall clock of a router jumps: nothing may come of it.
    ClockStep {
        router: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    Release,
    Lower,
    Higher,
    Reflect,
}

impl Fault {
    /// How long it lasts.
    pub fn span(&self) -> u64 {
        match self {
            Self::Pause { span, .. }
            | Self::Freeze { span, .. }
            | Self::Starve { span, .. }
            | Self::Crash { span, .. }
            | Self::CrashDirty { span, .. }
            | Self::PowerLoss { span, .. }
            | Self::Restart { span, .. }
            | Self::LinkDown { span, .. }
            | Self::OneWay { span, .. }
            | Self::Island { span, .. }
            | Self::Weather { span, .. }
            | Self::Refusal { span, .. }
            | Self::Attack { span, .. } => *span,
            Self::Removed { .. }
            | Self::Overrun { .. }
            | Self::Reconfigure { .. }
            | Self::Reload { .. }
            | Self::ClockStep { .. } => 0,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Freeze { .. } => "freeze",
            Self::Starve { .. } => "starve",
            Self::Crash { .. } => "crash",
            Self::CrashDirty { .. } => "dirty crash",
            Self::PowerLoss { .. } => "power loss",
            Self::Restart { .. } => "restart",
            Self::LinkDown { .. } => "link down",
            Self::OneWay { .. } => "one-way partition",
            Self::Island { .. } => "partition",
            Self::Weather { .. } => "bad link",
            Self::Removed { .. } => "VIP removed",
            Self::Overrun { .. } => "netlink overrun",
            Self::Refusal { .. } => "addresses refused",
            Self::Reconfigure { .. } => "reconfigured",
            Self::Reload { .. } => "reloaded",
            Self::Attack { .. } => "attack",
            Self::ClockStep { .. } => "clock step",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Schedule {
    pub seed: u64,
    pub routers: Vec<RouterSpec>,
    pub faults: Vec<(At, Fault)>,
    /// From here on all is well.
    pub heal_at: At,
}

impl Schedule {
    /// `routers`: how many, or as the seed says.
    pub fn generate(seed: u64, routers: Option<usize>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let count = routers.unwrap_or_else(|| rng.usize(2..=5));
        let interval_cs = *pick(&mut rng, &[1, 1, 10, 10, 100]);
        let mixed = rng.u32(0..10) == 0;
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
            });
        }
        let length = beat * 120;
        let mut faults: Vec<(At, Fault)> = (0..rng.usize(4..=16))
            .map(|_| {
                let at = beat * 5 + rng.u64(0..length);
                (at, fault(&mut rng, count, beat))
            })
            .collect();
        faults.sort_by_key(|(at, _)| *at);
        let last = faults.iter().map(|(at, fault)| at + fault.span()).max();
        Self {
            seed,
            routers: specs,
            heal_at: last.unwrap_or(0) + beat,
            faults,
        }
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
            Fault::Weather { .. } | Fault::Attack { .. } | Fault::OneWay { .. } => true,
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

fn fault(rng: &mut Rng, routers: usize, beat: u64) -> Fault {
    let router = rng.usize(0..routers);
    let vip = rng.usize(0..VIPS);
    // Around the time-out as well as far beyond it.
    let span = match rng.u32(0..4) {
        0 => rng.u64(1..beat),
        1 => beat * 3 + rng.u64(0..beat),
        _ => rng.u64(1..beat * 20),
    };
    match rng.u32(0..26) {
        0..=2 => Fault::Pause { router, span },
        3..=4 => Fault::Freeze { router, span },
        5..=6 => Fault::Starve {
            router,
            span,
            late: rng.u64(1..beat * 2),
        },
        7..=8 => Fault::Crash { router, span },
        9 => Fault::CrashDirty { router, span },
        10 => Fault::PowerLoss { router, span },
        11..=12 => Fault::Restart { router, span },
        13..=14 => Fault::LinkDown { router, span },
        15 => Fault::OneWay {
            from: router,
            to: (router + 1 + rng.usize(0..routers - 1)) % routers,
            span,
        },
        16 => Fault::Island { router, span },
        17..=19 => Fault::Weather {
            quality: Quality {
                loss: rng.u32(0..400),
                burst_every: *pick(rng, &[0, 10, 50]),
                burst_len: rng.u32(1..10),
                delay: rng.u64(0..beat / 4),
                jitter: rng.u64(1..beat),
                duplicates: rng.u32(0..200),
            },
            span,
        },
        20 => Fault::Removed { router, vip },
        21 => Fault::Overrun { router, vip },
        22 => Fault::Refusal { router, span },
        23 => match rng.bool() {
            true => Fault::Reload { router },
            false => Fault::ClockStep { router },
        },
        24 => Fault::Reconfigure {
            router,
            priority: rng.u8(1..=254),
        },
        _ => Fault::Attack {
            span,
            flavour: *pick(
                rng,
                &[
                    Attack::Release,
                    Attack::Lower,
                    Attack::Higher,
                    Attack::Reflect,
                ],
            ),
        },
    }
}
