//! Instances that are changed, added and retired while the machine runs.

use super::*;
use crate::core::timers::{active_down_interval, skew_time};

const PEER: IpAddr = ip(101);

fn configure(rig: &mut Rig, config: InstanceConfig, now: KernelTime) -> Vec<Effect> {
    rig.input(Input::Configure { config }, now)
}

fn down(priority: u8, centis: u16) -> Duration {
    active_down_interval(Version::V3, Priority(priority), cs(centis), 3)
}

/// Everything but the configured values.
fn kept(snapshot: &Snapshot) -> impl PartialEq + core::fmt::Debug + use<> {
    (
        (snapshot.state, snapshot.since, snapshot.source),
        (snapshot.active, snapshot.watched, snapshot.last_advert),
        snapshot.counters,
    )
}

/// Every other value that a configuration can have in one field.
fn variants(config: InstanceConfig) -> Vec<InstanceConfig> {
    let announce = AnnouncePolicy {
        refresh: Some(ms(700)),
        ..config.announce
    };
    vec![
        InstanceConfig {
            priority: Priority(120),
            ..config
        },
        InstanceConfig {
            priority: Priority(255),
            ..config
        },
        InstanceConfig {
            interval: cs(20),
            ..config
        },
        InstanceConfig {
            interval: cs(400),
            ..config
        },
        InstanceConfig {
            preempt: !config.preempt,
            ..config
        },
        InstanceConfig {
            preempt_delay: ms(500),
            ..config
        },
        InstanceConfig {
            down_factor: 5,
            ..config
        },
        InstanceConfig {
            down_factor: 1,
            ..config
        },
        InstanceConfig {
            assert_on_lower: !config.assert_on_lower,
            ..config
        },
        InstanceConfig {
            higher_prio_send_advert: true,
            ..config
        },
        InstanceConfig { announce, ..config },
        InstanceConfig {
            vip_count: 2,
            vips_digest: 8,
            ..config
        },
        InstanceConfig {
            address_count: 2,
            addresses_digest: 8,
            vip_count: 2,
            vips_digest: 8,
            ..config
        },
    ]
}

fn rigs() -> Vec<(Rig, KernelTime)> {
    let mut backup = Rig::up(config(100));
    backup.hear(advert(PEER, 200, at(50)));
    let (active, since) = Rig::active(config(100));
    vec![
        (Rig::new(config(100)), at(100)),
        (Rig::up(config(100)), at(100)),
        (backup, at(100)),
        (active, since.after(ms(100))),
    ]
}

#[test]
fn the_same_configuration_again_has_no_effect_at_all() {
    for (mut rig, now) in rigs() {
        let (before, next) = (rig.snapshot(), rig.machine.poll_timeout());
        assert_eq!(configure(&mut rig, config(100), now), []);
        assert_eq!((rig.snapshot(), rig.machine.poll_timeout()), (before, next));
    }
}

#[test]
fn whatever_changes_state_active_and_counters_are_kept() {
    for (rig, now) in rigs() {
        for new in variants(config(100)) {
            let mut rig = rig.clone();
            let mut before = rig.snapshot();
            let effects = configure(&mut rig, new, now);
            let after = rig.snapshot();
            before.counters.adverts_sent = after.counters.adverts_sent;
            assert_eq!(kept(&after), kept(&before), "{new:?}");
            assert_eq!(
                (after.priority, after.interval),
                (new.priority, new.interval)
            );
            assert_eq!(transitions(&effects), []);
            assert_eq!(
                announced(&effects),
                [0; 0],
                "unchanged VIPs are announced again"
            );
            assert!(!effects.contains(&remove()));
            let said = |c: &InstanceConfig| (c.priority, c.interval, c.addresses_digest);
            let active = after.state == State::Active;
            let news = active && said(&new) != said(&config(100));
            let sends = if news {
                vec![new.priority.get()]
            } else {
                vec![]
            };
            assert_eq!(sent(&effects), sends, "{new:?}");
            let vips = Effect::ChangeAddresses { id: ID, repeat: 5 };
            assert_eq!(
                effects.contains(&vips),
                active && new.vips_digest != 7,
                "{new:?}"
            );
        }
    }
}

/// COMPAT 2.7: with the event that the running timer counts from.
#[test]
fn a_backup_s_timer_is_recomputed_from_where_it_counts() {
    for priority in [1, 99, 150, 254] {
        let mut rig = Rig::up(config(100));
        rig.hear(advert(PEER, 255, at(50)));
        configure(&mut rig, config(priority), at(100));
        assert_eq!(rig.deadline(), at(50).after(down(priority, 100)));
        let checkpoint = rig.deadline().before(ms(1500));
        assert_eq!(rig.machine.poll_timeout(), Some(checkpoint));
    }
}

