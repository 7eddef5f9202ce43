//! The reflector, by BPF_PROG_TEST_RUN: what becomes of a probe.

use agent_common::{
    Family, KernelTime, Vrid,
    record::{ReflectCounters, ReflectKey, ReflectTarget, reflect_hook},
    wire::{
        Link,
        bfd::{REFLECTOR_PORT, SessionState, discriminator, locate_probe},
        frame::wire_v4,
    },
};
use failoverd::io::bpf::{FastMaps, Kernel, Program};
use failoverd_tests::clock::monotonic;

use crate::lab::{LOOPBACK, kernel};

const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;
/// TC_ACT_UNSPEC and TC_ACT_REDIRECT.
const TC_NEXT: u32 = u32::MAX;
const TC_REDIRECT: u32 = 7;

pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const PEER: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const OWN: [u8; 4] = [192, 0, 2, 1];
const SLOT: u32 = 3;
const SECOND: u64 = 1_000_000_000;

pub fn wanted() -> u32 {
    discriminator(Family::V4, Vrid::new(51).unwrap())
}

/// Summed without the crate that is under test.
pub fn checksum(header: &[u8]) -> [u8; 2] {
    let words = header
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
    let sum: u32 = words.sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    (!(sum as u16 + (sum >> 16) as u16)).to_be_bytes()
}

/// What an initiator sends (RFC 7880 7.3, RFC 7881 3).
pub fn probe(discriminator: u32) -> Vec<u8> {
    let mut frame = [MAC, PEER].concat();
    frame.extend([0x08, 0x00]);
    let mut ip = vec![0x45, 0, 0, 52, 0, 1, 0x40, 0, 255, 17, 0, 0];
    ip.extend([192, 0, 2, 2]);
    ip.extend(OWN);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    frame.extend(ip);
    frame.extend(49_200_u16.to_be_bytes());
    frame.extend(REFLECTOR_PORT.to_be_bytes());
    frame.extend([0, 32, 0xDE, 0xAD]);
    frame.extend([0x20, 0xC2, 3, 24]);
    frame.extend(0xAABB_CCDD_u32.to_be_bytes());
    frame.extend(discriminator.to_be_bytes());
    frame.extend(1000_u32.to_be_bytes());
    frame.extend([0; 8]);
    frame
}

fn target(hook: u8) -> (ReflectKey, ReflectTarget) {
    target_for(hook, SLOT, MAC, OWN, wanted())
}

/// Somebody with these addresses, and what asks for it.
pub fn target_for(
    hook: u8,
    slot: u32,
    mac: [u8; 6],
    own: [u8; 4],
    discriminator: u32,
) -> (ReflectKey, ReflectTarget) {
    let key = ReflectKey {
        ifindex: LOOPBACK,
        vlan: 0,
        family: Family::V4 as u8,
        _pad: 0,
        discriminator,
    };
    let target = ReflectTarget {
        slot,
        mac,
        hook,
        _pad: 0,
        own: wire_v4(own),
    };
    (key, target)
}

/// A kernel half that answers for one virtual router by `hook`.
fn reflecting(hook: u8) -> Option<(Kernel, FastMaps)> {
    let mut kernel = kernel()?;
    let (key, target) = target(hook);
    kernel.set_target(&key, &target).unwrap();
    let maps = kernel.fast_maps().unwrap();
    Some((kernel, maps))
}

/// What the pure half makes of it: both are compiled from the same lines, but
/// by another compiler, for another machine, before a verifier.
fn answered(frame: &[u8], state: SessionState) -> Vec<u8> {
    struct Frame(Vec<u8>);
    impl agent_common::wire::Bytes for Frame {
        fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
            self.0.get(at..)?.first_chunk().copied()
        }
    }
    impl agent_common::wire::Frame for Frame {
        fn received(&self) -> usize {
            self.0.len()
        }
    }
    impl agent_common::wire::bfd::FrameMut for Frame {
        fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
            self.0[at..at + N].copy_from_slice(&bytes);
        }
    }
    let link = Link {
        ifindex: LOOPBACK,
        vlan: None,
    };
    let mut frame = Frame(frame.to_vec());
    let probe = locate_probe(&frame, link).unwrap();
    probe.answer(&mut frame, state).unwrap();
    frame.0
}

fn counted(kernel: &Kernel) -> ReflectCounters {
    kernel.reflected(SLOT).unwrap()
}

#[test]
fn an_active_with_a_lease_is_up() {
    let Some((kernel, maps)) = reflecting(reflect_hook::XDP) else {
        return;
    };
    maps.lease(SLOT, Some(KernelTime(monotonic() + 60 * SECOND)))
        .unwrap();
    let frame = probe(wanted());
    let (verdict, answer) = kernel.test_change(Program::Xdp, &frame).unwrap();
    assert_eq!(verdict, XDP_TX);
    assert_eq!(answer, answered(&frame, SessionState::Up));
    assert_eq!(answer[43], 0xC0, "Up, Demand clear");
    assert_eq!(counted(&kernel).up, 1);
}

