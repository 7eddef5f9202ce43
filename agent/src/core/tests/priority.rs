//! The priority in force changes while the instance runs.

use super::*;
use crate::core::timers::active_down_interval;

const PEER: IpAddr = ip(101);

fn prioritise(rig: &mut Rig, priority: u8, now: KernelTime) -> Vec<Effect> {
    let priority = Priority(priority);
    rig.input(Input::Priority { id: ID, priority }, now)
}

fn changed(from: u8, to: u8) -> Effect {
    Effect::PriorityChanged {
        id: ID,
        from: Priority(from),
        to: Priority(to),
    }
}

#[test]
fn an_active_says_it_with_its_next_advert() {
    let (mut rig, since) = Rig::active(config(100));
    let deadline = rig.deadline();
    let effects = prioritise(&mut rig, 70, since.after(ms(10)));
    assert_eq!(effects, [changed(100, 70)]);
    assert_eq!(rig.deadline(), deadline);
    assert_eq!(sent(&rig.wake().1), [70]);
    assert_eq!(
        (rig.snapshot().priority, rig.snapshot().base_priority),
        (Priority(70), Priority(100))
    );
}

#[test]
fn an_active_that_fell_below_a_backup_yields_to_it() {
    let (mut rig, since) = Rig::active(config(100));
    prioritise(&mut rig, 70, since.after(ms(10)));
    rig.hear(advert(PEER, 90, since.after(ms(20))));
    assert_eq!(rig.state(), State::Backup);
}

/// COMPAT 2.7: the skew is the new one, the advert it counts from the old one.
#[test]
fn a_running_active_down_timer_is_computed_anew() {
    let mut rig = Rig::up(config(100));
    rig.hear(advert(PEER, 150, at(500)));
    let deadline = |priority| {
        let down = active_down_interval(Version::V3, Priority(priority), cs(100), 3);
        at(500).after(down)
    };
    assert_eq!(rig.deadline(), deadline(100));
    assert_eq!(prioritise(&mut rig, 140, at(900)), [changed(100, 140)]);
    assert_eq!(rig.deadline(), deadline(140));
    prioritise(&mut rig, 20, at(1000));
    assert_eq!(rig.deadline(), deadline(20));
}

#[test]
fn a_backup_that_rose_above_its_active_preempts_it() {
    let mut rig = Rig::up(config(100));
    rig.hear(advert(PEER, 150, at(500)));
    prioritise(&mut rig, 160, at(900));
    rig.hear(advert(PEER, 150, at(1500)));
    rig.hear(advert(PEER, 150, at(2500)));
    rig.run_until(at(4000));
    assert_eq!(rig.state(), State::Active);
}

#[test]
fn it_stays_within_1_and_254_and_an_owner_stays_one() {
    let mut rig = Rig::up(config(100));
    for (asked, given) in [(0, 1), (255, 254), (1, 1), (254, 254)] {
        prioritise(&mut rig, asked, at(10));
        assert_eq!(rig.snapshot().priority, Priority(given), "{asked}");
    }
    let mut rig = Rig::up(config(255));
    assert_eq!(prioritise(&mut rig, 10, at(10)), []);
    assert_eq!(rig.snapshot().priority, Priority(255));
}

#[test]
fn the_same_again_and_an_unknown_instance_change_nothing() {
    let mut rig = Rig::up(config(100));
    let before = rig.snapshot();
    assert_eq!(prioritise(&mut rig, 100, at(10)), []);
    assert_eq!(rig.snapshot(), before);
    let id = InstanceId(77);
    let unknown = Input::Priority {
        id,
        priority: Priority(9),
    };
    assert_eq!(rig.input(unknown, at(10)), []);
}

/// A change at every pace adds not one advert.
#[test]
fn flapping_sends_nothing_of_its_own() {
    let (mut rig, since) = Rig::active(config(100));
    let mut count = 0;
    for step in 1..=3000 {
        let now = since.after(ms(step));
        count += sent(&rig.run_until(now)).len();
        let priority = if step % 2 == 0 { 100 } else { 80 };
        count += sent(&prioritise(&mut rig, priority, now)).len();
    }
    assert_eq!(count, 3);
}
