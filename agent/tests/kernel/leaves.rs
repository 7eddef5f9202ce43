//! Whether answers leave the machine: on a veth pair, whose other end alone
//! can tell, with and without an XDP program there.

use std::{os::fd::AsFd as _, time::Duration};

use agent_common::{KernelTime, record::reflect_hook};
use failoverd::io::bpf::{Backend, Kernel, Reflector};
use failoverd_tests::{
    clock::monotonic,
    sys::{PacketSocket, wait_readable},
};

use crate::{
    attach::in_namespace,
    lab::{self, send},
    reflect::{OWN, PEER, probe, target_for, wanted},
};

const MINUTE: u64 = 60_000_000_000;
const SLOT: u32 = 3;
/// Microseconds would do.
const PATIENCE: Duration = Duration::from_secs(2);
/// What does not come in this time does not come.
const SILENCE: Duration = Duration::from_millis(200);

/// Whether a probe from `theirs` is answered there within `patience`.
fn is_answered(patience: Duration) -> bool {
    let socket = PacketSocket::open("theirs", 0x0003).unwrap();
    let mut frame = probe(wanted());
    frame[..6].copy_from_slice(&lab::mac("ours"));
    send("theirs", &frame);
    let deadline = monotonic() + u64::try_from(patience.as_nanos()).unwrap();
    let mut buffer = [0; 256];
    loop {
        let rest = deadline.saturating_sub(monotonic());
        if rest == 0 {
            return false;
        }
        wait_readable(socket.as_fd(), Duration::from_nanos(rest)).unwrap();
        while let Ok(Some(received)) = socket.receive(&mut buffer) {
            // To us, and from the port that was asked.
            if !received.outgoing && buffer[..6] == PEER && buffer[34..36] == [0x1E, 0x68] {
                return true;
            }
        }
    }
}

/// Answers for `ours` by `hook`, with a lease.
fn serve(kernel: &mut Kernel, hook: u8) {
    let (mut key, mut target) = target_for(hook, SLOT, lab::mac("ours"), OWN, wanted());
    key.ifindex = lab::ifindex("ours");
    target.mac = lab::mac("ours");
    kernel.set_target(&key, &target).unwrap();
    let until = KernelTime(monotonic() + MINUTE);
    kernel.set_lease(SLOT, until).unwrap();
}

fn attach(kernel: &mut Kernel, interface: &str, backend: Backend) {
    let report = kernel.attach(lab::ifindex(interface), interface, &[backend]);
    assert_eq!(report.backend, Some(backend), "{:?}", report.refused);
}

/// The way that is chosen leads out, whatever the other end is like.
#[test]
fn what_is_chosen_leaves() {
    if !lab::kernel_has_tcx() {
        return;
    }
    in_namespace(|mut kernel| {
        for backend in [Backend::XdpNative, Backend::XdpGeneric, Backend::Tcx] {
            attach(&mut kernel, "ours", backend);
            let ours = lab::ifindex("ours");
            let reflecting = kernel.reflect_on(ours, "ours", backend).unwrap();
            let wanted = match backend {
                Backend::XdpGeneric => Reflector::Xdp,
                Backend::XdpNative | Backend::Tcx | Backend::RawSocket => Reflector::Tcx,
            };
            assert_eq!(reflecting.reflector, wanted);
            serve(&mut kernel, reflecting.reflector.hook());
            assert!(is_answered(PATIENCE), "{backend}, to a plain veth");
            let mut other = lab::kernel().unwrap();
            attach(&mut other, "theirs", Backend::XdpNative);
            assert!(is_answered(PATIENCE), "{backend}, to one with XDP");
        }
    });
}

/// Why native XDP is not chosen: its counters say that it has answered.
#[test]
fn what_native_xdp_says_on_a_plain_veth_is_lost() {
    in_namespace(|mut kernel| {
        attach(&mut kernel, "ours", Backend::XdpNative);
        serve(&mut kernel, reflect_hook::XDP);
        assert!(!is_answered(SILENCE));
        assert_eq!(kernel.reflected(SLOT).unwrap().up, 1);
        let mut other = lab::kernel().unwrap();
        attach(&mut other, "theirs", Backend::XdpNative);
        assert!(is_answered(PATIENCE), "with a program at the other end");
    });
}
