//! Preemption: S-18, S-19, S-44 and the preempt delay.

use super::*;

const LOWER: IpAddr = ip(10);

fn delayed() -> InstanceConfig {
    InstanceConfig {
        preempt_delay: ms(5000),
        ..config(150)
    }
}

/// Feeds adverts of `LOWER`, one a second from `from` to `to` (ms).
fn feed(rig: &mut Rig, from: u64, to: u64) -> Vec<Effect> {
    let mut effects = Vec::new();
    for stamp in (from..=to).step_by(1000) {
        effects.extend(rig.run_until(at(stamp)));
        effects.extend(rig.hear(advert(LOWER, 100, at(stamp))));
    }
    effects
}

// proves: S-19
#[test]
fn s19_a_better_backup_takes_over_one_down_interval_after_startup() {
    let mut rig = Rig::up(config(150));
    let deadline = rig.deadline();
    let effects = feed(&mut rig, 500, 4500);
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(rig.snapshot().since, deadline);
}

// proves: S-18
#[test]
fn s18_without_preemption_a_worse_active_is_accepted_for_ever() {
    let mut rig = Rig::up(InstanceConfig {
        preempt: false,
        ..config(150)
    });
    let effects = feed(&mut rig, 500, 60_500);
    assert_eq!(transitions(&effects), []);
    assert_eq!(rig.snapshot().active, Some(LOWER));
}

/// S-44: the owner preempts even when Backup (after two owners) and nopreempt.
// proves: S-44
#[test]
fn s44_the_owner_preempts_whatever_preempt_mode_and_delay_say() {
    let owner = InstanceConfig {
        preempt: false,
        preempt_delay: ms(60_000),
        ..config(255)
    };
    let mut rig = Rig::up(owner);
    assert_eq!(rig.state(), State::Active);
    rig.hear(advert(ip(200), 255, at(100)));
    assert_eq!(rig.state(), State::Backup);
    let deadline = rig.deadline();
    let effects = feed(&mut rig, 500, 4500);
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(rig.snapshot().since, deadline);
}

// proves: S-18
#[test]
fn s18_preempt_delay_starts_at_the_first_lower_advert_and_then_preempts() {
    let mut rig = Rig::up(delayed());
    // Delay from 500 to 5500 ms; 4500 is the last one accepted.
    let effects = feed(&mut rig, 500, 9500);
    let down = rig.snapshot().active_down_interval;
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(rig.snapshot().since, at(4500).after(down));
}

/// The stamp decides, not when the advert or the time-out is handled.
// proves: S-18
#[test]
fn s18_preempt_delay_is_judged_by_the_stamp() {
    let mut rig = Rig::up(delayed());
    feed(&mut rig, 500, 4500);
    let late = at(5600);
    rig.hear_late(advert(LOWER, 100, at(5499)), late);
    assert_eq!(rig.snapshot().last_advert, Some(at(5499)));
    rig.hear_late(advert(LOWER, 100, at(5500)), late);
    assert_eq!(rig.snapshot().last_advert, Some(at(5499)));
}

// proves: S-16
#[test]
fn s16_a_worse_active_that_dies_during_the_delay_is_replaced_at_once() {
    let mut rig = Rig::up(InstanceConfig {
        preempt_delay: ms(60_000),
        ..config(150)
    });
    feed(&mut rig, 500, 2500);
    let effects = rig.run_until(at(10_000));
    assert_eq!(transitions(&effects).len(), 1);
    assert_eq!(
        rig.snapshot().since,
        at(2500).after(rig.snapshot().active_down_interval)
    );
}

// proves: S-17
#[test]
fn s17_a_release_during_the_delay_needs_only_the_skew() {
    let mut rig = Rig::up(InstanceConfig {
        preempt_delay: ms(60_000),
        ..config(150)
    });
    feed(&mut rig, 500, 1500);
    rig.hear(advert(LOWER, 0, at(1600)));
    rig.run_until(at(3000));
    assert_eq!(rig.snapshot().since, at(1600).after(rig.snapshot().skew));
}

/// A better Active in between: the next worse one is put up with anew.
// proves: S-18
#[test]
fn s18_a_better_active_starts_the_delay_again() {
    let mut rig = Rig::up(delayed());
    feed(&mut rig, 500, 4500);
    rig.hear(advert(ip(11), 200, at(4600)));
    let effects = feed(&mut rig, 5500, 9500);
    assert_eq!(transitions(&effects), []);
    assert_eq!(rig.snapshot().last_advert, Some(at(9500)));
}

// proves: S-18
#[test]
fn s18_restarting_the_instance_forgets_the_delay() {
    let mut rig = Rig::up(delayed());
    feed(&mut rig, 500, 5600);
    rig.input(
        Input::Down {
            id: ID,
            fault: Fault::LinkDown,
        },
        at(6000),
    );
    rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        at(6100),
    );
    assert_eq!(transitions(&feed(&mut rig, 6500, 10_500)), []);
}
