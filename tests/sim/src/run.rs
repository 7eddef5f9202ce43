//! One schedule from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    check::{Broken, Rule},
    coverage::Coverage,
    schedule::Schedule,
    time::At,
    world::World,
};

/// What became of a schedule.
#[derive(Debug)]
pub struct Outcome {
    pub broken: Option<Broken>,
    pub coverage: Coverage,
    /// Simulated time.
    pub span: At,
    pub events: u64,
    pub trace: u64,
}

/// Runs a schedule. A panic of the core is a violation like any other.
pub fn run(schedule: &Schedule, traced: bool) -> Outcome {
    let mut world = World::new(schedule.clone());
    world.coverage.traced = traced;
    run_world(world)
}

/// The same, and prints what happens.
pub fn run_told(schedule: &Schedule) -> Outcome {
    let mut world = World::new(schedule.clone());
    world.coverage.told = true;
    run_world(world)
}

fn run_world(mut world: World) -> Outcome {
    let panicked = catch_unwind(AssertUnwindSafe(|| world.run())).err();
    if let Some(panic) = panicked {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let what = text.unwrap_or_default();
        world.fail(Rule::Panic, None, what);
    }
    Outcome {
        broken: world.broken,
        coverage: world.coverage,
        span: world.now,
        events: world.events,
        trace: world.trace,
    }
}

/// Runs a schedule twice: what happens must be the same.
pub fn run_twice(schedule: &Schedule) -> Outcome {
    let first = run(schedule, true);
    let mut second = run(schedule, true);
    if second.broken.is_none() && first.trace != second.trace {
        second.broken = Some(Broken {
            rule: Rule::Determinism,
            at: second.span,
            router: None,
            what: format!("{:x} and {:x}", first.trace, second.trace),
        });
    }
    second
}
