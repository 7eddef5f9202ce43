//! What reaches the agent of an accepted advert, and whether it is woken.

use agent_common::{
    Outcome,
    record::{InstanceFilter, WatchSlot},
    wire::{Link, frame::wire_address, judge, locate},
};
use failoverd::io::bpf::{FastMaps, Kernel, Program};
use failoverd_tests::{
    fixtures::{SLOT, filter},
    packet::{PEER_V4, Packet, golden},
};

use crate::lab::{self, LOOPBACK, Wakeups};

/// An instance that accepts G2 and G3, with nobody watched yet.
fn instance() -> Option<(Kernel, FastMaps)> {
    let mut kernel = lab::kernel()?;
    let fast = kernel.fast_maps().unwrap();
    let filter: InstanceFilter = filter(3, agent_common::Family::V4);
    let frame = Packet::v4(golden::G2).frame();
    let located = locate(
        &frame[..],
        Link {
            ifindex: LOOPBACK,
            vlan: None,
        },
    )
    .unwrap();
    assert!(judge(&frame[..], &located, &filter, 0).is_ok());
    kernel.set_instance(&located.key, &filter).unwrap();
    Some((kernel, fast))
}

fn send(kernel: &Kernel, packet: &Packet) {
    kernel.test_run(Program::Xdp, &packet.frame(), 1).unwrap();
}

fn watch_peer(fast: &FastMaps, wake_always: u8) {
    let active = wire_address(PEER_V4.into());
    fast.watch(
        SLOT,
        &WatchSlot {
            active,
            wake_always,
            ..WatchSlot::NOBODY
        },
    )
    .unwrap();
}

fn drain(fast: &mut FastMaps) -> usize {
    std::iter::from_fn(|| fast.next_event()).count()
}

#[test]
fn every_advert_wakes_while_nobody_is_watched() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    let wakeups = Wakeups::of(fast.ring_fd());
    assert!(!wakeups.came(0));
    for _ in 0..3 {
        send(&kernel, &Packet::v4(golden::G2));
        assert!(wakeups.came(0));
        assert_eq!(drain(&mut fast), 1);
        assert!(!wakeups.came(0));
    }
}

#[test]
fn steady_adverts_of_the_watched_router_do_not_wake() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    watch_peer(&fast, 0);
    let wakeups = Wakeups::of(fast.ring_fd());
    // The first one is news.
    send(&kernel, &Packet::v4(golden::G2));
    assert!(wakeups.came(0));
    assert_eq!(drain(&mut fast), 1);
    assert!(!wakeups.came(0));
    for _ in 0..10 {
        send(&kernel, &Packet::v4(golden::G2));
    }
    assert!(!wakeups.came(0));
    assert_eq!(drain(&mut fast), 10);

    // Each differs from the one before in what it is called by only.
    let priority = Packet::v4(golden::G2).with_byte(2, 99);
    let interval = priority.clone().with_byte(5, 99);
    let addresses = interval.clone().with_byte(15, 99);
    let another = Packet {
        source: [192, 0, 2, 250].into(),
        ..addresses.clone()
    };
    let release = addresses.clone().with_byte(2, 0);
    let news = [
        ("priority", priority),
        ("interval", interval),
        ("addresses", addresses),
        ("another", another),
        ("release", release.clone()),
        ("release again", release),
    ];
    for (what, packet) in news {
        send(&kernel, &packet);
        assert!(wakeups.came(0), "{what}");
        assert_eq!(drain(&mut fast), 1, "{what}");
        assert!(!wakeups.came(0), "{what}");
    }
}

#[test]
fn an_advert_after_a_long_gap_is_news() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    watch_peer(&fast, 0);
    let wakeups = Wakeups::of(fast.ring_fd());
    // 10 centiseconds: steady within 400 ms.
    let packet = Packet::v4(golden::G2).with_byte(5, 10);
    send(&kernel, &packet);
    assert!(wakeups.came(0));
    drain(&mut fast);
    assert!(!wakeups.came(0));
    send(&kernel, &packet);
    assert!(!wakeups.came(500));
    send(&kernel, &packet);
    assert!(wakeups.came(0));
    assert_eq!(drain(&mut fast), 2);
}

#[test]
fn every_advert_wakes_when_asked_to() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    watch_peer(&fast, 1);
    let wakeups = Wakeups::of(fast.ring_fd());
    for _ in 0..3 {
        send(&kernel, &Packet::v4(golden::G2));
        assert!(wakeups.came(0));
        assert_eq!(drain(&mut fast), 1);
        assert!(!wakeups.came(0));
    }
}

#[test]
fn latest_is_the_newest_of_the_watched_router_only() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    assert_eq!(fast.latest(SLOT), None);
    assert_eq!(fast.latest(100_000), None);
    watch_peer(&fast, 0);
    send(
        &kernel,
        &Packet {
            source: [192, 0, 2, 250].into(),
            ..Packet::v4(golden::G2)
        },
    );
    assert_eq!(fast.latest(SLOT), None);
    let mut last = 0;
    for priority in 1..=50 {
        send(&kernel, &Packet::v4(golden::G2).with_byte(2, priority));
        let latest = fast.latest(SLOT).unwrap();
        assert_eq!(latest.priority, priority);
        assert!(latest.stamp_ns > last);
        last = latest.stamp_ns;
    }
    assert_eq!(drain(&mut fast), 51);
}

#[test]
fn a_slot_that_is_reset_remembers_nothing() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    watch_peer(&fast, 0);
    send(&kernel, &Packet::v4(golden::G2));
    assert!(fast.latest(SLOT).is_some());
    drain(&mut fast);
    kernel.reset_slot(SLOT).unwrap();
    assert_eq!(fast.latest(SLOT), None);
    assert!(kernel.reset_slot(100_000).is_err());
    let wakeups = Wakeups::of(fast.ring_fd());
    for _ in 0..2 {
        send(&kernel, &Packet::v4(golden::G2));
        assert!(wakeups.came(0));
        assert!(fast.latest(SLOT).is_some());
        assert_eq!(drain(&mut fast), 1);
        assert!(!wakeups.came(0));
    }
}

#[test]
fn a_full_ring_hides_no_living_active() {
    let Some((kernel, mut fast)) = instance() else {
        return;
    };
    watch_peer(&fast, 0);
    let frame = Packet::v4(golden::G2).frame();
    kernel.test_run(Program::Xdp, &frame, 10_000).unwrap();
    let counters = kernel.counters(SLOT).unwrap();
    let accepted = counters[Outcome::Accepted.index() as usize];
    let full = counters[Outcome::RingFull.index() as usize];
    assert_eq!(accepted + full, 10_000);
    assert!(full > 0);
    let before = fast.latest(SLOT).unwrap().stamp_ns;
    send(&kernel, &Packet::v4(golden::G2));
    assert!(fast.latest(SLOT).unwrap().stamp_ns > before);
    // Half of the ring is kept for what wakes.
    let wakeups = Wakeups::of(fast.ring_fd());
    send(&kernel, &Packet::v4(golden::G7));
    assert!(wakeups.came(0));
    assert_eq!(drain(&mut fast) as u64, accepted + 1);
    // A router that changes with every advert is read at our pace, in half of
    // the ring at most; then, too, LATEST has the newest.
    kernel
        .test_run(Program::Xdp, &Packet::v4(golden::G7).frame(), 10_000)
        .unwrap();
    assert_eq!(fast.latest(SLOT).unwrap().priority, 0);
    let read = drain(&mut fast);
    assert!((2_500..5_000).contains(&read), "{read}");
}
