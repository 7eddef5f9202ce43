//! When an alarm begins, and when it ends.

use super::*;
use crate::core::{Input, Machine};
use crate::io::plan::{Standing, core_config};

const ID: InstanceId = InstanceId(1);
const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> KernelTime {
    KernelTime(1000 * SECOND + seconds * SECOND)
}

fn peer() -> IpAddr {
    "192.0.2.2".parse().unwrap()
}

/// A v2 Backup with an interval of 1 s that has heard `source` at `heard`.
fn snapshot(heard: Option<u64>) -> Snapshot {
    let text = "vrrp_instance V {\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress {\n192.0.2.9/24\n}\n}\n";
    let config = crate::config::parse_str("c", text).config.unwrap();
    let mut machine = Machine::new(vec![core_config(
        ID,
        &config.instances[0],
        Standing::alone(&config.instances[0]),
    )]);
    let source = "192.0.2.1".parse().unwrap();
    machine.handle(Input::Up { id: ID, source }, at(0));
    while machine.poll_effect().is_some() {}
    let mut snapshot = machine.snapshot(ID).unwrap();
    snapshot.heard[0] = heard.map(|seconds| (peer(), at(seconds)));
    snapshot
}

fn look(alarms: &mut Alarms, heard: Option<u64>, now: u64, count: u64) -> Vec<Option<End>> {
    let news = alarms.look(&[snapshot(heard)], at(now), |_, _| count);
    news.iter().map(|news| news.end).collect()
}

// proves: L-02
#[test]
fn one_alarm_after_the_patience_of_a_backup() {
    let mut alarms = Alarms::default();
    assert!(alarms.refused(ID, peer(), Outcome::AuthFailed, at(10)));
    assert_eq!(look(&mut alarms, None, 10, 1), []);
    assert_eq!(look(&mut alarms, None, 12, 3), [], "too early");
    assert_eq!(look(&mut alarms, None, 14, 5), [None]);
    assert!(!alarms.refused(ID, peer(), Outcome::AuthFailed, at(20)));
    assert_eq!(look(&mut alarms, None, 20, 9), [], "once");
    assert_eq!(alarms.of(ID).count(), 1);
    assert_eq!(look(&mut alarms, Some(25), 25, 9), [Some(End::Accepted)]);
    assert!(alarms.is_empty());
}

#[test]
fn a_single_stray_advert_is_no_alarm() {
    let mut alarms = Alarms::default();
    alarms.refused(ID, peer(), Outcome::Ttl, at(10));
    for now in 10..19 {
        assert_eq!(look(&mut alarms, None, now, 1), []);
    }
    assert_eq!(look(&mut alarms, None, 20, 1), []);
    assert!(alarms.is_empty(), "forgotten");
}

#[test]
fn a_sender_that_is_heard_as_well_is_no_alarm() {
    let mut alarms = Alarms::default();
    alarms.refused(ID, peer(), Outcome::Checksum, at(10));
    assert_eq!(look(&mut alarms, Some(9), 10, 1), []);
    assert_eq!(look(&mut alarms, Some(11), 12, 50), []);
    assert!(alarms.is_empty());
}

#[test]
fn silence_ends_it() {
    let mut alarms = Alarms::default();
    alarms.refused(ID, peer(), Outcome::Version, at(10));
    look(&mut alarms, None, 10, 1);
    assert_eq!(look(&mut alarms, None, 15, 6), [None]);
    assert_eq!(look(&mut alarms, None, 24, 6), []);
    assert_eq!(look(&mut alarms, None, 25, 6), [Some(End::Silent)]);
}

// proves: L-08
#[test]
fn changing_sources_do_not_fill_memory() {
    let mut alarms = Alarms::default();
    for n in 0..5000_u32 {
        let source = IpAddr::from((0x0A00_0000 + n).to_be_bytes());
        alarms.refused(ID, source, Outcome::UnknownPeer, at(10));
    }
    assert_eq!(alarms.0.len(), SENDERS);
}
