//! Late wake-ups of a Backup (T3, T6, T7 of FAILURES 6.2): it must not take
//! over from an Active that was alive, and must from one that is dead.

use super::*;

const PEER: IpAddr = ip(10);

/// Down intervals with factors and priorities at both ends.
fn variants() -> Vec<InstanceConfig> {
    let mut configs = Vec::new();
    for version in [Version::V2, Version::V3] {
        for priority in [1, 100, 199, 254] {
            for down_factor in [1, 2, 3, 10] {
                for centis in [100, 300] {
                    let interval = cs(centis);
                    configs.push(InstanceConfig {
                        version,
                        down_factor,
                        interval,
                        ..config(priority)
                    });
                }
            }
        }
    }
    configs
}

fn peer_advert(config: &InstanceConfig, stamp: KernelTime) -> Advert {
    Advert {
        interval: config.interval,
        ..advert(PEER, 255, stamp)
    }
}

fn settled(config: InstanceConfig) -> Rig {
    let mut rig = Rig::up(config);
    rig.hear(peer_advert(&config, at(500)));
    rig
}

/// Like the driver: hands in the newest stamped advert of an expiring Backup
/// before the time-out.
fn driver_wakes(rig: &mut Rig, latest: Advert, now: KernelTime) -> Vec<Effect> {
    let mut effects = Vec::new();
    let expiring = Vec::from_iter(rig.machine.expiring(now));
    if expiring == [ID] {
        effects.extend(rig.hear_late(latest, now));
    }
    effects.extend(rig.timeout(now));
    effects
}

/// (a): frozen together with its network, from just after an advert to any
/// time later; after the thaw the Active is heard at every interval again, at
/// any phase.
// proves: S-16
#[test]
fn t3_t7_frozen_with_its_network_it_never_replaces_a_living_active() {
    for config in [config(1), config(100), config(254)] {
        let interval = config.interval.duration();
        let thaw_steps = 64;
        for thaw in 0..thaw_steps {
            for phase in 1..=8u32 {
                let mut rig = settled(config);
                let deadline = rig.deadline();
                // From 1.3 intervals after the advert to 3 intervals past the deadline.
                let earliest = at(500).after(interval * 13 / 10);
                let span = deadline.after(interval * 3).since(earliest);
                let thawed = earliest.after(span * thaw / thaw_steps);
                let mut heard = thawed.after(interval * phase / 8);
                let mut effects = driver_wakes(&mut rig, peer_advert(&config, at(500)), thawed);
                for _ in 0..10 {
                    effects.extend(rig.run_until(KernelTime(heard.0 - 1)));
                    effects.extend(rig.hear(peer_advert(&config, heard)));
                    heard = heard.after(interval);
                }
                assert_eq!(
                    transitions(&effects),
                    [],
                    "thawed {:?}",
                    deadline.since(thawed)
                );
            }
        }
    }
}

/// Thawed with 0.1 intervals to go: not enough to hear the Active once.
#[test]
fn t7_thawed_a_tenth_before_the_deadline_it_grants_one_more_interval() {
    let mut rig = settled(config(100));
    let now = rig.deadline().before(ms(100));
    let effects = driver_wakes(&mut rig, peer_advert(&config(100), at(500)), now);
    assert_eq!(notices(&effects), [Notice::Overslept { late_by: ms(1400) }]);
    assert_eq!(
        rig.deadline(),
        now.after(Duration::from_nanos(3_609_375_000))
    );
    assert_eq!(rig.snapshot().counters.overslept, 1);
}

/// (b): awake, the take-over is exact for every version, factor and priority.
// proves: S-16
#[test]
fn t3_a_dead_active_is_replaced_exactly_at_the_deadline_when_awake() {
    for config in variants() {
        let mut rig = settled(config);
        let deadline = rig.deadline();
        let effects = rig.run_until(deadline);
        assert_eq!(notices(&effects), []);
        let cause = Cause::ActiveSilent {
            last_advert: Some(at(500)),
            deadline,
        };
        assert_eq!(
            transitions(&effects),
            [(State::Backup, State::Active, cause)]
        );
        assert_eq!(rig.snapshot().since, deadline);
    }
}

/// A wake-up late by up to a quarter interval is still a wake-up.
#[test]
fn t3_a_quarter_interval_of_lateness_is_tolerated_at_both_stages() {
    let mut rig = settled(config(100));
    let checkpoint = rig.machine.poll_timeout().unwrap();
    assert_eq!(rig.deadline().since(checkpoint), ms(1500));
    assert_eq!(rig.timeout(checkpoint.after(ms(250))), []);
    let late = rig.deadline().after(ms(250));
    assert_eq!(transitions(&rig.timeout(late)).len(), 1);
}

