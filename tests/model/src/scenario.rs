//! What is explored.

use stateright::{Checker, Model};

use crate::{Election, Faults};

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub election: Election,
    /// The property that must break, where a rule is left out to see that the
    /// model would notice.
    pub breaks: Option<&'static str>,
}

/// What came of one.
#[derive(Clone, Debug)]
pub struct Found {
    /// Different ones.
    pub states: usize,
    pub depth: usize,
    /// The property, and the way to where it does not hold.
    pub broken: Option<(&'static str, String)>,
}

const NONE: Faults = Faults {
    losses: 0,
    duplicates: 0,
    crashes: 0,
    stops: 0,
    freezes: 0,
};

const HELD_UP: &str = "a Backup that was held up makes no second Active";

/// All of them, the quick ones first.
pub fn scenarios() -> Vec<Scenario> {
    let ours = |faults| Election {
        faults,
        grants: true,
        backups_only: false,
    };
    let held = |faults, grants| Election {
        grants,
        backups_only: true,
        ..ours(faults)
    };
    let frozen = Faults { freezes: 1, ..NONE };
    let scenario = |name, election| Scenario {
        name,
        election,
        breaks: None,
    };
    vec![
        scenario("no fault", ours(NONE)),
        scenario("a frozen Backup", held(frozen, true)),
        Scenario {
            name: "a frozen Backup, by the text of the RFC alone",
            election: held(frozen, false),
            breaks: Some(HELD_UP),
        },
        // A limit of the rule: the second one, too short to be noticed, loses
        // the advert that the first one has left time for.
        Scenario {
            name: "a Backup that is frozen twice",
            election: held(Faults { freezes: 2, ..NONE }, true),
            breaks: Some(HELD_UP),
        },
        scenario("2 stopped Backups", held(Faults { stops: 2, ..NONE }, true)),
        scenario(
            "2 lost, 1 doubled",
            ours(Faults {
                losses: 2,
                duplicates: 1,
                ..NONE
            }),
        ),
        scenario(
            "2 ends, in good order or not",
            ours(Faults { crashes: 2, ..NONE }),
        ),
        scenario(
            "1 stopped, 1 frozen, 1 end",
            ours(Faults {
                crashes: 1,
                stops: 1,
                freezes: 1,
                ..NONE
            }),
        ),
        scenario(
            "1 lost, 1 doubled, 1 end, 1 stopped",
            ours(Faults {
                losses: 1,
                duplicates: 1,
                crashes: 1,
                stops: 1,
                ..NONE
            }),
        ),
    ]
}

/// Every state that can be reached.
///
/// # Panics
/// When the explorer itself does.
pub fn explore(election: Election) -> Found {
    let checker = election.checker().threads(2).spawn_bfs().join();
    let always = election.properties();
    let broken = always.iter().find_map(|property| {
        let found = checker.discovery(property.name);
        match property.expectation {
            stateright::Expectation::Always => found.map(|path| {
                let actions = format!("{:#?}", path.into_actions());
                (property.name, actions)
            }),
            _ if found.is_none() => Some((property.name, "never".to_owned())),
            _ => None,
        }
    });
    Found {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quick ones; `cargo xtask model` runs all.
    #[test]
    fn the_quick_scenarios_end_as_they_must() {
        for Scenario {
            name,
            election,
            breaks,
        } in scenarios().into_iter().take(3)
        {
            let broken = explore(election).broken.map(|(property, _)| property);
            assert_eq!(broken, breaks, "{name}");
        }
    }
}
