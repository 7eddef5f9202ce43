//! Routers of one VRID that contradict each other.

use agent_common::Version;

use super::{Lab, MS, Router, SECOND, ip, router};
use crate::monitor::event::{Conflict, ConflictKind, Event};

fn conflicts(events: Vec<Event>) -> Vec<Conflict> {
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Conflict(conflict) => Some(conflict),
            Event::Heard(_)
            | Event::Changed { .. }
            | Event::Silent(_)
            | Event::Released(_)
            | Event::Rejected(_)
            | Event::Summary(_)
            | Event::Totals(_)
            | Event::Link { .. } => None,
        })
        .collect()
}

/// Hears the routers in turn, in the order given, at these milliseconds.
fn play(lab: &mut Lab, heard: &[(&Router, u64)]) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (router, at) in heard {
        found.extend(conflicts(lab.hear(router, SECOND + at * MS)));
    }
    found
}

#[test]
fn two_that_go_on_sending_are_a_dual_active_until_one_stops() {
    let mut lab = Lab::default();
    let (one, two) = (router("192.0.2.1", 200), router("192.0.2.2", 100));
    let begun = play(
        &mut lab,
        &[
            (&one, 0),
            (&two, 500),
            (&one, 1_000),
            (&two, 1_500),
            (&one, 2_000),
            (&two, 2_500),
        ],
    );
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert_eq!(begun[0].conflict, ConflictKind::DualActive);
    assert_eq!(begun[0].sources, [one.source, two.source]);
    assert!(!begun[0].over);
    // It is told once, however long it lasts.
    assert_eq!(
        play(&mut lab, &[(&one, 3_000), (&two, 3_500), (&one, 4_000)]),
        []
    );
    assert_eq!(lab.model.conflicts().count(), 1);
    // The second falls silent.
    play(&mut lab, &[(&one, 5_000), (&one, 6_000), (&one, 7_000)]);
    let ended = conflicts(lab.tick(SECOND + 7_500 * MS));
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert!(ended[0].over);
    assert_eq!(lab.model.conflicts().count(), 0);
}

#[test]
fn a_fast_and_a_slow_sender_are_a_dual_active_too() {
    let mut lab = Lab::default();
    let slow = router("192.0.2.1", 200);
    let mut fast = router("192.0.2.2", 100);
    fast.centis = 10;
    let mut found = Vec::new();
    for at in (0..=3_000).step_by(100) {
        if at % 1_000 == 0 {
            found.extend(play(&mut lab, &[(&slow, at)]));
        }
        found.extend(play(&mut lab, &[(&fast, at + 50)]));
    }
    assert!(
        found.iter().any(|c| c.conflict == ConflictKind::DualActive),
        "{found:?}"
    );
}

#[test]
fn a_hand_over_is_no_dual_active_even_with_an_advert_on_its_way() {
    let mut lab = Lab::default();
    let (old, new) = (router("192.0.2.1", 100), router("192.0.2.2", 200));
    let heard = [
        (&old, 0),
        (&old, 1_000),
        (&new, 1_999),
        (&old, 2_000),
        (&new, 2_999),
        (&new, 3_999),
        (&new, 4_999),
        // And back, before the other one counts as silent.
        (&old, 5_500),
        (&old, 6_500),
        (&old, 7_500),
    ];
    assert_eq!(play(&mut lab, &heard), []);
}

#[test]
fn lists_intervals_versions_and_authentication_are_compared() {
    let one = router("192.0.2.1", 200);
    type Bend = fn(&mut Router);
    let cases: [(ConflictKind, Bend); 4] = [
        (ConflictKind::Vips, |r| r.vips.push(ip("192.0.2.101"))),
        (ConflictKind::Interval, |r| r.centis = 200),
        (ConflictKind::Version, |r| r.version = Version::V2),
        (ConflictKind::Auth, |r| {
            r.version = Version::V2;
            r.auth = Some(*b"secret\0\0");
        }),
    ];
    for (kind, bend) in cases {
        let mut lab = Lab::default();
        let mut two = router("192.0.2.2", 100);
        bend(&mut two);
        let begun = play(&mut lab, &[(&one, 0), (&two, 500)]);
        assert!(
            begun.iter().any(|c| c.conflict == kind && !c.over),
            "{kind:?}: {begun:?}"
        );
        // Mended: the same as the other.
        let mut mended = one.clone();
        mended.source = two.source;
        let ended = play(&mut lab, &[(&mended, 600)]);
        assert!(
            ended.iter().any(|c| c.conflict == kind && c.over),
            "{kind:?}: {ended:?}"
        );
        assert_eq!(lab.model.conflicts().count(), 0);
    }
}

#[test]
fn other_vrids_families_and_vlans_do_not_contradict() {
    let mut lab = Lab::default();
    let one = router("192.0.2.1", 200);
    let mut other_vrid = router("192.0.2.2", 100);
    other_vrid.vrid = 52;
    other_vrid.centis = 10;
    let mut other_vlan = router("192.0.2.3", 100);
    other_vlan.vlan = Some(9);
    other_vlan.centis = 10;
    let mut six = router("fe80::1", 100);
    six.centis = 10;
    let mut heard = Vec::new();
    for at in [0, 100, 200, 300] {
        heard.extend([(&one, at), (&other_vrid, at), (&other_vlan, at), (&six, at)]);
    }
    assert_eq!(play(&mut lab, &heard), []);
}
