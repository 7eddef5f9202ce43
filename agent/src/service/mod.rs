//! The slow lane: starts the fast one, gives it its links, and does everything
//! that may take its time.

mod failure;
mod health;
mod links;
mod lock;
mod picture;
mod reload;
mod reports;
mod signals;
mod start;

use std::{
    collections::BTreeMap, os::fd::OwnedFd, path::PathBuf, thread::JoinHandle, time::Duration,
};

use agent_common::{
    Family,
    outcome::OutcomeCounters,
    record::{InstanceFilter, InstanceKey},
};

use rtnetlink::Handle;
use tokio::{
    io::unix::AsyncFd,
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tracing::{error, info, warn};

pub use self::{failure::Failure, links::BackendPolicy, reports::fault_text};
use self::{
    health::Health,
    links::Links,
    lock::Locks,
    picture::Pending,
    reload::{Leaving, Marks},
    reports::Reporter,
    signals::{Signals, Wish},
};
use crate::{
    config::Config,
    control::{
        Answer, Request,
        server::{Question, Server},
    },
    core::{Fault, InstanceConfig, InstanceId},
    io::{
        bpf::Kernel,
        clock,
        lane::{Command, Report, Returned, SlowEnd},
        netlink::survey::{World, survey},
        plan::{self, Essence},
        ready::readable,
    },
    supervise::guard::GuardPipe,
};

/// Changes of links and addresses come in bursts: look once for all of them.
const SETTLE: Duration = Duration::from_millis(5);
/// A link that could not be prepared is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// What the fast lane has to release everything when it shuts down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(2);

/// How the agent is to run.
#[derive(Debug)]
pub struct Options {
    pub control: PathBuf,
    pub policy: BackendPolicy,
    /// Where the supervisor hears which addresses to remove should we die.
    pub guard: Option<GuardPipe>,
    /// What a reload reads; none when the agent was started with flags.
    pub file: Option<PathBuf>,
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
    /// Families that the fast lane has sockets for.
    families: [(Family, bool); 2],
    file: Option<PathBuf>,
    wake: AsyncFd<OwnedFd>,
    /// When to look around again, if at all.
    look_at: Option<Instant>,
    marks: Marks,
    reporter: Reporter,
    pending: Pending,
    privileges: (i32, i32),
    /// When to compare the VIPs that the kernel has with those it should have.
    resync_at: Option<Instant>,
    /// The start is over: nothing is refused any more, it is tried again.
    running: bool,
    /// Lost reports that were made up for.
    dropped: u64,
    locks: Locks,
}

/// What the slow lane believes of an instance.
#[derive(Clone, Debug)]
struct Seat {
    id: InstanceId,
    /// The configuration that the fast lane has.
    told: Option<InstanceConfig>,
    installed: Option<Essence>,
    fault: Option<Fault>,
    /// `fault` comes from a tracker, or would.
    tracked_fault: bool,
    /// What the XDP program was told.
    placed: Option<(InstanceKey, InstanceFilter)>,
    /// The fast lane may have another view by now: whatever we find, tell it.
    unsure: bool,
}

impl Seat {
    fn new(id: InstanceId) -> Self {
        Self {
            id,
            told: None,
            installed: None,
            fault: None,
            tracked_fault: false,
            placed: None,
            unsure: false,
        }
    }
}

/// Runs until a signal ends it.
///
/// # Errors
///
/// Why it could not start; then nothing was changed on the machine.
pub fn run(config: Config, options: Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::runtime("cannot start the runtime"))?;
    runtime.block_on(async {
        let server = Server::bind(&options.control).map_err(|source| Failure::Control {
            path: options.control.display().to_string(),
            source,
        })?;
        let mut service = Service::start(config, options).await?;
        let result = service.serve(&server).await;
        service.shut_down().await;
        result
    })
}

