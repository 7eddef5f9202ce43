//! What can happen to routers and the link.

use fastrand::Rng;

use super::{Quality, VIPS, pick};

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
    /// A tracker gives an instance another priority, or with `None` keeps it
    /// from taking part.
    Tracked {
        router: usize,
        instance: usize,
        priority: Option<u8>,
        span: u64,
    },
    /// Every router is given another Advertisement_Interval, one after the other.
    Rollout {
        interval_cs: u16,
        span: u64,
    },
    /// Nobody hears its adverts, as with a filter; all else passes.
    Mute {
        router: usize,
        span: u64,
    },
    /// Somebody on the link forges probes and answers.
    Probes {
        span: u64,
    },
    /// `fast_detect` comes or goes with a reload.
    FastReload {
        router: usize,
        on: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    Release,
    Lower,
    Higher,
    Reflect,
    /// Priority 255.
    Owner,
    /// The longest interval that can be said, so that nobody takes over.
    Poison,
    /// Adverts that were on the link before, once more.
    Replay,
    /// Adverts that no parser may accept.
    Garbage,
    /// Of all kinds, many in an interval.
    Flood,
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
            | Self::Tracked { span, .. }
            | Self::Rollout { span, .. }
            | Self::Mute { span, .. }
            | Self::Probes { span }
            | Self::Attack { span, .. } => *span,
            Self::Removed { .. }
            | Self::Overrun { .. }
            | Self::Reconfigure { .. }
            | Self::Reload { .. }
            | Self::FastReload { .. }
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
            Self::Tracked {
                priority: Some(_), ..
            } => "tracked priority",
            Self::Tracked { priority: None, .. } => "tracker fails",
            Self::Rollout { .. } => "other interval",
            Self::Mute { .. } => "adverts filtered",
            Self::Probes { .. } => "forged probes",
            Self::FastReload { .. } => "fast_detect reloaded",
        }
    }
}

/// One of those that every schedule may have.
pub(super) fn fault(rng: &mut Rng, routers: usize, beat: u64) -> Fault {
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
