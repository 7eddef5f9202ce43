//! The slow lane: starts the fast one, gives it its links, and does everything
//! that may take its time.

mod alarms;
mod bequest;
mod claims;
mod confine;
mod debounce;
mod dumps;
mod events;
mod failure;
mod fault;
mod fence;
mod firewall;
mod flight;
mod health;
mod heart;
mod heir;
mod held;
mod igmp;
mod ipvs;
mod links;
mod lock;
mod machine;
mod paths;
mod picture;
mod process;
mod promote;
mod quiet;
mod reflect;
mod refusals;
mod reload;
mod reports;
mod resync;
mod run;
mod seat;
mod settle;
mod signals;
mod start;
mod statics;
mod strangers;
mod telling;
mod upgrade;
mod vmac;
mod waited;
mod words;

use std::{
    collections::BTreeMap, ffi::OsString, os::fd::OwnedFd, path::PathBuf, sync::Arc,
    thread::JoinHandle, time::Duration,
};

use agent_common::{Family, outcome::OutcomeCounters};

use rtnetlink::Handle;
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tracing::warn;

use self::{
    alarms::Alarms,
    claims::Claims,
    confine::Standing,
    debounce::Debounce,
    dumps::{Cleared, Order},
    fence::Fences,
    health::Health,
    held::Held,
    igmp::LocalIgmp,
    ipvs::Ipvs,
    links::Links,
    lock::Locks,
    machine::Machine,
    picture::Pending,
    process::Placement,
    reflect::Reflectors,
    reload::{Leaving, Marks},
    reports::Reporter,
    seat::Seat,
    signals::{Signals, Wish},
    strangers::Strangers,
    telling::Telling,
    upgrade::Upgrading,
    vmac::VirtualLinks,
};
pub use self::{
    dumps::Dumps,
    failure::Failure,
    heir::Heritage,
    links::BackendPolicy,
    run::{End, run},
};
use crate::{
    config::Config,
    control::{
        Answer, Request,
        server::{Question, Server},
    },
    core::InstanceId,
    dump::Kind,
    flight::book::Book,
    io::{
        bpf::Kernel,
        clock,
        driver::HandOver,
        lane::{Report, Returned, SlowEnd},
        ready::readable,
        receive::refusal::Refusal,
    },
    supervise::{Supervisor, guard::GuardPipe},
    tell::feed::Feed,
};

/// Changes of links and addresses come in bursts: look once for all of them.
const SETTLE: Duration = Duration::from_millis(5);
/// A link that could not be prepared is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks whether our programs are still attached. What is missing at
/// two of them is attached again: within a second.
const ATTACHMENTS: Duration = Duration::from_millis(400);

/// How the agent is to run.
#[derive(Debug)]
pub struct Options {
    pub control: PathBuf,
    pub policy: BackendPolicy,
    /// Where the supervisor hears which addresses to remove should we die.
    pub supervisor: Option<Supervisor>,
    /// Those of `failoverd run`, for a successor.
    pub arguments: Vec<OsString>,
    /// What a reload reads; none when the agent was started with flags.
    pub file: Option<PathBuf>,
    /// What `@id` lines of that file are compared with.
    pub config_id: Option<String>,
    /// A missing included file is an error.
    pub all_config: bool,
    /// The namespace that we were told to be in, whatever the file says.
    pub namespace: Option<String>,
    pub dumps: Dumps,
    /// Let go of the terminal once running.
    pub detach: bool,
    /// Write keepalived.data once running.
    pub dump_at_start: bool,
    /// Put virtual servers into the kernel.
    pub ipvs: bool,
    /// Give up what is not needed any more.
    pub sandbox: bool,
}

