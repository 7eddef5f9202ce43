//! Startup, faults, shutdown, and a changed source address.

use super::*;

const PEER: IpAddr = ip(10);

fn down(rig: &mut Rig, now: KernelTime) -> Vec<Effect> {
    rig.input(
        Input::Down {
            id: ID,
            fault: Fault::LinkDown,
        },
        now,
    )
}

// proves: S-03
#[test]
fn s03_adverts_are_ignored_in_initialize() {
    let mut rig = Rig::new(config(100));
    let before = rig.snapshot();
    assert_eq!(rig.hear(advert(PEER, 200, at(10))), []);
    assert_eq!(rig.snapshot(), before);
    assert_eq!(rig.machine.poll_timeout(), None);
}

/// What was stamped before Startup belongs to Initialize: an old priority 0 in
/// LATEST must not promote us.
// proves: S-03
#[test]
fn s03_adverts_stamped_before_startup_are_ignored() {
    let mut rig = Rig::up(config(100));
    let deadline = rig.deadline();
    for priority in [0, 150] {
        rig.hear_late(advert(PEER, priority, KernelTime(START.0 - 1)), at(10));
    }
    assert_eq!(rig.deadline(), deadline);
    assert_eq!(rig.snapshot().active, None);
}

// proves: F-16, S-37
#[test]
fn s37_shutdown_of_an_active_releases_then_removes() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(100));
    let effects = rig.input(Input::Shutdown { id: ID }, now);
    let gone = transition(State::Active, State::Initialize, Cause::Shutdown, now);
    assert_eq!(effects, [send(0), remove(), gone]);
    assert_eq!(rig.machine.poll_timeout(), None);
    assert_eq!(rig.snapshot().counters.priority_zero_sent, 1);
}

// proves: F-16, X-06, S-15
#[test]
fn s15_shutdown_of_a_backup_sends_nothing() {
    let mut rig = Rig::up(config(100));
    let effects = rig.input(Input::Shutdown { id: ID }, at(100));
    let gone = transition(State::Backup, State::Initialize, Cause::Shutdown, at(100));
    assert_eq!(effects, [gone]);
    assert_eq!(rig.machine.poll_timeout(), None);
}

/// A link that flaps while we leave must not bring the VIPs back.
// proves: S-37
#[test]
fn s37_shutdown_is_for_good() {
    let mut rig = Rig::up(config(255));
    rig.input(Input::Shutdown { id: ID }, at(100));
    assert_eq!(rig.input(Input::Shutdown { id: ID }, at(101)), []);
    assert_eq!(
        rig.input(
            Input::Up {
                id: ID,
                source: OWN
            },
            at(102)
        ),
        []
    );
    assert_eq!(down(&mut rig, at(103)), []);
    assert_eq!(rig.state(), State::Initialize);
}

// proves: S-37
#[test]
fn s37_a_fault_of_an_active_releases_then_removes() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(100));
    let cause = Cause::Fault(Fault::LinkDown);
    let gone = transition(State::Active, State::Initialize, cause, now);
    assert_eq!(down(&mut rig, now), [send(0), remove(), gone]);
    assert_eq!(rig.snapshot().fault, Some(Fault::LinkDown));
    assert_eq!(rig.snapshot().counters.left_active, 1);
}

// proves: S-15
#[test]
fn s15_a_fault_of_a_backup_is_a_transition_only() {
    let mut rig = Rig::up(config(100));
    let cause = Cause::Fault(Fault::LinkDown);
    let gone = transition(State::Backup, State::Initialize, cause, at(5));
    assert_eq!(down(&mut rig, at(5)), [gone]);
    assert_eq!(down(&mut rig, at(6)), []);
}

// proves: S-02
#[test]
fn s02_back_from_a_fault_it_waits_a_full_interval_and_watches_nobody() {
    let mut rig = Rig::up(config(100));
    rig.hear(Advert {
        interval: cs(10),
        ..advert(PEER, 150, at(100))
    });
    down(&mut rig, at(200));
    let effects = rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        at(300),
    );
    let started = transition(State::Initialize, State::Backup, Cause::Started, at(300));
    assert_eq!(effects, [watch(None), started]);
    // T-03: and with the local interval again.
    assert_eq!(
        rig.deadline(),
        at(300).after(Duration::from_nanos(3_609_375_000))
    );
    assert_eq!((rig.snapshot().fault, rig.snapshot().active), (None, None));
}

// proves: S-01
#[test]
fn s01_an_owner_back_from_a_fault_is_active_at_once() {
    let mut rig = Rig::up(config(255));
    down(&mut rig, at(200));
    rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        at(300),
    );
    assert_eq!(rig.state(), State::Active);
}

// proves: S-40
#[test]
fn s40_a_new_source_address_decides_the_next_tie() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(400));
    assert_eq!(
        rig.input(
            Input::Up {
                id: ID,
                source: OWN
            },
            now
        ),
        []
    );
    assert_eq!(
        rig.input(
            Input::Up {
                id: ID,
                source: ip(5)
            },
            now
        ),
        [send(100)]
    );
    assert_eq!(rig.deadline(), now.after(ms(1000)));
    rig.hear(advert(PEER, 100, now.after(ms(1))));
    assert_eq!(rig.state(), State::Backup);
}

// proves: S-02
#[test]
fn s02_a_new_source_address_leaves_a_backup_as_it_is() {
    let mut rig = Rig::up(config(100));
    let deadline = rig.deadline();
    assert_eq!(
        rig.input(
            Input::Up {
                id: ID,
                source: ip(5)
            },
            at(400)
        ),
        []
    );
    assert_eq!(rig.deadline(), deadline);
    assert_eq!(rig.snapshot().source, Some(ip(5)));
}

/// The same for an owner, who would answer or yield at once.
// proves: S-03
#[test]
fn s03_an_owner_ignores_what_was_stamped_before_startup() {
    for priority in [0, 50, 255] {
        let mut rig = Rig::up(config(255));
        let old = advert(ip(200), priority, KernelTime(START.0 - 1));
        assert_eq!(rig.hear_late(old, at(10)), []);
        assert_eq!(rig.state(), State::Active);
    }
}

/// T-12: no wrap of 32-bit milliseconds, and the end of the clock is no panic.
// proves: T-12
#[test]
fn t12_long_after_boot_and_up_to_the_end_of_the_clock() {
    const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;
    for start in [YEAR / 7, 100 * YEAR, 580 * YEAR].map(KernelTime) {
        let mut rig = Rig::new(config(100));
        rig.input(
            Input::Up {
                id: ID,
                source: OWN,
            },
            start,
        );
        let deadline = rig.deadline();
        assert_eq!(deadline.since(start), Duration::from_nanos(3_609_375_000));
        rig.run_until(deadline);
        assert_eq!(rig.state(), State::Active);
    }
    let mut rig = Rig::up(config(100));
    for source in [1, 2] {
        rig.hear_late(advert(ip(source), 150, KernelTime(u64::MAX)), at(1));
        rig.hear_late(advert(ip(source + 2), 0, KernelTime(u64::MAX)), at(1));
    }
    rig.timeout(KernelTime(u64::MAX));
    assert_eq!(rig.state(), State::Active);
    rig.timeout(KernelTime(u64::MAX));
}
