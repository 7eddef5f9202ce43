//! One instance: armed, found down, disproved, held back.

use super::*;

#[test]
fn up_arms_and_silence_is_found_after_the_multiplier() {
    let mut rig = Rig::armed();
    let stopped = rig.now;
    rig.is(None);
    rig.run(T * 20);
    let [(at, ID, Lost::Silence)] = rig.downs()[..] else {
        panic!("{:?}", rig.outcomes);
    };
    // The first unanswered probe, two more, and a quarter interval.
    let waited = at.since(stopped);
    assert!(waited > T * 2 && waited <= T * 3 + T / 4, "{waited:?}");
    assert_eq!(rig.phase(ID), Phase::Asking);
    assert_eq!(rig.counters(ID).downs, 1);
}

#[test]
fn who_never_answered_is_never_down_and_asked_seldom() {
    let mut rig = Rig::new();
    rig.is(None);
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.downs(), []);
    assert_eq!(rig.news(), [News::NoAnswer]);
    assert!(rig.probes.len() <= 14, "{}", rig.probes.len());
    assert_eq!(rig.heart.vouches(ID, rig.now), None);
    // However often it was asked in vain.
    rig.run(Duration::from_secs(300));
    assert!(rig.probes.len() <= 14 + 300, "{}", rig.probes.len());
    // One that can do so later is found all the same.
    rig.is(Some(SessionState::Up));
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.phase(ID), Phase::Armed);
}

/// However long: a neighbour without a reflector is the usual case.
#[test]
fn who_never_answers_is_asked_once_a_second_for_ever() {
    let mut rig = Rig::new();
    rig.is(None);
    rig.run(Duration::from_secs(1000));
    assert!(rig.probes.len() <= 1005, "{}", rig.probes.len());
}

#[test]
fn admin_down_counts_when_it_is_said_again_and_again() {
    let mut rig = Rig::armed();
    rig.is(Some(SessionState::AdminDown));
    rig.run(T * 2);
    assert_eq!(rig.downs(), []);
    assert_eq!(rig.heart.vouches(ID, rig.now), None, "no veto any more");
    rig.is(Some(SessionState::Up));
    rig.run(T * 5);
    assert_eq!(rig.downs(), []);
    rig.is(Some(SessionState::AdminDown));
    rig.run(T * 5);
    let [(_, ID, Lost::AdminDown)] = rig.downs()[..] else {
        panic!("{:?}", rig.outcomes);
    };
}

#[test]
fn admin_down_of_who_never_said_up_is_nothing() {
    let mut rig = Rig::new();
    rig.is(Some(SessionState::AdminDown));
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.downs(), []);
    assert_eq!(rig.phase(ID), Phase::Asking);
    assert!(rig.probes.len() < 12, "{}", rig.probes.len());
}

/// The kernel would not send them.
#[test]
fn probes_that_were_not_sent_are_not_missed() {
    let mut rig = Rig::armed();
    for _ in 0..50 {
        let due = rig.heart.poll_timeout().unwrap();
        rig.heart.judge(due);
        while let Some(probe) = rig.heart.poll_probe(due) {
            rig.heart.unsent(&probe);
        }
        rig.now = due;
        rig.collect();
    }
    assert_eq!(rig.downs(), []);
    assert!(rig.counters(ID).unsent >= 49);
}

/// Nobody was asked, so nobody is silent.
#[test]
fn probes_that_were_not_sent_say_nothing_of_who_never_answered() {
    let mut rig = Rig::new();
    for _ in 0..20 {
        rig.now = rig.heart.poll_timeout().unwrap();
        while let Some(probe) = rig.heart.poll_probe(rig.now) {
            rig.heart.unsent(&probe);
        }
        rig.collect();
    }
    assert_eq!(rig.news(), []);
    rig.is(None);
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.news(), [News::NoAnswer]);
}

/// How long Up is good for depends on who is refused.
#[test]
fn an_advert_ends_what_refusals_began() {
    let mut rig = Rig::armed();
    rig.is(Some(SessionState::AdminDown));
    rig.run(T * 2);
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    let plan = plan(51);
    assert_eq!(rig.heart.stream(0).unwrap().freshness(&plan), T * 4);
}