/// The running agent.
#[derive(Debug)]
struct Service {
    config: Config,
    policy: BackendPolicy,
    guard: Option<GuardPipe>,
    handle: Handle,
    kernel: Option<Kernel>,
    health: Health,
    links: Links,
    lane: SlowEnd,
    fast: Option<JoinHandle<()>>,
    /// One for each instance of `config`, in its order.
    seats: Vec<Seat>,
    /// What the fast lane may still hold of an earlier configuration.
    leaving: Vec<Leaving>,
    /// What the kernel had counted for a slot when it was given up.
    baselines: BTreeMap<u32, OutcomeCounters>,
    /// What the heartbeat asks by.
    askers: heart::Provided,
    /// Families that the fast lane has sockets for.
    families: [(Family, bool); 2],
    file: Option<PathBuf>,
    config_id: Option<String>,
    all_config: bool,
    namespace: Option<String>,
    dumps: Dumps,
    cleared: Cleared,
    wake: AsyncFd<OwnedFd>,
    /// When to look around again, if at all.
    look_at: Option<Instant>,
    marks: Marks,
    reporter: Reporter,
    flights: Book,
    /// What is refused on the kernel side.
    refused: mpsc::Receiver<Refusal>,
    alarms: Alarms,
    /// When to ask the fast lane for what the alarms need.
    alarms_at: Option<Instant>,
    held: Held,
    igmp: LocalIgmp,
    ipvs: Ipvs,
    strangers: Strangers,
    claims: Claims,
    reflectors: Reflectors,
    fences: Fences,
    pending: Pending,
    placement: Placement,
    debounce: Debounce,
    /// When to compare the VIPs that the kernel has with those it should have.
    resync_at: Option<Instant>,
    /// The start is over: nothing is refused any more, it is tried again.
    running: bool,
    /// Lost reports that were made up for.
    dropped: u64,
    locks: Locks,
    machine: Machine,
    virtual_links: VirtualLinks,
    telling: Telling,
    sandboxed: bool,
    standing: Standing,
    feed: Feed,
    links_seen: events::Seen,
    arguments: Vec<OsString>,
    /// Where the supervisor is asked for a successor.
    requests: Option<Arc<OwnedFd>>,
    /// The listening control socket, for a successor.
    control: Option<OwnedFd>,
    upgrading: Option<Upgrading>,
    /// What the fast lane gave back of a hand-over.
    handed_over: Option<Box<HandOver>>,
    /// There is an agent to take over from.
    is_heir: bool,
    /// The state of a predecessor is in force here.
    took_over: bool,
    /// A predecessor was asked to reload, and left it to us.
    reload_first: bool,
    /// What predecessors counted, by slot.
    carried: BTreeMap<u32, OutcomeCounters>,
}

impl Service {
    async fn serve(&mut self, server: &Server, signals: &mut Signals) -> Result<End, Failure> {
        let (questions, mut asked) = mpsc::channel::<Question>(16);
        let serving = server.serve(questions, self.feed.clone());
        tokio::pin!(serving);
        let mut watchdog = self.pending.watchdog();
        let mut attachments = interval(ATTACHMENTS);
        attachments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if std::mem::take(&mut self.reload_first) {
            drop(self.reload().await);
        }
        loop {
            tokio::select! {
                biased;
                wish = signals.wish() => match wish {
                    Wish::Stop => return Ok(End::Stopped),
                    Wish::Reload => {
                        if !self.put_reload_off() {
                            drop(self.reload().await);
                        }
                    }
                    Wish::Dump(kind) => self.dump(Order { kind, clear: false }),
                    Wish::StatsAndClear => self.dump(Order { kind: Kind::Stats, clear: true }),
                    Wish::Threads => dumps::log_threads(),
                },
                ready = self.wake.readable() => {
                    if let Ok(mut guard) = ready {
                        guard.clear_ready();
                    }
                    self.lane.clear_wake();
                    if self.hear().await {
                        self.look_soon();
                    }
                }
                () = sleep_until(self.look_at.unwrap_or_else(far_away)), if self.look_at.is_some() => {
                    if self.look_unless_stopped(signals).await?.is_none() {
                        return Ok(End::Stopped);
                    }
                }
                () = sleep_until(self.resync_at.unwrap_or_else(far_away)), if self.resync_at.is_some() => {
                    self.resync_at = (!self.resync().await).then(again);
                }
                Some(refusal) = self.refused.recv() => self.refusal(&refusal),
                () = sleep_until(self.alarms_at.unwrap_or_else(far_away)), if self.alarms_at.is_some() => {
                    self.alarms_at = None;
                    self.pending.inspect(&self.lane);
                }
                Some(stranger) = self.strangers.heard() => self.stranger(stranger),
                () = sleep_until(self.claims.look_at.unwrap_or_else(far_away)), if self.claims.look_at.is_some() => {
                    self.claims.look_at = None;
                    self.pending.inspect(&self.lane);
                }
                Some(heard) = self.claims.heard() => self.claimed(heard),
                ifindex = self.links.tagged() => {
                    self.links.leave_xdp(ifindex, &mut self.kernel, &self.policy, &self.lane);
                    // Probes have to be answered elsewhere now.
                    self.look_soon();
                }
                prepared = upgrade::prepared(&mut self.upgrading) => {
                    if self.conclude_upgrade(prepared).await {
                        return Ok(End::HandedOver);
                    }
                }
                Some(reading) = self.health.reading() => self.weigh(reading),
                Some(question) = asked.recv() => self.answer_question(question).await,
                () = self.machine.statics.changed() => self.look_soon(),
                () = self.machine.paths.changed() => self.look_soon(),
                () = self.pending.expired() => self.pending.give_up(),
                _ = watchdog.tick() => self.pending.prove_alive(&self.lane),
                _ = attachments.tick() => {
                    self.look_after_flights();
                    let kernel = &mut self.kernel;
                    if self.links.attach_lost(kernel, &self.policy, &self.lane) {
                        // Probes may have to be answered elsewhere now.
                        self.look_soon();
                    }
                }
                () = &mut serving => {}
            }
        }
    }

    /// Never put off: a storm of changes must not keep us from looking for as
    /// long as it lasts.
    fn look_soon(&mut self) {
        self.look_within(SETTLE);
    }