#[test]
fn a_backup_keeps_the_learned_interval() {
    let mut rig = Rig::up(config(100));
    rig.hear(Advert {
        interval: cs(250),
        ..advert(PEER, 200, at(50))
    });
    let new = InstanceConfig {
        interval: cs(10),
        ..config(100)
    };
    configure(&mut rig, new, at(100));
    assert_eq!(rig.snapshot().learned_interval, cs(250));
    assert_eq!(rig.deadline(), at(50).after(down(100, 250)));
    // Nobody was heard: there is nothing to keep.
    let mut rig = Rig::up(config(100));
    configure(
        &mut rig,
        InstanceConfig {
            interval: cs(50),
            ..config(100)
        },
        at(100),
    );
    assert_eq!(rig.snapshot().learned_interval, cs(50));
    assert_eq!(rig.deadline(), START.after(down(100, 50)));
}

#[test]
fn after_a_release_skew_time_is_recomputed() {
    let mut rig = Rig::up(config(100));
    rig.hear(advert(PEER, 200, at(50)));
    rig.hear(advert(PEER, 0, at(60)));
    configure(&mut rig, config(254), at(61));
    let skew = skew_time(Version::V3, Priority(254), cs(100));
    assert_eq!(rig.deadline(), at(60).after(skew));
    let (_, effects) = rig.wake();
    let cause = Cause::ActiveReleased { by: PEER };
    let promoted = transition(State::Backup, State::Active, cause, at(60).after(skew));
    assert!(effects.contains(&promoted), "{effects:?}");
}

/// The deadline of a better priority has passed while we were awake.
#[test]
fn a_deadline_that_lies_behind_us_is_due_at_once_and_not_overslept() {
    let mut rig = Rig::up(config(1));
    let now = at(3500);
    rig.run_until(now);
    configure(&mut rig, config(254), now);
    assert_eq!(rig.deadline(), now);
    rig.timeout(now);
    assert_eq!(rig.state(), State::Active);
    assert_eq!(rig.snapshot().counters.overslept, 0);
}

/// v2 goes by its own interval: 12 s of silence were fine with one of 10 s.
#[test]
fn a_shorter_interval_does_not_turn_past_silence_into_a_take_over() {
    let long = InstanceConfig {
        version: Version::V2,
        interval: cs(1000),
        ..config(100)
    };
    let mut rig = Rig::up(long);
    let now = at(12_000);
    rig.run_until(now);
    configure(
        &mut rig,
        InstanceConfig {
            interval: cs(100),
            ..long
        },
        now,
    );
    assert_eq!(rig.deadline(), now.after(down(100, 100)));
}

/// Invariant 3: a reload that comes first after a sleep proves nothing.
#[test]
fn t3_a_backup_that_slept_is_not_made_active_by_a_reload() {
    for late in [ms(5000), ms(60_000)] {
        let mut rig = Rig::up(config(100));
        let now = at(0).after(late);
        configure(&mut rig, config(254), now);
        let effects = rig.timeout(now);
        assert_eq!((rig.state(), sent(&effects)), (State::Backup, vec![]));
        assert_eq!(rig.snapshot().counters.overslept, 1);
        assert_eq!(rig.deadline(), now.after(down(254, 100)));
    }
}

#[test]
fn the_preempt_delay_is_recomputed_from_the_first_lower_advert() {
    let delayed = |delay| InstanceConfig {
        preempt_delay: delay,
        ..config(200)
    };
    let heard = |delay| {
        let mut rig = Rig::up(delayed(ms(10_000)));
        rig.hear(advert(PEER, 100, at(50)));
        configure(&mut rig, delayed(delay), at(60));
        let accepted = |rig: &mut Rig, millis| {
            rig.hear(advert(PEER, 100, at(millis)));
            rig.snapshot().last_advert == Some(at(millis))
        };
        [accepted(&mut rig, 1000), accepted(&mut rig, 1100)]
    };
    assert_eq!(heard(ms(1000)), [true, false]);
    assert_eq!(heard(ms(10_000)), [true, true]);
    assert_eq!(heard(Duration::ZERO), [false, false]);
}

#[test]
fn an_active_says_at_once_what_changed_and_keeps_its_cadence_from_there() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(300));
    let new = InstanceConfig {
        interval: cs(20),
        ..config(100)
    };
    let effects = configure(&mut rig, new, now);
    assert_eq!(effects, [send(100)]);
    assert_eq!(rig.deadline(), now.after(ms(200)));
    // What others do not see does not move the cadence.
    let quiet = InstanceConfig {
        preempt: false,
        ..new
    };
    assert_eq!(configure(&mut rig, quiet, now.after(ms(50))), []);
    assert_eq!(rig.deadline(), now.after(ms(200)));
}

