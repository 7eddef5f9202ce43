//! A budget against floods: only what exceeds it is dropped, and counted.
//!
//! A token bucket per slot and CPU. Adverts of the router that an instance
//! watches have no budget at all, so no flood of others can starve them.

use agent_common::record::NO_SLOT;

use crate::maps::BUDGET;

/// Configured instances: adverts of other routers per second and CPU.
const OTHERS_PER_SECOND: u64 = 1_000;
const OTHERS_BURST: u64 = 500;

/// Slot 0: unknown and refused adverts together, per second and CPU.
const REFUSED_PER_SECOND: u64 = 10_000;
const REFUSED_BURST: u64 = 10_000;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Time is the currency: a frame costs the nanoseconds that its share of a
/// second lasts. So the level needs no division and never rounds to nothing.
#[repr(C)]
pub struct Bucket {
    /// CLOCK_MONOTONIC nanoseconds up to which everything is spent.
    spent_until_ns: u64,
}

/// Takes one frame's worth from the bucket of a slot; false when it is empty.
#[inline(always)]
pub fn take(slot: u32, now_ns: u64) -> bool {
    let (price, burst) = if slot == NO_SLOT {
        (NS_PER_SECOND / REFUSED_PER_SECOND, REFUSED_BURST)
    } else {
        (NS_PER_SECOND / OTHERS_PER_SECOND, OTHERS_BURST)
    };
    let Some(bucket) = BUDGET.get_ptr_mut(slot) else {
        return true;
    };
    // SAFETY: a value of a per-CPU map, ours alone while this program runs.
    let bucket = unsafe { &mut *bucket };
    let full = now_ns.saturating_sub(price * burst);
    let from = bucket.spent_until_ns.max(full);
    let until = from.wrapping_add(price);
    if until > now_ns {
        return false;
    }
    bucket.spent_until_ns = until;
    true
}