#[test]
fn a_lease_that_has_run_out_is_admin_down() {
    let Some((kernel, maps)) = reflecting(reflect_hook::XDP) else {
        return;
    };
    maps.lease(SLOT, Some(KernelTime(monotonic() - 1))).unwrap();
    let frame = probe(wanted());
    let (verdict, answer) = kernel.test_change(Program::Xdp, &frame).unwrap();
    assert_eq!(verdict, XDP_TX);
    assert_eq!(answer, answered(&frame, SessionState::AdminDown));
    assert_eq!(answer[43], 0, "AdminDown");
    let counters = counted(&kernel);
    assert_eq!((counters.stale, counters.down, counters.up), (1, 0, 0));
}

#[test]
fn a_router_that_is_not_active_is_admin_down() {
    let Some((kernel, maps)) = reflecting(reflect_hook::XDP) else {
        return;
    };
    let frame = probe(wanted());
    let down = answered(&frame, SessionState::AdminDown);
    // Before it ever was Active, and after.
    for _ in 0..2 {
        assert_eq!(
            kernel.test_change(Program::Xdp, &frame).unwrap(),
            (XDP_TX, down.clone())
        );
        maps.lease(SLOT, Some(KernelTime(monotonic() + 60 * SECOND)))
            .unwrap();
        maps.lease(SLOT, None).unwrap();
    }
    assert_eq!(counted(&kernel).down, 2);
}

#[test]
fn what_is_not_for_us_passes_as_it_is() {
    let Some((mut kernel, maps)) = reflecting(reflect_hook::XDP) else {
        return;
    };
    maps.lease(SLOT, Some(KernelTime(monotonic() + 60 * SECOND)))
        .unwrap();
    let bent = |at: usize, byte: u8| {
        let mut frame = probe(wanted());
        frame[at] = byte;
        frame[24..26].fill(0);
        let sum = checksum(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum);
        frame
    };
    let frames = [
        ("another router's", probe(wanted() + 1)),
        ("to another MAC", bent(5, 9)),
        ("to another address", bent(33, 9)),
        ("from beyond the link", bent(22, 254)),
        ("an answer", bent(43, 0xC0)),
        ("to another port", bent(37, 1)),
    ];
    for (what, frame) in frames {
        let result = kernel.test_change(Program::Xdp, &frame).unwrap();
        assert_eq!(result, (XDP_PASS, frame), "{what}");
    }
    assert_eq!(counted(&kernel).up, 0);
    kernel.remove_target(SLOT).unwrap();
    let frame = probe(wanted());
    let result = kernel.test_change(Program::Xdp, &frame).unwrap();
    assert_eq!(result, (XDP_PASS, frame), "nobody's any more");
}

/// An answer that goes back and forth between two reflectors would do so for
/// ever.
#[test]
fn an_answer_is_never_answered() {
    let Some((kernel, maps)) = reflecting(reflect_hook::XDP) else {
        return;
    };
    maps.lease(SLOT, Some(KernelTime(monotonic() + 60 * SECOND)))
        .unwrap();
    let (_, answer) = kernel.test_change(Program::Xdp, &probe(wanted())).unwrap();
    // As it would reach another reflector, were we asked from its port.
    let mut back = answer;
    back[..6].copy_from_slice(&MAC);
    back[6..12].copy_from_slice(&PEER);
    back[26..30].copy_from_slice(&[192, 0, 2, 2]);
    back[30..34].copy_from_slice(&OWN);
    back[36..38].copy_from_slice(&REFLECTOR_PORT.to_be_bytes());
    back[50..54].copy_from_slice(&wanted().to_be_bytes());
    let result = kernel.test_change(Program::Xdp, &back).unwrap();
    assert_eq!(result, (XDP_PASS, back));
}

#[test]
fn each_hook_answers_its_own_only() {
    for (hook, xdp, tcx) in [
        (reflect_hook::XDP, XDP_TX, TC_NEXT),
        (reflect_hook::TCX, XDP_PASS, TC_REDIRECT),
    ] {
        let Some((kernel, maps)) = reflecting(hook) else {
            return;
        };
        maps.lease(SLOT, Some(KernelTime(monotonic() + 60 * SECOND)))
            .unwrap();
        let frame = probe(wanted());
        let (verdict, _) = kernel.test_change(Program::Xdp, &frame).unwrap();
        assert_eq!(verdict, xdp);
        let (verdict, answer) = kernel.test_change(Program::Reflect, &frame).unwrap();
        assert_eq!(verdict, tcx);
        let expected = match tcx {
            TC_REDIRECT => answered(&frame, SessionState::Up),
            _ => frame,
        };
        assert_eq!(answer, expected);
        assert_eq!(counted(&kernel).up, 1);
    }
}