/// 50 s between two adverts are nothing unusual by the old interval.
#[test]
fn a_much_shorter_interval_is_no_silence_that_calls_for_garp() {
    let (mut rig, since) = Rig::active(InstanceConfig {
        interval: cs(4000),
        ..config(200)
    });
    let now = rig.deadline().before(ms(1));
    assert!(now.since(since) > ms(30_000));
    rig.run_until(now);
    let effects = configure(&mut rig, config(200), now);
    assert_eq!(effects, [send(200)]);
}

#[test]
fn the_refresh_starts_and_ends_with_its_keyword() {
    let (mut rig, since) = Rig::active(config(100));
    let quiet = AnnouncePolicy {
        delay: Duration::ZERO,
        ..AnnouncePolicy::default()
    };
    let refreshing = AnnouncePolicy {
        refresh: Some(ms(1500)),
        ..quiet
    };
    let with = |announce| InstanceConfig {
        announce,
        ..config(100)
    };
    rig.run_until(since.after(ms(10_000)));
    let now = since.after(ms(10_100));
    assert_eq!(configure(&mut rig, with(refreshing), now), []);
    assert_eq!(announced(&rig.run_until(now.after(ms(3000)))), [1, 1]);
    configure(&mut rig, with(quiet), now.after(ms(3010)));
    assert_eq!(announced(&rig.run_until(now.after(ms(9000)))), [0; 0]);
}

#[test]
fn a_retired_active_leaves_in_good_order_and_its_id_is_free() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(100));
    let effects = rig.input(Input::Retire { id: ID }, now);
    let left = transition(State::Active, State::Initialize, Cause::Shutdown, now);
    assert_eq!(effects, [send(0), remove(), left]);
    assert_eq!(rig.machine.snapshot(ID), None);
    assert_eq!(rig.machine.poll_timeout(), None);
    assert_eq!(
        rig.input(
            Input::Up {
                id: ID,
                source: OWN
            },
            now
        ),
        []
    );
    assert_eq!(rig.input(Input::Retire { id: ID }, now), []);
    // Its successor remembers nothing.
    assert_eq!(configure(&mut rig, config(50), now), []);
    assert_eq!(rig.snapshot().counters, Counters::default());
    rig.input(
        Input::Up {
            id: ID,
            source: OWN,
        },
        now,
    );
    assert_eq!(rig.deadline(), now.after(down(50, 100)));
}

#[test]
fn another_version_is_another_virtual_router() {
    let (mut rig, since) = Rig::active(config(100));
    let now = since.after(ms(100));
    let effects = configure(
        &mut rig,
        InstanceConfig {
            version: Version::V2,
            ..config(100)
        },
        now,
    );
    assert_eq!(sent(&effects), [0]);
    assert_eq!(
        (rig.state(), rig.machine.poll_timeout()),
        (State::Initialize, None)
    );
}

#[test]
#[should_panic(expected = "out of range")]
fn there_is_no_room_beyond_the_slots() {
    let mut machine = Machine::new(vec![]);
    let id = InstanceId(511);
    machine.handle(
        Input::Configure {
            config: InstanceConfig { id, ..config(1) },
        },
        START,
    );
}

#[test]
fn an_added_instance_takes_part_like_any_other() {
    let mut machine = Machine::new(vec![config(100)]);
    for id in [510, 7] {
        let added = InstanceConfig {
            id: InstanceId(id),
            ..config(255)
        };
        machine.handle(Input::Configure { config: added }, START);
        assert_eq!(machine.poll_effect(), None);
        machine.handle(
            Input::Up {
                id: InstanceId(id),
                source: OWN,
            },
            START,
        );
        while machine.poll_effect().is_some() {}
    }
    let ids: Vec<u16> = machine.instances().map(|id| id.0).collect();
    assert_eq!(ids, [1, 7, 510]);
    assert_eq!(machine.poll_timeout(), Some(at(1000)));
    machine.handle(Input::Timeout, at(1000));
    let sends = std::iter::from_fn(|| machine.poll_effect());
    assert_eq!(sent(&Vec::from_iter(sends)), [255, 255]);
}

/// What room for every slot costs; `mem::size_of` of the parts, not a target.
#[test]
fn an_instance_stays_small() {
    assert!(size_of::<crate::core::instance::Instance>() <= 1400);
}
