//! The fence, by BPF_PROG_TEST_RUN: what reaches the stack while an agent
//! hangs.

use std::net::IpAddr;

use agent_common::{
    Family, KernelTime,
    record::{FenceCounters, InstanceKey, NO_SLOT},
};
use failoverd::io::bpf::{FastMaps, Kernel, Program};
use failoverd_tests::{
    clock::monotonic,
    fixtures::{SLOT, filter},
    packet::{Packet, golden},
};

use crate::lab::{LOOPBACK, kernel};

const SECOND: u64 = 1_000_000_000;
const VIP4: [u8; 4] = [203, 0, 113, 7];
pub const VIP6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

/// Pass and drop of each program.
pub const PROGRAMS: [(Program, u32, u32); 4] = [
    (Program::Xdp, 2, 1),
    (Program::FenceXdp, 2, 1),
    (Program::Tcx, u32::MAX, 2),
    (Program::Fence, u32::MAX, 2),
];

fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend([2, 0, 0, 0, 0, 2]);
    frame.extend(kind.to_be_bytes());
    frame.extend(rest);
    frame
}

fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 2];
    arp.extend(sender);
    arp.extend([0; 6]);
    arp.extend(target);
    // As short frames come.
    arp.resize(46, 0);
    ethernet(0x0806, &arp)
}

fn icmp6(kind: u8, source: [u8; 16], target: [u8; 16]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 32, 58, 255];
    packet.extend(source);
    packet.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 7]);
    packet.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(target);
    packet.extend([1, 1, 2, 0, 0, 0, 0, 2]);
    ethernet(0x86DD, &packet)
}

fn to_v4(destination: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0];
    packet.extend([192, 0, 2, 2]);
    packet.extend(destination);
    packet.resize(80, 0);
    ethernet(0x0800, &packet)
}

fn to_v6(destination: [u8; 16]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 28, 6, 64];
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(destination);
    packet.resize(40 + 28, 0);
    ethernet(0x86DD, &packet)
}

fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let mut with = frame[..12].to_vec();
    with.extend([0x81, 0]);
    with.extend(vlan.to_be_bytes());
    with.extend(&frame[12..]);
    with
}

