//! The first refusal of each kind is logged, then one in ten seconds.

use agent_common::{Family, Outcome, record::WireAddress};
use aya_log_ebpf::warn;

use crate::{hook::Hook, maps::LOGGED};

const QUIET_NS: u64 = 10_000_000_000;

/// What is known of an advert that was refused.
pub struct Refused {
    pub why: Outcome,
    /// `None` where the headers could not be read.
    pub source: Option<(Family, WireAddress)>,
    /// 0 where the message could not be read.
    pub vrid: u8,
    pub ifindex: u32,
}

/// The user side replaces the number behind `outcome` by its name: a table of
/// strings would need relocations in data, which the loader does not do.
#[inline(always)]
pub fn refused<H: Hook>(hook: &H, refused: &Refused, now_ns: u64) {
    let Some(last) = LOGGED.get_ptr_mut(refused.why.index()) else {
        return;
    };
    // SAFETY: a value of an array map. Two CPUs may both log once: harmless.
    unsafe {
        let before = last.read_volatile();
        if before != 0 && now_ns.wrapping_sub(before) < QUIET_NS {
            return;
        }
        last.write_volatile(now_ns);
    }
    let (outcome, vrid, ifindex) = (refused.why.index(), refused.vrid, refused.ifindex);
    match refused.source {
        Some((Family::V4, [a, b, c, d, ..])) => warn!(
            hook,
            "advert refused: outcome {} from {:i} vrid {} ifindex {}",
            outcome,
            [a, b, c, d],
            vrid,
            ifindex
        ),
        Some((Family::V6, source)) => warn!(
            hook,
            "advert refused: outcome {} from {:i} vrid {} ifindex {}",
            outcome,
            source,
            vrid,
            ifindex
        ),
        None => warn!(
            hook,
            "advert refused: outcome {} ifindex {}", outcome, ifindex
        ),
    }
}
