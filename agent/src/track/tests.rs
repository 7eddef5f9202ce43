//! Weighing, and what a reload keeps.

use std::collections::BTreeMap;

use agent_common::Priority;

use super::{Board, Kind, Reading, Share, Spec, TrackerId, Value, judge, share};
use crate::{
    config::model::{FileSpec, Track, Trackers, Weight},
    core::Fault,
};

fn track(kind: Kind, name: &str, value: i32, reverse: bool) -> Track {
    Track {
        tracker: TrackerId::new(kind, name),
        weight: Weight { value, reverse },
    }
}

/// keepalived's manual, sentence by sentence.
#[test]
fn each_weight_with_each_reading() {
    use Value::{Down, Number, Up};
    let bad = Share::Fault(Fault::TrackedScript);
    let (none, add, sub) = (Share::Weight(0), Share::Weight(9), Share::Weight(-9));
    for (weight, reverse, up, down) in [
        (0, false, Share::Good, bad),
        (0, true, bad, Share::Good),
        (9, false, add, none),
        (9, true, sub, none),
        (-9, false, none, sub),
        (-9, true, none, add),
    ] {
        let track = track(Kind::Script, "s", weight, reverse);
        assert_eq!(share(&track, Some(Up)), up, "{weight} {reverse}");
        assert_eq!(share(&track, Some(Down)), down, "{weight} {reverse}");
        let unread = if weight == 0 {
            Share::Fault(Fault::Unread)
        } else {
            none
        };
        assert_eq!(share(&track, None), unread);
    }
    let fault = Share::Fault(Fault::TrackedFile);
    for (weight, reverse, number, expected) in [
        (0, false, 0, Share::Good),
        (0, false, -3, fault),
        (0, true, 0, fault),
        (0, true, 1, Share::Good),
        (3, false, 4, Share::Weight(12)),
        (3, true, 4, Share::Weight(-12)),
        (-1, false, 253, Share::Weight(-253)),
        (-1, false, 254, fault),
        (1, true, 254, fault),
        (1, false, i64::MIN, fault),
        (i32::MAX, false, i64::MAX, Share::Weight(254)),
        (i32::MIN + 1, true, i64::MAX, Share::Weight(254)),
    ] {
        let track = track(Kind::File, "f", weight, reverse);
        assert_eq!(
            share(&track, Some(Number(number))),
            expected,
            "{weight} {number}"
        );
    }
}

/// Every base and every sum, against the sentence "limited to 1..254, and an
/// owner stays one".
#[test]
fn the_sum_is_taken_into_the_range_of_priorities() {
    for base in 1..=255_u8 {
        for weight in (-253..=253).step_by(11) {
            let tracks = [
                track(Kind::Interface, "a", weight, weight < 0),
                track(Kind::Process, "b", weight, false),
            ];
            let read = |tracker: &TrackerId| match &*tracker.name {
                "a" => Some(if weight < 0 { Value::Down } else { Value::Up }),
                _ => Some(if weight < 0 { Value::Down } else { Value::Up }),
            };
            // The first adds its size, the second its weight.
            let expected = match base {
                255 => 255,
                _ => (i32::from(base) + weight.abs() + weight).clamp(1, 254),
            };
            let judged = judge(Priority(base), &tracks, read);
            assert_eq!(
                i32::from(judged.priority.get()),
                expected,
                "{base} {weight}"
            );
            assert_eq!(judged.fault, None);
        }
    }
}

#[test]
fn the_first_fault_is_told_and_weights_count_all_the_same() {
    let tracks = [
        track(Kind::Interface, "i", 10, false),
        track(Kind::Process, "p", 0, false),
        track(Kind::Script, "s", 0, false),
    ];
    let values = BTreeMap::from([("i", Value::Up), ("p", Value::Down), ("s", Value::Down)]);
    let judged = judge(Priority(100), &tracks, |id| values.get(&*id.name).copied());
    assert_eq!(judged.fault, Some(Fault::TrackedProcess));
    assert_eq!(judged.priority, Priority(110));
}

fn file(name: &str, path: &str) -> FileSpec {
    FileSpec {
        name: name.to_owned(),
        path: path.to_owned(),
        weight: Weight::default(),
        init: None,
    }
}

#[test]
fn a_reload_keeps_readings_of_what_it_does_not_change() {
    let trackers = |path| Trackers {
        files: vec![
            file("same", "/a"),
            file("other", path),
            file("unused", "/c"),
        ],
        ..Trackers::default()
    };
    let tracks = [
        track(Kind::File, "same", 0, false),
        track(Kind::File, "other", 0, false),
        track(Kind::File, "unknown", 0, false),
        track(Kind::Interface, "eth0", 5, false),
    ];
    let id = |name| TrackerId::new(Kind::File, name);
    let mut board = Board::default();
    let first = board.set(&trackers("/b"), tracks.iter());
    assert_eq!(first.len(), 2, "only what is used and defined");
    assert!(matches!(&first[0].spec, Spec::File(_)));
    let reading = |wanted: &super::Wanted, number| Reading {
        tracker: wanted.tracker.clone(),
        epoch: wanted.epoch,
        value: Value::Number(number),
        detail: String::new(),
    };
    for wanted in &first {
        assert!(board.take(reading(wanted, 7)));
        assert!(!board.take(reading(wanted, 7)), "the same again");
    }
    assert!(board.look(|_| Value::Up));
    assert!(!board.look(|_| Value::Up));

    let second = board.set(&trackers("/elsewhere"), tracks.iter());
    assert_eq!(board.value(&id("same")), Some(Value::Number(7)));
    // As it was, until it has been read by its new definition.
    assert_eq!(board.value(&id("other")), Some(Value::Number(7)));
    assert_eq!(
        board.value(&TrackerId::new(Kind::Interface, "eth0")),
        Some(Value::Up)
    );
    let epoch = |all: &[super::Wanted], name: &str| {
        all.iter()
            .find(|w| &*w.tracker.name == name)
            .map(|w| w.epoch)
    };
    assert_eq!(epoch(&first, "same"), epoch(&second, "same"));
    assert_ne!(epoch(&first, "other"), epoch(&second, "other"));
    // A reading of the definition that is no more comes late.
    let late = first.iter().find(|w| &*w.tracker.name == "other").unwrap();
    assert!(!board.take(reading(late, 9)));
    assert_eq!(board.value(&id("other")), Some(Value::Number(7)));

    board.set(&Trackers::default(), [].iter());
    assert_eq!(board.value(&id("same")), None);
}

/// An Active gives nothing up because a reload has more to look at.
#[test]
fn a_tracker_that_comes_with_a_reload_is_no_fault_before_it_is_read() {
    let trackers = Trackers {
        files: vec![file("first", "/a"), file("late", "/b")],
        ..Trackers::default()
    };
    let tracks = [
        track(Kind::File, "first", 0, false),
        track(Kind::File, "late", 0, false),
    ];
    let id = |name| TrackerId::new(Kind::File, name);
    let mut board = Board::default();
    board.set(&trackers, tracks[..1].iter());
    assert_eq!(board.counts(&id("first")), None, "at the start it is one");
    board.set(&trackers, tracks.iter());
    assert_eq!(board.counts(&id("late")), Some(Value::Number(0)));
    assert_eq!(board.value(&id("late")), None);
}
