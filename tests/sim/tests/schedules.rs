//! A fixed row of schedules, so that a change of the core that breaks an
//! invariant is seen at once. `cargo xtask sim` runs as many as one likes.

use failoverd_sim::{
    run::{run, run_twice},
    schedule::Schedule,
};

// proves, S-46, D-23
#[test]
fn no_invariant_breaks_in_a_fixed_row_of_schedules() {
    for seed in 1..=400 {
        let schedule = Schedule::generate(seed, None);
        let outcome = match seed % 50 {
            0 => run_twice(&schedule),
            _ => run(&schedule, false),
        };
        assert!(
            outcome.broken.is_none(),
            "seed {seed}: {:?}",
            outcome.broken
        );
    }
}

/// Seeds that once broke an invariant: a stopped Active that answered a worse
/// router before it had read the better one's advert (22). And one that the
/// checkers took for broken: an advert that a bad link had kept for longer than
/// its sender was down, so that an Active rightly gave way to it (19).
#[test]
fn what_was_found_stays_mended() {
    for seed in [577, 1812, 2448, 5934, 20_682_767] {
        let outcome = run(&Schedule::plain(seed, None), false);
        assert!(
            outcome.broken.is_none(),
            "seed {seed}: {:?}",
            outcome.broken
        );
    }
}
