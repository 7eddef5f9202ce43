//! What the kernel half costs per frame, by BPF_PROG_TEST_RUN: nanoseconds for
//! frames that are not ours, and for adverts.
//!
//! The test run itself is part of the figure: compare with the first lines, a
//! program that lets everything pass and does nothing else, by the same hook.
//!
//! `cargo run -p failoverd --release --example xdp_cost`, as root. Attaches
//! nothing.

use std::process::ExitCode;

use agent_common::{
    Family, KernelTime, Vrid,
    record::{InstanceFilter, InstanceKey, ReflectKey, ReflectTarget, WatchSlot, reflect_hook},
    wire::{
        bfd::{REFLECTOR_PORT, discriminator},
        frame::{wire_address, wire_v4},
        vrrp,
    },
};
use bytemuck::Zeroable as _;
use failoverd::io::bpf::{BpfError, Kernel, Program};
use failoverd_tests::{
    packet::{Packet, golden},
    sys::{bpf::Hook, bpf_time::cost_of_nothing},
};

const REPEAT: u32 = 1_000_000;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), BpfError> {
    let mut kernel = Kernel::load()?;
    let fast = kernel.fast_maps()?;
    // Test runs come in on the loopback interface.
    let key = InstanceKey {
        ifindex: 1,
        vlan: 0,
        family: 4,
        vrid: 10,
    };
    let filter = InstanceFilter {
        slot: 1,
        version: 3,
        destination: wire_address(vrrp::GROUP_V4.into()),
        ..InstanceFilter::zeroed()
    };
    kernel.set_instance(&key, &filter)?;
    let advert = Packet::v4(golden::G3);
    let watch = WatchSlot {
        active: wire_address(advert.source),
        ..WatchSlot::NOBODY
    };
    fast.watch(1, &watch)?;

    let tcp = Packet {
        protocol: 6,
        padding: 20,
        ..advert.clone()
    };
    let tagged = Packet {
        tags: vec![(0x88A8, 7), (0x8100, 8)],
        ..tcp.clone()
    };
    let tcp6 = Packet {
        protocol: 6,
        padding: 20,
        ..Packet::v6(golden::G5)
    };
    let mut lldp = tcp.frame();
    if let Some(ethertype) = lldp.get_mut(12..14) {
        ethertype.copy_from_slice(&[0x88, 0xCC]);
    }
    for (name, hook) in [("Xdp", Hook::Xdp), ("Tcx", Hook::Tc)] {
        match cost_of_nothing(hook, &tcp.frame(), REPEAT) {
            Ok(nanos) => print(nanos, name, "nothing: an empty program"),
            Err(error) => eprintln!("an empty program: {error}"),
        }
    }
    for program in [Program::Xdp, Program::Tcx] {
        report(&kernel, program, "neither IPv4 nor IPv6", &lldp)?;
    }
    let other = Packet::v4(golden::G3).with_byte(1, 11);
    for (what, packet) in [
        ("foreign, IPv4", tcp),
        ("foreign, IPv4 in two VLAN tags", tagged),
        ("foreign, IPv6", tcp6),
        ("advert of the Active, v3/IPv4, two addresses", advert),
        ("advert of an unknown VRID", other),
    ] {
        for program in [Program::Xdp, Program::Tcx] {
            report(&kernel, program, what, &packet.frame())?;
        }
    }
    let until = Some(KernelTime(u64::MAX - 1));
    fast.lease(1, until)?;
    for (program, hook) in [
        (Program::Xdp, reflect_hook::XDP),
        (Program::Reflect, reflect_hook::TCX),
    ] {
        let (key, target) = target(hook);
        kernel.set_target(&key, &target)?;
        report(&kernel, program, "probe for somebody else", &probe())?;
    }
    Ok(())
}

const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const OWN: [u8; 4] = [192, 0, 2, 1];
const PEER: [u8; 4] = [192, 0, 2, 2];

fn asked() -> u32 {
    Vrid::new(10).map_or(0, |vrid| discriminator(Family::V4, vrid))
}

fn target(hook: u8) -> (ReflectKey, ReflectTarget) {
    let key = ReflectKey {
        ifindex: 1,
        vlan: 0,
        family: Family::V4 as u8,
        _pad: 0,
        discriminator: asked(),
    };
    let target = ReflectTarget {
        slot: 1,
        mac: OWN_MAC,
        hook,
        _pad: 0,
        own: wire_v4(OWN),
    };
    (key, target)
}

/// What a Backup sends (RFC 7880 7.3, RFC 7881 3), to another machine: an answer
/// is written over its probe, so that a program would see it once and no more.
fn probe() -> Vec<u8> {
    let mut ip = [
        0x45, 0, 0, 52, 0, 1, 0x40, 0, 255, 17, 0, 0, PEER[0], PEER[1], PEER[2], PEER[3], OWN[0],
        OWN[1], OWN[2], OWN[3],
    ];
    let sum: u32 = ip
        .chunks(2)
        .map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
        .sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    let checksum = !(folded + (folded >> 16)) as u16;
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = [OTHER_MAC, PEER_MAC].concat();
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame.extend(49_200_u16.to_be_bytes());
    frame.extend(REFLECTOR_PORT.to_be_bytes());
    frame.extend([0, 32, 0, 0, 0x20, 0xC2, 3, 24]);
    frame.extend(1_u32.to_be_bytes());
    frame.extend(asked().to_be_bytes());
    frame.extend(1000_u32.to_be_bytes());
    frame.extend([0; 8]);
    frame
}

fn report(kernel: &Kernel, program: Program, what: &str, frame: &[u8]) -> Result<(), BpfError> {
    let run = kernel.test_run(program, frame, REPEAT)?;
    print(run.duration_ns, &format!("{program:?}"), what);
    Ok(())
}

fn print(nanos: u32, program: &str, what: &str) {
    println!("{nanos:>5} ns  {program}  {what}");
}
