//! Random operations on one instance, with the invariants of FAILURES 8.3
//! checked after every step: 4, 5, 7, 8, 9, 11, 12, 14, 22, 25.
//!
//! The checker keeps its own books from effects and inputs; the generator is
//! a small seeded one, and the seed of a failure is printed.

mod heart;

use self::heart::random_pulse;
use super::*;
use crate::core::timers::active_down_interval;

/// xorshift64*: enough to choose operations with.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

fn random_config(dice: &mut Dice) -> InstanceConfig {
    let priority = dice.pick(&[1, 50, 100, 100, 100, 200, 254, 255]);
    let millis = [0, 0, 300, 4000];
    InstanceConfig {
        version: dice.pick(&[Version::V2, Version::V3]),
        interval: cs(dice.pick(&[100, 100, 200])),
        preempt: dice.pick(&[true, false]),
        preempt_delay: ms(dice.pick(&millis)),
        down_factor: dice.pick(&[1, 2, 3, 3, 3, 5]),
        assert_on_lower: dice.pick(&[true, false]),
        higher_prio_send_advert: dice.pick(&[true, false]),
        announce: AnnouncePolicy {
            delay: ms(dice.pick(&millis)),
            refresh: dice.pick(&[None, Some(ms(1700))]),
            lower_prio_delay: ms(dice.pick(&millis)),
            extra: dice.pick(&[None, None, Some(ms(2300))]),
            ..AnnouncePolicy::default()
        },
        vip_count: 3,
        ..config(priority)
    }
}

/// What happened, kept without looking into the machine.
struct Books {
    config: InstanceConfig,
    now: KernelTime,
    source: IpAddr,
    vips: bool,
    sends: Vec<KernelTime>,
    /// Count of oversleeps at the last sign of life of an Active.
    overslept: u64,
    /// The interval was changed: then a Backup may count from that moment.
    restarted: bool,
    /// The heartbeat of this Active has stopped then, and it was not heard since.
    lost: Option<(IpAddr, KernelTime)>,
    /// Times that a heartbeat ended the wait, or prolonged it.
    hurried: u64,
    held: u64,
}

impl Books {
    /// Inputs that may move the instance out of Active, and which.
    fn leaves_active(&self, input: &Input) -> bool {
        match input {
            Input::Down { .. }
            | Input::Shutdown { .. }
            | Input::Retire { .. }
            | Input::AddressLost { .. } => true,
            Input::Advert { advert, .. } => {
                (advert.priority, advert.source) > (self.config.priority, self.source)
            }
            Input::Configure { .. }
            | Input::Priority { .. }
            | Input::Up { .. }
            | Input::Heart { .. }
            | Input::AddressClaimed { .. }
            | Input::Timeout => false,
        }
    }

    fn check(&mut self, input: Input, before: &Snapshot, after: &Snapshot, effects: &[Effect]) {
        self.effects_are_legal(input, before, after, effects);
        self.timers_are_owned(after);
        self.heart_only_moves_the_deadline(input, before, after, effects);
        if before.state == State::Active && after.state != State::Active {
            assert!(
                self.leaves_active(&input),
                "invariant 5: left Active on {input:?}"
            );
        }
        if after.state == State::Active && before.state != State::Active {
            self.promotion_is_due(input, before);
        }
        if let (Input::Advert { advert, .. }, State::Backup) = (input, before.state) {
            self.backup_timer_is_exact(&advert, before, after);
        }
        self.no_storm(input, before, after, effects);
        let advert = matches!(input, Input::Advert { .. });
        let sign_of_life = advert && before.deadline != after.deadline;
        if sign_of_life || before.state != after.state {
            self.overslept = after.counters.overslept;
        }
    }