/// Its machine was alive, whatever became of the answers.
#[test]
fn an_advert_answers_for_all_that_was_asked_before() {
    let mut rig = Rig::armed();
    rig.is(None);
    for _ in 0..20 {
        rig.run(T);
        rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    }
    assert_eq!(rig.downs(), []);
    // One from before the pause of answers does not.
    let before = rig.now;
    for _ in 0..20 {
        rig.run(T);
        rig.heart.heard(ID, ACTIVE, before, rig.now);
    }
    assert_eq!(rig.downs().len(), 1);
}

#[test]
fn a_process_that_slept_looks_first() {
    let mut rig = Rig::armed();
    for pause in [T * 2, T * 100, Duration::from_secs(60)] {
        rig.now = rig.now.after(pause);
        rig.run(T * 10);
        assert_eq!(rig.downs(), [], "{pause:?}");
    }
    assert_eq!(rig.phase(ID), Phase::Armed);
}

/// The machine was frozen with everything, so its answers are lost.
#[test]
fn what_was_asked_before_a_freeze_is_not_judged() {
    let mut rig = Rig::armed();
    for _ in 0..MAX_VOIDS {
        rig.is(None);
        // Three are missing, and the last one still has its quarter interval.
        rig.run(T * 3);
        assert_eq!(rig.downs(), []);
        rig.is(Some(SessionState::Up));
        rig.now = rig.now.after(Duration::from_secs(1));
        rig.run(T * 10);
        assert_eq!(rig.downs(), []);
    }
}

/// Each wake-up late by four intervals, and nobody there.
#[test]
fn who_is_always_late_notices_as_well() {
    let mut rig = Rig::armed();
    rig.is(None);
    let before = rig.probes.len();
    rig.run_with(T * 200, || T * 4);
    assert_eq!(rig.downs().len(), 1);
    let asked = rig.probes.len() - before;
    let needed = usize::from(MAX_VOIDS) + 3 + 1;
    let at = rig.downs()[0].0;
    let until = rig.probes.iter().filter(|(sent, _)| *sent < at).count() - before;
    assert!(until <= needed, "{until} of {asked}");
}

#[test]
fn a_down_that_proves_wrong_is_told_and_pauses() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 5);
    let (at, ..) = rig.downs()[0];
    rig.heart.disproved_until(ID, Some(at.after(T * 3000)));
    // The instance has taken over meanwhile.
    rig.heart.follow(ID, None, rig.now);
    rig.run(T * 50);
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    rig.collect();
    let [News::Disproved { pause, .. }] = rig.news()[..] else {
        panic!("{:?}", rig.outcomes);
    };
    assert_eq!(pause, Duration::from_secs(1));
    assert_eq!(rig.counters(ID).false_alarms, 1);
    // And is Backup again.
    rig.heart.follow(ID, Some(ACTIVE), rig.now);
    assert!(matches!(rig.phase(ID), Phase::Paused { .. }));
    rig.is(Some(SessionState::Up));
    let asked = rig.probes.len();
    rig.run(Duration::from_millis(900));
    assert_eq!(rig.probes.len(), asked);
    rig.run(Duration::from_millis(200));
    assert_eq!(rig.phase(ID), Phase::Armed);
}

/// It is followed all the same: whoever was wrong once asks nothing.
#[test]
fn after_a_false_alarm_nothing_is_asked_for_a_while() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 5);
    let (at, ..) = rig.downs()[0];
    rig.heart.disproved_until(ID, Some(at.after(T * 3000)));
    rig.is(Some(SessionState::Up));
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    let asked = rig.probes.len();
    rig.run(T * 900);
    assert_eq!(rig.probes.len(), asked);
    rig.run(T * 200);
    assert_eq!(rig.phase(ID), Phase::Armed);
}

