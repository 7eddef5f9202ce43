//! One virtual router: its data, and the events that all states share.

use core::time::Duration;
use std::net::IpAddr;

use agent_common::{AdvertInterval, Family, KernelTime, Priority, Version};

use super::{
    config::InstanceConfig,
    effect::{Cause, Effect, Notice, State},
    heard::Heard,
    input::{Advert, Fault, InstanceId, Lost},
    limit::{LossRounds, NoticeGate, SlidingLog},
    queue::Effects,
    snapshot::{Counters, Snapshot},
    timers::{Timer, Timers, active_down_interval, skew_time},
};

/// How an Active answers the adverts of another router; the strongest of those
/// that came in together.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Answer {
    /// Tell hosts again where the VIPs are (S-47).
    #[default]
    Announce,
    /// And send an advert at once (S-42).
    Assert,
    /// And start the interval anew (S-39).
    Release,
}

/// Asserted adverts in one Advertisement_Interval (S-46).
pub(super) const ASSERTS: usize = 10;

#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) config: InstanceConfig,
    pub(super) state: State,
    pub(super) since: KernelTime,
    /// Startup: what was stamped before it was heard in Initialize (S-03).
    pub(super) up_at: KernelTime,
    pub(super) source: Option<IpAddr>,
    pub(super) fault: Option<Fault>,
    /// After Shutdown: a late Up of the link must not bring us back.
    pub(super) left: bool,
    /// Kept in Initialize by a fault of another member of the sync group.
    pub(super) held: bool,
    /// Backup whose deadline has passed, and why: it would be Active, but for
    /// other members of the sync group. No Active_Down_Timer runs then.
    pub(super) wants: Option<Cause>,
    /// Whether we outrank the router last heard; `None` since the group became
    /// Active.
    pub(super) outranks: Option<bool>,
    pub(super) timers: Timers,
    /// Active_Adver_Interval; equal to Advertisement_Interval in v2.
    pub(super) learned: AdvertInterval,
    /// The router last accepted as Active.
    pub(super) active: Option<IpAddr>,
    /// What it sent with.
    pub(super) active_priority: Option<Priority>,
    /// What the kernel side was told.
    pub(super) watched: Option<IpAddr>,
    /// The event that Active_Down_Timer counts from. An advert stamped before
    /// it is older news.
    pub(super) counted: KernelTime,
    /// We overslept, or were Active with our group, until then: no deadline
    /// counts from before.
    pub(super) floor: KernelTime,
    /// Extensions granted since the last sign of life.
    pub(super) grants: u8,
    pub(super) last_advert: Option<KernelTime>,
    /// Active_Down_Timer runs for the Skew_Time after a priority 0.
    pub(super) released_by: Option<IpAddr>,
    /// The heartbeat of the Active stopped: Active_Down_Timer runs for the
    /// Skew_Time after that. And since when it was not answered.
    pub(super) lost: Option<(Lost, KernelTime)>,
    /// The preempt delay is over: lower adverts are discarded.
    pub(super) preempt_ready: bool,
    pub(super) last_sent: KernelTime,
    /// What [`Timer::Answer`] is to do.
    pub(super) answer: Answer,
    pub(super) reannounced: Option<KernelTime>,
    pub(super) again_repeat: u8,
    pub(super) asserts: SlidingLog<ASSERTS>,
    pub(super) losses: LossRounds,
    pub(super) gate: NoticeGate,
    pub(super) heard: Heard,
    pub(super) counters: Counters,
}

/// Counters saturate: no input can make them panic or wrap.
pub(super) fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

impl Instance {
    pub(super) fn new(config: InstanceConfig) -> Self {
        Self {
            state: State::Initialize,
            since: KernelTime(0),
            up_at: KernelTime(0),
            source: None,
            fault: None,
            left: false,
            held: false,
            wants: None,
            outranks: None,
            timers: Timers::unarmed(),
            learned: config.interval,
            active: None,
            active_priority: None,
            watched: None,
            counted: KernelTime(0),
            floor: KernelTime(0),
            grants: 0,
            last_advert: None,
            released_by: None,
            lost: None,
            preempt_ready: false,
            last_sent: KernelTime(0),
            answer: Answer::Announce,
            reannounced: None,
            again_repeat: 0,
            asserts: SlidingLog::new(),
            losses: LossRounds::new(),
            gate: NoticeGate::new(),
            heard: Heard::new(),
            counters: Counters::default(),
            config,
        }
    }

    pub(super) fn id(&self) -> InstanceId {
        self.config.id
    }

    pub(super) fn next_deadline(&self) -> KernelTime {
        self.timers.next()
    }

    pub(super) fn is_expiring(&self, now: KernelTime) -> bool {
        self.timers.due(Timer::Checkpoint, now).is_some()
            || self.timers.due(Timer::ActiveDown, now).is_some()
    }

