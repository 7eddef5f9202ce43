//! Hands that are stuck, by a desk that nobody works at.

use super::*;

const A: InstanceId = InstanceId(1);
const B: InstanceId = InstanceId(70);

fn ledger() -> Ledger {
    Ledger::new(Grip::limp().unwrap())
}

/// Has one wish carried out and takes note of it.
fn one(ledger: &mut Ledger) -> Option<(InstanceId, Wish)> {
    let done = ledger.grip.carry_out_one();
    ledger.collect();
    while ledger.next_landed().is_some() {}
    ledger.hand_out();
    done
}

#[test]
fn one_job_of_an_instance_is_under_way_and_the_rest_is_merged() {
    let mut ledger = ledger();
    ledger.want(A, Wish::add);
    ledger.hand_out();
    for _ in 0..100_000 {
        ledger.want(A, Wish::remove);
        ledger.want(A, Wish::add);
        ledger.want(A, |wish| wish.announce(3));
        ledger.hand_out();
    }
    assert_eq!(ledger.order, [A.0]);
    let (_, first) = one(&mut ledger).unwrap();
    assert!(first.add && first.announce == 0);
    let (_, second) = one(&mut ledger).unwrap();
    assert!(second.add && !second.remove && second.announce == 3);
    assert!(one(&mut ledger).is_none() && ledger.is_idle());
}

#[test]
fn all_instances_at_once_have_room() {
    let mut ledger = ledger();
    for round in 0..3 {
        for id in 1..u16::try_from(SLOTS).unwrap() {
            ledger.want(InstanceId(id), |wish| wish.announce(round));
        }
        ledger.hand_out();
    }
    let mut ids = Vec::new();
    while let Some((id, _)) = one(&mut ledger) {
        ids.push(id.0);
    }
    let all: Vec<u16> = (1..u16::try_from(SLOTS).unwrap()).collect();
    assert_eq!(ids, [&all[..], &all[..]].concat(), "in the order they came");
}

/// The slow lane gives up what a mark stands behind.
#[test]
fn a_mark_comes_back_when_all_before_it_is_done() {
    let mut ledger = ledger();
    ledger.mark(1);
    assert_eq!(ledger.next_mark(), Some(1), "nothing is wanted");
    ledger.want(A, Wish::add);
    ledger.hand_out();
    ledger.want(A, Wish::remove);
    ledger.want(B, Wish::add);
    ledger.hand_out();
    ledger.mark(2);
    // Later ones do not keep it.
    ledger.want(B, |wish| wish.announce(1));
    ledger.mark(3);
    assert_eq!(ledger.next_mark(), None, "both are under way");
    for _ in 0..2 {
        ledger.grip.carry_out_one();
    }
    ledger.collect();
    while ledger.next_landed().is_some() {}
    assert_eq!(ledger.next_mark(), None, "the removal waits");
    ledger.hand_out();
    assert_eq!(ledger.next_mark(), None, "the removal is under way");
    one(&mut ledger);
    assert_eq!(ledger.next_mark(), Some(2));
    assert_eq!(ledger.next_mark(), None);
    one(&mut ledger);
    assert_eq!(ledger.next_mark(), Some(3));
}

#[test]
fn an_advert_waits_for_its_link_and_the_vips_for_the_advert() {
    let mut ledger = ledger();
    ledger.hold_advert(A, Priority(100));
    ledger.want(A, Wish::add);
    ledger.hand_out();
    let (_, first) = ledger.grip.carry_out_one().unwrap();
    assert!(first.raise && !first.add);
    ledger.collect();
    assert_eq!(ledger.next_landed(), Some((A, Some(true))));
    assert_eq!(ledger.take_advert(A), Some(Priority(100)));
    ledger.hand_out();
    let (_, second) = ledger.grip.carry_out_one().unwrap();
    assert!(second.add && !second.raise);
}

#[test]
fn a_backup_keeps_back_its_adverts_but_not_its_farewell() {
    let mut ledger = ledger();
    ledger.hold_advert(A, Priority(100));
    ledger.forget_advert(A);
    assert!(!ledger.holds_advert(A));
    ledger.hold_advert(A, Priority::RELEASE);
    ledger.forget_advert(A);
    assert_eq!(ledger.take_advert(A), Some(Priority::RELEASE));
}

#[test]
fn nothing_is_handed_over_before_the_hands_are_still() {
    let mut ledger = ledger();
    ledger.want(A, Wish::add);
    assert!(!ledger.is_quiet(), "not handed out");
    ledger.hand_out();
    assert!(!ledger.is_quiet(), "under way");
    one(&mut ledger);
    assert!(!ledger.is_quiet(), "announcements may go on");
    one(&mut ledger);
    assert!(ledger.is_quiet());
    ledger.want(A, Wish::remove);
    assert!(!ledger.is_quiet());
    ledger.hand_out();
    one(&mut ledger);
    assert!(ledger.is_quiet());
    ledger.resume();
    one(&mut ledger);
    assert!(!ledger.is_quiet());
}

/// A hand-over was given up while the hands were busy, and is tried again.
#[test]
fn hands_that_are_about_to_go_on_are_not_still() {
    let mut ledger = ledger();
    assert!(!ledger.is_quiet());
    ledger.want(A, Wish::add);
    ledger.hand_out();
    ledger.resume();
    // The hold and the job, and not yet the end of the hold.
    one(&mut ledger);
    assert!(ledger.desk().is_held());
    assert!(!ledger.is_quiet());
    one(&mut ledger);
    assert!(!ledger.is_quiet(), "held anew");
    one(&mut ledger);
    assert!(ledger.is_quiet());
}

#[test]
fn what_takes_long_is_told_once_and_so_is_its_end() {
    let mut ledger = ledger();
    let began = KernelTime(5_000_000_000);
    let at = |millis| began.after(Duration::from_millis(millis));
    assert_eq!((ledger.delay(at(0)), ledger.delay_due()), (None, None));
    ledger.desk().begin(began);
    assert_eq!(ledger.delay(at(999)), None);
    assert_eq!(ledger.delay_due(), Some(at(1000)));
    let span = Duration::from_secs(1);
    assert_eq!(ledger.delay(at(1000)), Some(Report::HandsWait { span }));
    assert_eq!((ledger.delay(at(9000)), ledger.delay_due()), (None, None));
    ledger.desk().land(A, None);
    let span = Duration::from_secs(10);
    assert_eq!(ledger.delay(at(10_000)), Some(Report::HandsGoOn { span }));
    assert_eq!(ledger.delay(at(10_001)), None);
}
