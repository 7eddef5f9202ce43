//! Sync groups: what one member does, all do, in one step.

use super::*;
use crate::core::GroupId;

const PEER: IpAddr = ip(101);
const GROUP: GroupId = GroupId(1);

fn member(id: u16, priority: u8) -> InstanceConfig {
    InstanceConfig {
        id: InstanceId(id),
        group: Some(GROUP),
        addresses_digest: u32::from(id),
        ..config(priority)
    }
}

struct Group(Machine);

impl Group {
    /// Members 1..=n of these priorities, all up at `START`.
    fn up(priorities: &[u8]) -> Self {
        let ids = 1..=priorities.len() as u16;
        let configs = ids.zip(priorities).map(|(id, p)| member(id, *p)).collect();
        let mut group = Self(Machine::with_room(configs, 60));
        for id in 1..=priorities.len() as u16 {
            group.input(up(id), START);
        }
        group
    }

    fn input(&mut self, input: Input, now: KernelTime) -> Vec<Effect> {
        self.0.handle(input, now);
        std::iter::from_fn(|| self.0.poll_effect()).collect()
    }

    /// On time, until `end`.
    fn run_until(&mut self, end: KernelTime) -> Vec<Effect> {
        let mut all = Vec::new();
        while let Some(due) = self.0.poll_timeout().filter(|due| *due <= end) {
            all.extend(self.input(Input::Timeout, due));
        }
        all
    }

    fn hear(&mut self, id: u16, priority: u8, now: KernelTime) -> Vec<Effect> {
        let advert = Advert {
            addresses_digest: u32::from(id),
            ..advert(PEER, priority, now)
        };
        let id = InstanceId(id);
        self.input(Input::Advert { id, advert }, now)
    }

    fn states(&self) -> Vec<State> {
        let all = self.0.instances();
        all.map(|id| self.0.snapshot(id).unwrap().state).collect()
    }

    fn all(&self, state: State) -> bool {
        self.states().iter().all(|one| *one == state)
    }
}

fn up(id: u16) -> Input {
    Input::Up {
        id: InstanceId(id),
        source: OWN,
    }
}

fn down(id: u16) -> Input {
    Input::Down {
        id: InstanceId(id),
        fault: Fault::LinkDown,
    }
}

fn group_transitions(effects: &[Effect]) -> Vec<State> {
    let to = effects.iter().filter_map(|effect| match effect {
        Effect::GroupTransition { to, .. } => Some(*to),
        _ => None,
    });
    to.collect()
}

/// Position of the first and last effect that `is`.
fn span(effects: &[Effect], is: impl Fn(&Effect) -> bool) -> (usize, usize) {
    let first = effects.iter().position(&is).unwrap();
    (first, effects.iter().rposition(&is).unwrap())
}

fn is_advert(effect: &Effect) -> bool {
    matches!(effect, Effect::SendAdvert { .. })
}

#[test]
fn all_become_active_when_the_last_one_would() {
    let mut group = Group::up(&[200, 100, 1]);
    let last = |priority| {
        crate::core::timers::active_down_interval(Version::V3, Priority(priority), cs(100), 3)
    };
    let almost = KernelTime(START.after(last(1)).0 - 1);
    assert_eq!(group.run_until(almost), []);
    assert!(group.all(State::Backup));
    // Who only waits for the others is nothing to look at a link for.
    assert_eq!(group.0.expiring(almost).count(), 2);
    assert!(!group.0.has_expiring(almost));
    assert!(group.0.has_expiring(START.after(last(1))));
    let effects = group.run_until(START.after(last(1)));
    assert!(group.all(State::Active));
    assert_eq!(sent(&effects), [200, 100, 1]);
    assert_eq!(group_transitions(&effects), [State::Active]);
}