impl Service {
    async fn serve(&mut self, server: &Server) -> Result<(), Failure> {
        let mut signals = Signals::new().map_err(Failure::runtime("cannot catch signals"))?;
        let (questions, mut asked) = mpsc::channel::<Question>(16);
        let serving = server.serve(questions);
        tokio::pin!(serving);
        let mut watchdog = self.pending.watchdog();
        self.look_around().await?;
        self.running = true;
        info!("failoverd {} is running", env!("CARGO_PKG_VERSION"));
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        loop {
            tokio::select! {
                biased;
                wish = signals.wish() => match wish {
                    Wish::Stop => return Ok(()),
                    Wish::Reload => drop(self.reload().await),
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
                    self.look_around().await?;
                }
                () = sleep_until(self.resync_at.unwrap_or_else(far_away)), if self.resync_at.is_some() => {
                    self.resync_at = (!self.resync().await).then(again);
                }
                ifindex = self.links.tagged() => {
                    self.links.leave_xdp(ifindex, &mut self.kernel, &self.policy, &self.lane);
                }
                Some(reading) = self.health.reading() => self.weigh(reading),
                Some(question) = asked.recv() => self.answer_question(question).await,
                () = self.pending.expired() => self.pending.give_up(),
                _ = watchdog.tick() => self.pending.prove_alive(&self.lane),
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
        let answer = match question.request {
            Request::Status => return self.pending.ask(question, &self.lane),
            Request::Reload => self.reload().await.map(Answer::Reloaded),
            Request::Config => Ok(Answer::Config((&self.config).into())),
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
                    self.doubt();
                    look = true;
                }
                Report::Privileges {
                    fifo_errno,
                    lock_errno,
                } => {
                    self.privileges = (fifo_errno, lock_errno);
                }
                Report::Transition { .. }
                | Report::GroupTransition { .. }
                | Report::PriorityChanged { .. }
                | Report::Notice { .. }
                | Report::StrayRemoved { .. }
                | Report::AdvertFailed { .. }
                | Report::AnnounceFailed { .. }
                | Report::Refused { .. }
                | Report::Released { .. } => {}
            }
            self.reporter.log(&report, clock::now());
        }
        while let Some(returned) = self.lane.returned() {
            match returned {
                // Freed here, where it may take its time.
                Returned::Port(_)
                | Returned::Receiver(_)
                | Returned::Config(_)
                | Returned::Family(_) => {}
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

    /// Looks at the machine and gives every instance a port or a fault.
    /// What could not be done now is tried again.
    async fn look_around(&mut self) -> Result<(), Failure> {
        self.look_at = None;
        let world = match survey(&self.handle).await {
            Ok(world) => world,
            Err(error) => {
                warn!("cannot ask the kernel for links and addresses: {error}");
                self.look_within(RETRY);
                return Ok(());
            }
        };
        self.links.forget_gone(&world, &mut self.kernel, &self.lane);
        self.health.look(&world);
        self.reprioritise();
        // Before an instance is let onto a link: an owner adds its VIPs at once.
        if let Some(guard) = &mut self.guard {
            let leaving = self.leaving.iter().map(|leaving| &leaving.instance);
            guard.tell(self.config.instances.iter().chain(leaving), &world);
        }
        let mut settled = self.send_retired();
        for index in 0..self.config.instances.len() {
            settled &= self.settle(index, &world)?;
        }
        if settled && !self.leaving.is_empty() {
            settled = self.let_go(&world).await;
        }
        if !settled {
            self.look_within(RETRY);
        }
        Ok(())
    }

    /// One instance on the machine as it is; false when it should be tried again.
    fn settle(&mut self, index: usize, world: &World) -> Result<bool, Failure> {
        let (Some(instance), Some(seat)) =
            (self.config.instances.get(index), self.seats.get_mut(index))
        else {
            return Ok(true);
        };
        let id = seat.id;
        let (standing, tracked) = self.health.standing(instance);
        seat.tracked_fault = tracked.is_some();
        let planned = plan::plan(id, instance, standing, world);
        let port = match planned.and_then(|port| tracked.map_or(Ok(port), Err)) {
            Ok(port) => port,
            Err(fault) => {
                let config = plan::core_config(id, instance, standing);
                if seat.told != Some(config) {
                    let command = Command::Configure(Box::new(config));
                    if self.lane.send(command).is_err() {
                        return Ok(false);
                    }
                    seat.told = Some(config);
                    seat.unsure = true;
                }
                let news = seat.fault != Some(fault);
                if news || seat.unsure {
                    // Of an instance that was up, the fast lane tells.
                    if news && seat.installed.is_none() {
                        reports::still_down(&instance.name, fault, seat.fault.is_none());
                    }
                    seat.installed = None;
                    seat.fault = Some(fault);
                    seat.unsure = self.lane.send(Command::Fault { id, fault }).is_err();
                }
                return Ok(!seat.unsure);
            }
        };
        let essence = port.essence().clone();
        if seat.installed.as_ref() == Some(&essence) {
            return Ok(true);
        }
        // Before its link is attached: no advert is to be taken for a stranger's.
        if let Some(kernel) = &mut self.kernel
            && let Err(error) = kernel.place_instance(&port.key, &port.filter)
        {
            error!(
                "({}) cannot tell the XDP program of the instance: {error}",
                instance.name
            );
            return Ok(false);
        }
        let interface = instance.interface.as_str();
        let prepared =
            self.links
                .prepare(&port, interface, &mut self.kernel, &self.policy, &self.lane);
        match prepared {
            Ok(()) => {}
            // Once it runs, a link that comes back without the backend takes
            // its own instances down, not those of all other links.
            Err(error @ links::LinkError::Wanted { .. }) if !self.running => {
                return Err(Failure::Backend(error.to_string()));
            }
            Err(error) => {
                error!("({}) {error}", instance.name);
                return Ok(false);
            }
        }
        let (config, placed) = (port.config, Some((port.key, port.filter)));
        // A full queue means that the fast lane does not run: try again.
        if self.lane.send(Command::Install(Box::new(port))).is_err() {
            return Ok(false);
        }
        *seat = Seat {
            told: Some(config),
            installed: Some(essence),
            placed,
            ..Seat::new(id)
        };
        Ok(true)
    }

    /// After lost announcements: compares the VIPs that the kernel has with
    /// those that instances should have, and tells the fast lane.
    async fn resync(&mut self) -> bool {
        let Ok(world) = survey(&self.handle).await else {
            return false;
        };
        for (instance, seat) in self.config.instances.iter().zip(&self.seats) {
            let id = seat.id;
            // Else the fast lane has other VIPs by these numbers.
            let (standing, _) = self.health.standing(instance);
            if seat.told != Some(plan::core_config(id, instance, standing)) {
                continue;
            }
            for (number, vip) in instance.vips.iter().enumerate() {
                let home = vip.device.as_ref().unwrap_or(&instance.interface);
                let Some(link) = world.link(home.as_str()) else {
                    continue;
                };
                let present = world
                    .addresses_on(link.ifindex)
                    .any(|found| found.address == vip.address);
                let _ = self.lane.send(if present {
                    Command::AddressPresent { id }
                } else {
                    Command::AddressMissing {
                        id,
                        vip: number as u16,
                    }
                });
            }
        }
        true
    }

    async fn shut_down(&mut self) {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        info!("Stopping");
        let _ = self.lane.send(Command::Shutdown);
        if let Some(fast) = self.fast.take() {
            let joined = tokio::task::spawn_blocking(move || fast.join());
            if timeout(SHUTDOWN_PATIENCE, joined).await.is_err() {
                error!("the fast lane did not end in time");
            }
        }
        self.hear().await;
        info!("Stopped failoverd");
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
