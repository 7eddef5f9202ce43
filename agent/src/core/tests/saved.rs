//! An instance that another process goes on with is the same one.

use super::*;
use crate::core::Saved;

/// As it arrives in another process.
fn successor(machine: &Machine, own: InstanceConfig) -> Machine {
    let text = serde_json::to_string(&machine.save(ID).unwrap()).unwrap();
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let mut next = Machine::with_room(vec![own], 1);
    assert!(next.restore(&saved), "{text}");
    next
}

/// Everything that comes of it, until nothing is due for a minute.
fn future(machine: &Machine) -> Vec<(KernelTime, Effect)> {
    let mut machine = machine.clone();
    let mut effects = Vec::new();
    let mut take = |machine: &mut Machine, now| {
        while let Some(effect) = machine.poll_effect() {
            effects.push((now, effect));
        }
    };
    let mut heard = machine.poll_timeout().unwrap_or(START);
    let end = heard.after(ms(60_000));
    while let Some(due) = machine.poll_timeout().filter(|due| *due < end) {
        // Others are heard in between, and a VIP is lost now and then.
        heard = heard.max(due).after(ms(7));
        let advert = advert(ip(50), 90, heard);
        machine.handle(Input::Advert { id: ID, advert }, heard);
        take(&mut machine, heard);
        machine.handle(Input::AddressLost { id: ID, vip: 0 }, heard);
        take(&mut machine, heard);
        machine.handle(Input::Timeout, heard.max(due));
        take(&mut machine, heard.max(due));
    }
    effects
}

fn assert_same(machine: &Machine, own: InstanceConfig) {
    let next = successor(machine, own);
    assert_eq!(next.snapshot(ID), machine.snapshot(ID));
    assert_eq!(next.poll_timeout(), machine.poll_timeout());
    assert_eq!(next.save(ID), machine.save(ID));
    assert_eq!(future(&next), future(machine));
}

#[test]
fn every_state_goes_on() {
    let own = config(100);
    assert_same(&Rig::new(own).machine, own);
    assert_same(&Rig::up(own).machine, own);
    // Backup of somebody with another interval.
    let mut backup = Rig::up(own);
    let learned = Advert {
        interval: cs(30),
        ..advert(ip(200), 200, at(10))
    };
    backup.input(
        Input::Advert {
            id: ID,
            advert: learned,
        },
        at(10),
    );
    assert_same(&backup.machine, own);
    let (active, _) = Rig::active(own);
    assert_same(&active.machine, own);
    let mut fault = active.clone();
    let link = Fault::LinkDown;
    fault.input(
        Input::Down {
            id: ID,
            fault: link,
        },
        at(9_000),
    );
    assert_same(&fault.machine, own);
}

#[test]
fn limits_go_on_in_the_middle() {
    let own = config(100);
    let (mut active, since) = Rig::active(own);
    for n in 0..7 {
        let now = since.after(ms(50 + n * 10));
        let advert = advert(ip(50), 90, now);
        active.input(Input::Advert { id: ID, advert }, now);
        let now = since.after(ms(2_000 * (n + 1)));
        active.input(Input::AddressLost { id: ID, vip: 0 }, now);
    }
    assert_same(&active.machine, own);
}

#[test]
fn other_rules_of_the_new_version_are_a_change_like_any_other() {
    let own = config(100);
    let (active, _) = Rig::active(own);
    let higher = config(150);
    let mut next = successor(&active.machine, higher);
    let now = at(60_000);
    next.handle(Input::Configure { config: higher }, now);
    assert_eq!(
        next.poll_effect(),
        Some(Effect::SendAdvert {
            id: ID,
            priority: Priority(150)
        })
    );
    assert_eq!(next.snapshot(ID).unwrap().state, State::Active);
}

#[test]
fn fields_of_other_versions_do_no_harm_and_what_cannot_be_is_refused() {
    let own = config(100);
    let (active, _) = Rig::active(own);
    let mut value = serde_json::to_value(active.machine.save(ID).unwrap()).unwrap();
    value["of_a_later_version"] = serde_json::json!({ "a": [1, 2] });
    value["asserts"] = serde_json::json!([1, 2, null, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    value.as_object_mut().unwrap().remove("counters");
    let saved: Saved = serde_json::from_value(value.clone()).unwrap();
    assert!(Machine::with_room(vec![own], 1).restore(&saved));
    // Active without a timer for its adverts.
    value["timers"] = serde_json::json!({});
    let saved: Saved = serde_json::from_value(value.clone()).unwrap();
    let mut machine = Machine::with_room(vec![own], 1);
    assert!(!machine.restore(&saved));
    assert_eq!(machine.snapshot(ID).unwrap().state, State::Initialize);
    value["learned_centis"] = serde_json::json!(0);
    let saved: Saved = serde_json::from_value(value).unwrap();
    assert!(!machine.restore(&saved));
}

#[test]
fn while_held_an_active_sends_and_a_backup_judges_nobody() {
    let own = config(100);
    let mut backup = Rig::up(own);
    backup.machine.hold();
    assert_eq!(backup.machine.poll_timeout(), None);
    backup.machine.handle(Input::Timeout, at(60_000));
    assert_eq!(backup.machine.poll_effect(), None);
    // Back again, the Active gets its whole time.
    backup.machine.resume(at(60_000));
    let down = backup.snapshot().active_down_interval;
    assert_eq!(backup.snapshot().deadline, Some(at(60_000).after(down)));
    let (mut active, _) = Rig::active(own);
    let due = active.machine.poll_timeout();
    active.machine.hold();
    assert_eq!(active.machine.poll_timeout(), due);
}