    fn look_within(&mut self, span: Duration) {
        let then = now() + span;
        self.look_at = Some(self.look_at.map_or(then, |at| at.min(then)));
    }

    async fn answer_question(&mut self, question: Question) {
        let answer = match question.request.clone() {
            Request::Status => return self.pending.ask(question, &self.lane),
            Request::Upgrade { binary } => return self.begin_upgrade(binary, question),
            Request::Reload if self.upgrading.is_some() => {
                Err("an upgrade is going on: ask again when it has ended".to_owned())
            }
            Request::Reload => self.reload().await.map(Answer::Reloaded),
            Request::History(filter) => self.history(&filter).map(Answer::History),
            Request::Config => Ok(Answer::Config((&self.config).into())),
            // The server has answered it.
            Request::Events => Err("not here".to_owned()),
        };
        // A client that has gone does not mind.
        let _ = question.answer.send(answer);
    }

    /// Takes what the fast lane has for us; true when links or addresses
    /// changed.
    async fn hear(&mut self) -> bool {
        let mut look = self.lane.surroundings_changed();
        let dropped = self.lane.dropped();
        if dropped != self.dropped {
            // Among what was lost may have been a fault, or an overrun.
            self.dropped = dropped;
            warn!("{dropped} reports of the fast lane were lost, asking for everything");
            self.doubt();
            self.resync_at = Some(now());
            self.ask_whom_to_follow();
            look = true;
        }
        while let Some(report) = self.lane.report() {
            match report {
                Report::WentDown { id, fault } => {
                    if let Some(seat) = self.seat(id) {
                        // A port may be under way to it, planned before.
                        seat.installed = None;
                        seat.fault = Some(fault);
                        seat.unsure = true;
                    }
                    look = true;
                }
                Report::Overrun => {
                    self.resync_at = Some(now());
                    look = true;
                }
                // Tried again until it works, or the core gives up.
                Report::AddressesRefused { .. } => {
                    self.resync_at.get_or_insert(again());
                }
                Report::LinkGone { ifindex } => {
                    // Its successor may have the same index already.
                    self.links.forget(ifindex, &mut self.kernel, &self.lane);
                    self.claims.forget(ifindex);
                    self.reflectors.forget(ifindex);
                    self.fences.forget(ifindex);
                    self.doubt();
                    look = true;
                }
                Report::TookOver => {
                    // What happened between the two views of the machine.
                    self.took_over = true;
                    self.health.begin();
                    self.ask_whom_to_follow();
                    self.resync_at = Some(now());
                    for seat in &mut self.seats {
                        seat.unsure |= seat.fault.is_some();
                    }
                    look = true;
                }
                Report::LeaseLapsed { id, span } => self.lease_lapsed(id, span),
                Report::Refused(refusal) => self.refusal(&refusal),
                Report::Privileges(entered) => self.placement.entered = entered,
                Report::HandsPrivileges(entered) => self.placement.hands = entered,
                Report::Transition { id, to, at, .. } => self.follow(id, to, at),
                Report::Flight(_)
                | Report::Step(_)
                | Report::GroupTransition { .. }
                | Report::PriorityChanged { .. }
                | Report::Notice { .. }
                | Report::Heart { .. }
                | Report::StrayRemoved { .. }
                | Report::AdvertFailed { .. }
                | Report::AnnounceFailed { .. }
                | Report::HandsWait { .. }
                | Report::HandsGoOn { .. }
                | Report::Released { .. } => {}
                Report::PathsRefused { .. } => self.machine.paths.was_refused(),
                Report::PathsRestored { id, .. } => {
                    let name = self.reporter.name(id);
                    self.machine.paths.restored(id, name, clock::now());
                }
            }
            self.note_flight(&report);
            self.publish(&report);
            self.telling.report(&report);
            self.reporter.log(&report, clock::now());
        }
        self.note_refusals();
        while let Some(returned) = self.lane.returned() {
            match returned {
                // Freed here, where it may take its time.
                Returned::Port(_)
                | Returned::Works(_)
                | Returned::Receiver(_)
                | Returned::Config(_)
                | Returned::Asker(_)
                | Returned::Family(_) => {}
                Returned::HandedOver(over) => self.handed_over = Some(over),
                Returned::Mark(mark) => self.marks.came_back(mark),
                Returned::Picture(picture) => self.answer(*picture).await,
            }
        }
        look
    }

    /// The fast lane may be elsewhere than we believe: say all of it again.
    fn doubt(&mut self) {
        for seat in &mut self.seats {
            seat.installed = None;
            seat.unsure = true;
        }
    }

    fn seat(&mut self, id: InstanceId) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.id == id)
    }
}

fn now() -> Instant {
    Instant::from_std(clock::instant())
}

fn again() -> Instant {
    now() + RETRY
}

/// Never waited for: the branch that uses it is switched off.
fn far_away() -> Instant {
    now() + Duration::from_secs(3600)
}
