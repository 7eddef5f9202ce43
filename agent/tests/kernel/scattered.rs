//! Frames of which a driver has put no more than the Ethernet header where a
//! program can read it without asking.

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice, Write as _},
    os::fd::AsRawFd as _,
};

use agent_common::record::InstanceKey;
use failoverd::io::bpf::Backend;
use failoverd_tests::{
    fixtures::filter,
    packet::{Packet, golden},
};

use crate::{
    attach::in_namespace,
    lab::{self, Wakeups, link},
};

const WAIT_MS: i32 = 10_000;
const ETHERNET: usize = 14;

/// A TAP that hands frames over in the pieces that they are written in.
fn tap(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: all zeroes is a request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_NAPI | libc::IFF_NAPI_FRAGS;
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: the request is live, and as TUNSETIFF wants it.
    match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn an_advert_is_judged_however_the_driver_has_laid_it() {
    in_namespace(|mut kernel| {
        if !lab::kernel_has_tcx() {
            return;
        }
        let mut tap = match tap("tap0") {
            Ok(tap) => tap,
            Err(error) => return lab::skip(&format!("no TAP: {error}")),
        };
        // It would gather the headers on its way.
        let off = std::process::Command::new("ethtool")
            .args(["-K", "tap0", "gro", "off"])
            .status();
        assert!(off.expect("ethtool").success());
        link("link set tap0 up");
        let ifindex = lab::ifindex("tap0");
        let key = InstanceKey {
            ifindex,
            vlan: 0,
            family: 4,
            vrid: 10,
        };
        let filter = filter(3, agent_common::Family::V4);
        kernel.set_instance(&key, &filter).unwrap();
        let mut fast = kernel.fast_maps().unwrap();
        let wakeups = Wakeups::of(fast.ring_fd());
        let report = kernel.attach(ifindex, "tap0", &[Backend::Tcx]);
        assert_eq!(report.backend, Some(Backend::Tcx), "{report:?}");
        let frame = Packet::v4(golden::G2).frame();
        // As short as an Ethernet frame can be, and longer than what is scanned.
        for length in [60, 80] {
            let mut padded = frame.clone();
            padded.resize(length, 0);
            let (ethernet, rest) = padded.split_at(ETHERNET);
            let parts = [IoSlice::new(ethernet), IoSlice::new(rest)];
            assert_eq!(tap.write_vectored(&parts).unwrap(), length);
            assert!(wakeups.came(WAIT_MS), "{length} bytes");
            assert!(fast.next_event().is_some(), "{length} bytes");
            assert_eq!(fast.next_event(), None);
        }
    });
}