/// Its answers come after the probe by which it would be found down.
#[test]
fn who_answers_too_late_is_left_to_its_adverts() {
    for (way, multiplier) in [(3000, 3), (2300, 3), (1300, 2), (40_000, 20)] {
        let mut rig = Rig::empty(1);
        rig.way = us(way);
        let plan = Plan {
            multiplier,
            ..plan(51)
        };
        rig.heart.configure(ID, Some(plan), START);
        rig.heart.follow(ID, Some(ACTIVE), START);
        rig.run(Duration::from_secs(20));
        assert_eq!(rig.downs(), []);
        assert_eq!(
            rig.news(),
            [News::TooLate {
                within: types::patience(T, multiplier)
            }]
        );
        assert_eq!(rig.phase(ID), Phase::Late);
        assert_eq!(rig.heart.vouches(ID, rig.now), None);
        assert!(rig.probes.len() < 110, "{}", rig.probes.len());
        // And is found when it is nearer.
        rig.way = us(50);
        rig.run(Duration::from_secs(2));
        assert_eq!(rig.phase(ID), Phase::Armed);
        assert_eq!(rig.downs(), []);
    }
}

#[test]
fn who_answers_late_but_in_time_counts() {
    let mut rig = Rig::new();
    rig.way = us(1900);
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.phase(ID), Phase::Armed);
    assert_eq!(rig.downs(), []);
    assert_eq!(rig.news(), [News::Answers]);
}

/// It had to become Backup first, and wait: that takes longer.
#[test]
fn an_active_that_has_restarted_is_no_false_alarm() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 5);
    let (at, ..) = rig.downs()[0];
    rig.heart.disproved_until(ID, Some(at.after(T * 30)));
    rig.heart.follow(ID, None, rig.now);
    let later = at.after(T * 31);
    rig.heart.heard(ID, ACTIVE, later, later);
    rig.collect();
    assert_eq!(rig.news(), []);
    assert_eq!(rig.counters(ID).false_alarms, 0);
}

/// It had released the addresses, for example.
#[test]
fn a_verdict_that_nobody_heeded_cannot_prove_wrong() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 5);
    assert_eq!(rig.downs().len(), 1);
    rig.heart.disproved_until(ID, None);
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    rig.collect();
    assert_eq!(rig.news(), []);
    assert_eq!(rig.counters(ID).false_alarms, 0);
}

#[test]
fn an_active_that_hung_is_no_false_alarm() {
    let mut rig = Rig::armed();
    rig.is(Some(SessionState::AdminDown));
    rig.run(T * 8);
    let (at, ..) = rig.downs()[0];
    rig.heart.disproved_until(ID, Some(at.after(T * 3000)));
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    rig.collect();
    assert_eq!(rig.counters(ID).false_alarms, 0);
}

#[test]
fn up_after_all_is_told_to_the_core() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 4);
    assert_eq!(rig.downs().len(), 1);
    rig.is(Some(SessionState::Up));
    rig.run(T * 3);
    let up = Outcome::Up {
        id: ID,
        active: ACTIVE,
    };
    assert!(rig.outcomes.iter().any(|(_, outcome)| *outcome == up));
}

#[test]
fn up_vouches_for_a_while() {
    let mut rig = Rig::armed();
    let (active, until) = rig.heart.vouches(ID, rig.now).unwrap();
    assert_eq!(active, ACTIVE);
    assert!(until > rig.now && until <= rig.now.after(T * 4));
    assert_eq!(rig.counters(ID).vetoes, 1);
    rig.heart.vouches(ID, rig.now);
    assert_eq!(rig.counters(ID).vetoes, 1, "the same");
    rig.heart.heard(ID, ACTIVE, rig.now, rig.now);
    rig.heart.vouches(ID, rig.now);
    assert_eq!(rig.counters(ID).vetoes, 2);
}

/// A Backup that was kept from running has not asked: what it heard last is as
/// good as it was, until it has had the time to ask.
#[test]
fn an_up_grows_old_by_probes_and_not_by_a_pause_of_our_own() {
    let mut rig = Rig::armed();
    let late = rig.now.after(T * 500);
    let (_, until) = rig.heart.vouches(ID, late).unwrap();
    assert!(until > late && until <= late.after(T * 4));
    // Probes that our own link does not take are asked all the same.
    for tick in 0..6 {
        while let Some(probe) = rig.heart.poll_probe(late.after(T * tick)) {
            rig.heart.unsent(&probe);
        }
    }
    assert_eq!(rig.heart.vouches(ID, late.after(T * 6)), None);
}

