//! Attachments, on veths inside a namespace that ends with its thread.

use std::{
    io,
    process::{Command, Stdio},
    thread,
};

use agent_common::{
    Outcome,
    record::{InstanceKey, WatchSlot},
    wire::frame::wire_address,
};
use failoverd::io::bpf::{Backend, Kernel};
use failoverd_tests::{
    fixtures::{SLOT, filter},
    packet::{PEER_V4, Packet, golden},
};

use crate::lab::{self, Wakeups, link};

const XDP_FIRST: &[Backend] = &[Backend::XdpNative, Backend::XdpGeneric, Backend::Tcx];
const WAIT_MS: i32 = 10_000;

/// Runs `test` in a network namespace of its own, which holds the veth pair
/// `ours` and `theirs`, both up.
pub fn in_namespace(test: fn(Kernel)) {
    let Some(kernel) = lab::kernel() else { return };
    let ran = thread::spawn(move || {
        // SAFETY: changes the namespace of this thread only.
        let entered = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        if entered != 0 {
            lab::skip(&format!(
                "no network namespace: {}",
                io::Error::last_os_error()
            ));
            return;
        }
        link("link add ours type veth peer name theirs");
        link("link set ours up");
        link("link set theirs up");
        test(kernel);
    });
    if let Err(panic) = ran.join() {
        std::panic::resume_unwind(panic);
    }
}

fn refusals(report: &[(Backend, String)]) -> Vec<Backend> {
    report.iter().map(|(backend, _reason)| *backend).collect()
}

/// The instance of the fixtures, on `ours`.
fn instance(kernel: &Kernel, version: u8) -> InstanceKey {
    let key = InstanceKey {
        ifindex: lab::ifindex("ours"),
        vlan: 0,
        family: 4,
        vrid: 10,
    };
    kernel
        .set_instance(&key, &filter(version, agent_common::Family::V4))
        .unwrap();
    key
}

#[test]
fn every_backend_hands_over_an_advert() {
    in_namespace(|mut kernel| {
        let ours = lab::ifindex("ours");
        instance(&kernel, 3);
        let mut fast = kernel.fast_maps().unwrap();
        let wakeups = Wakeups::of(fast.ring_fd());
        let mut last = 0;
        for backend in XDP_FIRST {
            let report = kernel.attach(ours, "ours", &[*backend]);
            if *backend == Backend::Tcx && report.backend.is_none() && !lab::kernel_has_tcx() {
                continue;
            }
            assert_eq!(report.backend, Some(*backend), "{report:?}");
            assert_eq!(kernel.backend(ours), Some(*backend));
            let shown = lab::shown("ours");
            let generic = *backend == Backend::XdpGeneric;
            let native = *backend == Backend::XdpNative;
            assert_eq!(shown.contains(" xdpgeneric "), generic, "{shown}");
            assert_eq!(shown.contains(" xdp "), native, "{shown}");
            lab::send("theirs", &Packet::v4(golden::G3).frame());
            assert!(wakeups.came(WAIT_MS), "{backend}");
            let record = fast.next_event().unwrap();
            assert_eq!((record.slot, record.priority), (SLOT, 100));
            assert!(record.stamp_ns > last);
            last = record.stamp_ns;
            assert_eq!(fast.next_event(), None);
            assert_eq!(kernel.detach(ours), Some(*backend));
            assert_eq!(kernel.backend(ours), None);
        }
    });
}

#[test]
fn somebody_elses_program_is_never_replaced() {
    in_namespace(|mut kernel| {
        let ours = lab::ifindex("ours");
        let mut other = Kernel::load().unwrap();
        for mode in [Backend::XdpNative, Backend::XdpGeneric] {
            assert_eq!(other.attach(ours, "ours", &[mode]).backend, Some(mode));
            let report = kernel.attach(ours, "ours", XDP_FIRST);
            let refused = refusals(&report.refused);
            if lab::kernel_has_tcx() {
                assert_eq!(report.backend, Some(Backend::Tcx));
                assert_eq!(refused, [Backend::XdpNative, Backend::XdpGeneric]);
            } else {
                assert_eq!(report.backend, None);
                assert_eq!(refused, XDP_FIRST);
            }
            for (_backend, reason) in report.refused.iter().take(2) {
                assert!(reason.contains("we do not replace"), "{reason}");
            }
            assert_eq!(other.backend(ours), Some(mode));
            kernel.detach(ours);
        }
        // Free again: as by order.
        other.detach(ours);
        let report = kernel.attach(ours, "ours", XDP_FIRST);
        assert_eq!(
            (report.backend, report.refused),
            (Some(Backend::XdpNative), vec![])
        );
    });
}

#[test]
fn an_interface_that_is_not_there_is_refused() {
    in_namespace(|mut kernel| {
        let report = kernel.attach(4_000_000, "gone", XDP_FIRST);
        assert_eq!(report.backend, None);
        assert_eq!(refusals(&report.refused), XDP_FIRST);
        let report = kernel.attach(4_000_000, "gone", &[Backend::RawSocket]);
        assert_eq!(report.backend, Some(Backend::RawSocket));
    });
}