    /// Invariants 9, 12 and 14, in the order of the effects.
    fn effects_are_legal(
        &mut self,
        input: Input,
        before: &Snapshot,
        after: &Snapshot,
        effects: &[Effect],
    ) {
        let (mut active, mut sent) = (before.state == State::Active, false);
        for effect in effects {
            match *effect {
                Effect::SendAdvert { priority, .. } => {
                    let promotes = !active && after.state == State::Active;
                    assert!(
                        active || promotes,
                        "invariant 9: sent in Backup or Initialize"
                    );
                    let yields = matches!(input, Input::Advert { .. });
                    let releases =
                        before.state == State::Active && after.state != State::Active && !yields;
                    assert_eq!(priority.is_release(), releases, "invariant 9: {input:?}");
                    sent = true;
                }
                Effect::AddAddresses { .. } => {
                    assert!(
                        !self.vips && sent,
                        "invariant 14: addresses before the advert"
                    );
                    (self.vips, active) = (true, true);
                }
                Effect::RemoveAddresses { .. } => {
                    assert!(self.vips && active, "invariant 12");
                    (self.vips, active) = (false, false);
                }
                Effect::Announce { .. }
                | Effect::AnnounceElsewhere { .. }
                | Effect::RestoreAddress { .. }
                | Effect::ChangeAddresses { .. } => {
                    assert!(
                        self.vips && active,
                        "invariant 14: announced without the address"
                    );
                }
                Effect::Transition { from, to, at, .. } => {
                    assert_eq!((from, to, at), (before.state, after.state, self.now));
                }
                Effect::Watch { active, .. } => {
                    assert!(active.is_none() || after.state == State::Backup);
                }
                Effect::GroupTransition { .. } => panic!("no group"),
                Effect::PriorityChanged { from, to, .. } => {
                    assert_eq!((from, to), (before.priority, after.priority));
                }
                Effect::Notice { .. } => {}
            }
        }
        assert_eq!(self.vips, after.state == State::Active, "invariant 12");
        let transitions = transitions(effects).len();
        assert_eq!(transitions, usize::from(before.state != after.state));
    }

    /// Invariant 8: exactly the timer of the state runs.
    fn timers_are_owned(&self, after: &Snapshot) {
        assert_eq!(
            after.deadline.is_some(),
            after.state != State::Initialize,
            "invariant 8"
        );
        if after.state == State::Active {
            let latest = self.now.after(self.config.interval.duration());
            assert!(after.deadline.unwrap() <= latest, "invariant 10");
        }
    }

    /// Invariants 4 and 7: nobody becomes Active before the deadline that the
    /// last accepted advert set, nor without having been awake.
    fn promotion_is_due(&self, input: Input, before: &Snapshot) {
        if before.state == State::Initialize {
            assert!(self.config.priority.is_owner() && matches!(input, Input::Up { .. }));
            return;
        }
        assert_eq!(input, Input::Timeout);
        let deadline = before.deadline.unwrap();
        assert!(self.now >= deadline, "invariant 4: early");
        let tolerance = before.learned_interval.duration() / 4;
        let extensions = before.counters.overslept - self.overslept;
        assert!(
            self.now <= deadline.after(tolerance) || extensions >= 3,
            "took over after oversleeping, {extensions} extensions"
        );
    }

    /// Invariants 4, 6 and 7 for one advert heard in Backup.
    fn backup_timer_is_exact(&self, advert: &Advert, before: &Snapshot, after: &Snapshot) {
        let InstanceConfig {
            version,
            priority,
            down_factor,
            ..
        } = self.config;
        let down = active_down_interval(version, priority, after.learned_interval, down_factor);
        let news = |s: &Snapshot| (s.last_advert, s.active);
        let accepted = news(after) != news(before) && !self.is_old_news(advert);
        if accepted {
            assert_eq!(after.last_advert, Some(advert.stamp));
            assert!(
                after.deadline.unwrap() >= advert.stamp.after(down),
                "invariant 7"
            );
            let overslept = before.counters.overslept > 0 || self.restarted;
            assert!(
                overslept || after.deadline == Some(advert.stamp.after(down)),
                "invariant 7"
            );
        } else if advert.priority.is_release() {
            assert_eq!(after.learned_interval, before.learned_interval, "T-07");
            assert_eq!(after.active, before.active);
            let skewed = Some(advert.stamp.after(after.skew));
            let moved = after.deadline != before.deadline
                && before.counters.overslept == 0
                && !self.restarted;
            assert!(!moved || after.deadline == skewed, "invariant 7: S-17");
        } else {
            let pure = |s: &Snapshot| (s.state, s.deadline, s.learned_interval, s.active);
            assert_eq!(pure(after), pure(before), "invariant 6");
        }
    }

