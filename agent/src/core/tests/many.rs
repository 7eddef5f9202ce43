//! Many instances in one machine: isolation (invariant 20), bounds, timeouts.

use super::*;

const COUNT: u16 = 510;

fn crowd() -> Machine {
    let each = |id| InstanceConfig {
        id: InstanceId(id),
        ..config(100)
    };
    let mut machine = Machine::new((1..=COUNT).map(each).collect());
    for id in 1..=COUNT {
        let up = Input::Up {
            id: InstanceId(id),
            source: OWN,
        };
        machine.handle(up, at(u64::from(id)));
        while machine.poll_effect().is_some() {}
    }
    machine
}

#[test]
fn all_of_510_instances_can_act_on_one_timeout() {
    let mut machine = crowd();
    let now = at(60_000);
    assert_eq!(machine.expiring(now).count(), usize::from(COUNT));
    machine.handle(Input::Timeout, now);
    // All overslept together; then all promote together.
    assert_eq!(
        std::iter::from_fn(|| machine.poll_effect()).count(),
        usize::from(COUNT)
    );
    let checkpoint = machine.poll_timeout().unwrap();
    machine.handle(Input::Timeout, checkpoint);
    assert_eq!(machine.poll_effect(), None);
    let deadline = machine.poll_timeout().unwrap();
    machine.handle(Input::Timeout, deadline);
    let effects = std::iter::from_fn(|| machine.poll_effect()).count();
    assert_eq!(effects, usize::from(COUNT) * 5);
    // Everything an Active can have due at once: two bursts, refresh, gap.
    machine.handle(Input::Timeout, deadline.after(ms(600_000)));
    assert!(std::iter::from_fn(|| machine.poll_effect()).count() >= usize::from(COUNT) * 3);
}

#[test]
fn inv20_an_input_touches_its_instance_only() {
    let mut machine = crowd();
    let before = Vec::from_iter(machine.instances().map(|id| machine.snapshot(id)));
    let id = InstanceId(300);
    machine.handle(
        Input::Advert {
            id,
            advert: advert(ip(1), 150, at(1000)),
        },
        at(1000),
    );
    while let Some(effect) = machine.poll_effect() {
        assert_eq!(
            effect,
            Effect::Watch {
                id,
                active: Some(ip(1))
            }
        );
    }
    for (before, other) in before.into_iter().zip(machine.instances()) {
        assert_eq!(before == machine.snapshot(other), other != id);
    }
}

#[test]
fn poll_timeout_is_the_earliest_of_all() {
    let machine = crowd();
    let earliest = machine
        .instances()
        .filter_map(|id| machine.snapshot(id)?.deadline)
        .min();
    // The checkpoint of the same instance comes first.
    assert_eq!(
        machine.poll_timeout().map(|at| at.after(ms(1500))),
        earliest
    );
    assert_eq!(Machine::new(vec![]).poll_timeout(), None);
}

#[test]
fn unknown_instances_are_ignored() {
    let mut machine = crowd();
    for id in [0, COUNT + 1, u16::MAX].map(InstanceId) {
        machine.handle(Input::Up { id, source: OWN }, at(1));
        machine.handle(Input::Shutdown { id }, at(1));
        assert_eq!(machine.poll_effect(), None);
        assert_eq!(machine.snapshot(id), None);
    }
}

#[test]
#[should_panic(expected = "not drained")]
fn effects_must_be_taken_before_the_next_input() {
    let mut machine = Machine::new(vec![config(255)]);
    machine.handle(
        Input::Up {
            id: ID,
            source: OWN,
        },
        START,
    );
    machine.handle(Input::Timeout, START);
}

#[test]
#[should_panic(expected = "twice")]
fn ids_are_unique() {
    Machine::new(vec![config(1), config(2)]);
}
