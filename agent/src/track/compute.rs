//! From readings to what an instance is worth: its priority in force, and
//! whether it can take part at all. Pure.

use agent_common::Priority;

use super::reading::{Kind, TrackerId, Value};
use crate::{
    config::model::{Track, Weight},
    core::Fault,
};

/// Most that one tracker can add: more could not change a priority.
const MOST: i64 = 254;

/// What one tracker does to an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Added to the priority; 0 for a tracker that has no result yet.
    Weight(i64),
    /// Has no weight, and is as it should be.
    Good,
    Fault(Fault),
}

/// What all trackers of an instance do to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// In force, 1..=254; 255 for an owner, whatever happens.
    pub priority: Priority,
    /// The first in the order of the configuration.
    pub fault: Option<Fault>,
}

/// Weighs everything that an instance with the priority `base` tracks.
pub fn judge(
    base: Priority,
    tracks: &[Track],
    read: impl Fn(&TrackerId) -> Option<Value>,
) -> Judgement {
    let mut sum = i64::from(base.get());
    let mut fault = None;
    for track in tracks {
        match share(track, read(&track.tracker)) {
            Share::Weight(weight) => sum = sum.saturating_add(weight),
            Share::Good => {}
            Share::Fault(found) => fault = fault.or(Some(found)),
        }
    }
    let priority = match base.is_owner() {
        true => base,
        // In range, so the conversion cannot fail.
        false => Priority(u8::try_from(sum.clamp(1, MOST)).unwrap_or(1)),
    };
    Judgement { priority, fault }
}

/// One tracker by its reading; `None` before the first.
///
/// A file is a fault when its value makes less than -253 of the priority.
pub fn share(track: &Track, value: Option<Value>) -> Share {
    let Track {
        tracker,
        weight: Weight {
            value: weight,
            reverse,
        },
    } = track;
    let fault = match tracker.kind {
        Kind::Interface => Fault::TrackedDown,
        Kind::Script => Fault::TrackedScript,
        Kind::File => Fault::TrackedFile,
        Kind::Process => Fault::TrackedProcess,
    };
    let weight = i64::from(*weight);
    let sign = if *reverse { -1 } else { 1 };
    let Some(value) = value else {
        return match weight {
            0 => Share::Fault(Fault::Unread),
            _ => Share::Weight(0),
        };
    };
    let good = match value {
        Value::Up => true,
        Value::Down => false,
        Value::Number(number) => number == 0,
    };
    match (weight, value) {
        (0, _) if good != *reverse => Share::Good,
        (0, _) => Share::Fault(fault),
        (_, Value::Number(number)) => {
            let product = number.saturating_mul(weight).saturating_mul(sign);
            match product {
                ..-253 => Share::Fault(fault),
                _ => Share::Weight(product.min(MOST)),
            }
        }
        (_, Value::Up | Value::Down) if good == (weight > 0) => {
            Share::Weight(weight.saturating_mul(sign))
        }
        (_, Value::Up | Value::Down) => Share::Weight(0),
    }
}