    /// Invariants 11 and 22: what others send, and time, never bring about more
    /// adverts than the cadence and the limiter allow.
    fn no_storm(&mut self, input: Input, before: &Snapshot, after: &Snapshot, effects: &[Effect]) {
        let now = self.now;
        let interval = self.config.interval.duration();
        let count = sent(effects).len();
        assert!(count <= 1, "one input, one advert");
        let local = match input {
            Input::Advert { .. } | Input::Heart { .. } => false,
            Input::AddressClaimed { .. } | Input::Timeout => false,
            Input::Up { .. } | Input::Down { .. } | Input::Retire { .. } => true,
            Input::Configure { .. } | Input::Priority { .. } => true,
            Input::AddressLost { .. } | Input::Shutdown { .. } => true,
        };
        if !local && (before.state, after.state) == (State::Active, State::Active) {
            self.sends.extend(std::iter::repeat_n(now, count));
        }
        self.sends.retain(|sent| now.since(*sent) < interval);
        let many = self.sends.len();
        assert!(many <= 12, "invariant 11: {many} in an interval");
    }
}

/// The same virtual router, configured otherwise: often only a little, and
/// sometimes not at all.
fn changed(dice: &mut Dice, config: InstanceConfig) -> InstanceConfig {
    let other = InstanceConfig {
        version: config.version,
        ..random_config(dice)
    };
    match dice.roll(6) {
        0 => config,
        1 => InstanceConfig {
            priority: other.priority,
            base_priority: other.priority,
            ..config
        },
        2 => InstanceConfig {
            interval: other.interval,
            ..config
        },
        3 => InstanceConfig {
            vips_digest: dice.roll(3),
            addresses_digest: 7,
            ..config
        },
        4 => InstanceConfig {
            preempt_delay: other.preempt_delay,
            down_factor: other.down_factor,
            ..config
        },
        _ => other,
    }
}

fn random_input(dice: &mut Dice, now: KernelTime, last: &Advert, config: InstanceConfig) -> Input {
    match dice.roll(100) {
        0..=64 => {
            let stamp = now.before(ms(dice.pick(&[0, 0, 0, 0, 5, 700, 3000])));
            let source = dice.pick(&[ip(1), ip(2), ip(99), ip(101), ip(200), OWN]);
            let priority = dice.pick(&[0, 1, 99, 100, 100, 101, 200, 254, 255]);
            let interval = cs(dice.pick(&[100, 100, 200, 30]));
            Input::Advert {
                id: ID,
                advert: Advert {
                    interval,
                    ..advert(source, priority, stamp)
                },
            }
        }
        65..=68 => Input::Advert {
            id: ID,
            advert: *last,
        },
        69..=74 => Input::Heart {
            id: ID,
            active: dice.pick(&[last.source, last.source, ip(1), ip(200), OWN]),
            pulse: random_pulse(dice, now),
        },
        75..=89 => Input::Timeout,
        90..=94 => Input::AddressLost {
            id: ID,
            vip: u16::try_from(dice.roll(4)).unwrap(),
        },
        95 => Input::Priority {
            id: ID,
            priority: Priority(dice.pick(&[0, 1, 60, 99, 100, 101, 180, 254, 255])),
        },
        96 => Input::Up {
            id: ID,
            source: OWN,
        },
        97 => Input::Configure {
            config: changed(dice, config),
        },
        _ => Input::Down {
            id: ID,
            fault: Fault::LinkDown,
        },
    }
}

/// How a run goes: timers mostly undisturbed, everything mixed, or adverts
/// that lose, every few milliseconds.
#[derive(Clone, Copy)]
enum Pace {
    Quiet,
    Busy,
    Storm,
}

fn storm_input(dice: &mut Dice, now: KernelTime, due: KernelTime) -> Input {
    if now == due {
        return Input::Timeout;
    }
    let (source, priority) = (dice.pick(&[ip(1), ip(2), OWN]), dice.pick(&[0, 1, 50, 100]));
    Input::Advert {
        id: ID,
        advert: advert(source, priority, now),
    }
}

