//! Handing an accepted advert to the agent: LATEST, and the ring of events.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use agent_common::{
    Priority,
    record::{AdvertRecord, LatestSlot},
    wire::frame::same_address,
};
use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};

use crate::maps::{EVENTS, EVENTS_BYTES, LATEST};

const NS_PER_CENTISECOND: u64 = 10_000_000;
/// An advert after a gap of more intervals than this is news.
const STEADY_INTERVALS: u64 = 4;

/// Makes `advert` the newest of its slot, and says whether it is steady: from
/// the same router as the one before, in time, and saying the same.
///
/// Another CPU writing the same slot just now wins: its advert is as new as
/// this one, and this one still goes into the ring, as unsteady.
#[inline(always)]
pub fn latest(advert: &AdvertRecord) -> bool {
    let Some(slot) = LATEST.get_ptr_mut(advert.slot) else {
        return false;
    };
    // SAFETY: a value of an array map lives as long as the program.
    let (sequence, record) = unsafe { (&raw mut (*slot).sequence, &raw mut (*slot).advert) };
    // SAFETY: aligned, and read at once.
    let even = unsafe { sequence.read_volatile() };
    if even & 1 != 0 || !exchange(sequence, even, even.wrapping_add(1)) {
        return false;
    }
    // SAFETY: the odd sequence makes this CPU the only writer.
    let steady = unsafe {
        let steady = is_steady(&*record, advert);
        write(record, advert);
        steady
    };
    exchange(sequence, even.wrapping_add(1), even.wrapping_add(2));
    steady
}

/// Compare and exchange, which the kernel orders against every access before
/// and after. The target has the instruction (BPF v3, Linux 5.12) but not the
/// methods of `AtomicU64`, because BPF v1 lacks it.
#[inline(always)]
fn exchange(at: *mut u64, old: u64, new: u64) -> bool {
    const ORDER: AtomicOrdering = AtomicOrdering::SeqCst;
    // SAFETY: aligned and valid for as long as the program, see `latest`.
    unsafe { atomic_cxchg::<u64, ORDER, ORDER>(at, old, new).1 }
}

/// Word by word, so that no call to `memcpy` comes of it.
#[inline(always)]
unsafe fn write(to: *mut AdvertRecord, from: &AdvertRecord) {
    const WORDS: usize = size_of::<AdvertRecord>() / 8;
    const { assert!(WORDS * 8 == size_of::<AdvertRecord>() && align_of::<AdvertRecord>() == 8) };
    let (to, from) = (to.cast::<u64>(), core::ptr::from_ref(from).cast::<u64>());
    for word in 0..WORDS {
        // SAFETY: both are whole records, aligned to eight, and the caller
        // owns `to`.
        unsafe { to.add(word).write_volatile(from.add(word).read()) }
    }
}

#[inline(always)]
fn is_steady(before: &AdvertRecord, advert: &AdvertRecord) -> bool {
    let gap = advert.stamp_ns.saturating_sub(before.stamp_ns);
    let allowed = before.interval_cs as u64 * NS_PER_CENTISECOND * STEADY_INTERVALS;
    same_address(&before.source, &advert.source)
        && advert.priority != Priority::RELEASE.get()
        && before.priority == advert.priority
        && before.interval_cs == advert.interval_cs
        && before.addresses_digest == advert.addresses_digest
        && gap <= allowed
}

/// Puts `advert` into the ring; false when there is no room.
///
/// Adverts that need no wake-up may fill half of it only, so that one that
/// does finds room however long the agent has slept.
#[inline(always)]
pub fn event(advert: &AdvertRecord, wake: bool) -> bool {
    if !wake && EVENTS.query(BPF_RB_AVAIL_DATA as u64) > EVENTS_BYTES as u64 / 2 {
        return false;
    }
    let Some(mut entry) = EVENTS.reserve::<AdvertRecord>(0) else {
        return false;
    };
    // SAFETY: reserved with the size of a record, and ours until submitted.
    unsafe { write(entry.as_mut_ptr(), advert) }
    let flags = if wake {
        BPF_RB_FORCE_WAKEUP
    } else {
        BPF_RB_NO_WAKEUP
    };
    entry.submit(flags as u64);
    true
}

const _: () = assert!(size_of::<LatestSlot>() == 48);
