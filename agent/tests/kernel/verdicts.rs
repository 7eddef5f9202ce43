//! XDP, tcx and the parser in user space say the same of every fixture.

use agent_common::{
    Outcome,
    record::AdvertRecord,
    wire::{Bytes, Frame, Link, judge, locate},
};
use failoverd::io::bpf::{FastMaps, Kernel, Program};
use failoverd_tests::fixtures::{self, Fixture};

use crate::lab::{self, LOOPBACK};

const XDP_PASS: u32 = 2;
const TC_ACT_UNSPEC: u32 = u32::MAX;

/// What the kernel half copies of a frame.
const COPIED: usize = 2048;

/// A frame of which only that is readable.
struct Copied<'a>(&'a [u8]);

impl Frame for Copied<'_> {
    fn received(&self) -> usize {
        self.0.len()
    }

    fn readable(&self) -> usize {
        self.0.len().min(COPIED)
    }
}

impl Bytes for Copied<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0[..self.readable()].bytes(at)
    }
}

fn in_user_space(fixture: &Fixture) -> Result<AdvertRecord, Outcome> {
    let frame = Copied(&fixture.frame);
    let located = locate(
        &frame,
        Link {
            ifindex: LOOPBACK,
            vlan: None,
        },
    )?;
    if located.key != fixture.key(LOOPBACK) {
        return Err(Outcome::UnknownVrid);
    }
    judge(&frame, &located, &fixture.filter, 0)
}

/// Verdict of the hook, counters that moved, and the record if one came.
fn in_the_kernel(
    kernel: &Kernel,
    fast: &mut FastMaps,
    program: Program,
    fixture: &Fixture,
) -> (u32, Vec<(u32, Outcome)>, Option<AdvertRecord>) {
    let key = fixture.key(LOOPBACK);
    kernel.set_instance(&key, &fixture.filter).unwrap();
    let read = |slot| kernel.counters(slot).unwrap();
    let before = [read(0), read(fixtures::SLOT)];
    let run = kernel.test_run(program, &fixture.frame, 1).unwrap();
    let after = [read(0), read(fixtures::SLOT)];
    assert!(kernel.remove_instance(&key).unwrap());
    let mut moved = Vec::new();
    for (slot, (before, after)) in [0, fixtures::SLOT]
        .into_iter()
        .zip(before.iter().zip(&after))
    {
        for (outcome, (before, after)) in Outcome::ALL.iter().zip(before.iter().zip(after)) {
            moved.extend((*before..*after).map(|_one| (slot, *outcome)));
        }
    }
    let record = fast.next_event();
    assert_eq!(fast.next_event(), None);
    (
        run.verdict,
        moved,
        record.map(|record| AdvertRecord {
            stamp_ns: 0,
            ..record
        }),
    )
}

// proves: K-09, R-25, R-28, R-30
#[test]
fn r30_every_path_gives_the_same_verdict() {
    let Some(mut kernel) = lab::kernel() else {
        return;
    };
    let mut fast = kernel.fast_maps().unwrap();
    for fixture in fixtures::all() {
        let name = fixture.name;
        let expected = in_user_space(&fixture);
        let outcome = expected.map_or_else(|why| why, |_record| Outcome::Accepted);
        assert_eq!(outcome, fixture.outcome, "{name} in user space");
        for (program, pass) in [(Program::Xdp, XDP_PASS), (Program::Tcx, TC_ACT_UNSPEC)] {
            if program == Program::Tcx && fixture.outcome == Outcome::Truncated {
                // No test run makes an skb of less than an IP header.
                continue;
            }
            let (verdict, moved, record) = in_the_kernel(&kernel, &mut fast, program, &fixture);
            let counted = fixture.counted().map(|slot| (slot, fixture.outcome));
            assert_eq!(moved, Vec::from_iter(counted), "{name} in {program:?}");
            assert_eq!(verdict, pass, "{name} in {program:?}");
            assert_eq!(record, expected.ok(), "{name} in {program:?}");
        }
    }
}

#[test]
fn every_outcome_of_a_frame_has_a_fixture() {
    let all = fixtures::all();
    for outcome in Outcome::ALL {
        // These two are of the state of the machine, not of the frame.
        let of_state = matches!(outcome, Outcome::RingFull | Outcome::OverBudget);
        assert!(
            of_state || all.iter().any(|fixture| fixture.outcome == *outcome),
            "{outcome:?}"
        );
    }
}

// proves
#[test]
fn r30_every_truncation_and_every_flipped_bit_gives_the_same_verdict() {
    let Some(mut kernel) = lab::kernel() else {
        return;
    };
    let mut fast = kernel.fast_maps().unwrap();
    for fixture in fixtures::all()
        .iter()
        .filter(|fixture| fixture.frame.len() < 120)
    {
        let length = fixture.frame.len();
        let cut = (14..length).map(|length| fixture.frame[..length].to_vec());
        // One bit of each byte, another one from byte to byte.
        let flipped = (0..length).map(|at| {
            let mut frame = fixture.frame.clone();
            frame[at] ^= 1 << (at % 8);
            frame
        });
        for frame in cut.chain(flipped) {
            let bent = Fixture {
                frame,
                ..fixture.clone()
            };
            let (_verdict, moved, record) = in_the_kernel(&kernel, &mut fast, Program::Xdp, &bent);
            let expected = in_user_space(&bent);
            let outcome = expected.map_or_else(|why| why, |_record| Outcome::Accepted);
            let found = moved
                .first()
                .map_or(Outcome::Foreign, |(_slot, outcome)| *outcome);
            assert_eq!(found, outcome, "{} {:02x?}", fixture.name, bent.frame);
            assert_eq!(
                record,
                expected.ok(),
                "{} {:02x?}",
                fixture.name,
                bent.frame
            );
        }
    }
}
