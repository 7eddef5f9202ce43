//! Questions that only the fast lane can answer: the status, and the proof
//! that it is alive, which is what the watchdog of systemd is fed with.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use agent_common::{
    Family, KernelTime, Outcome,
    outcome::OutcomeCounters,
    record::{NO_SLOT, SLOTS},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::{
    Seat, Service,
    dumps::{Order, add_counts},
    fault::{Known, fault_text},
};
use crate::{
    config::{
        self,
        print::{route_line, rule_line},
    },
    control::{Answer, server::Question, status},
    core::{InstanceId, Snapshot, State, snapshot::Counters},
    io::{
        clock,
        lane::{Command, LaneCounters, Picture, SlowEnd},
        netlink::survey::{World, survey},
    },
    supervise::notify,
};

/// The fast lane answers within microseconds, or it does not run.
const PATIENCE: Duration = Duration::from_secs(2);
/// Dumps beyond this many at a time are refused.
const WAITING: usize = 64;
/// Without systemd's watchdog there is nobody to prove anything to.
const NO_WATCHDOG: Duration = Duration::from_secs(3600);

/// What was asked of the fast lane and has not been answered.
#[derive(Debug)]
pub(super) struct Pending {
    questions: VecDeque<(Purpose, Instant)>,
}

/// Who a picture is for.
#[derive(Debug)]
enum Purpose {
    Client(Question),
    Dump(Order),
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            questions: VecDeque::new(),
        }
    }

    pub(super) fn inspect(&self, lane: &SlowEnd) -> bool {
        let picture = Picture {
            instances: Vec::with_capacity(SLOTS),
            hearts: Vec::with_capacity(SLOTS),
            outcomes: vec![[0; Outcome::COUNT]; SLOTS],
            ..Picture::default()
        };
        lane.send(Command::Inspect(Box::new(picture))).is_ok()
    }

    pub(super) fn ask(&mut self, question: Question, lane: &SlowEnd) {
        if self.inspect(lane) {
            self.push(Purpose::Client(question));
        } else {
            refuse(Purpose::Client(question));
        }
    }

    /// False where the fast lane takes no question, or many dumps wait.
    pub(super) fn order(&mut self, order: Order, lane: &SlowEnd) -> bool {
        let good = self.questions.len() < WAITING && self.inspect(lane);
        if good {
            self.push(Purpose::Dump(order));
        }
        good
    }

    fn push(&mut self, purpose: Purpose) {
        let until = Instant::from_std(clock::instant()) + PATIENCE;
        self.questions.push_back((purpose, until));
    }

    /// When the oldest question has waited too long; never without one.
    pub(super) async fn expired(&self) {
        match self.questions.front() {
            Some((_, until)) => sleep_until(*until).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn give_up(&mut self) {
        if let Some((purpose, _)) = self.questions.pop_front() {
            refuse(purpose);
        }
    }

    /// Twice per watchdog period of systemd.
    pub(super) fn watchdog(&self) -> Interval {
        let period = sd_notify::watchdog_enabled().map_or(NO_WATCHDOG, |period| period / 2);
        let mut interval = interval(period.max(Duration::from_millis(10)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    /// Asks for a picture that nobody wants to see: its arrival feeds the
    /// watchdog.
    pub(super) fn prove_alive(&self, lane: &SlowEnd) {
        if sd_notify::watchdog_enabled().is_some() {
            self.inspect(lane);
        }
    }
}

fn refuse(purpose: Purpose) {
    let reason = "the fast lane does not answer: the process was stopped or is starved".to_owned();
    match purpose {
        // A client that has gone does not mind.
        Purpose::Client(question) => drop(question.answer.send(Err(reason))),
        Purpose::Dump(_) => tracing::error!("no dump: {reason}"),
    }
}

impl Service {
    /// A picture came back: alive, and perhaps somebody waits for it.
    pub(super) async fn answer(&mut self, picture: Picture) {
        notify::tell(&[sd_notify::NotifyState::Watchdog]);
        self.look_at_alarms(&picture);
        self.look_at_claims(&picture);
        self.follow_all(&picture);
        let Some((purpose, _)) = self.pending.questions.pop_front() else {
            return;
        };
        let world = survey(&self.handle).await;
        let world =
            world.map_err(|error| format!("cannot ask the kernel for its addresses: {error}"));
        match (purpose, world) {
            (Purpose::Client(question), world) => {
                let status = world.map(|world| self.status(&picture, &world));
                let answer = status.map(|status| Answer::Status(Box::new(status)));
                let _ = question.answer.send(answer);
            }
            (Purpose::Dump(order), Ok(world)) => self.write_dump(order, &picture, &world),
            (Purpose::Dump(_), Err(reason)) => tracing::error!("no dump: {reason}"),
        }
    }

    fn status(&self, picture: &Picture, world: &World) -> status::Status {
        let found = |id: InstanceId| picture.instances.iter().find(move |found| found.id == id);
        let seated = self.config.instances.iter().zip(&self.seats);
        let instances =
            seated.filter_map(|(instance, seat)| Some((instance, seat, found(seat.id)?)));
        status::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            router_id: self.config.router_id.clone(),
            fast_lane: self.lane_status(&picture.lane),
            scheduling: self.placement.status(),
            sandbox: self.sandbox_status(),
            links: self
                .links
                .by_index
                .iter()
                .map(|(ifindex, link)| link_status(*ifindex, link))
                .collect(),
            instances: instances
                .map(|(instance, seat, snapshot)| {
                    let slot = snapshot.id.0;
                    let outcomes = self.outcomes(picture.slot(slot), u32::from(slot));
                    let refused = self.refused_senders(snapshot.id, picture.at);
                    let known = Known::all(world, &self.health);
                    status::Instance {
                        refused,
                        fast_detect: self.fast_detect(instance, u32::from(slot), picture),
                        trackers: self.health.trackers(instance, world),
                        fault: snapshot
                            .fault
                            .map(|fault| fault_text(fault, instance, &known)),
                        ..instance_status(instance, seat, snapshot, picture.at, world, outcomes)
                    }
                })
                .collect(),
            unclaimed: self.outcomes(picture.slot(0), NO_SLOT),
            unclaimed_probes: self.unclaimed_probes(),
            waits_ms: self.held.rest().map(|rest| rest.as_millis() as u64),
            telling: self.telling.status(),
        }
    }

    fn lane_status(&self, lane: &LaneCounters) -> status::FastLane {
        let LaneCounters {
            wakeups,
            adverts,
            from_latest,
            adverts_failed,
            announce_failed,
            addresses_refused,
            paths_refused,
            receive_errors,
            stray_answers,
            watch_errors,
        } = *lane;
        status::FastLane {
            realtime: self.placement.entered.fifo_errno == 0,
            memory_locked: self.placement.entered.lock_errno == 0,
            wakeups,
            adverts,
            from_latest,
            adverts_failed,
            announce_failed,
            addresses_refused,
            paths_refused,
            receive_errors,
            stray_answers,
            watch_errors,
            reports_dropped: self.lane.dropped(),
        }
    }

    /// Verdicts of both sides on the frames of one slot.
    pub(super) fn outcomes(
        &self,
        sockets: Option<OutcomeCounters>,
        slot: u32,
    ) -> BTreeMap<String, u64> {
        let sum = self.outcome_counts(sockets, slot);
        let labelled = Outcome::ALL.iter().zip(sum).filter(|(_, count)| *count > 0);
        labelled
            .map(|(outcome, count)| (outcome.label().to_owned(), count))
            .collect()
    }

    /// As [`Self::outcomes`], of an instance as a picture shows it.
    pub(super) fn pictured_counts(&self, picture: &Picture, id: InstanceId) -> OutcomeCounters {
        self.outcome_counts(picture.slot(id.0), u32::from(id.0))
    }

    fn outcome_counts(&self, sockets: Option<OutcomeCounters>, slot: u32) -> OutcomeCounters {
        let mut sum = sockets.unwrap_or([0; Outcome::COUNT]);
        if let Some(carried) = self.carried.get(&slot) {
            add_counts(&mut sum, *carried, None);
        }
        if let Some(Ok(counters)) = self.kernel.as_ref().map(|kernel| kernel.counters(slot)) {
            // Less what an instance had counted that was in the slot before.
            add_counts(&mut sum, counters, self.baselines.get(&slot).copied());
        }
        sum
    }
}

fn link_status(ifindex: u32, link: &super::links::LinkState) -> status::Link {
    status::Link {
        name: link.name.clone(),
        ifindex,
        backend: link.backend.to_string(),
        refused: link
            .refused
            .iter()
            .map(|(backend, reason)| status::Refused {
                backend: backend.to_string(),
                reason: reason.clone(),
            })
            .collect(),
    }
}

fn instance_status(
    instance: &config::Instance,
    seat: &Seat,
    snapshot: &Snapshot,
    at: KernelTime,
    world: &World,
    outcomes: BTreeMap<String, u64>,
) -> status::Instance {
    let state = match (snapshot.state, snapshot.fault) {
        (State::Active, _) => "active",
        (State::Backup, _) => "backup",
        (State::Initialize, Some(_)) => "fault",
        (State::Initialize, None) => "initialize",
    };
    status::Instance {
        name: instance.name.clone(),
        interface: instance.interface.to_string(),
        vrid: instance.vrid.get(),
        family: match instance.family {
            Family::V4 => "ipv4".to_owned(),
            Family::V6 => "ipv6".to_owned(),
        },
        vrrp_version: instance.version as u8,
        state: state.to_owned(),
        fault: None,
        // Zero before the first Startup: in this state since it is there.
        since_ms: match snapshot.since {
            KernelTime(0) => at.since(seat.began).as_millis() as u64,
            since => at.since(since).as_millis() as u64,
        },
        priority: snapshot.priority.get(),
        base_priority: snapshot.base_priority.get(),
        group: instance.group.clone(),
        waits_for_group: snapshot.waits_for_group,
        trackers: Vec::new(),
        source: snapshot.source,
        active: snapshot.active,
        advert_interval_ms: snapshot.interval.duration().as_millis() as u64,
        active_advert_interval_ms: snapshot.learned_interval.duration().as_millis() as u64,
        skew_time_ms: millis(snapshot.skew),
        active_down_interval_ms: millis(snapshot.active_down_interval),
        deadline_in_ms: snapshot.deadline.map(|deadline| {
            if deadline >= at {
                millis(deadline.since(at))
            } else {
                -millis(at.since(deadline))
            }
        }),
        last_advert_ms_ago: snapshot.last_advert.map(|stamp| millis(at.since(stamp))),
        vips: instance
            .vips
            .iter()
            .map(|vip| vip_status(instance, vip, world))
            .collect(),
        routes: instance.paths.routes.iter().map(route_line).collect(),
        rules: instance.paths.rules.iter().map(rule_line).collect(),
        counters: counters(&snapshot.counters),
        outcomes,
        refused: Vec::new(),
        fast_detect: None,
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn vip_status(instance: &config::Instance, vip: &config::Vip, world: &World) -> status::Vip {
    let home = instance.home(vip);
    let has = |address: IpAddr| {
        let link = world.link(home.as_str());
        link.is_some_and(|link| {
            world
                .addresses_on(link.ifindex)
                .any(|a| a.address == address)
        })
    };
    status::Vip {
        address: format!("{}/{}", vip.address, vip.prefix),
        interface: home.to_string(),
        present: has(vip.address),
    }
}

fn counters(counters: &Counters) -> BTreeMap<String, u64> {
    let Counters {
        adverts_sent,
        adverts_received,
        adverts_stale,
        adverts_discarded,
        asserts_limited,
        became_active,
        left_active,
        addresses_differed,
        priority_zero_sent,
        priority_zero_received,
        priority_zero_not_active,
        unknown_winners,
        intervals_limited,
        own_address_heard,
        overslept,
        adverts_late,
        addresses_restored,
        notices_suppressed,
    } = *counters;
    [
        ("adverts_sent", adverts_sent),
        ("adverts_received", adverts_received),
        ("adverts_stale", adverts_stale),
        ("adverts_discarded", adverts_discarded),
        ("asserts_limited", asserts_limited),
        ("became_active", became_active),
        ("left_active", left_active),
        ("addresses_differed", addresses_differed),
        ("priority_zero_sent", priority_zero_sent),
        ("priority_zero_received", priority_zero_received),
        ("priority_zero_not_active", priority_zero_not_active),
        ("unknown_winners", unknown_winners),
        ("intervals_limited", intervals_limited),
        ("own_address_heard", own_address_heard),
        ("overslept", overslept),
        ("adverts_late", adverts_late),
        ("addresses_restored", addresses_restored),
        ("notices_suppressed", notices_suppressed),
    ]
    .into_iter()
    .map(|(label, count)| (label.to_owned(), count))
    .collect()
}