const HOST: [u8; 4] = [203, 0, 113, 2];
const HOST6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// What must not be answered once another one may answer.
pub fn questions() -> Vec<(&'static str, Vec<u8>)> {
    let mut unicast = arp(1, HOST, VIP4);
    unicast[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    vec![
        ("ARP", arp(1, HOST, VIP4)),
        ("ARP by unicast", unicast),
        ("ARP of one that wants to use it", arp(1, [0; 4], VIP4)),
        (
            "ARP with a priority tag",
            tagged(&arp(1, HOST, VIP4), 0x2000),
        ),
        ("NS", icmp6(135, HOST6, VIP6)),
        ("NS of one that wants to use it", icmp6(135, [0; 16], VIP6)),
        (
            "NS with a priority tag",
            tagged(&icmp6(135, HOST6, VIP6), 0),
        ),
    ]
}

pub fn packets() -> Vec<(&'static str, Vec<u8>)> {
    vec![("IPv4", to_v4(VIP4)), ("IPv6", to_v6(VIP6))]
}

/// What passes whatever happens.
pub fn others() -> Vec<(&'static str, Vec<u8>)> {
    let own = [203, 0, 113, 1];
    let mut own6 = VIP6;
    own6[15] = 1;
    let mut ethernet_of_ipx = arp(1, HOST, VIP4);
    ethernet_of_ipx[16] = 9;
    let truncated = |frame: Vec<u8>, length: usize| frame[..length].to_vec();
    vec![
        ("ARP for another address", arp(1, HOST, own)),
        ("an ARP reply", arp(2, HOST, VIP4)),
        ("an announcement by request", arp(1, VIP4, VIP4)),
        ("an announcement by reply", arp(2, VIP4, VIP4)),
        ("ARP of another protocol", ethernet_of_ipx),
        ("ARP in a VLAN", tagged(&arp(1, HOST, VIP4), 7)),
        ("ARP cut short", truncated(arp(1, HOST, VIP4), 14 + 27)),
        ("NS for another address", icmp6(135, HOST6, own6)),
        ("an advertisement", icmp6(136, VIP6, VIP6)),
        ("NS in a VLAN", tagged(&icmp6(135, HOST6, VIP6), 7)),
        (
            "NS cut short",
            truncated(icmp6(135, HOST6, VIP6), 14 + 40 + 23),
        ),
        ("IPv4 to another address", to_v4(own)),
        ("IPv6 to another address", to_v6(own6)),
    ]
}

pub fn verdict(kernel: &Kernel, program: Program, frame: &[u8]) -> u32 {
    kernel.test_run(program, frame, 1).unwrap().verdict
}

fn all(kernel: &Kernel, frames: Vec<(&'static str, Vec<u8>)>, dropped: bool) {
    for (program, pass, drop) in PROGRAMS {
        for (what, frame) in &frames {
            let wanted = if dropped { drop } else { pass };
            let found = verdict(kernel, program, frame);
            assert_eq!(found, wanted, "{what} at {program:?}");
        }
    }
}

/// A kernel half with two VIPs of one slot.
pub fn fenced() -> Option<(Kernel, FastMaps)> {
    let mut kernel = kernel()?;
    for vip in [IpAddr::from(VIP4), IpAddr::from(VIP6)] {
        kernel.set_fence((LOOPBACK, vip), SLOT).unwrap();
    }
    let maps = kernel.fast_maps().unwrap();
    Some((kernel, maps))
}

fn set(maps: &FastMaps, until: Option<u64>) {
    maps.lease(SLOT, until.map(KernelTime)).unwrap();
}

/// An advert of another router for the instance of the slot, whose interval is
/// a second.
fn advert(priority: u8) -> Vec<u8> {
    Packet::v4(golden::G2).with_byte(2, priority).frame()
}

/// [`fenced`] in an instance that hears adverts.
fn hearing() -> Option<(Kernel, FastMaps)> {
    let (mut kernel, maps) = fenced()?;
    let key = InstanceKey {
        ifindex: LOOPBACK,
        vlan: 0,
        family: Family::V4 as u8,
        vrid: 10,
    };
    kernel.place_instance(&key, &filter(3, Family::V4)).unwrap();
    Some((kernel, maps))
}

#[test]
fn questions_are_kept_away_only_while_the_agent_hangs() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    all(&kernel, questions(), false);
    set(&maps, Some(monotonic() + 60 * SECOND));
    all(&kernel, questions(), false);
    set(&maps, Some(monotonic() - 1));
    all(&kernel, questions(), true);
    all(&kernel, others(), false);
    // Nobody else serves: hosts that know us are served.
    all(&kernel, packets(), false);
    let counted = FenceCounters {
        questions: (PROGRAMS.len() * questions().len()) as u64,
        packets: 0,
    };
    assert_eq!(kernel.fenced(SLOT).unwrap(), counted);
    assert!(kernel.is_fenced(SLOT, KernelTime(monotonic())).unwrap());
    // It has left Active, or is back.
    set(&maps, None);
    all(&kernel, questions(), false);
    set(&maps, Some(monotonic() + 60 * SECOND));
    all(&kernel, questions(), false);
    assert_eq!(kernel.fenced(SLOT).unwrap(), counted);
    assert!(!kernel.is_fenced(SLOT, KernelTime(monotonic())).unwrap());
}

#[test]
fn packets_are_kept_away_only_while_another_one_serves() {
    let Some((kernel, maps)) = hearing() else {
        return;
    };
    let hear = || assert_eq!(verdict(&kernel, Program::Xdp, &advert(100)), 2);
    // While we serve, the adverts of others change nothing.
    set(&maps, Some(monotonic() + 60 * SECOND));
    hear();
    all(&kernel, packets(), false);
    set(&maps, Some(monotonic() - 1));
    all(&kernel, packets(), false);
    hear();
    all(&kernel, packets(), true);
    all(&kernel, questions(), true);
    all(&kernel, others(), false);
    let counted = (PROGRAMS.len() * packets().len()) as u64;
    assert_eq!(kernel.fenced(SLOT).unwrap().packets, counted);
    // A look more closely is all that this takes away.
    kernel.forget_other().unwrap();
    all(&kernel, packets(), false);
    hear();
    all(&kernel, packets(), true);
    set(&maps, Some(monotonic() + 60 * SECOND));
    all(&kernel, packets(), false);
    set(&maps, Some(monotonic() - 1));
    all(&kernel, packets(), false);
}

/// At XDP alone: the kernel tries tcx with whole headers only.
#[test]
fn what_is_cut_short_passes() {
    let Some((kernel, maps)) = fenced() else {
        return;
    };
    set(&maps, Some(monotonic() - 1));
    for (what, frame) in questions() {
        let tag = usize::from(what.ends_with("tag")) * 4;
        let all = tag
            + match &what[..2] {
                "NS" => 14 + 40 + 24,
                _ => 14 + 28,
            };
        for length in 14..frame.len() {
            let wanted = if length < all { 2 } else { 1 };
            for program in [Program::Xdp, Program::FenceXdp] {
                let found = verdict(&kernel, program, &frame[..length]);
                assert_eq!(found, wanted, "{length} bytes of {what} at {program:?}");
            }
        }
    }
}

/// A successor that leaves serves no more.
#[test]
fn priority_0_opens_it_for_packets() {
    let Some((kernel, maps)) = hearing() else {
        return;
    };
    set(&maps, Some(monotonic() - 1));
    assert_eq!(verdict(&kernel, Program::Xdp, &advert(100)), 2);
    all(&kernel, packets(), true);
    assert_eq!(verdict(&kernel, Program::Xdp, &advert(0)), 2);
    all(&kernel, packets(), false);
}

#[test]
fn what_is_no_vip_any_more_is_not_fenced() {
    let Some((mut kernel, maps)) = fenced() else {
        return;
    };
    set(&maps, Some(monotonic() - 1));
    all(&kernel, questions(), true);
    for vip in [IpAddr::from(VIP4), IpAddr::from(VIP6)] {
        kernel.remove_fence((LOOPBACK, vip)).unwrap();
    }
    all(&kernel, questions(), false);
    assert!(kernel.fenced(SLOT).unwrap().questions > 0);
    kernel.retire_slot(SLOT).unwrap();
    assert_eq!(kernel.fenced(SLOT).unwrap(), FenceCounters::default());
    assert_eq!(kernel.fenced(NO_SLOT).unwrap(), FenceCounters::default());
}
