//! Threads are confined, so a thread can try what is left to it.

use std::{fs, io::ErrorKind, net::UdpSocket, os::fd::AsFd, process::Command, thread};

use caps::{CapSet, Capability};

use super::*;
use crate::io::sys::{self, trap};

/// Runs `work` on a thread of its own that has entered `role`.
fn confined<T: Send + 'static>(
    role: Role,
    places: &[PathBuf],
    work: impl FnOnce(Confined) -> T + Send + 'static,
) -> T {
    let confinement = Confinement::prepare(role, places);
    let thread = thread::spawn(move || work(confinement.enter()));
    thread.join().expect("the thread does not end by a signal")
}

fn denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn the_fast_lane_opens_nothing_and_runs_nothing() {
    let before = trap::trapped().0;
    let step = confined(Role::FastLane, &[], |confined| {
        assert!(denied(fs::read("/proc/self/status")));
        assert!(denied(UdpSocket::bind("127.0.0.1:0")));
        assert!(denied(Command::new("/bin/true").status()));
        assert!(denied(std::env::current_dir()));
        confined.seccomp
    });
    assert_eq!(step, Step::Full);
    // Refused by seccomp and counted, not by something else.
    let (count, last) = trap::trapped();
    assert!(count >= before + 3 && last.is_some(), "{before} {count}");
    // Nothing of that is left behind in others.
    assert!(Command::new("/bin/true").status().unwrap().success());
}

#[test]
fn the_fast_lane_does_its_work() {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let loopback = sys::interfaces().unwrap();
    let loopback = loopback.iter().find(|(_, name)| name == "lo").unwrap().0;
    confined(Role::FastLane, &[], move |_| {
        // The flags and the index of a link, and no other request of that call.
        assert!(sys::is_running(socket.as_fd(), "lo", loopback).is_ok());
        assert!(denied(socket.set_nonblocking(true)));
        rustix::io::write(&write, b"advert").unwrap();
        let mut ready = [rustix::event::PollFd::new(
            &read,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut ready, None).unwrap();
        let mut bytes = [0; 6];
        assert_eq!(rustix::io::read(read.as_fd(), &mut bytes[..]), Ok(6));
        // Memory beyond what an arena has.
        let much = vec![1_u8; 64 << 20];
        assert_eq!(much.iter().filter(|byte| **byte == 1).count(), 64 << 20);
    });
}

#[test]
fn the_slow_lane_reads_and_writes_but_not_the_system() {
    let place = tempfile::tempdir().unwrap();
    let (inside, named) = (place.path().join("file"), tempfile::tempdir_in("/etc"));
    let places: Vec<PathBuf> = named.iter().map(|named| named.path().to_owned()).collect();
    let within = places.first().map(|named| named.join("fifo"));
    let steps = confined(Role::SlowLane, &places, move |confined| {
        assert!(fs::read_to_string("/etc/passwd").is_ok());
        fs::write(&inside, "written").unwrap();
        fs::rename(&inside, inside.with_extension("new")).unwrap();
        if confined.landlock != Step::Missing {
            let system = fs::write("/etc/failoverd-test-of-the-sandbox", "never");
            assert!(denied(system));
        }
        if let Some(within) = within {
            fs::write(within, "as the configuration says").unwrap();
        }
        assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
        confined
    });
    assert_eq!(steps.seccomp, Step::Full);
    assert!(!fs::exists("/etc/failoverd-test-of-the-sandbox").unwrap());
}

#[test]
fn the_slow_lane_is_nobody_else_and_runs_nothing() {
    confined(Role::SlowLane, &[], |_| {
        assert!(denied(Command::new("/bin/true").status()));
        let user = rustix::process::Uid::from_raw(65_534);
        assert_eq!(
            rustix::thread::set_thread_uid(user),
            Err(rustix::io::Errno::PERM)
        );
        let root = rustix::process::chroot("/");
        assert_eq!(root, Err(rustix::io::Errno::PERM));
        // Threads it does start, and they are confined as it is.
        let inner = thread::spawn(|| denied(Command::new("/bin/true").status()));
        assert!(inner.join().unwrap());
    });
}

#[test]
fn only_what_is_listed_is_kept_of_what_was_there() {
    let had = caps::read(None, CapSet::Permitted).unwrap();
    for (role, keep) in [
        (Role::FastLane, capabilities::FAST_LANE),
        (Role::Hands, capabilities::HANDS),
        (Role::Watcher, capabilities::WATCHER),
        (Role::SlowLane, capabilities::SLOW_LANE),
    ] {
        let sets = thread::spawn(move || {
            let lowered = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap();
            capabilities::keep_only(keep, Bounding::Lowered).unwrap();
            let read = |set| caps::read(None, set).unwrap();
            (
                lowered,
                [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable].map(read),
                read(CapSet::Bounding),
            )
        });
        let (lowered, [effective, permitted, inheritable], bounding) = sets.join().unwrap();
        assert!(effective.iter().all(|one| keep.contains(one)), "{role:?}");
        assert!(
            keep.iter()
                .all(|one| permitted.contains(one) == had.contains(one))
        );
        assert_eq!(effective, permitted);
        assert!(inheritable.is_empty());
        assert!(!lowered || bounding.iter().all(|one| keep.contains(one)));
    }
    assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), had);
}
