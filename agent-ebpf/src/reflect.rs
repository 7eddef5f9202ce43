//! The reflector: the probe of an initiator becomes its own answer, here, while
//! the agent may be starved, stopped or swapped out.
//!
//! What it says is what the agent last said of itself: a lease that the fast
//! lane renews for as long as it is Active. One that has run out is a hung
//! agent, which must not be taken for one that serves.

use agent_common::{
    record::{NO_SLOT, ReflectCounters, ReflectTarget},
    wire::{
        bfd::{Probe, SessionState, Unanswered, locate_probe},
        frame::same_address,
    },
};

use crate::{
    hook::Hook,
    maps::{LEASES, REFLECT, REFLECTED, SCRATCH, now_ns},
};

/// True when the frame has become an answer, to be sent out where it came in.
#[inline(always)]
pub fn reflect<H: Hook>(hook: &H) -> bool {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return false;
    };
    if !hook.fill(scratch) {
        return false;
    }
    // SAFETY: a value of a per-CPU map, filled just now and ours alone.
    let frame = unsafe { &mut *scratch };
    let probe = match locate_probe(frame, hook.link()) {
        Ok(probe) => probe,
        Err(Unanswered::Foreign) => return false,
        Err(Unanswered::Header | Unanswered::Ttl | Unanswered::Packet | Unanswered::Answer) => {
            count(NO_SLOT, |counters| &mut counters.passed);
            return false;
        }
    };
    // SAFETY: as for INSTANCES in `receive`: at worst a target just replaced.
    let Some(target) = (unsafe { REFLECT.get(probe.key) }) else {
        count(NO_SLOT, |counters| &mut counters.passed);
        return false;
    };
    if target.hook != H::REFLECTS {
        return false;
    }
    if !is_for(&probe, target) {
        count(target.slot, |counters| &mut counters.passed);
        return false;
    }
    let Some(lease) = LEASES.get(target.slot) else {
        return false;
    };
    // SAFETY: eight aligned bytes that the agent may overwrite meanwhile.
    let until = unsafe { (&raw const lease.until_ns).read_volatile() };
    let state = if until > now_ns() {
        count(target.slot, |counters| &mut counters.up);
        SessionState::Up
    } else {
        if until == 0 {
            count(target.slot, |counters| &mut counters.down);
        } else {
            count(target.slot, |counters| &mut counters.stale);
        }
        SessionState::AdminDown
    };
    match probe.answer(frame, state) {
        Some(length) => hook.store(frame, length),
        None => false,
    }
}

/// Whether a probe was sent to us and not to somebody who shares our link or
/// has the same virtual router.
#[inline(always)]
fn is_for(probe: &Probe, target: &ReflectTarget) -> bool {
    let [a, b, c, d, e, f] = probe.destination_mac;
    let [g, h, i, j, k, l] = target.mac;
    same_address(&probe.destination, &target.own)
        && u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
            == u64::from_ne_bytes([g, h, i, j, k, l, 0, 0])
}

#[inline(always)]
fn count(slot: u32, which: impl Fn(&mut ReflectCounters) -> &mut u64) {
    if let Some(counters) = REFLECTED.get_ptr_mut(slot) {
        // SAFETY: the value lives as long as the program and belongs to this
        // CPU while the program runs.
        let counter = which(unsafe { &mut *counters });
        *counter = counter.wrapping_add(1);
    }
}
