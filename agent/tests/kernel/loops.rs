//! No frame makes two reflectors talk to each other: what one says is never
//! answered, whatever it was asked.

use agent_common::{Family, KernelTime, Vrid, record::reflect_hook, wire::bfd::discriminator};
use failoverd::io::bpf::{FastMaps, Kernel, Program};
use failoverd_tests::clock::monotonic;
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    strategy::Just,
    test_runner::{Config, TestRunner},
};

use crate::{
    lab::kernel,
    reflect::{MAC, OWN, PEER, checksum, probe, target_for},
};

const MINUTE: u64 = 60_000_000_000;
const XDP_TX: u32 = 3;
const TC_REDIRECT: u32 = 7;
const IP: usize = 14;
const UDP: usize = 34;
const BFD: usize = 42;

/// Two machines on one link, in one kernel half: each is asked by its own
/// address, at its own MAC address, for its own virtual router.
fn both(hook: u8) -> Option<(Kernel, FastMaps)> {
    let mut kernel = kernel()?;
    let machines = [(3, MAC, OWN, 51), (4, PEER, [192, 0, 2, 2], 52)];
    for (slot, mac, own, vrid) in machines {
        let (key, target) = target_for(hook, slot, mac, own, wanted(vrid));
        kernel.set_target(&key, &target).unwrap();
    }
    let maps = kernel.fast_maps().unwrap();
    for (slot, ..) in machines {
        let until = KernelTime(monotonic() + MINUTE);
        maps.lease(slot, Some(until)).unwrap();
    }
    Some((kernel, maps))
}

fn wanted(vrid: u8) -> u32 {
    discriminator(Family::V4, Vrid::new(vrid).unwrap())
}

/// A byte of the frame that is changed: more often than chance would have it
/// one that decides.
fn change() -> impl Strategy<Value = (usize, u8)> {
    let place = prop_oneof![
        // Ports, and the control packet.
        4 => UDP..BFD + 24,
        2 => IP..UDP,
        1 => 0..IP,
    ];
    let byte = prop_oneof![
        2 => any::<u8>(),
        // Up, Init, Down, AdminDown with and without Poll, Final and Demand.
        1 => prop_oneof![Just(0xC2), Just(0x82), Just(0x42), Just(2), Just(0xE2), Just(0xF2)],
        // The reflector's port.
        1 => prop_oneof![Just(0x1E), Just(0x68)],
    ];
    (place, byte)
}

/// A probe whose sender claims to be one of the reflectors, and what was done
/// to it.
fn frame(changes: &[(usize, u8)], port: u16) -> Vec<u8> {
    let mut frame = probe(wanted(51));
    // What is answered goes to the other one, and asks for it.
    frame[BFD + 4..BFD + 8].copy_from_slice(&wanted(52).to_be_bytes());
    frame[UDP..UDP + 2].copy_from_slice(&port.to_be_bytes());
    for (at, byte) in changes {
        frame[*at] = *byte;
    }
    frame[IP + 10..IP + 12].fill(0);
    let sum = checksum(&frame[IP..UDP]);
    frame[IP + 10..IP + 12].copy_from_slice(&sum);
    frame
}

#[test]
fn what_a_reflector_says_is_never_answered() {
    for (hook, program, answers) in [
        (reflect_hook::XDP, Program::Xdp, XDP_TX),
        (reflect_hook::TCX, Program::Reflect, TC_REDIRECT),
    ] {
        let Some((kernel, _maps)) = both(hook) else {
            return;
        };
        let input = (
            proptest::collection::vec(change(), 0..4),
            prop_oneof![2 => Just(49_200_u16), 1 => Just(7784), 1 => any::<u16>()],
        );
        let config = Config {
            cases: 5_000,
            failure_persistence: None,
            ..Config::default()
        };
        let counted = std::cell::Cell::new(0_u32);
        let result = TestRunner::new(config).run(&input, |(changes, port)| {
            let frame = frame(&changes, port);
            let (verdict, answer) = kernel.test_change(program, &frame).unwrap();
            if verdict != answers {
                return Ok(());
            }
            counted.set(counted.get() + 1);
            // As it came out, and as either machine could get it.
            let turned = |mac: [u8; 6]| {
                let mut turned = answer.clone();
                turned[..6].copy_from_slice(&mac);
                turned
            };
            for again in [answer.clone(), turned(MAC), turned(PEER)] {
                let (verdict, _) = kernel.test_change(program, &again).unwrap();
                proptest::prop_assert!(verdict != answers, "{again:02x?}");
            }
            Ok(())
        });
        result.unwrap();
        let answered = counted.get();
        // Otherwise nothing was tried.
        assert!(answered > 500, "{answered} of 5000 were answered");
    }
}
