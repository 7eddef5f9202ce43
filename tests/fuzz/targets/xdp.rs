//! `xdp`: any bytes as a frame, by BPF_PROG_TEST_RUN and by the parser in user
//! space: equal verdict, counter and record. Needs root.

use std::cell::RefCell;

use agent_common::{
    Outcome,
    outcome::OutcomeCounters,
    record::{AdvertRecord, NO_SLOT, WatchSlot},
};
use failoverd::io::bpf::{BpfError, FastMaps, Kernel, Program};
use failoverd_tests::{fixtures::SLOT, privilege};

use super::frame::Scene;

/// The kernel builds no test frame of less than an Ethernet header, nor of
/// more than a page without fragments.
const SIZES: std::ops::Range<usize> = 14..3000;
const XDP_PASS: u32 = 2;

struct Lab {
    kernel: Kernel,
    fast: FastMaps,
}

thread_local! {
    static LAB: RefCell<Option<Option<Lab>>> = const { RefCell::new(None) };
}

fn lab() -> Option<Lab> {
    match Kernel::load() {
        Ok(mut kernel) => {
            let fast = kernel.fast_maps().expect("its maps");
            Some(Lab { kernel, fast })
        }
        Err(error @ (BpfError::NoPermission | BpfError::NoBpf)) => {
            // Says why; fails where it must not be skipped.
            privilege::ready(Some(error.to_string()));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub fn run(data: &[u8]) {
    let Some(scene) = Scene::new(data) else {
        return;
    };
    // No test run gives a program an out-of-band tag.
    if scene.link.vlan.is_none() && SIZES.contains(&scene.frame.len()) {
        LAB.with_borrow_mut(|found| {
            if let Some(lab) = found.get_or_insert_with(lab) {
                compare(lab, &scene);
            }
        });
    }
}

fn compare(lab: &mut Lab, scene: &Scene) {
    let located = scene.locate();
    let key = located.as_ref().ok().map(|located| scene.key(located));
    let expected = located.and_then(|located| {
        if Some(located.key) == key {
            scene.judge(&located)
        } else {
            Err(Outcome::UnknownVrid)
        }
    });
    if let Some(key) = key {
        lab.kernel
            .set_instance(&key, &scene.filter)
            .expect("an entry");
    }
    // The watched Active has no budget that could run out.
    let active = expected.map_or(WatchSlot::NOBODY.active, |record| record.source);
    let watch = WatchSlot {
        active,
        wake_always: 1,
        ..WatchSlot::NOBODY
    };
    lab.fast.watch(SLOT, &watch).expect("an entry");
    let read = |lab: &Lab| [NO_SLOT, SLOT].map(|slot| lab.kernel.counters(slot).expect("counters"));
    let before = read(lab);
    let run = lab
        .kernel
        .test_run(Program::Xdp, &scene.frame, 1)
        .expect("a run");
    let after = read(lab);
    if let Some(key) = key {
        lab.kernel.remove_instance(&key).expect("the entry");
    }
    let record = lab.fast.next_event();
    assert_eq!(lab.fast.next_event(), None);

    let outcome = expected.map_or_else(|why| why, |_record| Outcome::Accepted);
    let moved = moved(&before, &after);
    let wanted = (outcome != Outcome::Foreign).then_some(outcome);
    assert_eq!(moved.first().copied(), wanted, "{scene:02x?}");
    let over = moved.contains(&Outcome::OverBudget);
    assert!(
        run.verdict == XDP_PASS || over,
        "{} {scene:02x?}",
        run.verdict
    );
    let record = record.map(|record| AdvertRecord {
        stamp_ns: 0,
        ..record
    });
    assert_eq!(record, expected.ok(), "{scene:02x?}");
}

fn moved(before: &[OutcomeCounters], after: &[OutcomeCounters]) -> Vec<Outcome> {
    let slots = before.iter().zip(after);
    let counts =
        slots.flat_map(|(before, after)| Outcome::ALL.iter().zip(before.iter().zip(after)));
    counts
        .filter(|(_, (before, after))| after > before)
        .map(|(outcome, _)| *outcome)
        .collect()
}