/// Whose wake-ups come late asks seldom. What it asks is answered.
#[test]
fn an_up_does_not_grow_old_between_two_late_wake_ups() {
    let mut rig = Rig::armed();
    for _ in 0..20 {
        let due = rig.heart.poll_timeout().unwrap();
        rig.now = due.after(T * 30);
        rig.round();
        assert!(rig.heart.vouches(ID, rig.now).is_some());
    }
    assert_eq!(rig.downs(), []);
}

#[test]
fn only_what_was_asked_is_an_answer() {
    let mut rig = Rig::new();
    rig.is(None);
    rig.run(T);
    let (_, probe) = *rig.probes.last().unwrap();
    let good = Answer {
        ifindex: LINK,
        from: ACTIVE,
        said: Said {
            theirs: 51,
            ours: probe.question.mine,
            state: SessionState::Up,
            min_rx_us: 50,
        },
    };
    let said = |said| Answer { said, ..good };
    let bad = [
        Answer { ifindex: 8, ..good },
        Answer {
            from: ip(201),
            ..good
        },
        said(Said {
            theirs: 52,
            ..good.said
        }),
        said(Said {
            ours: good.said.ours + 1,
            ..good.said
        }),
        said(Said {
            ours: good.said.ours + 0x1_0000,
            ..good.said
        }),
        said(Said {
            ours: good.said.ours & 0xFFFF,
            ..good.said
        }),
        said(Said {
            ours: u32::MAX,
            ..good.said
        }),
    ];
    for answer in bad {
        assert!(!rig.heart.answer(&answer, rig.now), "{answer:?}");
    }
    assert_eq!(rig.heart.strays(), bad.len() as u64);
    assert_eq!(rig.phase(ID), Phase::Asking);
    assert!(rig.heart.answer(&good, rig.now));
    assert!(!rig.heart.answer(&good, rig.now), "once");
    assert_eq!(rig.phase(ID), Phase::Armed);
}

#[test]
fn while_held_nothing_is_sent_or_judged() {
    let mut rig = Rig::armed();
    rig.is(None);
    rig.run(T * 2);
    rig.heart.hold(true, rig.now);
    assert_eq!(rig.heart.poll_timeout(), None);
    assert_eq!(rig.heart.poll_probe(rig.now.after(T)), None);
    rig.now = rig.now.after(T * 100);
    rig.heart.judge(rig.now);
    rig.heart.hold(false, rig.now);
    rig.is(Some(SessionState::Up));
    rig.run(T * 10);
    assert_eq!(rig.downs(), []);
}

#[test]
fn a_new_interval_is_in_force_at_once_and_keeps_what_is_known() {
    let mut rig = Rig::armed();
    let faster = Plan {
        interval: T / 10,
        ..plan(51)
    };
    rig.heart.configure(ID, Some(faster), rig.now);
    assert_eq!(rig.phase(ID), Phase::Armed);
    rig.way = us(10);
    rig.run(T * 2);
    let before = rig.probes.len();
    rig.run(T * 10);
    assert!(rig.probes.len() - before >= 99);
    // Elsewhere it is another one.
    let moved = Plan {
        ifindex: 8,
        ..faster
    };
    rig.heart.configure(ID, Some(moved), rig.now);
    assert_eq!(rig.phase(ID), Phase::Asking);
    rig.heart.configure(ID, None, rig.now);
    assert_eq!(rig.heart.snapshot(ID, rig.now), None);
    assert_eq!(rig.heart.poll_timeout(), None);
}

/// One that is a process, for example.
#[test]
fn a_reflector_that_wants_to_be_asked_less_often_is() {
    let mut rig = Rig::new();
    rig.min_rx_us = 100_000;
    rig.run(Duration::from_secs(1));
    let before = rig.probes.len();
    rig.run(Duration::from_secs(1));
    let sent = rig.probes.len() - before;
    assert!((9..=11).contains(&sent), "{sent}");
    let stopped = rig.now;
    rig.is(None);
    rig.run(Duration::from_secs(1));
    let waited = rig.downs()[0].0.since(stopped);
    assert!(waited >= T * 200 && waited <= T * 326, "{waited:?}");
}