// proves: S-16, L-01
#[test]
fn t3_a_late_checkpoint_or_deadline_is_oversleeping() {
    let mut rig = settled(config(100));
    let mut other = rig.clone();
    let checkpoint = rig.machine.poll_timeout().unwrap();
    assert_eq!(notices(&rig.timeout(checkpoint.after(ms(251)))).len(), 1);
    assert_eq!(other.timeout(checkpoint), []);
    let late = other.deadline().after(ms(251));
    let effects = other.timeout(late);
    assert_eq!(notices(&effects), [Notice::Overslept { late_by: ms(251) }]);
    assert_eq!(transitions(&effects), []);
    assert_eq!(
        other.deadline(),
        late.after(Duration::from_nanos(3_609_375_000))
    );
}

/// Exactly once per wake-up: then silence counts again.
#[test]
fn t3_after_oversleeping_a_dead_active_is_replaced_at_the_extended_deadline() {
    for config in variants() {
        let mut rig = settled(config);
        let now = rig.deadline().after(Duration::from_secs(60));
        rig.timeout(now);
        assert_eq!(rig.state(), State::Backup);
        let extended = now.after(rig.snapshot().active_down_interval);
        assert_eq!(rig.deadline(), extended);
        let effects = rig.run_until(extended);
        assert_eq!(transitions(&effects).len(), 1);
        assert_eq!(rig.snapshot().since, extended);
        assert_eq!(rig.snapshot().counters.overslept, 1);
    }
}

/// (c): only the Backup is stopped, for three Active_Down_Intervals; the
/// kernel goes on stamping. Nothing happens and nothing is said.
#[test]
fn t3_stopped_alone_it_finds_the_stamps_and_nothing_happens() {
    for config in variants() {
        let mut rig = settled(config);
        let interval = config.interval.duration();
        let now = at(500).after(rig.snapshot().active_down_interval * 3);
        let mut latest = at(500);
        while latest.after(interval) <= now {
            latest = latest.after(interval);
        }
        let effects = driver_wakes(&mut rig, peer_advert(&config, latest), now);
        assert_eq!(effects, [], "{config:?}");
        assert_eq!(rig.snapshot().counters.overslept, 0);
    }
}

/// (c), with everything that the ring holds handed in first, oldest first.
#[test]
fn t3_stopped_alone_with_a_full_ring_it_applies_all_before_it_decides() {
    let mut rig = settled(config(100));
    let now = at(12_000);
    let mut effects = Vec::new();
    for stamp in (1500..12_000).step_by(1000) {
        effects.extend(rig.hear_late(advert(PEER, 255, at(stamp)), now));
    }
    effects.extend(rig.timeout(now));
    assert_eq!(effects, []);
    assert_eq!(
        rig.deadline(),
        at(11_500).after(Duration::from_nanos(3_609_375_000))
    );
}

/// A Backup whose steady adverts do not wake it lives on LATEST alone and is
/// never taken for one that overslept, whatever the down factor.
// proves: T-14
#[test]
fn t14_steady_adverts_read_only_at_wake_ups_never_look_like_oversleeping() {
    for config in variants() {
        let mut rig = settled(config);
        let interval = config.interval.duration();
        for _ in 0..50 {
            let now = rig.machine.poll_timeout().unwrap();
            let beats = now.since(at(500)).as_nanos() / interval.as_nanos();
            let latest = at(500).after(interval * u32::try_from(beats).unwrap());
            let effects = driver_wakes(&mut rig, peer_advert(&config, latest), now);
            assert_eq!(effects, [], "{config:?}");
        }
    }
}

/// Two of three adverts lost, read on time: still no oversleeping.
#[test]
fn t3_lost_adverts_are_not_oversleeping() {
    let mut rig = settled(config(100));
    let mut effects = rig.run_until(at(3499));
    effects.extend(driver_wakes(
        &mut rig,
        advert(PEER, 255, at(3500)),
        at(3500),
    ));
    effects.extend(rig.hear(advert(PEER, 255, at(3500))));
    effects.extend(rig.timeout(at(3501)));
    assert_eq!(effects, []);
}

