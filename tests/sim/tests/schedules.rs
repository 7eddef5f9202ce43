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

/// The same, of schedules with groups and attackers. A group that went for one
/// member, late, and did not read what had come for the other one (4). And what
/// the checkers took for broken: a member that takes over from a router that it
/// had put down as Active, or by an interval that it has forgotten since (4); a
/// priority 0 that overtook an advert (18).
#[test]
fn what_was_found_among_groups_stays_mended() {
    let groups = [
        30_157_959, 30_222_335, 30_256_505, 30_267_274, 30_283_520, 30_340_249,
    ];
    let overtaken = [30_059_669, 30_100_775, 30_189_797, 30_325_806];
    for seed in groups.into_iter().chain(overtaken) {
        let outcome = run(&Schedule::generate(seed, None), false);
        assert!(
            outcome.broken.is_none(),
            "seed {seed}: {:?}",
            outcome.broken
        );
    }
}

/// The same, of schedules with a heartbeat. An Up that grew old while a Backup
/// hardly ran, or while another instance was refused (31); an advert from before
/// a silence that undid it (18). And what the checkers took for broken: a dead
/// Active's first Up that nobody had read, and its first advert with another
/// interval (18); hosts that an Active had which another one could not tell of
/// its end (16); adverts of an earlier pace (11).
#[test]
fn what_was_found_with_a_heartbeat_stays_mended() {
    let product = [
        30_066_129, 30_194_103, 30_199_791, 30_235_940, 30_470_781, 30_674_645,
    ];
    let checkers = [30_266_774, 30_440_150, 30_462_150, 30_502_846];
    for seed in product.into_iter().chain(checkers) {
        let outcome = run(&Schedule::generate(seed, None), false);
        assert!(
            outcome.broken.is_none(),
            "seed {seed}: {:?}",
            outcome.broken
        );
    }
}
