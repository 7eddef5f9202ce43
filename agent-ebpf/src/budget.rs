//! A budget against floods: only what exceeds it is dropped, and counted.
//!
//! Token buckets per slot and CPU. Adverts of the router that an instance
//! watches have no budget at all, so no flood of others can starve them. Those
//! at or above our own priority have a bucket apart from lower ones: whoever
//! floods with low adverts cannot hide a new Active from us.

use agent_common::record::NO_SLOT;

use crate::maps::BUDGET;

/// Configured instances: adverts of other routers per second and CPU.
const OTHERS_PER_SECOND: u64 = 1_000;
const OTHERS_BURST: u64 = 500;

/// Slot 0: unknown and refused adverts together, per second and CPU.
const REFUSED_PER_SECOND: u64 = 10_000;
const REFUSED_BURST: u64 = 10_000;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Wake-ups by a watched router that keeps changing what it says.
const WAKES_PER_SECOND: u64 = 1_000;
const WAKES_BURST: u64 = 100;

/// Time is the currency: a frame costs the nanoseconds that its share of a
/// second lasts. So the level needs no division and never rounds to nothing.
/// Each field is the CLOCK_MONOTONIC nanosecond up to which all is spent.
#[repr(C)]
pub struct Buckets {
    lower: u64,
    higher: u64,
    wakes: u64,
}

/// What is paid for.
#[derive(Clone, Copy)]
pub enum Item {
    /// A frame of slot 0, or an advert below our own priority.
    Lower,
    /// An advert at or above our own priority.
    Higher,
    /// A wake-up of the agent.
    Wake,
}

/// Takes one item's worth from a bucket of a slot; false when it is empty.
#[inline(always)]
pub fn take(slot: u32, item: Item, now_ns: u64) -> bool {
    let (price, burst) = match item {
        Item::Wake => (NS_PER_SECOND / WAKES_PER_SECOND, WAKES_BURST),
        _ if slot == NO_SLOT => (NS_PER_SECOND / REFUSED_PER_SECOND, REFUSED_BURST),
        Item::Lower | Item::Higher => (NS_PER_SECOND / OTHERS_PER_SECOND, OTHERS_BURST),
    };
    let Some(buckets) = BUDGET.get_ptr_mut(slot) else {
        return true;
    };
    // SAFETY: a value of a per-CPU map, ours alone while this program runs.
    let buckets = unsafe { &mut *buckets };
    let spent_until_ns = match item {
        Item::Lower => &mut buckets.lower,
        Item::Higher => &mut buckets.higher,
        Item::Wake => &mut buckets.wakes,
    };
    let full = now_ns.saturating_sub(price * burst);
    let from = (*spent_until_ns).max(full);
    let until = from.wrapping_add(price);
    if until > now_ns {
        return false;
    }
    *spent_until_ns = until;
    true
}