// proves: R-22
#[test]
fn r22_tag_out_of_the_frame_selects_the_instance() {
    in_namespace(|mut kernel| {
        if !lab::kernel_has_tcx() {
            // Not for want of a privilege: there is nothing to test.
            failoverd_tests::privilege::say_skipped("no tcx in this kernel");
            return;
        }
        let ours = lab::ifindex("ours");
        let key = InstanceKey {
            ifindex: ours,
            vlan: 100,
            family: 4,
            vrid: 10,
        };
        kernel
            .set_instance(&key, &filter(3, agent_common::Family::V4))
            .unwrap();
        let mut fast = kernel.fast_maps().unwrap();
        let wakeups = Wakeups::of(fast.ring_fd());
        // The stack takes the tag out of the frame before tcx sees it.
        assert_eq!(
            kernel.attach(ours, "ours", &[Backend::Tcx]).backend,
            Some(Backend::Tcx)
        );
        let tagged = Packet {
            tags: vec![(0x8100, 100)],
            ..Packet::v4(golden::G3)
        };
        lab::send("theirs", &tagged.frame());
        assert!(wakeups.came(WAIT_MS));
        assert!(fast.next_event().is_some());
    });
}

// proves: R-22
#[test]
fn r22_no_xdp_where_it_could_not_tell_vlans_apart() {
    in_namespace(|mut kernel| {
        if !lab::try_link("link add link ours name ours.100 type vlan id 100") {
            failoverd_tests::privilege::say_skipped("no VLAN devices in this kernel");
            return;
        }
        let ours = lab::ifindex("ours");
        let report = kernel.attach(ours, "ours", XDP_FIRST);
        let tcx = lab::kernel_has_tcx().then_some(Backend::Tcx);
        assert_eq!(report.backend, tcx, "{report:?}");
        for (_backend, reason) in report.refused.iter().take(2) {
            assert!(reason.contains("strips their tags"), "{reason}");
        }
        // The VLAN device itself has no such trouble.
        let vlan = lab::ifindex("ours.100");
        let report = kernel.attach(vlan, "ours.100", XDP_FIRST);
        assert_eq!(report.backend, Some(Backend::XdpGeneric), "{report:?}");
        kernel.detach(vlan);
        assert!(lab::try_link("link del ours.100"));
        let report = kernel.attach(ours, "ours", XDP_FIRST);
        assert_eq!(report.backend, Some(Backend::XdpNative), "{report:?}");
    });
}

// proves
#[test]
fn r21_fragments_open_the_slow_path_and_nothing_else_does() {
    in_namespace(|mut kernel| {
        let ours = lab::ifindex("ours");
        link("addr add 192.0.2.252/24 dev ours");
        instance(&kernel, 3);
        kernel.attach(ours, "ours", &[Backend::XdpNative]);
        let socket = lab::raw_socket();
        kernel
            .slow_filter(std::os::fd::AsFd::as_fd(&socket))
            .unwrap();
        let to_us = Packet {
            message: vec![0; 32],
            ..Packet::unicast_v4(golden::G4)
        };
        let ours_mac = lab::mac("ours");
        let to_us = Packet {
            destination_mac: ours_mac,
            ..to_us
        };
        lab::send("theirs", &to_us.frame());
        assert_eq!(lab::receive(&socket, 200), None);
        for frame in lab::fragments(&to_us) {
            lab::send("theirs", &frame);
        }
        let packet = lab::receive(&socket, WAIT_MS).unwrap();
        assert_eq!(packet.get(20..), Some(&to_us.message[..]));
        let fragments = kernel.counters(0).unwrap()[Outcome::Fragment.index() as usize];
        assert_eq!(fragments, 2);
    });
}

#[test]
fn adverts_of_a_real_keepalived_reach_the_ring() {
    if Command::new("keepalived")
        .arg("-v")
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return lab::skip("keepalived is not installed");
    }
    in_namespace(|mut kernel| {
        link("addr add 192.0.2.251/24 dev theirs");
        instance(&kernel, 2);
        let ours = lab::ifindex("ours");
        let report = kernel.attach(ours, "ours", XDP_FIRST);
        assert_eq!(report.backend, Some(Backend::XdpNative), "{report:?}");
        let mut fast = kernel.fast_maps().unwrap();
        let active = wire_address(PEER_V4.into());
        fast.watch(
            SLOT,
            &WatchSlot {
                active,
                ..WatchSlot::NOBODY
            },
        )
        .unwrap();
        let wakeups = Wakeups::of(fast.ring_fd());
        let mut keepalived = lab::Keepalived::start(
            "vrrp_instance one {\n state MASTER\n interface theirs\n virtual_router_id 10\n \
             priority 200\n advert_int 1\n virtual_ipaddress {\n 192.0.2.1/24\n }\n}\n",
        );
        assert!(wakeups.came(3 * WAIT_MS), "{}", keepalived.log());
        let first = fast.next_event().unwrap();
        assert_eq!(
            (first.priority, first.interval_cs, first.version),
            (200, 100, 2)
        );
        assert_eq!(first.source, active);
        // Steady: LATEST moves on, nobody is woken.
        while fast
            .latest(SLOT)
            .is_none_or(|latest| latest.stamp_ns == first.stamp_ns)
        {
            assert!(!wakeups.came(100));
        }
        // It leaves: priority 0 wakes at once.
        keepalived.stop();
        assert!(wakeups.came(WAIT_MS));
        let last = std::iter::from_fn(|| fast.next_event()).last().unwrap();
        assert_eq!(last.priority, 0);
    });
}
