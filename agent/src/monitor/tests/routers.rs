//! Appearing, changing, going silent, releasing; what is measured; bounds.

use std::time::Duration;

use agent_common::Version;

use super::{Lab, MS, SECOND, ip, labels, router};
use crate::monitor::{
    event::{Event, State},
    model::{MAX_EVENTS, MAX_ROUTERS},
    sight::{Auth, Checksum, Transport},
};

#[test]
fn an_advert_is_heard_with_all_that_it_says() {
    let mut lab = Lab::default();
    let mut active = router("192.0.2.1", 200);
    active.version = Version::V2;
    active.auth = Some(*b"secret\0\0");
    active.vlan = Some(10);
    active.local = true;
    let events = lab.hear(&active, SECOND);
    assert_eq!(labels(&events), ["heard"]);
    let Event::Heard(report) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!((report.router.vlan, report.router.vrid), (10, 51));
    assert_eq!((report.version, report.priority), (Version::V2, 200));
    assert_eq!(
        (report.auth, report.checksum),
        (Auth::Pass, Checksum::Message)
    );
    assert_eq!(report.interval, Duration::from_secs(1));
    assert_eq!(report.vips, [ip("192.0.2.100")]);
    assert_eq!((report.local, report.ttl, report.adverts), (true, 255, 1));
    assert_eq!(report.mac, [2, 0, 0, 0, 0, 0x0B]);
    let json = serde_json::to_string(&events[0]).expect("JSON");
    assert!(!json.contains("secret"), "{json}");
    assert!(json.contains(r#""mac":"02:00:00:00:00:0b""#), "{json}");
    assert!(json.contains(r#""interval_ms":1000.0"#), "{json}");
    assert!(json.contains(r#""family":"ipv4""#), "{json}");
}

// proves: K-05
#[test]
fn both_forms_of_the_v3_checksum_ipv6_and_unicast_are_told_apart() {
    let mut lab = Lab::default();
    let form = |lab: &mut Lab, sender: &super::Router| {
        let events = lab.hear(sender, SECOND);
        let Event::Heard(report) = &events[0] else {
            panic!("{events:?}")
        };
        (report.checksum, report.transport)
    };
    let mut bare = router("192.0.2.1", 100);
    bare.rfc9568 = true;
    assert_eq!(
        form(&mut lab, &bare),
        (Checksum::Message, Transport::Multicast)
    );
    let six = router("fe80::1", 100);
    assert_eq!(
        form(&mut lab, &six),
        (Checksum::PseudoHeader, Transport::Multicast)
    );
    let mut unicast = router("192.0.2.2", 100);
    unicast.destination = Some(ip("192.0.2.9"));
    unicast.ttl = 64;
    assert_eq!(
        form(&mut lab, &unicast),
        (Checksum::PseudoHeader, Transport::Unicast)
    );
    assert_eq!(lab.model.routers().count(), 3);
}

#[test]
fn interval_and_jitter_are_those_of_the_stamps() {
    let mut lab = Lab::default();
    let active = router("192.0.2.1", 200);
    for stamp in [0, 990, 1_990, 3_000, 6_000] {
        lab.hear(&active, SECOND + stamp * MS);
    }
    let record = lab.model.routers().next().expect("a router");
    assert_eq!(record.pace.mean(), Some(Duration::from_secs(1)));
    assert_eq!(record.pace.jitter(), Some(Duration::from_millis(10)));
    assert_eq!(record.pace.min(), Some(Duration::from_millis(990)));
    assert_eq!(record.pace.max(), Some(Duration::from_secs(3)));
    assert_eq!((record.pace.missed(), record.adverts), (2, 5));
}

#[test]
fn what_changes_is_named_and_a_new_interval_is_measured_anew() {
    let mut lab = Lab::default();
    let mut active = router("192.0.2.1", 200);
    lab.hear(&active, SECOND);
    lab.hear(&active, 2 * SECOND);
    active.priority = 150;
    active.centis = 10;
    active.vips = vec![ip("192.0.2.101"), ip("192.0.2.100")];
    let events = lab.hear(&active, 2 * SECOND + 100 * MS);
    let Event::Changed { changes, .. } = &events[0] else {
        panic!("{events:?}")
    };
    let fields: Vec<_> = changes.iter().map(|change| change.field).collect();
    assert_eq!(fields, ["priority", "interval", "vips"]);
    assert_eq!(
        (changes[1].from.as_str(), changes[1].to.as_str()),
        ("1s", "100ms")
    );
    lab.hear(&active, 2 * SECOND + 200 * MS);
    let record = lab.model.routers().next().expect("a router");
    assert_eq!(record.pace.mean(), Some(Duration::from_millis(100)));
    // The same addresses in another order are no change.
    active.vips.reverse();
    assert_eq!(lab.hear(&active, 2 * SECOND + 300 * MS), []);
}

#[test]
fn silence_is_three_intervals_and_the_skew_time() {
    let mut lab = Lab::default();
    // Priority 192: Skew_Time is a quarter of the interval.
    let active = router("192.0.2.1", 192);
    lab.hear(&active, SECOND);
    let down = SECOND + 3_250 * MS;
    assert_eq!(lab.model.next_silence().map(|at| at.nanos()), Some(down));
    assert_eq!(lab.tick(down - 1), []);
    assert_eq!(labels(&lab.tick(down)), ["silent"]);
    assert_eq!(lab.tick(down + SECOND), []);
    assert_eq!(lab.model.next_silence(), None);
    // Back: heard again, and the silence is no gap.
    assert_eq!(labels(&lab.hear(&active, 60 * SECOND)), ["heard"]);
    let record = lab.model.routers().next().expect("a router");
    assert_eq!((record.pace.missed(), record.pace.max()), (0, None));
}

#[test]
fn v2_skew_time_is_of_a_second_whatever_the_interval() {
    let mut lab = Lab::default();
    let mut active = router("192.0.2.1", 192);
    active.version = Version::V2;
    active.centis = 500;
    lab.hear(&active, 0);
    assert_eq!(
        lab.model.next_silence().map(|at| at.nanos()),
        Some(15_250 * MS)
    );
}

#[test]
fn a_release_is_told_once_and_keeps_what_was_known() {
    let mut lab = Lab::default();
    let active = router("192.0.2.1", 200);
    lab.hear(&active, SECOND);
    let mut release = active.clone();
    release.priority = 0;
    assert_eq!(labels(&lab.hear(&release, 2 * SECOND)), ["released"]);
    assert_eq!(lab.hear(&release, 3 * SECOND), []);
    let record = lab.model.routers().next().expect("a router");
    assert_eq!((record.state, record.releases), (State::Released, 2));
    assert_eq!(record.advert.priority.get(), 200);
    assert_eq!(lab.tick(60 * SECOND), [], "released, not silent");
}

#[test]
fn the_first_advert_may_be_a_release() {
    let mut lab = Lab::default();
    let events = lab.hear(&router("192.0.2.1", 0), SECOND);
    assert_eq!(labels(&events), ["heard", "released"]);
}

#[test]
fn a_take_over_is_a_change_of_source() {
    let mut lab = Lab::default();
    lab.hear(&router("192.0.2.1", 100), SECOND);
    let events = lab.hear(&router("192.0.2.2", 200), 2 * SECOND);
    assert_eq!(labels(&events), ["heard", "changed"]);
    let Event::Changed { changes, .. } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(changes[0].field, "source");
    assert_eq!(
        (changes[0].from.as_str(), changes[0].to.as_str()),
        ("192.0.2.1", "192.0.2.2")
    );
}

#[test]
fn two_that_send_at_once_are_told_as_one_take_over() {
    let mut lab = Lab::default();
    let (one, two) = (router("192.0.2.1", 200), router("192.0.2.2", 100));
    let mut told = Vec::new();
    for i in 0..10 {
        let sender = if i % 2 == 0 { &one } else { &two };
        told.extend(lab.hear(sender, SECOND + i * 500 * MS));
    }
    // Heard twice, the change of source, the conflict.
    assert_eq!(labels(&told), ["heard", "heard", "changed", "conflict"]);
    // The first is alone again, and known to be the Active.
    assert_eq!(lab.hear(&one, 7 * SECOND), []);
    assert_eq!(labels(&lab.hear(&one, 9 * SECOND)), ["changed"]);
    assert_eq!(labels(&lab.tick(9_200 * MS)), ["silent", "conflict"]);
    assert_eq!(lab.hear(&one, 10 * SECOND), []);
}

#[test]
fn what_the_monitor_could_not_hear_is_not_missed() {
    let mut lab = Lab::default();
    let active = router("192.0.2.1", 200);
    lab.hear(&active, SECOND);
    lab.hear(&active, 2 * SECOND);
    lab.model.lossy(5);
    lab.hear(&active, 4 * SECOND);
    lab.hear(&active, 6 * SECOND);
    lab.model.interrupt();
    lab.hear(&active, 8 * SECOND);
    lab.hear(&active, 9 * SECOND);
    let record = lab.model.routers().next().expect("a router");
    assert_eq!(
        (record.pace.missed(), record.pace.max()),
        (0, Some(Duration::from_secs(1)))
    );
    assert_eq!(lab.model.totals().lost, 5);
}

#[test]
fn one_vrid_in_two_families_and_on_two_vlans_is_three_routers() {
    let mut lab = Lab::default();
    let mut tagged = router("192.0.2.2", 100);
    tagged.vlan = Some(10);
    for sender in [&router("192.0.2.1", 200), &router("fe80::1", 200), &tagged] {
        assert_eq!(labels(&lab.hear(sender, SECOND)), ["heard"]);
    }
}

#[test]
fn the_longest_list_is_read_whole() {
    let mut lab = Lab::default();
    let mut sender = router("192.0.2.1", 100);
    sender.vips = (0..=254).map(|i| ip(&format!("10.0.0.{i}"))).collect();
    lab.hear(&sender, SECOND);
    let record = lab.model.routers().next().expect("a router");
    assert_eq!(record.advert.vips, sender.vips);
}

#[test]
fn routers_and_events_are_bounded() {
    let mut lab = Lab::default();
    let sender = |i: usize| {
        let source = format!("10.0.{}.{}", i / 250, 1 + i % 250);
        let mut sender = router(&source, 100);
        sender.vrid = u8::try_from(1 + i % 255).expect("a VRID");
        sender
    };
    let mut told = 0;
    for i in 0..MAX_ROUTERS + 76 {
        told += lab.hear(&sender(i), SECOND).len();
    }
    assert_eq!(lab.model.routers().count(), MAX_ROUTERS);
    assert_eq!(lab.model.totals().overflow, 76);
    assert!(told <= MAX_EVENTS as usize, "{told}");
    assert!(lab.model.totals().suppressed > 0);
    // Once some are silent there is room again.
    lab.tick(60 * SECOND);
    lab.hear(&router("192.0.2.1", 100), 61 * SECOND);
    assert_eq!(lab.model.routers().count(), MAX_ROUTERS);
    assert_eq!(lab.model.totals().overflow, 76);
    assert!(
        lab.model
            .routers()
            .any(|r| r.advert.source == ip("192.0.2.1"))
    );
}
