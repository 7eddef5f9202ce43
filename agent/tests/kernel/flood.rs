//! N18: a flood is dropped beyond its budget, and starves nobody.

use agent_common::{
    Outcome,
    outcome::OutcomeCounters,
    record::{InstanceFilter, InstanceKey, WatchSlot},
    wire::frame::wire_address,
};
use failoverd::io::bpf::Program;
use failoverd_tests::{
    fixtures::{SLOT, filter},
    packet::{PEER_V4, Packet, golden},
};

use crate::lab::{self, LOOPBACK};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const TC_ACT_SHOT: u32 = 2;

fn of(counters: &OutcomeCounters, outcome: Outcome) -> u64 {
    counters[outcome.index() as usize]
}

/// Above that of every golden vector.
const OURS: u8 = 150;

#[test]
fn n18_only_the_excess_is_dropped_and_the_active_never_is() {
    let Some(mut kernel) = lab::kernel() else {
        return;
    };
    let fast = kernel.fast_maps().unwrap();
    let key = InstanceKey {
        ifindex: LOOPBACK,
        vlan: 0,
        family: 4,
        vrid: 10,
    };
    let ours = InstanceFilter {
        priority: OURS,
        ..filter(3, agent_common::Family::V4)
    };
    kernel.set_instance(&key, &ours).unwrap();
    let active = wire_address(PEER_V4.into());
    fast.watch(
        SLOT,
        &WatchSlot {
            active,
            ..WatchSlot::NOBODY
        },
    )
    .unwrap();
    let run = |program, packet: &Packet, repeat| {
        kernel
            .test_run(program, &packet.frame(), repeat)
            .unwrap()
            .verdict
    };
    // A run tells the fate of its last frame only, and a busy machine may give
    // just that one the time to be within the budget.
    let drops = |program, packet: &Packet, verdict| {
        (0..100).any(|_attempt| run(program, packet, 5_000) == verdict)
    };
    let over_budget = |slot| of(&kernel.counters(slot).unwrap(), Outcome::OverBudget);
    // One CPU, one bucket.
    pin_to_one_cpu();

    let unknown = Packet::v4(golden::G2).with_byte(1, 99);
    assert_eq!(run(Program::Xdp, &unknown, 5_000), XDP_PASS);
    assert_eq!(over_budget(0), 0);
    assert!(drops(Program::Xdp, &unknown, XDP_DROP));
    assert!(drops(Program::Tcx, &unknown, TC_ACT_SHOT));
    let counters = kernel.counters(0).unwrap();
    let passed = of(&counters, Outcome::UnknownVrid) - of(&counters, Outcome::OverBudget);
    assert!(passed >= 10_000, "{passed}");

    // A refused advert of a configured instance shares that budget, and is
    // counted where it belongs.
    let refused = Packet {
        ttl: 1,
        ..Packet::v4(golden::G2)
    };
    assert!(drops(Program::Xdp, &refused, XDP_DROP));
    let counters = kernel.counters(SLOT).unwrap();
    assert!(of(&counters, Outcome::Ttl) >= 5_000);
    assert!(of(&counters, Outcome::OverBudget) > 0);

    // What is not known to be VRRP passes in any flood.
    let mut chain = Packet {
        protocol: 60,
        ..Packet::v6(golden::G5)
    };
    for next in [60, 60, 60, 60, 112] {
        chain.options.extend([next, 0, 1, 4, 0, 0, 0, 0]);
    }
    let before = over_budget(0);
    assert_eq!(run(Program::Xdp, &chain, 20_000), XDP_PASS);
    assert_eq!(over_budget(0), before);
    let tcp = Packet {
        protocol: 6,
        ..Packet::v4(golden::G2)
    };
    assert_eq!(run(Program::Xdp, &tcp, 20_000), XDP_PASS);

    // The watched router has no budget.
    let before = over_budget(SLOT);
    assert_eq!(run(Program::Xdp, &Packet::v4(golden::G2), 20_000), XDP_PASS);
    assert_eq!(over_budget(SLOT), before);

    // Others of the same virtual router have one of their own.
    let other = Packet {
        source: [192, 0, 2, 250].into(),
        ..Packet::v4(golden::G2)
    };
    assert_eq!(run(Program::Xdp, &other, 400), XDP_PASS);
    assert_eq!(over_budget(SLOT), before);
    assert!(drops(Program::Xdp, &other, XDP_DROP));
    assert!(over_budget(SLOT) > before);
    let before = over_budget(SLOT);
    assert_eq!(run(Program::Xdp, &Packet::v4(golden::G2), 20_000), XDP_PASS);
    assert_eq!(over_budget(SLOT), before);

    // A flood of lower adverts does not hide a new Active.
    assert!(drops(Program::Xdp, &other, XDP_DROP));
    let before = over_budget(SLOT);
    let better = Packet {
        source: [192, 0, 2, 249].into(),
        ..Packet::v4(golden::G2).with_byte(2, OURS)
    };
    assert_eq!(run(Program::Xdp, &better, 400), XDP_PASS);
    assert_eq!(over_budget(SLOT), before);
}

fn pin_to_one_cpu() {
    // SAFETY: all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live, and CPU 0 within it.
    let pinned = unsafe {
        libc::CPU_SET(0, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    assert_eq!(pinned, 0);
}
