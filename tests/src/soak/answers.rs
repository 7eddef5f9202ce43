//! What the client says: one machine answers for a VIP, and it is the right one.

use crate::{
    clock::nanos,
    probe::{Report, Request},
    stalls::Stalls,
};

use super::{
    ROUTERS_PER_MACHINE, WATCHED,
    judge::{DELTA, Episode, Finding, IPV6, WORKER},
    world::World,
};

/// 13: single answerer.
pub fn judge(
    world: &World,
    episode: &Episode,
    answers: &[Report; ROUTERS_PER_MACHINE],
    stalls: &Stalls,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (router, answers) in answers.iter().enumerate() {
        for request in &answers.doubles {
            found.extend(double(world, episode, router, request, stalls));
        }
        let right = world.lan.host(episode.right[router]).port.mac;
        if answers.changes.last().map(|(_, mac)| *mac) != Some(right) {
            let text = "the right machine does not answer in the end".to_owned();
            let stalled = stalls.time_within(episode.settled, episode.to);
            found.push(finding(
                router,
                episode.settled,
                text,
                stalled >= WATCHED / 2,
            ));
        }
    }
    found
}

fn finding(router: usize, at: u64, text: String, excused: bool) -> Finding {
    let family = ["IPv4", "IPv6"][router];
    Finding {
        invariant: 13,
        at,
        text: format!("{family}: {text}"),
        excused,
    }
}

/// Two answered: for one of them it must be excusable, or both have the VIP,
/// whose time is bounded by invariant 3.
fn double(
    world: &World,
    episode: &Episode,
    router: usize,
    request: &Request,
    stalls: &Stalls,
) -> Option<Finding> {
    let delta = nanos(DELTA);
    let sent = request.sent;
    for (mac, arrived) in &request.answers {
        let Some(machine) = world.lan.host_of(*mac) else {
            continue;
        };
        let excusable = episode.suffered.iter().any(|suffered| {
            suffered.machine == machine
                && (suffered.apart || suffered.helpless)
                && suffered.begun <= *arrived
                && sent <= suffered.mended.saturating_add(delta)
        });
        // It was answered at some time in between. In IPv6 the kernel tells
        // later that it has an address.
        let has = |early: u64| {
            let mut held = episode.tracks[machine][router].held.iter();
            held.any(|held| {
                held.from <= arrived.saturating_add(early)
                    && held.until(episode.to).saturating_add(delta) >= sent
            })
        };
        // One that comes and goes before that is never told of at all.
        let track = &episode.tracks[machine][router];
        let early = sent.saturating_sub(nanos(WORKER));
        let says = router == IPV6 && track.claims(early, *arrived).next().is_some();
        if excusable || says || has(nanos(WORKER)) {
            continue;
        }
        let text = format!("machine {machine} answers without the VIP");
        let second = 1_000_000_000;
        let stalled = nanos(stalls.time_within(sent.saturating_sub(second), arrived + second));
        return Some(finding(router, sent, text, has(nanos(WORKER) + stalled)));
    }
    None
}
