//! What an instance knows, in a form that another version of the agent reads.
//!
//! Fields go by their names: one that a version does not know is skipped, one
//! that it misses is taken as new. All times are CLOCK_MONOTONIC nanoseconds,
//! which go on when a process is exchanged. Nothing here allocates.

mod row;

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{AdvertInterval, KernelTime, Priority, Version};
use serde::{Deserialize, Serialize};

use self::row::Row;
use super::{
    config::InstanceConfig,
    effect::{Cause, State},
    heard::ROUTERS,
    input::{Fault, InstanceId},
    instance::{ASSERTS, Answer, Instance},
    limit::{LOSS_ROUNDS, NOTICE_KINDS},
    snapshot::Counters,
    timers::{Timer, Timers},
};

/// One instance, as it is handed from one agent to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub id: u16,
    state: State,
    rules: SavedRules,
    timers: SavedTimers,
    since: u64,
    up_at: u64,
    source: Option<IpAddr>,
    fault: Option<Fault>,
    left: bool,
    learned_centis: u16,
    active: Option<IpAddr>,
    #[serde(default)]
    active_priority: Option<u8>,
    watched: Option<IpAddr>,
    counted: u64,
    floor: u64,
    grants: u8,
    last_advert: Option<u64>,
    released_by: Option<IpAddr>,
    preempt_ready: bool,
    last_sent: u64,
    #[serde(default)]
    answer: Answer,
    #[serde(default)]
    held: bool,
    #[serde(default)]
    waits_for_group: bool,
    #[serde(default)]
    outranks: Option<bool>,
    reannounced: Option<u64>,
    again_repeat: u8,
    #[serde(default)]
    asserts: Row<u64, ASSERTS>,
    #[serde(default)]
    loss_rounds: Row<u64, LOSS_ROUNDS>,
    #[serde(default)]
    noticed: Row<u64, NOTICE_KINDS>,
    #[serde(default)]
    heard: Row<(IpAddr, u64), ROUTERS>,
    #[serde(default)]
    counters: Counters,
}

/// What the timers were set by. Where the new agent reads the same file
/// otherwise, the rest is a change of a running instance as any other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct SavedRules {
    version: u8,
    priority: u8,
    /// Without what trackers add; 0 of one that did not know the difference.
    #[serde(default)]
    base_priority: u8,
    interval_centis: u16,
    preempt: bool,
    preempt_delay_ns: u64,
    down_factor: u8,
    address_count: u8,
    addresses_digest: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SavedTimers {
    advert: Option<u64>,
    active_down: Option<u64>,
    checkpoint: Option<u64>,
    preempt_delay: Option<u64>,
    answer: Option<u64>,
    group_hold: Option<u64>,
    reannounce: Option<u64>,
    announce_again: Option<u64>,
    announce_refresh: Option<u64>,
    announce_elsewhere: Option<u64>,
}

impl SavedTimers {
    fn of(timers: &Timers) -> Self {
        let mut saved = Self::default();
        for timer in Timer::ALL {
            *saved.field(timer) = timers.get(timer).map(KernelTime::nanos);
        }
        saved
    }

    fn field(&mut self, timer: Timer) -> &mut Option<u64> {
        match timer {
            Timer::Advert => &mut self.advert,
            Timer::ActiveDown => &mut self.active_down,
            Timer::Checkpoint => &mut self.checkpoint,
            Timer::PreemptDelay => &mut self.preempt_delay,
            Timer::Answer => &mut self.answer,
            Timer::GroupHold => &mut self.group_hold,
            Timer::Reannounce => &mut self.reannounce,
            Timer::AnnounceAgain => &mut self.announce_again,
            Timer::AnnounceRefresh => &mut self.announce_refresh,
            Timer::AnnounceElsewhere => &mut self.announce_elsewhere,
        }
    }

    fn timers(mut self) -> Timers {
        let mut timers = Timers::unarmed();
        for timer in Timer::ALL {
            if let Some(at) = *self.field(timer) {
                timers.arm(timer, KernelTime(at));
            }
        }
        timers
    }
}

impl SavedRules {
    fn of(config: &InstanceConfig) -> Self {
        let nanos = config.preempt_delay.as_nanos();
        Self {
            version: config.version as u8,
            priority: config.priority.get(),
            base_priority: config.base_priority.get(),
            interval_centis: config.interval.centis(),
            preempt: config.preempt,
            preempt_delay_ns: u64::try_from(nanos).unwrap_or(u64::MAX),
            down_factor: config.down_factor,
            address_count: config.address_count,
            addresses_digest: config.addresses_digest,
        }
    }