#[test]
fn fifty_members_become_active_and_leave_in_one_step_each() {
    let mut group = Group::up(&[100; 50]);
    let due = START.after(ms(3700));
    let effects = group.run_until(due);
    assert!(group.all(State::Active));
    // Every advert, then every address, then the rest.
    let adverts = span(&effects, is_advert);
    let added = span(&effects, |e| matches!(e, Effect::AddAddresses { .. }));
    let told = span(&effects, |e| matches!(e, Effect::Transition { .. }));
    assert!(adverts.1 < added.0 && added.1 < told.0);
    assert_eq!(sent(&effects).len(), 50);
    assert!(matches!(
        effects.last(),
        Some(Effect::GroupTransition { .. })
    ));

    let effects = group.hear(7, 150, due.after(ms(10)));
    assert!(group.all(State::Backup));
    let farewells = sent(&effects);
    assert_eq!(farewells, [0; 49], "of all but the one that lost");
    let removed = |e: &Effect| matches!(e, Effect::RemoveAddresses { .. });
    assert_eq!(effects.iter().filter(|e| removed(e)).count(), 50);
    let others = span(&effects, |e| {
        removed(e) && *e != Effect::RemoveAddresses { id: InstanceId(7) }
    });
    assert!(span(&effects, is_advert).1 < others.0);
    assert_eq!(transitions(&effects).len(), 50);
    assert_eq!(group_transitions(&effects), [State::Backup]);
}

#[test]
fn a_fault_of_one_is_a_fault_of_all_until_it_ends() {
    let mut group = Group::up(&[100, 100, 100]);
    group.run_until(at(4000));
    let effects = group.input(down(2), at(4000));
    assert!(group.all(State::Initialize));
    assert_eq!(sent(&effects), [0, 0, 0]);
    assert_eq!(group_transitions(&effects), [State::Initialize]);
    let fault = |group: &Group, id| group.0.snapshot(InstanceId(id)).unwrap().fault;
    assert_eq!(fault(&group, 2), Some(Fault::LinkDown));
    assert_eq!(fault(&group, 1), Some(Fault::Group));
    // An Up of the others does not bring them back, nor does time.
    assert_eq!(group.input(up(1), at(5000)), []);
    assert_eq!(group.0.poll_timeout(), None);
    let effects = group.input(up(2), at(9000));
    assert!(group.all(State::Backup));
    assert_eq!(group_transitions(&effects), [State::Backup]);
    assert_eq!(fault(&group, 1), None);
    group.run_until(at(13_000));
    assert!(group.all(State::Active));
}

#[test]
fn two_faults_have_to_end_both() {
    let mut group = Group::up(&[100, 100, 100]);
    group.input(down(1), at(100));
    group.input(down(2), at(200));
    group.input(up(1), at(300));
    assert!(group.all(State::Initialize));
    group.input(up(2), at(400));
    assert!(group.all(State::Backup));
}

/// A member that starts in a fault: the others wait for it from the start.
#[test]
fn who_has_not_started_keeps_the_others_from_becoming_active() {
    let mut group = Group(Machine::with_room(vec![member(1, 100), member(2, 255)], 3));
    group.input(up(2), START);
    assert_eq!(group.run_until(at(20_000)), []);
    assert_eq!(group.states(), [State::Initialize, State::Backup]);
    group.input(up(1), at(20_000));
    group.run_until(at(24_000));
    assert!(group.all(State::Active), "an owner waits for the others");
}

/// One network is cut: there we would be Active, elsewhere the peer is.
#[test]
fn one_member_alone_never_becomes_active() {
    let mut group = Group::up(&[100, 100]);
    for second in 0..60 {
        let now = at(second * 1000 + 500);
        group.run_until(now);
        group.hear(1, 150, now);
        assert!(group.all(State::Backup));
    }
    assert!(group.0.snapshot(InstanceId(2)).unwrap().waits_for_group);
    // Now the peer is gone altogether.
    let effects = group.run_until(at(63_200));
    assert!(group.all(State::Active), "{effects:?}");
}

/// Whom we would outrank says so again: it is not forgotten while we wait.
#[test]
fn who_waits_hears_of_a_better_router() {
    let mut group = Group::up(&[100, 100]);
    group.hear(1, 150, at(3000));
    group.run_until(at(5000));
    assert!(group.0.expiring(at(5000)).any(|id| id == InstanceId(2)));
    group.hear(2, 150, at(5500));
    let effects = group.run_until(at(8000));
    assert!(group.all(State::Backup), "{effects:?}");
    let waits = group.0.snapshot(InstanceId(2)).unwrap().waits_for_group;
    assert!(!waits);
}

