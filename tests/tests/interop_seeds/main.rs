//! Five published deployments, their files unchanged: each shows the result
//! that its write-up describes, with real keepalived on one side and the agent
//! on the other, with two agents, and with the sides swapped.

mod apiserver;
mod dummy;
mod fabric;
mod openstack;
mod ping;
mod postgres;
mod scene;

use anyhow::{Context, Result, ensure};
use failoverd_tests::{interop::Kind, router::State};

use crate::scene::*;

macro_rules! require_both {
    () => {
        failoverd_tests::require_root!("keepalived");
        if !failoverd_tests::privilege::ready(failoverd_tests::agent::missing()) {
            return Ok(());
        }
    };
}

pub(crate) use require_both;

/// The better node is Active, leaves, and comes back.
fn elects_and_moves(seed: Seed, kinds: [Kind; 2]) -> Result<()> {
    require_both!();
    let mut site = Site::new(seed, kinds)?;
    site.start(0)?;
    site.start(1)?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    let mut active = site.sides[0].take().context("node 1")?;
    active.stop()?;
    drop(active);
    site.wait(1, State::Active)?;
    site.serves(1)?;
    site.start(0)?;
    site.wait(0, State::Active)?;
    site.wait(1, State::Backup)?;
    site.serves(0)?;
    for index in [0, 1] {
        let side = site.side(index)?;
        let complaints: Vec<_> = side
            .complaints()
            .into_iter()
            .filter(|line| !of_the_configuration(line))
            .collect();
        ensure!(complaints.is_empty(), "{complaints:#?}");
    }
    Ok(())
}

/// What either says of the file, before it runs.
fn of_the_configuration(line: &str) -> bool {
    [
        "keepalived.conf",
        "smtp",
        "Ignoring track_interface",
        "virtual servers are read and checked",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

/// One test for each way in which agents and keepalived can share a pair.
macro_rules! each_way {
    ($test:path) => {
        #[test]
        fn two_agents() -> Result<()> {
            $test([Kind::Agent; 2])
        }

        #[test]
        fn agent_replaces_the_first() -> Result<()> {
            $test([Kind::Agent, Kind::Keepalived])
        }

        #[test]
        fn agent_replaces_the_second() -> Result<()> {
            $test([Kind::Keepalived, Kind::Agent])
        }
    };
}
pub(crate) use each_way;

macro_rules! seeds {
    ($($name:ident = $seed:expr;)*) => {
        $(mod $name {
            use super::*;

            fn run(kinds: [Kind; 2]) -> Result<()> {
                elects_and_moves($seed, kinds)
            }
            each_way!(run);
        })*
    };
}

seeds! {
    openstack_moves = OPENSTACK;
    lvs_moves = LVS;
    fabric_moves = FABRIC;
    dummy_moves = DUMMY;
}
