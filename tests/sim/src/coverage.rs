//! What a run has seen: a simulator that never gets to a state proves nothing
//! about it.

use std::collections::BTreeMap;

use failoverd::core::{Cause, Notice, State};

#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub transitions: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    pub notices: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<&'static str, u64>,
    pub adverts: u64,
    /// What the heartbeats have brought forth.
    pub heart: BTreeMap<&'static str, u64>,
    /// Whether the trace is hashed, for comparison with another run.
    pub traced: bool,
    /// What a replay prints as it happens.
    pub told: bool,
}

impl Coverage {
    pub fn transition(&mut self, from: State, to: State, cause: &Cause) {
        let key = (state(from), state(to), cause_name(cause));
        *self.transitions.entry(key).or_default() += 1;
    }

    pub fn notice(&mut self, notice: &Notice) {
        *self.notices.entry(notice_name(notice)).or_default() += 1;
    }

    pub fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    pub fn heart(&mut self, what: &'static str) {
        *self.heart.entry(what).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (key, count) in &other.transitions {
            *self.transitions.entry(*key).or_default() += count;
        }
        for (key, count) in &other.notices {
            *self.notices.entry(key).or_default() += count;
        }
        for (key, count) in &other.faults {
            *self.faults.entry(key).or_default() += count;
        }
        for (key, count) in &other.heart {
            *self.heart.entry(key).or_default() += count;
        }
        self.adverts += other.adverts;
    }
}

const fn state(state: State) -> &'static str {
    match state {
        State::Initialize => "Initialize",
        State::Backup => "Backup",
        State::Active => "Active",
    }
}

const fn cause_name(cause: &Cause) -> &'static str {
    match cause {
        Cause::Started => "started",
        Cause::Owner => "owner",
        Cause::ActiveSilent { .. } => "Active silent",
        Cause::HeartStopped { .. } => "heartbeat stopped",
        Cause::ActiveReleased { .. } => "Active released",
        Cause::Outranked { .. } => "outranked",
        Cause::AddressesTaken => "addresses taken",
        Cause::Group { .. } => "group",
        Cause::Fault(_) => "fault",
        Cause::Shutdown => "shutdown",
    }
}

const fn notice_name(notice: &Notice) -> &'static str {
    match notice {
        Notice::LowerPriorityDiscarded { .. } => "lower priority discarded",
        Notice::LowerPriorityAsserted { .. } | Notice::LowerPriorityHeard { .. } => {
            "lower priority asserted"
        }
        Notice::OwnAddressHeard { .. } => "own address heard",
        Notice::ReleaseHeard { .. } => "release heard",
        Notice::IntervalDiffers { .. } => "interval differs",
        Notice::AddressesDiffer { .. } => "addresses differ",
        Notice::Overslept { .. } => "overslept",
        Notice::AdvertLate { .. } => "advert late",
        Notice::AddressRestored { .. } => "address restored",
        Notice::IntervalLong { .. } => "interval long",
        Notice::IntervalLimited { .. } => "interval limited",
        Notice::UnknownWinner { .. } => "unknown winner",
        Notice::TwoOwners { .. } => "two owners",
        Notice::AdvertsMissing { .. } => "adverts missing",
    }
}
