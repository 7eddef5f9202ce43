//! What the client says: one machine answers for a VIP, and it is the right one.

use std::collections::BTreeSet;

use crate::{clock::nanos, probe::Report, topology::Mac};

use super::{
    ROUTERS_PER_MACHINE,
    judge::{DELTA, Episode, Finding},
    world::World,
};

/// 13: single answerer.
pub fn judge(
    world: &World,
    episode: &Episode,
    answers: &[Report; ROUTERS_PER_MACHINE],
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (router, answers) in answers.iter().enumerate() {
        for (sent, machines) in &answers.doubles {
            if let Some(text) = double(world, episode, router, *sent, machines) {
                found.push(finding(router, *sent, text));
            }
        }
        let right = world.lan.host(episode.right[router]).port.mac;
        let wrong = answers
            .changes
            .last()
            .filter(|(time, mac)| *mac != right && *time > episode.settled);
        if let Some((time, mac)) = wrong {
            let text = format!("{mac} answers, and it is not to serve");
            found.push(finding(router, *time, text));
        }
        if answers.changes.last().map(|(_, mac)| *mac) != Some(right) {
            let text = "the right machine does not answer in the end".to_owned();
            found.push(finding(router, episode.settled, text));
        }
    }
    found
}

fn finding(router: usize, at: u64, text: String) -> Finding {
    let family = ["IPv4", "IPv6"][router];
    Finding {
        invariant: 13,
        at,
        text: format!("{family}: {text}"),
        excused: false,
    }
}

/// Two answered: for one of them it must be excusable, or both have the VIP,
/// whose time is bounded by invariant 3.
fn double(
    world: &World,
    episode: &Episode,
    router: usize,
    sent: u64,
    machines: &BTreeSet<Mac>,
) -> Option<String> {
    let delta = nanos(DELTA);
    let clean: Vec<usize> = machines
        .iter()
        .filter_map(|mac| world.lan.host_of(*mac))
        .filter(|machine| {
            let mut suffered = episode.suffered.iter();
            !suffered.any(|suffered| {
                suffered.machine == *machine
                    && (suffered.apart || suffered.helpless)
                    && (suffered.begun..=suffered.mended.saturating_add(delta)).contains(&sent)
            })
        })
        .collect();
    let at_once = |machine: &usize| {
        let held = &episode.tracks[*machine][router].held;
        held.iter()
            .any(|held| held.from <= sent + delta && held.until(episode.to) + delta >= sent)
    };
    let (has, has_not): (Vec<usize>, Vec<usize>) = clean.into_iter().partition(at_once);
    match (has.len(), has_not.as_slice()) {
        (_, [machine, ..]) => Some(format!("machine {machine} answers without the VIP")),
        _ => None,
    }
}
