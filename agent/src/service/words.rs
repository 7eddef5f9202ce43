//! What has happened, in the words that people grep for, for log lines and for
//! the stream of events.

use std::net::IpAddr;

use crate::{
    config::Instance,
    core::{Cause, Lost, Notice, State},
    heart::News,
    tell::feed,
};

use super::fault::{Known, fault_text};

/// How much somebody should mind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weight {
    Info,
    Warning,
    Error,
}

/// A short name for programs, and a sentence.
pub(super) struct Words {
    pub name: &'static str,
    pub weight: Weight,
    pub text: String,
}

impl Words {
    fn info(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(name, Weight::Info, text)
    }

    fn warning(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(name, Weight::Warning, text)
    }

    fn error(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(name, Weight::Error, text)
    }

    fn new(name: &'static str, weight: Weight, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { name, weight, text }
    }
}

/// What became of the heartbeat towards `active`.
pub(super) fn heart(news: &News, active: IpAddr) -> Words {
    match news {
        News::Answers => Words::info(
            "heart_answers",
            format!("{active} answers probes: the heartbeat decides as well"),
        ),
        News::NoAnswer => Words::info(
            "heart_no_answer",
            format!("{active} answers no probes: adverts alone decide"),
        ),
        News::TooLate { within } => Words::warning(
            "heart_too_late",
            format!(
                "{active} answers probes later than {:.3} ms after them: adverts alone decide; \
                 make the interval of fast_detect longer, or its multiplier larger",
                within.as_secs_f64() * 1e3
            ),
        ),
        News::Disproved { after, pause } => Words::warning(
            "heart_false_alarm",
            format!(
                "{active} was found down by its silence, and was heard again {:.3} s later as \
                 if nothing had been: adverts alone decide for {:.0} s",
                after.as_secs_f64(),
                pause.as_secs_f64()
            ),
        ),
    }
}

/// Why a state changed; without text where that needs no line of its own.
pub(super) fn cause(cause: &Cause, instance: Option<&Instance>) -> Words {
    match cause {
        Cause::Started => Words::info("started", ""),
        Cause::Owner => Words::info("owner", ""),
        Cause::Shutdown => Words::info("shutdown", ""),
        Cause::ActiveSilent { .. } => Words::info("active_silent", "Receive advertisement timeout"),
        Cause::HeartStopped { active, why } => Words::info(
            "heart_stopped",
            match why {
                Lost::Silence => format!("{active} answers no probe any more"),
                Lost::AdminDown => format!("{active} answers that it does not serve any more"),
            },
        ),
        Cause::ActiveReleased { by } => Words::info(
            "active_released",
            format!("Backup received priority 0 advertisement from {by}"),
        ),
        Cause::Outranked { by, priority } => Words::info(
            "outranked",
            format!("Master received advert from {by} with higher priority {priority}"),
        ),
        Cause::AddressesTaken => Words::error(
            "addresses_taken",
            "VIPs are removed faster than they are put back: giving them up, \
             not taking them back for 10 s",
        ),
        Cause::Group { .. } => Words::info("group", "follows its sync group"),
        Cause::Fault(fault) => Words::warning(
            "fault",
            instance.map_or_else(String::new, |own| {
                fault_text(*fault, own, &Known::default())
            }),
        ),
    }
}