    /// A valid advert of the virtual router.
    pub(super) fn advert(&mut self, advert: &Advert, now: KernelTime, out: &mut Effects) {
        let Some(own) = self.source else { return };
        if self.state == State::Initialize || advert.source.is_ipv4() != self.is_ipv4() {
            return;
        }
        let before = self.before(advert);
        if advert.stamp < self.up_at || !self.heard.note(advert.source, advert.stamp) {
            bump(&mut self.counters.adverts_stale);
            return;
        }
        bump(&mut self.counters.adverts_received);
        if self.is_own(advert, own) {
            bump(&mut self.counters.own_address_heard);
            self.notice(
                Notice::OwnAddressHeard {
                    from: advert.source,
                },
                now,
                out,
            );
            return;
        }
        if advert.priority.is_release() {
            self.count_release(advert);
        }
        if !advert.priority.is_release() && advert.source != own {
            let (ours, theirs) = (self.config.priority, advert.priority);
            self.outranks = Some((ours, own) > (theirs, advert.source));
        }
        match self.state {
            State::Initialize => {}
            State::Backup => self.backup_advert(advert, now, out),
            State::Active => self.active_advert(advert, own, now, out),
        }
        self.remark(advert, before, own, now, out);
    }

    /// Our own address with our own priority, or our own farewell: a
    /// reflection or a clone (R-23, S-45). In Backup an advert of our priority
    /// cannot be a reflection, and refusing it would make a second Active.
    fn is_own(&self, advert: &Advert, own: IpAddr) -> bool {
        let content = match self.state {
            State::Active => advert.priority == self.config.priority,
            State::Initialize | State::Backup => false,
        };
        advert.source == own && (content || advert.priority.is_release())
    }

    pub(super) fn timeout(&mut self, now: KernelTime, out: &mut Effects) {
        match self.state {
            State::Initialize => {}
            State::Backup => self.backup_timeout(now, out),
            State::Active => self.active_timeout(now, out),
        }
    }

    /// Invariants that no input may break: each state runs its own timer (T-08).
    ///
    /// # Panics
    /// When the machine is wrong. A restart, which also removes the VIPs that
    /// a crash left, is safer than an election without a timer.
    pub(super) fn assert_sound(&self) {
        assert!(
            self.is_sound(),
            "timers of another state run: {:?} {:?}",
            self.state,
            self.timers
        );
    }

    pub(super) fn is_sound(&self) -> bool {
        let armed = |timer| self.timers.get(timer).is_some();
        match self.state {
            State::Initialize => self.timers.next() == Timers::NEVER,
            State::Backup => {
                armed(Timer::ActiveDown) != self.wants.is_some() && !armed(Timer::Advert)
            }
            State::Active => armed(Timer::Advert) && !armed(Timer::ActiveDown),
        }
    }

    /// A change of state takes every timer of the old one with it (T-08).
    pub(super) fn enter(&mut self, state: State, now: KernelTime) {
        self.timers = Timers::unarmed();
        self.state = state;
        self.since = now;
        self.released_by = None;
        self.lost = None;
        self.preempt_ready = false;
        self.wants = None;
    }

    pub(super) fn transition(&self, from: State, cause: Cause, at: KernelTime, out: &mut Effects) {
        out.push(Effect::Transition {
            id: self.id(),
            from,
            to: self.state,
            cause,
            at,
        });
    }

    pub(super) fn watch(&mut self, active: Option<IpAddr>, out: &mut Effects) {
        self.watched = active;
        out.push(Effect::Watch {
            id: self.id(),
            active,
        });
    }

    pub(super) fn watched(&self) -> Option<IpAddr> {
        self.watched
    }

    pub(super) fn notice(&mut self, notice: Notice, now: KernelTime, out: &mut Effects) {
        if self.gate.allow(&notice, now) {
            out.push(Effect::Notice {
                id: self.id(),
                notice,
            });
        } else {
            bump(&mut self.counters.notices_suppressed);
        }
    }

    /// The interval that the timers of a Backup go by: learned in v3 (T-02),
    /// local in v2 (T-01).
    pub(super) fn interval_in_force(&self) -> AdvertInterval {
        match self.config.version {
            Version::V2 => self.config.interval,
            Version::V3 => self.learned,
        }
    }

    pub(super) fn skew(&self) -> Duration {
        skew_time(
            self.config.version,
            self.config.priority,
            self.interval_in_force(),
        )
    }

    pub(super) fn down_interval(&self) -> Duration {
        let InstanceConfig {
            version,
            priority,
            down_factor,
            ..
        } = self.config;
        active_down_interval(version, priority, self.interval_in_force(), down_factor)
    }

    fn is_ipv4(&self) -> bool {
        match self.config.family {
            Family::V4 => true,
            Family::V6 => false,
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            id: self.id(),
            state: self.state,
            since: self.since,
            source: self.source,
            active: if self.state == State::Active {
                self.source
            } else {
                self.active
            },
            active_priority: match (self.state, self.active) {
                (State::Active, _) => Some(self.config.priority),
                (_, None) => None,
                (_, Some(_)) => self.active_priority,
            },
            watched: self.watched,
            priority: self.config.priority,
            base_priority: self.config.base_priority,
            waits_for_group: self.wants.is_some(),
            interval: self.config.interval,
            learned_interval: self.interval_in_force(),
            skew: self.skew(),
            active_down_interval: self.down_interval(),
            deadline: self
                .timers
                .get(Timer::ActiveDown)
                .or(self.timers.get(Timer::Advert)),
            last_advert: self.last_advert,
            fault: self.fault.or(self.held.then_some(Fault::Group)),
            heard: self.heard.all(),
            counters: self.counters,
        }
    }
}
