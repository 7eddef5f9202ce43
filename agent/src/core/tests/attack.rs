//! What a forged advert can do to an instance, and what is said of it.

use super::*;

const FORGER: IpAddr = ip(66);
const LIVING: IpAddr = ip(50);

fn limited(priority: u8, centis: u16) -> InstanceConfig {
    InstanceConfig {
        max_learned: Some(cs(centis)),
        ..config(priority)
    }
}

fn poisoned(stamp: KernelTime) -> Advert {
    Advert {
        interval: cs(4095),
        ..advert(FORGER, 255, stamp)
    }
}

fn winner(effects: &[Effect]) -> bool {
    let named = |notice| matches!(notice, Notice::UnknownWinner { from, .. } if from == FORGER);
    notices(effects).into_iter().any(named)
}

/// As the RFC has it, but said.
#[test]
fn one_advert_teaches_a_long_interval_which_is_said() {
    let mut rig = Rig::up(config(100));
    let effects = rig.hear(poisoned(at(500)));
    let patience = rig.snapshot().active_down_interval;
    assert!(patience > Duration::from_secs(120), "{patience:?}");
    let long = Notice::IntervalLong {
        from: FORGER,
        theirs: cs(4095),
        ours: cs(100),
        patience,
    };
    assert_eq!(notices(&effects), [long]);
    // Up to twice as long is a difference as any other.
    let odd = |centis, stamp| Advert {
        interval: cs(centis),
        ..advert(LIVING, 200, stamp)
    };
    let mut rig = Rig::up(config(100));
    let told = notices(&rig.hear(odd(200, at(500))));
    assert!(
        matches!(told[..], [Notice::IntervalDiffers { .. }]),
        "{told:?}"
    );
    let told = notices(&rig.hear(odd(201, at(600))));
    assert!(
        matches!(told[..], [Notice::IntervalLong { .. }]),
        "{told:?}"
    );
}

#[test]
fn a_limit_keeps_the_time_out_short() {
    let mut rig = Rig::up(limited(100, 200));
    let effects = rig.hear(poisoned(at(500)));
    let limited = Notice::IntervalLimited {
        from: FORGER,
        theirs: cs(4095),
        believed: cs(200),
    };
    assert_eq!(notices(&effects), [limited]);
    assert_eq!(rig.snapshot().counters.intervals_limited, 1);
    // Three intervals of 2 s and Skew_Time of them.
    let down = Duration::from_micros(7_218_750);
    assert_eq!(rig.deadline(), at(500).after(down));
    rig.run_until(at(500).after(down));
    assert_eq!(rig.state(), State::Active);
}

/// An Active that was configured anew sends at another pace from now on. Below
/// three times the limit its adverts come in time, so it is not the second one.
#[test]
fn a_slower_active_is_put_up_with() {
    for centis in [150, 200, 300, 600] {
        let mut rig = Rig::up(limited(100, 200));
        let mut now = at(500);
        for _ in 0..20 {
            rig.hear(Advert {
                interval: cs(centis),
                ..advert(LIVING, 200, now)
            });
            now = now.after(cs(centis).duration());
            rig.run_until(now);
            assert_eq!(rig.state(), State::Backup, "{centis}");
        }
    }
}

#[test]
fn a_loser_learns_no_more_than_the_limit() {
    let (mut rig, since) = Rig::active(limited(100, 200));
    rig.hear(poisoned(since.after(ms(300))));
    assert_eq!(rig.state(), State::Backup);
    assert_eq!(rig.snapshot().learned_interval, cs(200));
}

/// The limit comes by a reload, too late for what was learned before.
#[test]
fn a_limit_cuts_what_was_learned() {
    let mut rig = Rig::up(config(100));
    rig.hear(poisoned(at(500)));
    let config = limited(100, 200);
    rig.input(Input::Configure { config }, at(2000));
    assert_eq!(rig.snapshot().learned_interval, cs(200));
    assert!(rig.deadline() < at(10_000), "{:?}", rig.deadline());
    assert_eq!(rig.state(), State::Backup);
}

#[test]
fn a_stranger_that_outranks_an_active_is_named() {
    let (mut rig, since) = Rig::active(config(200));
    assert!(winner(&rig.hear(advert(FORGER, 255, since.after(ms(300))))));
    assert_eq!(rig.snapshot().counters.unknown_winners, 1);
    let mut rig = Rig::up(config(100));
    rig.hear(advert(LIVING, 200, at(500)));
    assert!(winner(&rig.hear(advert(FORGER, 201, at(900)))));
}

#[test]
fn a_backup_that_takes_over_from_the_dead_is_no_stranger() {
    // Silence.
    let mut rig = Rig::up(config(100));
    rig.hear(advert(LIVING, 200, at(500)));
    assert!(!winner(&rig.hear(advert(FORGER, 150, at(3_700)))));
    // A farewell.
    let mut rig = Rig::up(config(100));
    rig.hear(advert(LIVING, 200, at(500)));
    rig.hear(advert(LIVING, 0, at(600)));
    assert!(!winner(&rig.hear(advert(FORGER, 150, at(1000)))));
    // Nobody was Active.
    let mut rig = Rig::up(config(100));
    assert!(!winner(&rig.hear(advert(FORGER, 150, at(500)))));
    // Heard before, from a list, or one that loses.
    let (mut rig, since) = Rig::active(config(200));
    assert!(!winner(&rig.hear(advert(
        FORGER,
        150,
        since.after(ms(100))
    ))));
    assert!(!winner(&rig.hear(advert(
        FORGER,
        250,
        since.after(ms(200))
    ))));
    let (mut rig, since) = Rig::active(InstanceConfig {
        senders_listed: true,
        ..config(200)
    });
    assert!(!winner(&rig.hear(advert(
        FORGER,
        255,
        since.after(ms(300))
    ))));
}

// proves: R-27
#[test]
fn r27_a_release_by_another_than_the_active_is_said() {
    let told = |effects: Vec<Effect>| match notices(&effects)[..] {
        [Notice::ReleaseHeard { expected, .. }] => expected,
        ref other => panic!("{other:?}"),
    };
    let mut rig = Rig::up(config(100));
    rig.hear(advert(LIVING, 200, at(500)));
    assert!(!told(rig.hear(advert(FORGER, 0, at(600)))));
    let mut rig = Rig::up(config(100));
    rig.hear(advert(LIVING, 200, at(500)));
    assert!(told(rig.hear(advert(LIVING, 0, at(600)))));
    let (mut rig, since) = Rig::active(config(200));
    assert!(!told(rig.hear(advert(FORGER, 0, since.after(ms(300))))));
}

/// S-47 limits it, however many claims there are; nobody but an Active answers.
// proves: S-47
#[test]
fn s47_claims_of_our_addresses_are_answered_within_limits() {
    let (mut rig, since) = Rig::active(config(200));
    let since = since.after(Duration::from_secs(60));
    rig.run_until(since);
    let mut bursts = 0;
    for step in 0..1000 {
        let now = since.after(ms(10 * step));
        bursts += announced(&rig.run_until(now)).len();
        let claimed = rig.input(Input::AddressClaimed { id: ID }, now);
        assert!(sent(&claimed).is_empty());
        bursts += announced(&claimed).len();
    }
    // One each second, and the second burst of each five seconds.
    assert!((10..=13).contains(&bursts), "{bursts}");
    let mut rig = Rig::up(config(100));
    assert_eq!(rig.input(Input::AddressClaimed { id: ID }, at(5)), []);
}
