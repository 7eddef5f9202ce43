//! Many instances, of which those with the same Active share a stream.

use super::*;

fn all(count: u16) -> Rig {
    let mut rig = Rig::empty(usize::from(count));
    for index in 1..=count {
        let id = InstanceId(index);
        rig.heart.configure(id, Some(plan(u32::from(index))), START);
        rig.heart.follow(id, Some(ACTIVE), START);
    }
    rig
}

fn phases(rig: &Rig, count: u16, wanted: Phase) -> usize {
    let ids = (1..=count).map(InstanceId);
    ids.filter(|id| rig.phase(*id) == wanted).count()
}

#[test]
fn a_stream_costs_the_same_for_255_instances() {
    let mut rig = all(255);
    rig.run(Duration::from_secs(1));
    assert_eq!(phases(&rig, 255, Phase::Armed), 255);
    let before = rig.probes.len();
    rig.run(Duration::from_secs(1));
    let sent = rig.probes.len() - before;
    assert!((990..=1010).contains(&sent), "{sent}");
    let mut asked: Vec<u32> = rig.probes[before..]
        .iter()
        .map(|(_, probe)| probe.question.yours)
        .collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 255, "each in its turn");
    // Its silence is that of all, at once.
    let stopped = rig.now;
    rig.is(None);
    rig.run(T * 5);
    let downs = rig.downs();
    assert_eq!(downs.len(), 255);
    assert!(downs.iter().all(|(at, ..)| at.since(stopped) <= T * 4));
}

/// A stream of its own for each of them.
fn each_its_own(count: u16) -> Rig {
    let mut rig = Rig::empty(usize::from(count));
    for index in 1..=count {
        let id = InstanceId(index);
        let plan = Plan {
            ifindex: u32::from(index),
            ..plan(u32::from(index))
        };
        rig.heart.configure(id, Some(plan), START);
        rig.heart.follow(id, Some(ACTIVE), START);
    }
    rig
}

fn most_at_once(rig: &Rig, from: usize) -> usize {
    let times = rig.probes[from..].chunk_by(|a, b| a.0 == b.0);
    times.map(<[_]>::len).max().unwrap_or(0)
}

/// They began together, and are kept from running together.
#[test]
fn streams_do_not_ask_in_step() {
    let mut rig = each_its_own(40);
    rig.run(T * 10);
    for _ in 0..3 {
        let before = rig.probes.len();
        rig.run(T * 10);
        assert!(rig.probes.len() - before >= 399);
        assert!(most_at_once(&rig, before) <= 2);
        rig.now = rig.now.after(T * 5);
        rig.run(T * 5);
    }
    assert_eq!(phases(&rig, 40, Phase::Armed), 40);
    assert_eq!(rig.downs(), []);
}

#[test]
fn many_streams_ask_less_often_each() {
    let mut rig = each_its_own(255);
    rig.run(T * 100);
    assert_eq!(phases(&rig, 255, Phase::Armed), 255);
    let before = rig.probes.len();
    rig.run(T * 100);
    let sent = rig.probes.len() - before;
    assert!((4_700..=5_300).contains(&sent), "{sent}");
    let snapshot = rig.heart.snapshot(ID, rig.now).unwrap();
    assert_eq!(snapshot.interval, us(5100));
    let stopped = rig.now;
    rig.is(None);
    rig.run(us(5100) * 4);
    assert_eq!(rig.downs().len(), 255);
    assert!(rig.downs()[0].0.since(stopped) > us(5100) * 2);
    // One that is alone has its own pace.
    for index in 2..=255 {
        rig.heart.follow(InstanceId(index), None, rig.now);
    }
    assert_eq!(rig.heart.snapshot(ID, rig.now).unwrap().interval, T);
}

/// However few go out in one round.
#[test]
fn each_stream_has_its_turn() {
    let mut rig = each_its_own(10);
    let mut asked = vec![];
    for _ in 0..20 {
        let probe = rig.heart.poll_probe(rig.now).unwrap();
        rig.heart.sent(&probe, rig.now);
        asked.push(probe.place.ifindex);
        rig.now = rig.now.after(T);
    }
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 10);
}

