//! The exhaustive transition table: 3 states, all events, all priorities of
//! both sides, preemption, address order, version and RFC, against the oracle.

use core::cmp::Ordering;

use super::{
    oracle::{Event, Expected, Local, OracleState, TimerChange, oracle},
    *,
};
use crate::core::timers::{active_down_interval, skew_time};

/// What the peers advertise with: not our interval, so that learning shows.
const THEIRS: u16 = 250;

fn start(state: OracleState, config: InstanceConfig) -> (Rig, KernelTime) {
    match state {
        OracleState::Initialize => (Rig::new(config), START),
        // An owner is Backup only after it has lost to a higher address.
        OracleState::Backup if config.priority.is_owner() => {
            let mut rig = Rig::up(config);
            rig.hear(advert(ip(200), 255, at(10)));
            (rig, at(10))
        }
        OracleState::Backup => (Rig::up(config), START),
        OracleState::Active => Rig::active(config),
    }
}

fn observe(state: State) -> OracleState {
    match state {
        State::Initialize => OracleState::Initialize,
        State::Backup => OracleState::Backup,
        State::Active => OracleState::Active,
    }
}

fn apply(rig: &mut Rig, event: Event, now: KernelTime) -> Vec<Effect> {
    match event {
        Event::Startup => rig.input(
            Input::Up {
                id: ID,
                source: OWN,
            },
            now,
        ),
        Event::Shutdown => rig.input(Input::Shutdown { id: ID }, now),
        Event::ActiveDownTimer | Event::AdverTimer => rig.timeout(now),
        Event::Advert(priority, address) => {
            let source = match address {
                Ordering::Less => ip(99),
                Ordering::Equal => OWN,
                Ordering::Greater => ip(101),
            };
            let interval = cs(THEIRS);
            rig.hear(Advert {
                interval,
                ..advert(source, priority, now)
            })
        }
    }
}

/// Events other than adverts come when the timer of the state is due.
fn moment(rig: &mut Rig, event: Event, since: KernelTime) -> KernelTime {
    match (event, rig.state()) {
        (Event::ActiveDownTimer, State::Backup) => {
            let deadline = rig.deadline();
            rig.run_until(KernelTime(deadline.0 - 1));
            deadline
        }
        (Event::AdverTimer, State::Active) => rig.deadline(),
        _ => since.after(ms(300)),
    }
}

fn check(rig: &Rig, version: Version, since: KernelTime, event: Event, local: Local) {
    let before = rig.snapshot();
    let state = observe(before.state);
    let mut rig = rig.clone();
    let now = moment(&mut rig, event, since);
    let effects = apply(&mut rig, event, now);
    let after = rig.snapshot();
    let want: Expected = oracle(state, event, local);
    let what = || format!("{state:?} {event:?} {local:?}: {effects:?}");

    assert_eq!(observe(after.state), want.next, "{}", what());
    assert_eq!(sent(&effects), Vec::from_iter(want.sends), "{}", what());
    assert_eq!(
        transitions(&effects).len(),
        usize::from(state != want.next),
        "{}",
        what()
    );

    let priority = before.priority;
    let learned = match (want.learns, version) {
        (true, Version::V3) => cs(THEIRS),
        (true, Version::V2) | (false, Version::V2) => before.interval,
        (false, Version::V3) if want.next == state => before.learned_interval,
        (false, Version::V3) if want.next == OracleState::Initialize => before.learned_interval,
        (false, Version::V3) => before.interval,
    };
    assert_eq!(after.learned_interval, learned, "{}", what());
    let deadline = match want.timer {
        TimerChange::Keep => before.deadline,
        TimerChange::Off => None,
        TimerChange::Down => Some(now.after(active_down_interval(version, priority, learned, 3))),
        TimerChange::Skew => Some(now.after(skew_time(version, priority, learned))),
        TimerChange::Advertise => Some(now.after(before.interval.duration())),
    };
    assert_eq!(after.deadline, deadline, "{}", what());
}

fn cells(version: Version, asserts: bool) {
    for priority in 1..=255u8 {
        for preempt in [true, false] {
            let local = Local {
                priority,
                preempt,
                asserts,
            };
            let config = InstanceConfig {
                version,
                preempt,
                assert_on_lower: asserts,
                ..config(priority)
            };
            for state in [
                OracleState::Initialize,
                OracleState::Backup,
                OracleState::Active,
            ] {
                let (rig, since) = start(state, config);
                for event in [
                    Event::Startup,
                    Event::Shutdown,
                    Event::ActiveDownTimer,
                    Event::AdverTimer,
                ] {
                    check(&rig, version, since, event, local);
                }
                for heard in 0..=255u8 {
                    for address in [Ordering::Less, Ordering::Equal, Ordering::Greater] {
                        check(&rig, version, since, Event::Advert(heard, address), local);
                    }
                }
            }
        }
    }
}

/// S-01..S-03, S-15..S-20, S-37..S-45, S-48, T-01..T-09, T-11.
// proves: T-04, T-05, T-06, T-07, T-08, T-09, T-11, S-01, S-02, S-03, S-15, S-16, S-17, S-18, S-19, S-20, S-37, S-38, S-39, S-40, S-42, S-43, S-44, S-45
#[test]
fn s01_to_s48_every_cell_v3_rfc9568() {
    cells(Version::V3, true);
}

// proves: T-04, T-05, T-06, T-07, T-08, T-09, T-11, S-01, S-02, S-03, S-15, S-16, S-17, S-18, S-19, S-20, S-37, S-38, S-39, S-40, S-41, S-43, S-44, S-45
#[test]
fn s01_to_s48_every_cell_v3_rfc5798() {
    cells(Version::V3, false);
}

// proves: T-08, T-09, S-01, S-02, S-03, S-15, S-16, S-17, S-18, S-19, S-20, S-37, S-38, S-39, S-40, S-41, S-43, S-44, S-45
#[test]
fn s01_to_s48_every_cell_v2() {
    cells(Version::V2, false);
}