/// A standby that stops: the member that waits for the others must not take
/// over, and pull the group from the Active, because they have left before it.
#[test]
fn a_standby_that_stops_promotes_nobody() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(1000));
    group.hear(1, 150, at(3000));
    group.run_until(at(5000));
    assert!(group.0.snapshot(InstanceId(2)).unwrap().waits_for_group);
    for id in [InstanceId(1), InstanceId(2)] {
        let effects = group.input(Input::Shutdown { id }, at(5000));
        assert!(sent(&effects).is_empty(), "{effects:?}");
    }
    assert!(sent(&group.run_until(at(60_000))).is_empty());
}

/// FAILURES 8.3, 22: frozen while it waits, a group does not know whether
/// another router has taken over.
#[test]
fn a_group_that_overslept_its_wait_waits_anew() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(1000));
    group.hear(1, 150, at(3000));
    group.run_until(at(5000));
    group.input(Input::Retire { id: InstanceId(1) }, at(5000));
    let effects = group.input(Input::Timeout, at(50_000));
    assert!(sent(&effects).is_empty(), "{effects:?}");
    assert_eq!(group.states(), [State::Backup]);
    group.run_until(at(60_000));
    assert_eq!(group.states(), [State::Active]);
}

#[test]
fn a_group_shrinks_by_reload_without_the_one_that_held_it_back() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(1000));
    group.hear(1, 150, at(3000));
    group.run_until(at(5000));
    assert!(group.all(State::Backup));
    assert!(sent(&group.input(Input::Retire { id: InstanceId(1) }, at(5000))).is_empty());
    let effects = group.run_until(at(5000));
    assert_eq!(group.states(), [State::Active]);
    assert_eq!(sent(&effects), [100]);
    // A fault that is no member's any more.
    let mut group = Group::up(&[100, 100]);
    group.input(down(1), at(10));
    group.input(Input::Retire { id: InstanceId(1) }, at(20));
    assert_eq!(group.states(), [State::Backup]);
}

#[test]
fn a_member_that_leaves_the_group_goes_on_alone() {
    let mut group = Group::up(&[100, 100]);
    group.hear(1, 150, at(3000));
    group.run_until(at(5000));
    let alone = InstanceConfig {
        group: None,
        ..member(2, 100)
    };
    group.input(Input::Configure { config: alone }, at(5000));
    for second in 5..9 {
        group.hear(1, 150, at(second * 1000 + 500));
        group.run_until(at(second * 1000 + 999));
    }
    assert_eq!(group.states(), [State::Backup, State::Active]);
    // Held by the fault of another, and set free.
    let mut group = Group::up(&[100, 100]);
    group.input(down(1), at(10));
    group.input(Input::Configure { config: alone }, at(20));
    assert_eq!(group.states(), [State::Initialize, State::Backup]);
}

#[test]
fn a_member_that_joins_an_active_group_waits_out_its_own_time() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(4000));
    let config = member(3, 100);
    assert_eq!(group.input(Input::Configure { config }, at(4000)), []);
    group.input(up(3), at(4001));
    assert_eq!(
        group.states(),
        [State::Active, State::Active, State::Backup]
    );
    let effects = group.run_until(at(7700));
    assert!(group.all(State::Active));
    assert_eq!(
        group_transitions(&effects),
        [],
        "it was Active all the time"
    );
}

#[test]
fn a_member_that_joins_where_another_is_active_takes_the_group_along() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(4000));
    group.input(
        Input::Configure {
            config: member(3, 100),
        },
        at(4000),
    );
    group.input(up(3), at(4001));
    let effects = group.hear(3, 150, at(4500));
    assert!(group.all(State::Backup));
    assert_eq!(sent(&effects), [0, 0]);
}

