//! What the kernel half costs per frame, by BPF_PROG_TEST_RUN: nanoseconds for
//! frames that are not ours, and for adverts.
//!
//! The test run itself is part of the figure: compare with the first line, a
//! frame of no IP version, which costs as much as an empty program does.
//!
//! `cargo run -p failoverd --release --example xdp_cost`, as root. Attaches
//! nothing.

use std::process::ExitCode;

use agent_common::{
    record::{InstanceFilter, InstanceKey, WatchSlot},
    wire::{frame::wire_address, vrrp},
};
use bytemuck::Zeroable as _;
use failoverd::io::bpf::{BpfError, Kernel, Program};
use failoverd_tests::packet::{Packet, golden};

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
    Ok(())
}

fn report(kernel: &Kernel, program: Program, what: &str, frame: &[u8]) -> Result<(), BpfError> {
    let run = kernel.test_run(program, frame, REPEAT)?;
    println!("{:>5} ns  {program:?}  {what}", run.duration_ns);
    Ok(())
}
