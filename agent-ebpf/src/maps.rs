//! Every map, all of fixed size and keyed by what the configuration says: no
//! packet can make one grow.

use agent_common::{
    Outcome,
    outcome::OutcomeCounters,
    record::{
        Arrival, Awaited, FenceCounters, FenceKey, InstanceFilter, InstanceKey, LatestSlot, Lease,
        ReflectCounters, ReflectKey, ReflectTarget, SLOTS, WatchSlot,
    },
};
use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    helpers::generated::bpf_ktime_get_ns,
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};

use crate::{budget::Buckets, scratch::Scratch};

/// Configured virtual routers, both families on all interfaces.
const MAX_INSTANCES: u32 = 512;

/// VIPs that can be fenced. Elements are made when the agent puts them in, so
/// that what is not configured costs nothing.
const MAX_FENCED: u32 = 65_536;

/// Bytes of the ring of adverts: 256 KiB hold 5,461 of them.
pub const EVENTS_BYTES: u32 = 256 * 1024;

/// How long the slow path stays open after something was left to it. The
/// kernel hands a packet on when its last fragment arrives, and each fragment
/// opens anew.
const SLOW_PATH_NS: u64 = 1_000_000_000;

#[map]
pub static INSTANCES: HashMap<InstanceKey, InstanceFilter> =
    HashMap::with_max_entries(MAX_INSTANCES, 0);

#[map]
pub static LATEST: Array<LatestSlot> = Array::with_max_entries(SLOTS as u32, 0);

#[map]
pub static WATCH: Array<WatchSlot> = Array::with_max_entries(SLOTS as u32, 0);

#[map]
pub static COUNTERS: PerCpuArray<OutcomeCounters> = PerCpuArray::with_max_entries(SLOTS as u32, 0);

#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);

#[map]
pub static BUDGET: PerCpuArray<Buckets> = PerCpuArray::with_max_entries(SLOTS as u32, 0);

#[map]
pub static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The virtual routers that probes are answered for.
#[map]
pub static REFLECT: HashMap<ReflectKey, ReflectTarget> =
    HashMap::with_max_entries(MAX_INSTANCES, 0);

#[map]
pub static LEASES: Array<Lease> = Array::with_max_entries(SLOTS as u32, 0);

#[map]
pub static REFLECTED: PerCpuArray<ReflectCounters> = PerCpuArray::with_max_entries(SLOTS as u32, 0);

/// Whose VIPs are asked for where: the slot.
#[map]
pub static FENCE: HashMap<FenceKey, u32> = HashMap::with_max_entries(MAX_FENCED, BPF_F_NO_PREALLOC);

#[map]
pub static FENCED: PerCpuArray<FenceCounters> = PerCpuArray::with_max_entries(SLOTS as u32, 0);

/// Until when another router serves in the place of any instance whose agent
/// hangs, CLOCK_MONOTONIC nanoseconds.
#[map]
pub static OTHER_SERVES: Array<u64> = Array::with_max_entries(1, 0);

/// Until when somebody waits for the first packet to a VIP.
#[map]
pub static AWAITED: Array<Awaited> = Array::with_max_entries(1, 0);

#[map]
pub static ARRIVALS: Array<Arrival> = Array::with_max_entries(SLOTS as u32, 0);

/// When each outcome was logged last, CLOCK_MONOTONIC nanoseconds.
#[map]
pub static LOGGED: Array<u64> = Array::with_max_entries(Outcome::COUNT as u32, 0);

/// When a frame was last left to the slow path, CLOCK_MONOTONIC nanoseconds.
#[map]
static SLOW_OPEN: Array<u64> = Array::with_max_entries(1, 0);

/// CLOCK_MONOTONIC in nanoseconds.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: takes nothing, reads a clock.
    unsafe { bpf_ktime_get_ns() }
}

#[inline(always)]
pub fn open_slow_path() {
    if let Some(at) = SLOW_OPEN.get_ptr_mut(0) {
        // SAFETY: a value of an array map lives as long as the program, and
        // is eight aligned bytes that any CPU may overwrite.
        unsafe { at.write_volatile(now_ns()) }
    }
}

#[inline(always)]
pub fn slow_path_is_open() -> bool {
    SLOW_OPEN
        .get(0)
        .is_some_and(|at| *at != 0 && now_ns().wrapping_sub(*at) < SLOW_PATH_NS)
}

/// Adds one to a counter of this CPU.
#[inline(always)]
pub fn count(slot: u32, outcome: Outcome) {
    let Some(counters) = COUNTERS.get_ptr_mut(slot) else {
        return;
    };
    let index = outcome.index() as usize;
    if index < Outcome::COUNT {
        // SAFETY: the value lives as long as the program, belongs to this CPU
        // while the program runs, and the index is within it.
        unsafe {
            let counter = counters.cast::<u64>().add(index);
            *counter = (*counter).wrapping_add(1);
        }
    }
}
