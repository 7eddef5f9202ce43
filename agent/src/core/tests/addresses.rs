//! VIPs that somebody else removes.

use super::*;

fn lose(rig: &mut Rig, vip: u16, now: KernelTime) -> Vec<Effect> {
    rig.input(Input::AddressLost { id: ID, vip }, now)
}

#[test]
fn a_lost_vip_is_restored_and_reported() {
    let (mut rig, since) = Rig::active(config(100));
    let effects = lose(&mut rig, 0, since.after(ms(10)));
    let notice = Notice::AddressRestored { vip: 0 };
    assert_eq!(
        effects,
        [
            Effect::RestoreAddress { id: ID, vip: 0 },
            Effect::Notice { id: ID, notice }
        ]
    );
}

/// The eleventh time in a minute: the peers get it, and we stand back for a
/// whole Active_Down_Interval and not only for the skew.
// proves: S-37
#[test]
fn s37_against_somebody_who_insists_the_vips_are_released() {
    let (mut rig, since) = Rig::active(config(100));
    for step in 0..10 {
        let effects = lose(&mut rig, 0, since.after(ms(step * 5900)));
        assert_eq!(effects[0], Effect::RestoreAddress { id: ID, vip: 0 });
    }
    let now = since.after(ms(59_999));
    let effects = lose(&mut rig, 0, now);
    let back = transition(State::Active, State::Backup, Cause::AddressesTaken, now);
    assert_eq!(effects, [send(0), remove(), back]);
    assert_eq!(rig.deadline(), now.after(Duration::from_secs(10)));
    assert_eq!(lose(&mut rig, 0, now), []);
    // The farewell that a bridge sends back to us shortens nothing.
    rig.hear(advert(OWN, 0, now.after(ms(1))));
    assert_eq!(rig.deadline(), now.after(Duration::from_secs(10)));
}

#[test]
fn the_limit_slides_with_kernel_time() {
    let (mut rig, since) = Rig::active(config(100));
    for step in 0..100 {
        let effects = lose(&mut rig, 0, since.after(ms(step * 6000)));
        assert_eq!(effects[0], Effect::RestoreAddress { id: ID, vip: 0 });
    }
}

/// `ip address flush` takes 300 VIPs at once: one incident, not 300.
#[test]
fn a_flush_of_many_vips_is_one_incident() {
    let (mut rig, since) = Rig::active(InstanceConfig {
        vip_count: 300,
        ..config(100)
    });
    for round in 0..10 {
        for vip in 0..300 {
            let effects = lose(&mut rig, vip, since.after(ms(round * 100)));
            assert_eq!(effects[0], Effect::RestoreAddress { id: ID, vip });
        }
    }
    assert_eq!(lose(&mut rig, 7, since.after(ms(1000)))[0], send(0));
}

#[test]
fn outside_active_and_for_unknown_vips_nothing_happens() {
    let mut rig = Rig::new(config(100));
    assert_eq!(lose(&mut rig, 0, at(1)), []);
    let mut rig = Rig::up(config(100));
    assert_eq!(lose(&mut rig, 0, at(1)), []);
    let (mut rig, since) = Rig::active(config(100));
    assert_eq!(lose(&mut rig, 1, since.after(ms(1))), []);
    assert_eq!(lose(&mut rig, u16::MAX, since.after(ms(1))), []);
}
