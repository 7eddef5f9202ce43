//! What is noted of an instance, and for how long.

use agent_common::AdvertInterval;

use super::*;

const A: InstanceId = InstanceId(1);

fn advert(priority: u8, at: u64) -> Advert {
    Advert {
        stamp: KernelTime(at),
        source: IpAddr::from([10, 0, 0, 2]),
        priority: Priority(priority),
        interval: AdvertInterval::from_centis(100).unwrap(),
        address_count: 1,
        addresses_digest: 0,
    }
}

fn depart(flights: &mut Flights, to: State, cause: Cause) -> Flight {
    let from = match to {
        State::Active => State::Backup,
        State::Backup | State::Initialize => State::Active,
    };
    let at = KernelTime(2_000);
    flights.depart(A, (from, to), cause, at).unwrap()
}

#[test]
fn what_was_noted_of_an_instance_ends_with_it() {
    let mut flights = Flights::new();
    flights.heard(A, &advert(50, 1_000));
    flights.heard(A, &advert(0, 1_500));
    let released = Cause::ActiveReleased {
        by: IpAddr::from([10, 0, 0, 2]),
    };
    let before = depart(&mut flights, State::Active, released);
    assert_eq!((before.serial, before.times.released), (1, 1_500));
    assert!(before.rival.is_some());
    assert_eq!(flights.tag(A, false), Some(2));

    flights.forget(A);
    assert_eq!(flights.tag(A, false), None, "it is not Active");
    let after = depart(&mut flights, State::Active, released);
    assert_eq!(after.serial, 2, "the hands may still speak of the first");
    assert_eq!((after.times.released, after.rival), (0, None));
    assert!(!after.awaits_hands);
}

/// The hands are asked to tell of the end of a state that was inherited.
#[test]
fn an_inherited_active_is_followed_when_it_leaves() {
    let mut flights = Flights::new();
    flights.inherit(A, true);
    assert_eq!(flights.tag(A, false), Some(1));
    let left = depart(&mut flights, State::Backup, Cause::Shutdown);
    assert!(left.awaits_hands);
}

#[test]
fn a_configuration_is_told_from_a_shutdown_only_while_it_is_carried_out() {
    let mut flights = Flights::new();
    flights.set_configuring(true);
    assert!(depart(&mut flights, State::Initialize, Cause::Shutdown).configured);
    flights.set_configuring(false);
    assert!(!depart(&mut flights, State::Initialize, Cause::Shutdown).configured);
}
