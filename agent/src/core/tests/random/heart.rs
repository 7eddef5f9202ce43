//! The part of the heartbeat in random operations: it moves the deadline of a
//! Backup, and nothing else.

use super::*;
use crate::core::{Lost, Pulse, timers::scaled_skew};

impl Books {
    /// Down shortens the wait for the Active that was accepted, to the Skew_Time
    /// of the probes; Vouched prolongs one that is over, by no more than it
    /// says; nothing else comes of either, and nothing at all of what is said
    /// of others.
    pub(super) fn heart_only_moves_the_deadline(
        &mut self,
        input: Input,
        before: &Snapshot,
        after: &Snapshot,
        effects: &[Effect],
    ) {
        for (_, _, cause) in transitions(effects) {
            if let Cause::HeartStopped { active, .. } = cause {
                let lost = self.lost.map(|(lost, _)| lost);
                assert_eq!(lost, Some(active), "took over from who was not lost");
                self.hurried += 1;
            }
        }
        let known = |s: &Snapshot| (s.last_advert, s.state, s.deadline);
        let heard = known(before) != known(after);
        let Input::Heart { active, pulse, .. } = input else {
            if let Input::Advert { advert, .. } = input
                && self.is_old_news(&advert)
            {
                assert_eq!(before.deadline, after.deadline, "{input:?}");
                return;
            }
            self.lost = self.lost.filter(|_| !heard);
            return;
        };
        assert_eq!(sent(effects), [0; 0], "{input:?}");
        let rest = |s: &Snapshot| Snapshot {
            deadline: None,
            counters: Counters::default(),
            ..*s
        };
        assert_eq!(rest(before), rest(after), "{input:?}");
        if before.state != State::Backup || before.active != Some(active) {
            assert_eq!((before, effects.len()), (after, 0), "{input:?}");
            return;
        }
        let (was, is) = (before.deadline.unwrap(), after.deadline.unwrap());
        match pulse {
            Pulse::Down {
                interval, since, ..
            } => {
                let soon = self.now.after(scaled_skew(before.priority, interval));
                assert!(is == was || is == soon && soon < was, "{input:?}");
                if is == soon {
                    self.lost = Some((active, since));
                }
            }
            Pulse::Up if is != was => {
                let lost = self.lost.take().map(|(lost, _)| lost);
                assert_eq!(lost, Some(active), "{input:?}");
            }
            Pulse::Up => {}
            Pulse::Vouched { until } if is != was => {
                assert!(was <= self.now && self.lost.is_none(), "{input:?}");
                assert_eq!(is, until.max(self.now).after(before.skew), "{input:?}");
                self.held += 1;
            }
            Pulse::Vouched { .. } => {}
        }
    }

    /// Of the Active that does not answer, and from before it did not.
    pub(super) fn is_old_news(&self, advert: &Advert) -> bool {
        let silent = self.lost.filter(|(lost, _)| *lost == advert.source);
        !advert.priority.is_release() && silent.is_some_and(|(_, since)| advert.stamp < since)
    }
}

pub(super) fn random_pulse(dice: &mut Dice, now: KernelTime) -> Pulse {
    let interval = Duration::from_micros(dice.pick(&[100, 1000, 50_000]));
    match dice.roll(5) {
        0 => Pulse::Up,
        1..=2 => Pulse::Vouched {
            until: now.after(ms(dice.roll(20))).before(ms(4)),
        },
        _ => Pulse::Down {
            why: dice.pick(&[Lost::Silence, Lost::AdminDown]),
            since: now.before(ms(dice.roll(20))),
            interval,
        },
    }
}