/// Time passes: usually on time for the next deadline, sometimes late, and
/// sometimes the process sleeps for long.
fn next_moment(dice: &mut Dice, rig: &Rig, now: KernelTime) -> KernelTime {
    let due = rig
        .machine
        .poll_timeout()
        .unwrap_or(now.after(ms(100)))
        .max(now);
    match dice.roll(20) {
        0..=9 => now.after(ms(dice.roll(400))).min(due),
        10..=16 => due,
        17 => due.after(ms(dice.roll(300))),
        18 => due.after(ms(dice.roll(3000))),
        _ => due.after(ms(dice.roll(60_000))),
    }
}

/// Its counters, and how often a heartbeat ended a wait, or prolonged it.
fn run(seed: u64, steps: usize) -> (Counters, [u64; 2]) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let config = random_config(&mut dice);
    let mut rig = Rig::new(config);
    let mut books = Books {
        config,
        now: START,
        source: OWN,
        vips: false,
        sends: Vec::new(),
        overslept: 0,
        restarted: false,
        lost: None,
        hurried: 0,
        held: 0,
    };
    let mut last = advert(ip(1), 50, START);
    let pace = dice.pick(&[Pace::Quiet, Pace::Busy, Pace::Storm]);
    for _ in 0..steps {
        let before_this = books.now;
        books.now = next_moment(&mut dice, &rig, books.now);
        let mut input = random_input(&mut dice, books.now, &last, books.config);
        match pace {
            Pace::Quiet if dice.roll(8) == 0 => {
                let (id, active) = (ID, rig.snapshot().active.unwrap_or(OWN));
                let pulse = random_pulse(&mut dice, books.now);
                input = Input::Heart { id, active, pulse };
            }
            Pace::Quiet if dice.roll(4) != 0 => input = Input::Timeout,
            Pace::Storm if dice.roll(10) != 0 => {
                let due = rig.machine.poll_timeout().unwrap_or(books.now);
                books.now = before_this
                    .after(ms(dice.roll(20)))
                    .min(due)
                    .max(before_this);
                input = storm_input(&mut dice, books.now, due);
            }
            Pace::Quiet | Pace::Busy | Pace::Storm => {}
        }
        if let Input::Advert { advert, .. } = input {
            last = advert;
        }
        let before = rig.snapshot();
        let effects = rig.input(input, books.now);
        if let Input::Configure { config } = input {
            if config == books.config {
                assert_eq!((effects.len(), before), (0, rig.snapshot()));
            }
            books.restarted |= config.interval != books.config.interval;
            books.config = config;
        }
        let after = rig.snapshot();
        if let Input::Priority { priority, .. } = input {
            let expected = match books.config.base_priority.get() {
                255 => 255,
                _ => priority.get().clamp(1, 254),
            };
            assert_eq!(after.priority.get(), expected);
            assert_eq!(sent(&effects), [0; 0], "the next advert says it");
            books.config.priority = after.priority;
        }
        books.check(input, &before, &after, &effects);
        if input == Input::Timeout {
            let due = rig.machine.poll_timeout();
            assert!(
                due.is_none_or(|due| due > books.now),
                "fired once, for good"
            );
            assert_eq!(
                rig.timeout(books.now),
                [],
                "invariant 22: a backlog was left"
            );
        }
    }
    (rig.snapshot().counters, [books.hurried, books.held])
}

// proves: F-16, R-25, X-06, T-08, S-46
#[test]
fn inv04_to_inv22_hold_under_random_operations() {
    let mut reached = [0; 8];
    for seed in 0..3000 {
        let outcome = std::panic::catch_unwind(|| run(seed, 250));
        let Ok((counters, [hurried, held])) = outcome else {
            panic!("seed {seed}")
        };
        let Counters {
            became_active,
            left_active,
            overslept,
            adverts_late,
            ..
        } = counters;
        let Counters {
            asserts_limited,
            addresses_restored,
            ..
        } = counters;
        let seen = [
            became_active,
            left_active,
            overslept,
            adverts_late,
            asserts_limited,
            addresses_restored,
            hurried,
            held,
        ];
        for (total, seen) in reached.iter_mut().zip(seen) {
            *total += seen;
        }
    }
    // The operations get everywhere, or the invariants were never at stake.
    let (often, hearts) = reached.split_at(6);
    assert!(often.iter().all(|total| *total > 500), "{reached:?}");
    assert!(hearts.iter().all(|total| *total > 100), "{reached:?}");
}
