//! The names of the invariants, and one that did not hold.

use crate::time::At;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    UniqueActive,
    RightActive,
    DualOverlap,
    SpuriousPromotion,
    SpuriousDemotion,
    DiscardPurity,
    TimerExactness,
    Panic,
    AdvertLegality,
    AdvertLiveness,
    Storm,
    Coupling,
    SingleAnswerer,
    AnnounceOrder,
    AnnounceCompleteness,
    HostConvergence,
    Owner,
    FailOverTime,
    NonPreemptStability,
    Isolation,
    Group,
    Resume,
    ReloadIdempotence,
    Once,
    Counters,
    NetlinkConvergence,
    Determinism,
    ReleaseOrder,
    Liveness,
}

impl Rule {
    pub const ALL: [Self; 29] = [
        Self::UniqueActive,
        Self::RightActive,
        Self::DualOverlap,
        Self::SpuriousPromotion,
        Self::SpuriousDemotion,
        Self::DiscardPurity,
        Self::TimerExactness,
        Self::Panic,
        Self::AdvertLegality,
        Self::AdvertLiveness,
        Self::Storm,
        Self::Coupling,
        Self::SingleAnswerer,
        Self::AnnounceOrder,
        Self::AnnounceCompleteness,
        Self::HostConvergence,
        Self::Owner,
        Self::FailOverTime,
        Self::NonPreemptStability,
        Self::Isolation,
        Self::Group,
        Self::Resume,
        Self::ReloadIdempotence,
        Self::Once,
        Self::Counters,
        Self::NetlinkConvergence,
        Self::Determinism,
        Self::ReleaseOrder,
        Self::Liveness,
    ];

    /// Its number in FAILURES.md 8.3, and its name.
    pub const fn title(self) -> (u8, &'static str) {
        match self {
            Self::UniqueActive => (1, "unique Active after stability"),
            Self::RightActive => (2, "right Active"),
            Self::DualOverlap => (3, "dual overlap bound"),
            Self::SpuriousPromotion => (4, "no spurious promotion"),
            Self::SpuriousDemotion => (5, "no spurious demotion"),
            Self::DiscardPurity => (6, "discard purity"),
            Self::TimerExactness => (7, "timer exactness"),
            Self::Panic => (8, "timer ownership (no panic)"),
            Self::AdvertLegality => (9, "advert legality"),
            Self::AdvertLiveness => (10, "advert liveness"),
            Self::Storm => (11, "no storm"),
            Self::Coupling => (12, "VIP coupling"),
            Self::SingleAnswerer => (13, "single answerer"),
            Self::AnnounceOrder => (14, "announce order"),
            Self::AnnounceCompleteness => (15, "announce completeness"),
            Self::HostConvergence => (16, "host convergence"),
            Self::Owner => (17, "owner"),
            Self::FailOverTime => (18, "fail-over time"),
            Self::NonPreemptStability => (19, "non-preempt stability"),
            Self::Isolation => (20, "isolation"),
            Self::Group => (20, "a sync group is in one state"),
            Self::Resume => (22, "resume rule"),
            Self::ReloadIdempotence => (23, "reload idempotence"),
            Self::Once => (24, "each advert counts once"),
            Self::Counters => (25, "bounded resources (counters add up)"),
            Self::NetlinkConvergence => (26, "netlink convergence"),
            Self::Determinism => (27, "determinism"),
            Self::ReleaseOrder => (29, "release on exit"),
            Self::Liveness => (30, "liveness after faults cease"),
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    pub rule: Rule,
    pub at: At,
    pub router: Option<usize>,
    pub what: String,
}
