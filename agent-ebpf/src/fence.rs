//! The fence: a machine whose agent hangs still has the VIPs, and its kernel
//! would go on answering for them beside the router that took over.
//!
//! Nothing is decided here. The agent says until when it serves; when that has
//! passed and it has not taken it back, nobody asks this machine for a VIP.
//! Packets to a VIP pass until another router is heard: without one, hosts that
//! know us are served better than not at all.

use agent_common::{
    Priority,
    record::{AdvertRecord, FenceCounters},
    wire::approach::{Approach, approach},
};

use crate::{
    arrival,
    hook::Hook,
    maps::{FENCE, FENCED, LEASES, OTHER_SERVES, SCRATCH, now_ns},
};

const NS_PER_CENTISECOND: u64 = 10_000_000;
/// A router that has not been heard for so many of its intervals does not
/// serve: Active_Down_Interval is less (RFC 9568 6.1).
const SERVING_INTERVALS: u64 = 4;

/// True when the frame must not reach the stack. `question` is what a cheap
/// look at it said.
#[inline(always)]
pub fn fenced<H: Hook>(hook: &H, question: bool) -> bool {
    let awaited = arrival::is_awaited();
    if !question && !awaited && !other_serves() {
        return false;
    }
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    if !hook.fill_head(scratch) {
        return false;
    }
    // SAFETY: a value of a per-CPU map, filled just now and ours alone.
    let frame = unsafe { &*scratch };
    let Some((key, approach)) = approach(frame, hook.link()) else {
        return false;
    };
    // SAFETY: as for INSTANCES in `receive`: at worst a slot just replaced.
    let Some(&slot) = (unsafe { FENCE.get(key) }) else {
        return false;
    };
    if awaited && approach == Approach::Packet {
        arrival::note(slot, frame);
    }
    let Some(at) = LEASES.get(slot) else {
        return false;
    };
    // SAFETY: aligned words that the agent may overwrite meanwhile.
    let lease = unsafe { (&raw const *at).read_volatile() };
    let now = now_ns();
    if !lease.has_run_out(now) {
        return false;
    }
    match approach {
        Approach::Question => count(slot, |counters| &mut counters.questions),
        Approach::Packet if lease.other_until_ns <= now => return false,
        Approach::Packet => count(slot, |counters| &mut counters.packets),
    }
    true
}

/// Takes note of an advert that the agent may be too late for.
#[inline(always)]
pub fn heard(advert: &AdvertRecord, now_ns: u64) {
    let Some(lease) = LEASES.get_ptr_mut(advert.slot) else {
        return;
    };
    // SAFETY: a value of an array map lives as long as the program; aligned
    // words that the agent may overwrite meanwhile. Then this stays behind in a
    // lease that runs, where it is not looked at, and passes before that ends.
    unsafe {
        if !lease.read_volatile().has_run_out(now_ns) {
            return;
        }
        let until = if advert.priority == Priority::RELEASE.get() {
            0
        } else {
            let span = advert.interval_cs as u64 * NS_PER_CENTISECOND * SERVING_INTERVALS;
            now_ns.saturating_add(span)
        };
        (&raw mut (*lease).other_until_ns).write_volatile(until);
        if let Some(latest) = OTHER_SERVES.get_ptr_mut(0)
            && latest.read_volatile() < until
        {
            latest.write_volatile(until);
        }
    }
}

/// Whether another router serves in the place of any instance here: one read
/// for as long as no agent of this machine has hung.
#[inline(always)]
fn other_serves() -> bool {
    OTHER_SERVES
        .get(0)
        .is_some_and(|until| *until != 0 && *until > now_ns())
}

#[inline(always)]
fn count(slot: u32, which: impl Fn(&mut FenceCounters) -> &mut u64) {
    if let Some(counters) = FENCED.get_ptr_mut(slot) {
        // SAFETY: the value lives as long as the program and belongs to this
        // CPU while the program runs.
        let counter = which(unsafe { &mut *counters });
        *counter = counter.wrapping_add(1);
    }
}
