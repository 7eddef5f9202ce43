//! What a Backup does when the heartbeat of its Active stops, and what undoes it.

use super::*;
use crate::core::{Lost, Pulse};

const PROBES: Duration = ms(1);
/// (256 - 100) / 256 of 1 ms.
const SKEW: Duration = Duration::from_nanos(609_375);
/// 3.609375 s: three adverts of 1 s and Skew_Time.
const DOWN: Duration = Duration::from_nanos(3_609_375_000);

fn backup() -> Rig {
    let mut rig = Rig::up(config(100));
    rig.hear(advert(ip(200), 200, at(10)));
    assert_eq!(rig.deadline(), at(10).after(DOWN));
    rig
}

fn heart(rig: &mut Rig, active: IpAddr, pulse: Pulse, now: KernelTime) -> Vec<Effect> {
    let id = ID;
    rig.input(Input::Heart { id, active, pulse }, now)
}

const STOPPED: Pulse = Pulse::Down {
    why: Lost::Silence,
    since: at(497),
    interval: PROBES,
};

#[test]
fn a_stopped_heartbeat_ends_the_wait_after_the_skew_of_the_probes() {
    let mut rig = backup();
    assert_eq!(heart(&mut rig, ip(200), STOPPED, at(500)), []);
    assert_eq!(rig.state(), State::Backup);
    assert_eq!(rig.deadline(), at(500).after(SKEW));
    let (_, effects) = rig.wake();
    let cause = Cause::HeartStopped {
        active: ip(200),
        why: Lost::Silence,
    };
    assert_eq!(
        transitions(&effects),
        [(State::Backup, State::Active, cause)]
    );
    assert_eq!(sent(&effects), [100]);
}

#[test]
fn better_backups_wait_for_less() {
    let deadline = |priority| {
        let mut rig = Rig::up(config(priority));
        rig.hear(advert(ip(200), 254, at(10)));
        heart(&mut rig, ip(200), STOPPED, at(500));
        rig.deadline()
    };
    assert!(deadline(150) < deadline(149));
    assert!(deadline(254) > at(500));
}

#[test]
fn an_advert_or_up_undoes_it() {
    let mut rig = backup();
    heart(&mut rig, ip(200), STOPPED, at(500));
    rig.hear(advert(ip(200), 200, at(500)));
    assert_eq!(rig.deadline(), at(500).after(DOWN));

    let mut rig = backup();
    heart(&mut rig, ip(200), STOPPED, at(500));
    heart(&mut rig, ip(200), Pulse::Up, at(500));
    assert_eq!(rig.deadline(), at(10).after(DOWN), "as if it had not been");
    let effects = rig.run_until(at(10).after(DOWN));
    let cause = Cause::ActiveSilent {
        last_advert: Some(at(10)),
        deadline: at(10).after(DOWN),
    };
    assert_eq!(transitions(&effects)[0].2, cause);
}

/// The kernel had it all the while, and nobody had a reason to read it.
#[test]
fn an_advert_from_before_the_silence_undoes_nothing() {
    let mut rig = backup();
    heart(&mut rig, ip(200), STOPPED, at(500));
    rig.hear_late(advert(ip(200), 200, at(496)), at(500));
    assert_eq!(rig.deadline(), at(500).after(SKEW));
    // Of another Active it is news.
    let mut other = backup();
    heart(&mut other, ip(200), STOPPED, at(500));
    other.hear_late(advert(ip(201), 200, at(496)), at(500));
    assert_eq!(other.deadline(), at(496).after(DOWN));
    // And the one that is lost may have come after the first probe.
    rig.hear_late(advert(ip(200), 200, at(498)), at(500));
    assert_eq!(rig.deadline(), at(498).after(DOWN));
}

#[test]
fn only_the_accepted_active_counts_and_only_in_backup() {
    let mut rig = backup();
    let before = rig.snapshot();
    assert_eq!(heart(&mut rig, ip(201), STOPPED, at(500)), []);
    assert_eq!(rig.snapshot(), before);
    // Nobody has been accepted yet.
    let mut fresh = Rig::up(config(100));
    let before = fresh.snapshot();
    assert_eq!(heart(&mut fresh, ip(200), STOPPED, at(5)), []);
    assert_eq!(fresh.snapshot(), before);
    let (mut active, since) = Rig::active(config(100));
    let before = active.snapshot();
    assert_eq!(heart(&mut active, ip(200), STOPPED, since), []);
    assert_eq!(active.snapshot(), before);
}

