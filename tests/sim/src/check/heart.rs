//! Invariants 31 and 32: nobody takes over from who says that he serves, and a
//! hung router answers for no longer than its lease.

use agent_common::KernelTime;
use failoverd::core::Cause;

use super::Rule;
use crate::{
    node::{Node, Step},
    schedule::{Fast, Fault, INSTANCES},
    time::At,
    world::{MARGIN, World},
};

/// Pauses of our own that nothing is judged by, and once more.
const LOOKS: u64 = 4;

impl World {
    /// Before an input: what is gone when its effects are carried out.
    pub fn look_before(&mut self, router: usize, now: KernelTime) {
        let node = &self.nodes[router];
        if node.heart.is_none() {
            return;
        }
        let book = &mut self.hearts[router];
        for index in 0..INSTANCES {
            book.watched[index] = node.kernel.watch[index].active;
            book.armed[index] = node.is_armed(index, now);
        }
    }

    /// A fault is over.
    pub fn mended(&mut self, number: usize) {
        match self.fault(number) {
            Fault::Freeze { router, .. }
            | Fault::PowerLoss { router, .. }
            | Fault::LinkDown { router, .. } => self.hearts[router].linked_since = self.now,
            Fault::OneWay { .. } | Fault::Island { .. } | Fault::Weather { .. } => {
                self.clear_since = self.now.max(self.stray_until);
            }
            Fault::Pause { .. }
            | Fault::Starve { .. }
            | Fault::Crash { .. }
            | Fault::CrashDirty { .. }
            | Fault::Restart { .. }
            | Fault::Removed { .. }
            | Fault::Overrun { .. }
            | Fault::Refusal { .. }
            | Fault::Reconfigure { .. }
            | Fault::Reload { .. }
            | Fault::Attack { .. }
            | Fault::ClockStep { .. }
            | Fault::Tracked { .. }
            | Fault::Rollout { .. }
            | Fault::Mute { .. }
            | Fault::Probes { .. }
            | Fault::FastReload { .. } => {}
        }
    }

    /// 31: at every take-over. `router` had probes answered by Up for as long as
    /// it takes to find anybody down: the way was free, the lease was fresh.
    pub fn check_vouched(&mut self, router: usize, index: usize, cause: &Cause, step: &Step) {
        let (book, node) = (&self.hearts[router], &self.nodes[router]);
        let active = match *cause {
            Cause::HeartStopped { active, .. } => Some(active),
            // Of one that is preempted, adverts arrive and are discarded.
            Cause::ActiveSilent { .. } if book.armed[index] => step
                .before
                .active
                .filter(|_| step.before.active == book.watched[index]),
            Cause::ActiveSilent { .. }
            | Cause::Started
            | Cause::Owner
            | Cause::ActiveReleased { .. }
            | Cause::Outranked { .. }
            | Cause::AddressesTaken
            | Cause::Group { .. }
            | Cause::Fault(_)
            | Cause::Shutdown => None,
        };
        let has = |node: &Node| Some(node.address(index)) == active;
        let Some(other) = self.nodes.iter().position(has).filter(|at| *at != router) else {
            return;
        };
        // What a group waits for was decided before.
        if step.before.waits_for_group {
            return;
        }
        let Some(fast) = node.fast else { return };
        let span = LOOKS * (u64::from(fast.multiplier) + 2) * (fast.interval + node.lateness());
        let since = self.vouched_since(other, index).into_iter();
        let mut since = since.map(|since| since.max(book.linked_since).max(self.clear_since));
        let long = |since: &At| self.network.is_good() && since + span <= self.now;
        if let Some(since) = since.find(long) {
            let what = format!(
                "instance {index}: {other} has said Up for {} us, {cause:?}",
                (self.now - since) / 1000
            );
            self.fail(Rule::Vouched, Some(router), what);
        }
    }

    /// Since when probes for this instance that reach a router are answered by Up.
    fn vouched_since(&self, router: usize, index: usize) -> Option<At> {
        let (node, book) = (&self.nodes[router], &self.hearts[router]);
        let fresh = node.kernel.leases[index].until_ns > node.local(self.now).0;
        let answers = node.kernel.targets[index].is_some() && node.plight.is_linked();
        let since = book.up_since[index].filter(|_| fresh && answers)?;
        Some(since.max(book.linked_since))
    }

    /// 32: of two that answer for a VIP, one is fenced within its lease.
    pub fn check_answerers(&mut self, index: usize) {
        if !self.schedule.setting.heart {
            return;
        }
        let answers = |router: &usize| {
            let node = &self.nodes[*router];
            let there = node.plight.is_linked() && node.kernel.has_vip(index);
            there && !node.is_fenced(index, self.now)
        };
        let all: Vec<usize> = (0..self.nodes.len()).filter(answers).collect();
        for router in 0..self.nodes.len() {
            let node = &self.nodes[router];
            // Who is dead has no fence any more.
            let hangs = node.heart.is_some() && node.plight.paused > 0 && node.plight.frozen == 0;
            let beside = all.len() > 1 && all.contains(&router) && hangs;
            let Some(lease) = node.lease[index].filter(|_| beside) else {
                self.hearts[router].beside_since[index] = None;
                continue;
            };
            let since = *self.hearts[router].beside_since[index].get_or_insert(self.now);
            let lease = self.nodes[router].spec.clock.span(lease);
            if self.now - since > lease + MARGIN {
                let what = format!("instance {index}: {all:?} answer, {router} hangs");
                self.fail(Rule::Fence, Some(router), what);
            }
        }
    }
}

impl Node {
    /// By how much a wake-up may be late.
    fn lateness(&self) -> u64 {
        if self.plight.starved > 0 {
            self.late
        } else {
            0
        }
    }

    /// In how long after the last answer of a dead machine its Active is found
    /// down and Skew_Time is over: a probe, `multiplier` of them, and a quarter.
    /// For one that says that it does not serve, `multiplier` times, where every
    /// other probe asks for something else.
    pub fn found_within(&self, fast: Fast, index: usize, says_so: bool) -> u64 {
        let skew = (256 - u64::from(self.priority[index])) * fast.interval / 256;
        let probes = u64::from(fast.multiplier) + 1;
        let probes = if says_so { 2 * probes + 2 } else { probes };
        probes * fast.interval + skew
    }
}