/// The agent over there left one of its instances.
#[test]
fn admin_down_is_of_one_instance_and_soon_certain() {
    let mut rig = all(50);
    rig.run(Duration::from_secs(1));
    rig.outcomes.clear();
    let changed = rig.now;
    rig.says = Box::new(|yours| {
        Some(match yours {
            17 => SessionState::AdminDown,
            _ => SessionState::Up,
        })
    });
    rig.run(Duration::from_secs(1));
    let [(at, InstanceId(17), Lost::AdminDown)] = rig.downs()[..] else {
        panic!("{:?}", rig.downs());
    };
    // Its turn, and two more soon after.
    assert!(at.since(changed) <= T * (50 + 6), "{:?}", at.since(changed));
    assert_eq!(phases(&rig, 50, Phase::Armed), 49);
    for id in (1..=50).filter(|id| *id != 17) {
        assert!(rig.heart.vouches(InstanceId(id), rig.now).is_some(), "{id}");
    }
}

/// The one that was refused is asked for more often, and then not any more: the
/// other one has not had its turns meanwhile.
#[test]
fn what_becomes_of_another_instance_makes_no_up_old() {
    let mut rig = all(2);
    rig.run(Duration::from_secs(1));
    rig.outcomes.clear();
    rig.says = Box::new(|yours| {
        Some(match yours {
            2 => SessionState::AdminDown,
            _ => SessionState::Up,
        })
    });
    for id in [1, 2].map(InstanceId) {
        let plan = Plan {
            multiplier: 2,
            ..plan(u32::from(id.0))
        };
        rig.heart.configure(id, Some(plan), rig.now);
    }
    for _ in 0..40 {
        rig.run(T / 4);
        let fresh = rig.heart.vouches(ID, rig.now);
        assert!(fresh.is_some(), "{:?}", rig.downs());
    }
    assert_eq!(rig.downs().len(), 1);
}

/// Probes for what is not answered for must not make the others silent.
#[test]
fn instances_without_a_reflector_do_no_harm() {
    let mut rig = all(20);
    rig.says = Box::new(|yours| (yours == 3).then_some(SessionState::Up));
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.downs(), []);
    assert_eq!(phases(&rig, 20, Phase::Armed), 1);
    rig.outcomes.clear();
    rig.is(None);
    rig.run(T * 10);
    let [(_, InstanceId(3), Lost::Silence)] = rig.downs()[..] else {
        panic!("{:?}", rig.downs());
    };
}

#[test]
fn instances_come_and_go() {
    let mut rig = all(5);
    rig.run(T * 100);
    for id in [1, 5, 3] {
        rig.heart.follow(InstanceId(id), None, rig.now);
        rig.run(T * 10);
        assert_eq!(rig.phase(InstanceId(id)), Phase::Idle);
    }
    assert_eq!(phases(&rig, 5, Phase::Armed), 2);
    rig.heart.follow(InstanceId(3), Some(ip(201)), rig.now);
    rig.run(T * 10);
    assert_eq!(phases(&rig, 5, Phase::Armed), 3);
    for id in 1..=5 {
        rig.heart.configure(InstanceId(id), None, rig.now);
    }
    assert_eq!(rig.heart.poll_timeout(), None);
    assert_eq!(rig.downs(), []);
}

#[test]
fn the_shortest_interval_of_a_stream_is_that_of_all() {
    let mut rig = all(2);
    let slow = Plan {
        interval: T * 100,
        ..plan(2)
    };
    rig.heart.configure(InstanceId(2), Some(slow), rig.now);
    rig.run(Duration::from_secs(1));
    rig.outcomes.clear();
    let stopped = rig.now;
    rig.is(None);
    rig.run(Duration::from_secs(1));
    let downs = rig.downs();
    assert_eq!(downs.len(), 2);
    // But each has the patience that it was given.
    assert!(downs[0].0.since(stopped) <= T * 4);
    let waited = downs[1].0.since(stopped);
    assert!(waited >= T * 200 && waited <= T * 330, "{waited:?}");
}