    /// `own` as it was by these rules; `None` for what no agent has.
    fn apply(self, own: &InstanceConfig) -> Option<InstanceConfig> {
        let version = match self.version {
            2 => Version::V2,
            3 => Version::V3,
            _ => return None,
        };
        Some(InstanceConfig {
            version,
            priority: Priority(self.priority),
            base_priority: Priority(match self.base_priority {
                0 => self.priority,
                base => base,
            }),
            interval: AdvertInterval::from_centis(self.interval_centis)?,
            preempt: self.preempt,
            preempt_delay: Duration::from_nanos(self.preempt_delay_ns),
            down_factor: self.down_factor,
            address_count: self.address_count,
            addresses_digest: self.addresses_digest,
            ..*own
        })
    }
}

impl Saved {
    pub fn instance(&self) -> InstanceId {
        InstanceId(self.id)
    }
}

fn nanos(at: Option<KernelTime>) -> Option<u64> {
    at.map(KernelTime::nanos)
}

impl Instance {
    pub(super) fn save(&self) -> Saved {
        // All of it by name: a field that is added must not be forgotten here.
        let Self {
            config,
            state,
            since,
            up_at,
            source,
            fault,
            left,
            timers,
            learned,
            active,
            active_priority,
            watched,
            counted,
            floor,
            grants,
            last_advert,
            released_by,
            // The deadline that it has set is among the timers.
            lost: _,
            preempt_ready,
            held,
            wants,
            outranks,
            last_sent,
            answer,
            reannounced,
            again_repeat,
            asserts,
            losses,
            gate,
            heard,
            counters,
        } = self;
        Saved {
            id: config.id.0,
            state: *state,
            rules: SavedRules::of(config),
            timers: SavedTimers::of(timers),
            since: since.nanos(),
            up_at: up_at.nanos(),
            source: *source,
            fault: *fault,
            left: *left,
            learned_centis: learned.centis(),
            active: *active,
            active_priority: active_priority.map(Priority::get),
            watched: *watched,
            counted: counted.nanos(),
            floor: floor.nanos(),
            grants: *grants,
            last_advert: nanos(*last_advert),
            released_by: *released_by,
            preempt_ready: *preempt_ready,
            last_sent: last_sent.nanos(),
            answer: *answer,
            held: *held,
            waits_for_group: wants.is_some(),
            outranks: *outranks,
            reannounced: nanos(*reannounced),
            again_repeat: *again_repeat,
            asserts: Row(asserts.save().map(nanos)),
            loss_rounds: Row(losses.save().map(nanos)),
            noticed: Row(gate.save().map(nanos)),
            heard: Row(heard
                .all()
                .map(|entry| entry.map(|(router, stamp)| (router, stamp.nanos())))),
            counters: *counters,
        }
    }

    /// The instance as `saved` has it, with the rules that it had then; `None`
    /// where its timers do not belong to its state.
    pub(super) fn restored(own: &InstanceConfig, saved: &Saved) -> Option<Self> {
        let time = |at: Option<u64>| at.map(KernelTime);
        let mut instance = Self::new(saved.rules.apply(own)?);
        instance.state = saved.state;
        instance.since = KernelTime(saved.since);
        instance.up_at = KernelTime(saved.up_at);
        instance.source = saved.source;
        instance.fault = saved.fault;
        instance.left = saved.left;
        instance.timers = saved.timers.timers();
        instance.learned = AdvertInterval::from_centis(saved.learned_centis)?;
        instance.active = saved.active;
        instance.active_priority = saved.active_priority.map(Priority);
        instance.watched = saved.watched;
        instance.counted = KernelTime(saved.counted);
        instance.floor = KernelTime(saved.floor);
        instance.grants = saved.grants;
        instance.last_advert = time(saved.last_advert);
        instance.released_by = saved.released_by;
        instance.preempt_ready = saved.preempt_ready;
        instance.last_sent = KernelTime(saved.last_sent);
        instance.answer = saved.answer;
        instance.reannounced = time(saved.reannounced);
        instance.again_repeat = saved.again_repeat;
        instance.asserts.restore(saved.asserts.0.map(time));
        instance.losses.restore(saved.loss_rounds.0.map(time));
        instance.gate.restore(saved.noticed.0.map(time));
        instance.heard.restore(
            saved
                .heard
                .0
                .map(|entry| entry.map(|(ip, at)| (ip, KernelTime(at)))),
        );
        instance.counters = saved.counters;
        instance.held = saved.held;
        // All members want it for the reason that there is for one of them.
        instance.wants = saved.waits_for_group.then_some(Cause::ActiveSilent {
            last_advert: instance.last_advert,
            deadline: instance.floor.max(instance.counted),
        });
        instance.outranks = saved.outranks;
        instance.is_sound().then_some(instance)
    }
}
