//! From a candidate to its outcome: copy, locate, look up, judge, hand over.

use agent_common::{
    Outcome,
    record::{NO_SLOT, WatchSlot},
    wire::{Frame as _, IpMessage, Located, frame::same_address, judge, locate},
};

use crate::{
    budget::{self, Item},
    emit, fence,
    hook::Hook,
    log::{self, Refused},
    maps::{INSTANCES, SCRATCH, WATCH, count, now_ns},
};

/// Judges a frame and accounts for it. [`Outcome::OverBudget`] is the only
/// outcome that asks for the frame to be dropped.
#[inline(always)]
pub fn receive<H: Hook>(hook: &H) -> Outcome {
    let now = now_ns();
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return Outcome::Foreign;
    };
    if !hook.fill(scratch) {
        return Outcome::Foreign;
    }
    // SAFETY: a value of a per-CPU map, filled just now and ours alone.
    let frame = unsafe { &*scratch };
    let link = hook.link();
    let located = match locate(frame, link) {
        Ok(located) => located,
        Err(Outcome::Foreign) => return Outcome::Foreign,
        // Whose packet it is only the slow path will know.
        Err(Outcome::ExtensionChain) => {
            count(NO_SLOT, Outcome::ExtensionChain);
            return Outcome::ExtensionChain;
        }
        Err(why) => {
            let refused = Refused {
                why,
                source: None,
                vrid: 0,
                ifindex: link.ifindex,
            };
            return refuse(hook, NO_SLOT, &refused, now);
        }
    };
    // However the message was found: from here on all paths are one.
    let located = Located {
        message: IpMessage {
            at: frame.opaque(located.message.at),
            length: frame.opaque(located.message.length),
            ..located.message
        },
        ..located
    };
    let refused = |why| Refused {
        why,
        source: Some((located.family, located.message.source)),
        vrid: located.key.vrid,
        ifindex: link.ifindex,
    };
    // SAFETY: the agent replaces a filter by a new element, so a reference
    // into the map may be to a filter just replaced: one advert is judged by
    // the configuration of a moment ago.
    let Some(filter) = (unsafe { INSTANCES.get(located.key) }) else {
        return refuse(hook, NO_SLOT, &refused(Outcome::UnknownVrid), now);
    };
    let advert = match judge(frame, &located, filter, now) {
        Ok(advert) => advert,
        Err(why) => return refuse(hook, filter.slot, &refused(why), now),
    };
    fence::heard(&advert, now);
    let Some(watch) = WATCH.get(advert.slot) else {
        return Outcome::Foreign;
    };
    let watched = same_address(&advert.source, &watch.active);
    let item = if advert.priority >= filter.priority {
        Item::Higher
    } else {
        Item::Lower
    };
    if !watched && !budget::take(advert.slot, item, now) {
        count(advert.slot, Outcome::OverBudget);
        return Outcome::OverBudget;
    }
    let nobody = same_address(&WatchSlot::NOBODY.active, &watch.active);
    let steady = if watched || nobody {
        emit::latest(&advert)
    } else {
        false
    };
    // A router that changes with every advert is read, but at our pace.
    let wake = (!steady || !watched || watch.wake_always != 0)
        && budget::take(advert.slot, Item::Wake, now);
    let outcome = if emit::event(&advert, wake) {
        Outcome::Accepted
    } else {
        Outcome::RingFull
    };
    count(advert.slot, outcome);
    outcome
}

/// Counts and logs. What was refused changes nothing else.
#[inline(always)]
fn refuse<H: Hook>(hook: &H, slot: u32, refused: &Refused, now: u64) -> Outcome {
    count(slot, refused.why);
    if !budget::take(NO_SLOT, Item::Lower, now) {
        count(slot, Outcome::OverBudget);
        return Outcome::OverBudget;
    }
    // Other virtual routers on the link are nobody's mistake.
    if refused.why != Outcome::UnknownVrid {
        log::refused(hook, refused, now);
    }
    refused.why
}
