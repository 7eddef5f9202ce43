//! The first packet for a VIP after a router became Active: the moment at which
//! hosts have found the new one.
//!
//! Addresses are looked up only while somebody waits, which is for seconds
//! after a transition.

use agent_common::{record::NO_SLOT, wire::Bytes};

use crate::{
    maps::{ARRIVALS, AWAITED, now_ns},
    scratch::Scratch,
};

/// Whether the first packet of any instance is waited for: one read otherwise.
#[inline(always)]
pub fn is_awaited() -> bool {
    let Some(awaited) = AWAITED.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a value of an array map lives as long as the program; aligned
    // words that the agent may overwrite meanwhile. Should it do so between the
    // look at an old wait and its end, the new one ends with it, and no packet
    // is noticed until the next transition: a record misses one column, which
    // is less than a reading of the clock for each frame from here on.
    unsafe {
        let until = (&raw const (*awaited).until_ns).read_volatile();
        if until == 0 {
            return false;
        }
        if until > now_ns() {
            return true;
        }
        (&raw mut (*awaited).until_ns).write_volatile(0);
    }
    false
}

/// An IP packet to a VIP of this slot.
#[inline(always)]
pub fn note(slot: u32, frame: &Scratch) {
    let Some(arrival) = ARRIVALS.get_ptr_mut(slot) else {
        return;
    };
    // SAFETY: as above; several CPUs may write the time of the same moment.
    unsafe {
        if (*arrival).serial == 0 || (&raw const (*arrival).at_ns).read_volatile() != 0 {
            return;
        }
        let mac = (*arrival).mac;
        if !is_zero(mac) && frame.bytes(0) != Some(mac) {
            return;
        }
        (&raw mut (*arrival).at_ns).write_volatile(now_ns());
        if let Some(awaited) = AWAITED.get_ptr_mut(0)
            && (*awaited).slot == slot
            && slot != NO_SLOT
        {
            (&raw mut (*awaited).until_ns).write_volatile(0);
        }
    }
}

#[inline(always)]
fn is_zero(mac: [u8; 6]) -> bool {
    let [a, b, c, d, e, f] = mac;
    a | b | c | d | e | f == 0
}
