//! The same file for keepalived and for the agent, each with a keepalived as
//! its peer in namespaces of their own, through a row of changes of what is
//! tracked: after each, both have the same effective priorities and states,
//! and those that the manual says.

mod side;
mod world;

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use failoverd_tests::{require_agent, wait::eventually};

use crate::{
    side::Side,
    world::{Picture, State, World},
};

/// Changes of one run.
const STEPS: usize = 40;
/// For a take-over and a script that has to fail twice.
const SETTLES: Duration = Duration::from_secs(30);
/// What the run begins with where FAILOVERD_SEED says nothing else.
const SEED: u64 = 8;
/// For the scripts that are run after a change of state.
const NOTIFIED: Duration = Duration::from_secs(10);

/// Small numbers in a row that a seed tells (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn seed() -> u64 {
    let given = std::env::var("FAILOVERD_SEED").ok();
    let given = given.and_then(|text| text.parse().ok());
    // Zero would stay zero.
    given.filter(|seed| *seed != 0).unwrap_or(SEED)
}

/// What was met, so that a seed that tries nothing is no success.
#[derive(Default)]
struct Met {
    priorities: BTreeSet<u8>,
    states: BTreeSet<(usize, State)>,
}

impl Met {
    fn note(&mut self, picture: &Picture) {
        for (index, (state, priority)) in picture.iter().enumerate() {
            self.priorities.insert(*priority);
            self.states.insert((index, *state));
        }
    }
}

#[test]
fn priorities_states_and_notices_are_those_of_keepalived_through_40_changes() -> Result<()> {
    require_agent!("keepalived");
    let seed = seed();
    println!("FAILOVERD_SEED={seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::default();
    let sides = [Side::agent(&world)?, Side::keepalived(&world)?];
    let mut met = Met::default();
    agree(&sides, &world).context("at the start")?;
    let started = started(&sides)?;
    for step in 1..=STEPS {
        let change = world.change(|bound| random.below(bound));
        println!("{step}: {change}: {:?}", world.expected());
        for side in &sides {
            side.apply(&world)?;
        }
        agree(&sides, &world).with_context(|| format!("FAILOVERD_SEED={seed} {step}: {change}"))?;
        met.note(&world.expected());
        same_notices(&sides, started)
            .with_context(|| format!("FAILOVERD_SEED={seed} {step}: {change}"))?;
    }
    if seed == SEED {
        ensure!(met.priorities.len() > 12, "{:?}", met.priorities);
        // Of an instance of the group and of the one outside.
        for index in [0, 2] {
            for state in [State::Active, State::Backup, State::Fault] {
                ensure!(met.states.contains(&(index, state)), "{:?}", met.states);
            }
        }
    }
    // keepalived has told of it all, so there is something to compare with.
    let told = sides[1].notified().len();
    ensure!(told > 2 * STEPS / 3, "keepalived ran {told} notify scripts");
    Ok(())
}

/// Waits until both are where the manual says.
fn agree(sides: &[Side; 2], world: &World) -> Result<()> {
    let expected = world.expected();
    for (side, who) in sides.iter().zip(["the agent", "keepalived"]) {
        let found = eventually(SETTLES, who, || {
            (side.picture().ok()? == expected).then_some(())
        });
        found.with_context(|| {
            let picture = side.picture();
            format!("{expected:?} is expected of {who}, which has {picture:?}; {world:?}")
        })?;
    }
    Ok(())
}

/// How many notify scripts each has run when both have told where they are.
/// What they tell until then is not compared: the agent is in FAULT until each
/// tracker without a weight was read, keepalived takes them for good.
fn started(sides: &[Side; 2]) -> Result<[usize; 2]> {
    let mut counts = [0; 2];
    for (side, count) in sides.iter().zip(&mut counts) {
        *count = eventually(NOTIFIED, "what the start is told as", || {
            let told = side.notified();
            let all = [
                "INSTANCE VI_1 M",
                "INSTANCE VI_2 M",
                "GROUP G M",
                "INSTANCE VI_3 B",
            ];
            let has = |what: &&str| told.iter().any(|line| line.starts_with(*what));
            all.iter().all(has).then_some(told.len())
        })?;
    }
    Ok(counts)
}

/// The arguments of all notify scripts since the start, in any order: that of
/// keepalived, which starts its scripts at once, is none.
fn same_notices(sides: &[Side; 2], started: [usize; 2]) -> Result<()> {
    let told = || {
        let [ours, theirs] = sides.each_ref().map(Side::notified);
        [(ours, started[0]), (theirs, started[1])].map(|(told, from)| {
            let mut told: Vec<String> = told.into_iter().skip(from).collect();
            told.sort_unstable();
            told
        })
    };
    let same = eventually(NOTIFIED, "the same notify scripts", || {
        let [ours, theirs] = told();
        (ours == theirs).then_some(())
    });
    same.with_context(|| {
        let [ours, theirs] = sides.each_ref().map(Side::notified);
        format!("the agent has run {ours:#?}, keepalived {theirs:#?}")
    })
}
