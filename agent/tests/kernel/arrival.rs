//! The first packet for a VIP, by BPF_PROG_TEST_RUN.

use agent_common::KernelTime;
use failoverd::io::bpf::{Expected, Program};
use failoverd_tests::{clock::monotonic, fixtures::SLOT};

use crate::{
    fence::{PROGRAMS, VIP6, fenced, others, packets, questions, verdict},
    lab::LOOPBACK,
};

const SECOND: u64 = 1_000_000_000;
/// Whom the frames of the tests are sent to.
const MAC: [u8; 6] = [0xFF; 6];

const fn expected(serial: u32) -> Expected {
    Expected {
        slot: SLOT,
        serial,
        mac: MAC,
        among_others: false,
    }
}

fn soon() -> KernelTime {
    KernelTime(monotonic() + 60 * SECOND)
}

#[test]
fn the_first_packet_is_noted_and_no_other() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    let arrival = |serial| kernel.arrival(SLOT, serial).unwrap();
    let mut serial = 0;
    for (program, pass, _) in PROGRAMS {
        let see = |frames: Vec<(&'static str, Vec<u8>)>| {
            for (what, frame) in frames {
                let found = verdict(&kernel, program, &frame);
                assert_eq!(found, pass, "{what} at {program:?}");
            }
        };
        see(packets());
        for packet in packets() {
            serial += 1;
            assert_eq!(arrival(serial), None, "nobody waits: {program:?}");
            maps.expect(expected(serial), soon()).unwrap();
            see(questions());
            see(others());
            assert_eq!(arrival(serial), None, "{program:?}");
            let before = monotonic();
            see(vec![packet.clone()]);
            let first = arrival(serial).unwrap().nanos();
            assert!((before..=monotonic()).contains(&first), "{program:?}");
            see(packets());
            assert_eq!(arrival(serial), Some(KernelTime(first)), "{program:?}");
            assert_eq!(arrival(serial + 1), None, "of this transition alone");
        }
    }
}

#[test]
fn what_a_switch_floods_is_not_the_first_packet() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    let see = || {
        for (_, frame) in packets() {
            verdict(&kernel, Program::Xdp, &frame);
        }
    };
    let mac = [2, 0, 0, 0, 0, 1];
    let ours = Expected { mac, ..expected(1) };
    maps.expect(ours, soon()).unwrap();
    see();
    assert_eq!(kernel.arrival(SLOT, 1).unwrap(), None);
    let any = Expected {
        mac: [0; 6],
        ..ours
    };
    maps.expect(any, soon()).unwrap();
    see();
    assert!(kernel.arrival(SLOT, 1).unwrap().is_some());
}

#[test]
fn nobody_is_waited_for_longer_than_asked() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    let see = || {
        for (_, frame) in packets() {
            verdict(&kernel, Program::Xdp, &frame);
        }
    };
    maps.expect(expected(1), KernelTime(monotonic() - 1))
        .unwrap();
    see();
    assert_eq!(kernel.arrival(SLOT, 1).unwrap(), None);
}

#[test]
fn the_first_packet_of_one_does_not_end_the_wait_for_others() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    kernel.set_fence((LOOPBACK, VIP6.into()), SLOT + 1).unwrap();
    maps.expect(expected(1), soon()).unwrap();
    let second = Expected {
        slot: SLOT + 1,
        among_others: true,
        ..expected(1)
    };
    maps.expect(second, soon()).unwrap();
    for (_, frame) in packets().into_iter().rev() {
        verdict(&kernel, Program::Xdp, &frame);
    }
    assert!(kernel.arrival(SLOT + 1, 1).unwrap().is_some());
    assert!(kernel.arrival(SLOT, 1).unwrap().is_some());
}