/// After a release a late Backup waits for one advert of a possible new
/// Active, and its skew; not for a whole Active_Down_Interval.
// proves: S-17
#[test]
fn s17_late_after_a_release_it_waits_one_interval_and_its_skew() {
    let mut rig = settled(config(100));
    rig.hear(advert(PEER, 0, at(700)));
    let due = rig.deadline();
    let mut on_time = rig.clone();
    assert_eq!(transitions(&on_time.timeout(due.after(ms(250)))).len(), 1);

    let now = due.after(ms(2000));
    let effects = rig.timeout(now);
    assert_eq!(
        effects,
        [Effect::Notice {
            id: ID,
            notice: Notice::Overslept { late_by: ms(2000) }
        }]
    );
    let extended = now.after(Duration::from_nanos(1_609_375_000));
    assert_eq!(rig.deadline(), extended);
    let mut followed = rig.clone();
    let effects = rig.run_until(extended);
    let cause = Cause::ActiveReleased { by: PEER };
    assert_eq!(
        transitions(&effects),
        [(State::Backup, State::Active, cause)]
    );
    // Another Backup took over while we slept.
    followed.hear(advert(ip(11), 120, now.after(ms(999))));
    assert_eq!(transitions(&followed.run_until(extended)), []);
}

/// LATEST read again after the extension: it is older than the wake-up and
/// must not pull the deadline back.
#[test]
fn t3_an_advert_from_before_the_wake_up_does_not_shorten_the_extension() {
    let mut rig = settled(config(100));
    let now = rig.deadline().after(ms(1000));
    rig.timeout(now);
    let extended = rig.deadline();
    rig.hear_late(advert(PEER, 255, now.before(ms(900))), now.after(ms(1)));
    assert_eq!(rig.deadline(), extended);
    rig.hear(advert(PEER, 255, now.after(ms(100))));
    assert_eq!(rig.deadline(), extended.after(ms(100)));
}

#[test]
fn expiring_names_the_backups_whose_checkpoint_or_deadline_is_due() {
    let mut rig = settled(config(100));
    let checkpoint = rig.machine.poll_timeout().unwrap();
    assert_eq!(
        rig.machine.expiring(KernelTime(checkpoint.0 - 1)).count(),
        0
    );
    assert_eq!(Vec::from_iter(rig.machine.expiring(checkpoint)), [ID]);
    rig.timeout(checkpoint);
    assert_eq!(rig.machine.expiring(checkpoint).count(), 0);
    let deadline = rig.deadline();
    assert_eq!(Vec::from_iter(rig.machine.expiring(deadline)), [ID]);
    rig.timeout(deadline);
    // Active: its own timers are nobody's silence.
    assert_eq!(rig.machine.expiring(deadline.after(ms(5000))).count(), 0);
}

/// A Backup that nobody schedules in time is late at every stage. It must not
/// wait for ever: the Active is dead, and we are what is left.
// proves: S-16
#[test]
fn t3_a_starved_backup_takes_over_after_three_extensions() {
    for config in variants() {
        let mut rig = settled(config);
        let interval = config.interval.duration();
        let mut effects = Vec::new();
        // Three extensions have two stages each, and so has the last wait.
        for _ in 0..8 {
            let next = rig
                .machine
                .poll_timeout()
                .expect("a deadline while nobody is Active");
            effects.extend(rig.timeout(next.after(interval * 3)));
            if rig.snapshot().state == State::Active {
                break;
            }
        }
        let entered = Vec::from_iter(transitions(&effects).iter().map(|(_, to, _)| *to));
        assert_eq!(entered, [State::Active], "{config:?}");
        assert_eq!(rig.snapshot().counters.overslept, 3, "{config:?}");
    }
}

/// A known limit (docs/PROOF.md, the model): two freezes that each end before
/// they can be noticed, of which the first takes all adverts before the
/// checkpoint and the second the one that is left. Then two are Active until
/// the next advert of the living one.
#[test]
fn t7_two_freezes_that_nothing_can_notice_hide_a_living_active() {
    let mut rig = settled(config(100));
    let checkpoint = rig.machine.poll_timeout().unwrap();
    let deadline = rig.deadline();
    let lost = [at(1500), at(2500), at(3500)];
    assert!(at(500) < lost[0] && lost[1] < checkpoint && lost[2] < deadline);
    // Frozen over the first two, awake at the checkpoint, frozen for less than
    // a quarter interval over the third, awake at the deadline.
    let last = peer_advert(&config(100), at(500));
    assert_eq!(transitions(&driver_wakes(&mut rig, last, checkpoint)), []);
    let effects = driver_wakes(&mut rig, last, deadline);
    assert_eq!(transitions(&effects).len(), 1);
    let effects = rig.hear(peer_advert(&config(100), at(4500)));
    assert_eq!(rig.snapshot().state, State::Backup, "{effects:?}");
}
