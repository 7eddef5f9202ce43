//! N18: a flood is dropped beyond its budget, and starves nobody.

use agent_common::{
    Outcome,
    outcome::OutcomeCounters,
    record::{InstanceKey, WatchSlot},
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
    kernel
        .set_instance(&key, &filter(3, agent_common::Family::V4))
        .unwrap();
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
    // One CPU, one bucket.
    pin_to_one_cpu();

    let unknown = Packet::v4(golden::G2).with_byte(1, 99);
    assert_eq!(run(Program::Xdp, &unknown, 5_000), XDP_PASS);
    assert_eq!(of(&kernel.counters(0).unwrap(), Outcome::OverBudget), 0);
    assert_eq!(run(Program::Xdp, &unknown, 50_000), XDP_DROP);
    assert_eq!(run(Program::Tcx, &unknown, 5_000), TC_ACT_SHOT);
    let counters = kernel.counters(0).unwrap();
    assert_eq!(of(&counters, Outcome::UnknownVrid), 60_000);
    let passed = 60_000 - of(&counters, Outcome::OverBudget);
    assert!((10_000..20_000).contains(&passed), "{passed}");

    // A refused advert of a configured instance shares that budget, and is
    // counted where it belongs.
    assert_eq!(
        run(
            Program::Xdp,
            &Packet {
                ttl: 1,
                ..Packet::v4(golden::G2)
            },
            1_000
        ),
        XDP_DROP
    );
    let counters = kernel.counters(SLOT).unwrap();
    assert_eq!(of(&counters, Outcome::Ttl), 1_000);
    assert!(of(&counters, Outcome::OverBudget) > 900);

    // What is not known to be VRRP passes in any flood.
    let mut chain = Packet {
        protocol: 60,
        ..Packet::v6(golden::G5)
    };
    for next in [60, 60, 60, 60, 112] {
        chain.options.extend([next, 0, 1, 4, 0, 0, 0, 0]);
    }
    assert_eq!(run(Program::Xdp, &chain, 20_000), XDP_PASS);
    let tcp = Packet {
        protocol: 6,
        ..Packet::v4(golden::G2)
    };
    assert_eq!(run(Program::Xdp, &tcp, 20_000), XDP_PASS);

    // The watched router has no budget.
    let before = of(&kernel.counters(SLOT).unwrap(), Outcome::OverBudget);
    assert_eq!(run(Program::Xdp, &Packet::v4(golden::G2), 20_000), XDP_PASS);
    assert_eq!(
        of(&kernel.counters(SLOT).unwrap(), Outcome::OverBudget),
        before
    );

    // Others of the same virtual router have one of their own.
    let other = Packet {
        source: [192, 0, 2, 250].into(),
        ..Packet::v4(golden::G2)
    };
    assert_eq!(run(Program::Xdp, &other, 400), XDP_PASS);
    assert_eq!(run(Program::Xdp, &other, 2_000), XDP_DROP);
    let dropped = of(&kernel.counters(SLOT).unwrap(), Outcome::OverBudget) - before;
    assert!((1_500..1_900).contains(&dropped), "{dropped}");
    assert_eq!(run(Program::Xdp, &Packet::v4(golden::G2), 20_000), XDP_PASS);
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