pub(super) fn notice(notice: &Notice, vip: impl Fn(u16) -> String) -> Words {
    match notice {
        Notice::LowerPriorityDiscarded { from, priority } => Words::info(
            "lower_priority_discarded",
            format!("received lower priority ({priority}) advert from {from} - discarding"),
        ),
        Notice::LowerPriorityAsserted { from, priority } => Words::warning(
            "lower_priority_asserted",
            format!(
                "Received advert from {from} with lower priority {priority}, \
                 forcing new election"
            ),
        ),
        Notice::LowerPriorityHeard { from, priority } => Words::warning(
            "lower_priority_heard",
            format!("Received advert from {from} with lower priority {priority}"),
        ),
        Notice::OwnAddressHeard { from } => Words::error(
            "own_address_heard",
            format!(
                "received an equal priority advert from our own address {from}: \
                 a cloned machine or a loop"
            ),
        ),
        Notice::ReleaseHeard {
            from,
            expected: true,
        } => Words::info(
            "release_heard",
            format!("received priority 0 advertisement from {from}"),
        ),
        Notice::ReleaseHeard {
            from,
            expected: false,
        } => Words::warning(
            "release_heard",
            format!("received priority 0 advertisement from {from}, which is not the Active"),
        ),
        // So does every better router that is started later.
        Notice::UnknownWinner { from, priority } => Words::info(
            "unknown_winner",
            format!(
                "{from} was never heard before and outranks the Active with priority \
                 {priority}: if it is none of your routers, list yours in allowed_sources"
            ),
        ),
        Notice::IntervalLong {
            from,
            theirs,
            ours,
            patience,
        } => Words::warning(
            "interval_long",
            format!(
                "advertisement interval of {from} is {} ms, ours {} ms: should it fall silent, \
                 nobody serves for {:.1} s; max_learned_interval limits that",
                theirs.duration().as_millis(),
                ours.duration().as_millis(),
                patience.as_secs_f64()
            ),
        ),
        Notice::IntervalLimited {
            from,
            theirs,
            believed,
        } => Words::warning(
            "interval_limited",
            format!(
                "advertisement interval of {from} is {} ms: more than max_learned_interval, \
                 {} ms are used",
                theirs.duration().as_millis(),
                believed.duration().as_millis()
            ),
        ),
        Notice::IntervalDiffers { from, theirs, ours } => Words::warning(
            "interval_differs",
            format!(
                "advertisement interval of {from} is {} ms, ours {} ms",
                theirs.duration().as_millis(),
                ours.duration().as_millis()
            ),
        ),
        Notice::AddressesDiffer { from, theirs, ours } => Words::warning(
            "addresses_differ",
            format!("{from} advertises other addresses than ours ({theirs} of them, ours {ours})"),
        ),
        Notice::Overslept { late_by } => Words::warning(
            "overslept",
            format!(
                "woke {} ms late and cannot know whether the Active was alive: \
                 it gets one more Active_Down_Interval",
                late_by.as_millis()
            ),
        ),
        Notice::AdvertLate { late_by } => Words::warning(
            "advert_late",
            format!("our advert was {} ms late", late_by.as_millis()),
        ),
        Notice::AddressRestored { vip: number } => Words::warning(
            "address_restored",
            format!(
                "VIP {} is gone from the kernel: put back and announced",
                vip(*number)
            ),
        ),
        Notice::AdvertsMissing { from } => Words::warning(
            "adverts_missing",
            format!(
                "adverts of {from} do not arrive, but its kernel answers that it serves: not \
                 taking over; its agent hangs, or something filters protocol 112 between us"
            ),
        ),
        Notice::TwoOwners { other } => Words::error(
            "two_owners",
            format!("{other} also sends priority 255: two address owners"),
        ),
    }
}

/// The state that was left. The core has one for a fault and for the start.
pub(super) const fn state_before(state: State, in_fault: bool) -> feed::State {
    match (state, in_fault) {
        (State::Active, _) => feed::State::Active,
        (State::Backup, _) => feed::State::Backup,
        (State::Initialize, true) => feed::State::Fault,
        (State::Initialize, false) => feed::State::Initialize,
    }
}

/// As the status has it.
pub(super) fn state(state: State, cause: &Cause) -> feed::State {
    match (state, cause) {
        (State::Active, _) => feed::State::Active,
        (State::Backup, _) => feed::State::Backup,
        (State::Initialize, Cause::Fault(_)) => feed::State::Fault,
        (State::Initialize, _) => feed::State::Initialize,
    }
}