/// A group that was held up reads in one go why one member has to go, and whom
/// another one has to put up with from then on.
#[test]
fn what_waited_for_another_member_counts_when_the_group_goes() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(4000));
    let slow = AdvertInterval::from_centis(4000).unwrap();
    let of_second = |millis| Input::Advert {
        id: InstanceId(2),
        advert: Advert {
            interval: slow,
            ..advert(ip(102), 254, at(millis))
        },
    };
    let (late, first) = (at(10_000), advert(PEER, 150, at(9000)));
    let id = InstanceId(1);
    group.input(Input::Advert { id, advert: first }, late);
    assert!(group.all(State::Backup));
    let second = |group: &Group| group.0.snapshot(InstanceId(2)).unwrap();
    assert_eq!(second(&group).last_advert, None);

    group.input(of_second(8999), late);
    let stale = second(&group);
    assert_eq!(stale.last_advert, None, "older than why the group went");
    assert_eq!(stale.counters.adverts_stale, 1);
    group.input(of_second(9001), late);
    assert_eq!(second(&group).last_advert, Some(at(9001)));
    assert_eq!(second(&group).learned_interval, slow);
    let down = second(&group).active_down_interval;
    assert_eq!(second(&group).deadline, Some(late.after(down)));

    // The first one's Active is silent for long, the second one's is not.
    let all_but = late.after(down - Duration::from_millis(1));
    assert_eq!(group_transitions(&group.run_until(all_but)), []);
    assert!(group.all(State::Backup));
    group.run_until(late.after(down));
    assert!(group.all(State::Active));
}

/// A reload right after does not count from what the group read late.
#[test]
fn a_group_that_went_late_waits_from_then_on_whatever_is_configured() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(4000));
    let (late, first) = (at(10_000), advert(PEER, 150, at(4100)));
    let id = InstanceId(1);
    group.input(Input::Advert { id, advert: first }, late);
    let config = member(2, 120);
    group.input(Input::Configure { config }, late);
    let second = group.0.snapshot(InstanceId(2)).unwrap();
    assert_eq!(
        second.deadline,
        Some(late.after(second.active_down_interval))
    );
}

#[test]
fn nopreempt_of_one_member_is_that_of_all() {
    let stay = InstanceConfig {
        preempt: false,
        ..member(1, 200)
    };
    let mut group = Group(Machine::with_room(vec![stay, member(2, 200)], 2));
    group.input(up(1), START);
    group.input(up(2), START);
    for second in 0..30 {
        let now = at(second * 1000 + 500);
        group.run_until(now);
        group.hear(1, 100, now);
        group.hear(2, 100, now.after(ms(1)));
        assert!(group.all(State::Backup));
    }
}

#[test]
fn the_longest_preempt_delay_is_that_of_all() {
    let late = InstanceConfig {
        preempt_delay: ms(10_000),
        ..member(1, 200)
    };
    let mut group = Group(Machine::with_room(vec![late, member(2, 200)], 2));
    group.input(up(1), START);
    group.input(up(2), START);
    let mut since = None;
    for second in 0..30 {
        let now = at(second * 1000 + 500);
        group.run_until(now);
        if group.all(State::Active) {
            since.get_or_insert(second);
            continue;
        }
        group.hear(1, 100, now);
        group.hear(2, 100, now.after(ms(1)));
    }
    // Ten seconds after the first advert, and one Active_Down_Interval.
    assert!((12..=15).contains(&since.unwrap()), "{since:?}");
}

#[test]
fn stopping_one_by_one_is_no_fault_of_the_others() {
    let mut group = Group::up(&[100, 100]);
    group.run_until(at(4000));
    let effects = group.input(Input::Shutdown { id: InstanceId(1) }, at(4000));
    assert_eq!(sent(&effects), [0]);
    assert_eq!(group.states(), [State::Initialize, State::Active]);
    let effects = group.input(Input::Shutdown { id: InstanceId(2) }, at(4000));
    assert_eq!(
        transitions(&effects),
        [(State::Active, State::Initialize, Cause::Shutdown)]
    );
}

#[test]
fn other_groups_and_others_are_not_touched() {
    let other = InstanceConfig {
        group: Some(GroupId(2)),
        ..member(3, 100)
    };
    let alone = InstanceConfig {
        group: None,
        ..member(4, 100)
    };
    let configs = vec![member(1, 100), member(2, 100), other, alone];
    let mut group = Group(Machine::with_room(configs, 4));
    for id in 1..=4 {
        group.input(up(id), START);
    }
    group.run_until(at(4000));
    assert!(group.all(State::Active));
    group.input(down(1), at(4100));
    let (init, active) = (State::Initialize, State::Active);
    assert_eq!(group.states(), [init, init, active, active]);
}