#[test]
fn a_release_goes_its_own_way() {
    let mut rig = backup();
    rig.hear(advert(ip(200), 0, at(400)));
    let before = rig.deadline();
    heart(&mut rig, ip(200), STOPPED, at(401));
    assert_eq!(rig.deadline(), before);
}

/// A Backup that was stopped between the verdict and the deadline does not
/// know any more.
#[test]
fn who_oversleeps_after_it_grants_the_whole_time() {
    let mut rig = backup();
    heart(&mut rig, ip(200), STOPPED, at(500));
    let late = at(500).after(SKEW + ms(251));
    let effects = rig.timeout(late);
    assert_eq!(rig.state(), State::Backup);
    assert!(matches!(notices(&effects)[..], [Notice::Overslept { .. }]));
    assert_eq!(rig.deadline(), late.after(DOWN));
}

#[test]
fn a_deadline_that_is_nearer_stays() {
    let mut rig = backup();
    let due = rig.deadline();
    heart(&mut rig, ip(200), STOPPED, due.before(SKEW / 2));
    assert_eq!(rig.deadline(), due);
}

#[test]
fn an_active_that_is_vouched_for_is_waited_for() {
    let mut rig = backup();
    let due = rig.deadline();
    let until = due.after(ms(4));
    let vouched = Pulse::Vouched { until };
    assert_eq!(heart(&mut rig, ip(200), vouched, due.before(ms(1))), []);
    assert_eq!(rig.deadline(), due, "not due yet");
    rig.run_until(due.before(ms(1)));
    let effects = heart(&mut rig, ip(200), vouched, due);
    assert_eq!(
        notices(&effects),
        [Notice::AdvertsMissing { from: ip(200) }]
    );
    assert_eq!(rig.deadline(), until.after(rig.snapshot().skew));
    // Until its heartbeat stops as well.
    heart(&mut rig, ip(200), STOPPED, due.after(ms(3)));
    assert_eq!(rig.deadline(), due.after(ms(3) + SKEW));
    let (_, effects) = rig.wake();
    assert_eq!(rig.state(), State::Active, "{effects:?}");
}

/// A change of the priority in that millisecond must not bring the long wait
/// back.
#[test]
fn a_new_priority_leaves_it() {
    let mut rig = backup();
    heart(&mut rig, ip(200), STOPPED, at(500));
    let due = rig.deadline();
    let priority = Priority(120);
    rig.input(Input::Priority { id: ID, priority }, at(500));
    assert_eq!(rig.deadline(), due);
}

/// Its machine serves, but it is preempted: its adverts arrive, and are
/// discarded.
#[test]
fn nobody_vouches_for_who_is_preempted() {
    let mut rig = Rig::up(config(150));
    rig.hear(advert(ip(200), 200, at(10)));
    let due = rig.deadline();
    // Its trackers have lowered it.
    rig.hear(advert(ip(200), 100, at(1010)));
    rig.hear(advert(ip(200), 100, at(2010)));
    rig.run_until(due.before(ms(1)));
    assert!(!rig.machine.is_unheard(ID, due));
    let until = due.after(ms(4));
    assert_eq!(heart(&mut rig, ip(200), Pulse::Vouched { until }, due), []);
    assert_eq!(rig.deadline(), due);
    rig.timeout(due);
    assert_eq!(rig.state(), State::Active);
}

#[test]
fn nobody_vouches_for_who_has_released() {
    let mut rig = backup();
    assert!(rig.machine.is_unheard(ID, rig.deadline()));
    rig.hear(advert(ip(200), 0, at(400)));
    let due = rig.deadline();
    assert!(!rig.machine.is_unheard(ID, due));
    let until = due.after(ms(4));
    heart(&mut rig, ip(200), Pulse::Vouched { until }, due);
    assert_eq!(rig.deadline(), due);
}

/// A better one that crashed and came back has a shorter Skew_Time than ours.
#[test]
fn no_restart_is_as_fast_as_what_proves_a_verdict_wrong() {
    let rig = backup();
    let takes = rig.machine.restart_takes(ID, ip(200)).unwrap();
    let restarted = Rig::up(config(200)).snapshot().active_down_interval;
    assert_eq!(takes, ms(3000));
    assert!(takes < restarted && restarted < DOWN);
    assert_eq!(rig.machine.restart_takes(ID, ip(201)), None, "another");
    // The owner is Active at once.
    let mut rig = Rig::up(config(100));
    rig.hear(advert(ip(200), 255, at(10)));
    assert_eq!(rig.machine.restart_takes(ID, ip(200)), Some(ms(0)));
    rig.hear(advert(ip(200), 0, at(400)));
    assert_eq!(rig.machine.restart_takes(ID, ip(200)), None, "released");
}
