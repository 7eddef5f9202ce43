//! An upgrade, as the agent sees it that is replaced: see [`crate::upgrade`].

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use agent_common::{Outcome, record::NO_SLOT};
use rustix::process::{Signal, pidfd_send_signal};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use super::{Service, bequest::Estate};
use crate::{
    config::{self, Config, diff::diff},
    control::{Answer, server::Question},
    io::{
        clock,
        driver::HandOver,
        lane::{Command, SlowEnd},
    },
    supervise::requests::{Started, start_successor},
    tell::feed::What,
    upgrade::{
        Upgraded,
        binary::{self, Binary},
        channel::{self, Channel, ChannelError},
        message::Message,
    },
};

/// What a successor has to get ready: verifying the programs takes most of it.
const PREPARATION: Duration = Duration::from_secs(20);
/// What it has to switch all links.
const SWITCH: Duration = Duration::from_secs(2);
/// What the fast lane has for its part, longer than it waits itself.
const HAND_OVER: Duration = Duration::from_secs(3);
/// Nothing survives SIGKILL for long.
const END: Duration = Duration::from_secs(2);

/// An upgrade that goes on.
#[derive(Debug)]
pub(super) struct Upgrading {
    question: Question,
    prepared: oneshot::Receiver<Result<Successor, String>>,
    /// The links as they were given to the successor.
    links: Vec<(u32, String)>,
    /// A reload was asked for meanwhile.
    reload: bool,
}

/// A new agent that is ready, or getting so; killed when it is dropped.
#[derive(Debug)]
struct Successor {
    binary: Binary,
    started: Started,
    channel: Channel,
    fast: Option<OwnedFd>,
    spared: bool,
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.spared {
            // Fails only where it has ended.
            let _ = pidfd_send_signal(&self.started.pidfd, Signal::KILL);
            channel::wait([self.started.pidfd.as_fd()], END);
        }
    }
}

/// What the preparation needs to know; it runs on a thread of its own.
struct Preparation {
    binary: Option<PathBuf>,
    arguments: Vec<OsString>,
    requests: Arc<OwnedFd>,
    file: Option<PathBuf>,
    config_id: Option<String>,
    all_config: bool,
    namespace: Option<String>,
    config: Config,
    estate: Estate,
}

/// The outcome of the preparation; never without an upgrade.
pub(super) async fn prepared(upgrading: &mut Option<Upgrading>) -> Prepared {
    match upgrading {
        None => std::future::pending().await,
        Some(upgrading) => Prepared(
            (&mut upgrading.prepared)
                .await
                .unwrap_or_else(|_| Err("the preparation broke off".to_owned())),
        ),
    }
}

/// See [`prepared`].
pub(super) struct Prepared(Result<Successor, String>);

impl Service {
    /// Begins an upgrade, or says why it cannot be.
    pub(super) fn begin_upgrade(&mut self, binary: Option<PathBuf>, question: Question) {
        match self.try_begin(binary) {
            Ok((prepared, links)) => {
                self.upgrading = Some(Upgrading {
                    question,
                    prepared,
                    links,
                    reload: false,
                });
            }
            Err(reason) => refuse(question, reason),
        }
    }

    #[expect(clippy::type_complexity, reason = "used once")]
    fn try_begin(
        &mut self,
        binary: Option<PathBuf>,
    ) -> Result<
        (
            oneshot::Receiver<Result<Successor, String>>,
            Vec<(u32, String)>,
        ),
        String,
    > {
        if self.upgrading.is_some() {
            return Err("an upgrade is going on".to_owned());
        }
        let requests = self.requests.clone().ok_or(
            "the agent runs without its supervising parent (--no-supervisor), \
             which would start the new one: stop and start it instead",
        )?;
        if let Some((instance, _)) = self
            .config
            .instances
            .iter()
            .zip(&self.seats)
            .find(|(_, seat)| seat.tracked_fault)
        {
            return Err(format!(
                "({}) is kept down by a tracker, which may change meanwhile: \
                 upgrade when that is over, or stop and start",
                instance.name
            ));
        }
        if !self.leaving.is_empty() {
            return Err("a reload is not finished: try again in a moment".to_owned());
        }
        let preparation = Preparation {
            binary,
            arguments: self.arguments.clone(),
            requests,
            file: self.file.clone(),
            config_id: self.config_id.clone(),
            all_config: self.all_config,
            namespace: self.namespace.clone(),
            config: self.config.clone(),
            estate: self
                .estate()
                .map_err(|error| format!("cannot duplicate descriptors: {error}"))?,
        };
        let (done, prepared) = oneshot::channel();
        std::thread::Builder::new()
            .name("failoverd-upgrd".to_owned())
            .spawn(move || {
                // Nobody listens any more when the agent is ending.
                let _ = done.send(preparation.run());
            })
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        info!("Upgrading: looking at the new binary");
        Ok((prepared, self.link_list()))
    }

    fn link_list(&self) -> Vec<(u32, String)> {
        let links = self.links.by_index.iter();
        links
            .map(|(ifindex, link)| (*ifindex, link.backend.to_string()))
            .collect()
    }

    /// What a reload does during an upgrade: it is left to whoever runs then.
    pub(super) fn put_reload_off(&mut self) -> bool {
        match &mut self.upgrading {
            Some(upgrading) => {
                upgrading.reload = true;
                true
            }
            None => false,
        }
    }

    /// The successor is ready, or cannot be. True when it has taken over, and
    /// nothing is ours any more.
    pub(super) async fn conclude_upgrade(&mut self, prepared: Prepared) -> bool {
        let Some(upgrading) = self.upgrading.take() else {
            return false;
        };
        let Upgrading {
            question,
            links,
            reload,
            ..
        } = upgrading;
        let result = match prepared.0 {
            Ok(successor) => self.hand_over(successor, &links, reload).await,
            Err(reason) => Err(reason),
        };
        match result {
            Ok(upgraded) => {
                self.feed.publish(
                    What::HandedOver {
                        pid: upgraded.to_pid,
                    },
                    clock::now(),
                );
                info!("Upgraded: {upgraded}");
                let _ = question.answer.send(Ok(Answer::Upgraded(upgraded)));
                true
            }
            Err(reason) => {
                self.telling.resume();
                error!("Not upgraded, all goes on as before: {reason}");
                refuse(question, reason);
                if reload {
                    drop(self.reload().await);
                }
                false
            }
        }
    }

    async fn hand_over(
        &mut self,
        mut successor: Successor,
        links: &[(u32, String)],
        reload: bool,
    ) -> Result<Upgraded, String> {
        if self.link_list() != links {
            return Err("a link came or went meanwhile: try again".to_owned());
        }
        let fast = successor.fast.take().ok_or("no socket")?;
        self.telling.hold()?;
        let busy = "the fast lane does not answer";
        if !self.fence().await || self.lane.send(Command::Hold).is_err() {
            return Err(busy.to_owned());
        }
        let result = match switch(&successor.channel, &self.leases(SWITCH + HAND_OVER)) {
            Ok(()) => self.hand_over_fast(fast).await,
            Err(reason) => Err(reason),
        };
        let over = match result {
            Ok(over) => over,
            Err(reason) => {
                // Two must not act: only when it has ended do we go on.
                drop(successor);
                self.take_back();
                return Err(format!("the new agent did not take over: {reason}"));
            }
        };
        successor.spared = true;
        // Nobody renews our leases any more, and they would count here.
        self.reflectors.leave();
        self.fences.take_down(self.kernel.as_ref());
        if let Err(error) = self.say_farewell(&successor, &over, reload) {
            warn!("the new agent does not know what was counted: {error}");
        }
        Ok(Upgraded {
            binary: successor.binary.path.display().to_string(),
            from_version: env!("CARGO_PKG_VERSION").to_owned(),
            from_pid: std::process::id(),
            to_version: successor.binary.probe.version.clone(),
            to_pid: successor.started.pid,
            pause_us: over
                .result
                .map_or(0, |pause| u64::try_from(pause.as_micros()).unwrap_or(0)),
        })
    }

    async fn hand_over_fast(&mut self, fast: OwnedFd) -> Result<Box<HandOver>, String> {
        let over = Command::HandOver(Box::new(HandOver::new(fast)));
        if self.lane.send(over).is_err() {
            return Err("our fast lane does not listen".to_owned());
        }
        let until = Instant::from_std(clock::instant()) + HAND_OVER;
        loop {
            if let Some(over) = self.handed_over.take() {
                return match over.result {
                    Ok(_) => Ok(over),
                    Err(reason) => Err(reason.to_string()),
                };
            }
            match timeout_at(until, self.wake.readable()).await {
                Ok(Ok(mut guard)) => guard.clear_ready(),
                Ok(Err(_)) | Err(_) => return Err("our fast lane does not answer".to_owned()),
            }
            self.lane.clear_wake();
            if self.hear().await {
                self.look_soon();
            }
        }
    }

    /// The links are ours again, and the fast lane goes on.
    fn take_back(&mut self) {
        if let Some(kernel) = &self.kernel
            && let Err(error) = kernel.switch()
        {
            error!("adverts may go unseen on a link: {error}");
        }
        resume(&self.lane);
    }

    /// What the machine has of us, and verdicts by slot, from the beginning.
    fn say_farewell(
        &mut self,
        successor: &Successor,
        over: &HandOver,
        reload: bool,
    ) -> Result<(), ChannelError> {
        let channel = &successor.channel;
        for (message, fd) in self.bequeath() {
            channel.send(&message, fd.as_ref().map(|fd| fd.as_fd()))?;
        }
        let slots = self.seats.iter().map(|seat| u32::from(seat.id.0));
        for slot in slots.chain([NO_SLOT]) {
            let own = over.outcomes.get(slot as usize).copied();
            let outcomes = self.outcomes(own, slot);
            channel.send(&Message::Counted { slot, outcomes }, None)?;
        }
        // Last, since an older version knows nothing of it.
        let mut told = Estate::new();
        self.telling.give_away(&mut told);
        if successor.binary.probe.takes_flights {
            let flights = self.flights.give_away().into_iter().map(Box::new);
            told.extend(flights.map(|record| (Message::Flight(record), None)));
        }
        for (message, fd) in told {
            channel.send(&message, fd.as_ref().map(|fd| fd.as_fd()))?;
        }
        channel.send(&Message::Farewell { reload }, None)
    }

    /// What a predecessor has counted.
    pub(super) fn carry(&mut self, slot: u32, outcomes: &BTreeMap<String, u64>) {
        let mut counters = [0; Outcome::COUNT];
        for (counter, outcome) in counters.iter_mut().zip(Outcome::ALL) {
            *counter = outcomes.get(outcome.label()).copied().unwrap_or(0);
        }
        self.carried.insert(slot, counters);
    }
}

fn refuse(question: Question, reason: String) {
    // A client that has gone does not mind.
    let _ = question.answer.send(Err(reason));
}

fn resume(lane: &SlowEnd) {
    // A full queue means that the fast lane does not run; it would find this
    // behind everything else.
    if lane.send(Command::Resume).is_err() {
        error!("the fast lane does not listen");
    }
}

/// Has the successor put its programs on the links.
fn switch(channel: &Channel, leases: &[Message]) -> Result<(), String> {
    let answer = leases
        .iter()
        .chain([&Message::Switch])
        .try_for_each(|message| channel.send(message, None))
        .and_then(|()| channel.receive(SWITCH));
    match answer.map(|(message, _)| message) {
        Ok(Message::Switched) => Ok(()),
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: Result<Message, ChannelError>) -> String {
    match answer {
        Ok(Message::Refused { reason }) => reason,
        Ok(other) => format!("it answered {other:?}"),
        Err(error) => error.to_string(),
    }
}

impl Preparation {
    /// Everything that may take its time.
    fn run(self) -> Result<Successor, String> {
        self.check_file()?;
        let path = self.binary.clone().or_else(binary::own_path);
        let path = path.ok_or("cannot find out what binary is running: name one")?;
        let binary = binary::check(&path, &self.arguments)?;
        info!(
            "Upgrading: starting {} {}",
            path.display(),
            binary.probe.version
        );
        self.start(binary)
    }

    /// The new agent reads the file: it must say what is in force, or the
    /// upgrade would be a reload as well.
    fn check_file(&self) -> Result<(), String> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let loaded = config::load_with(path, self.config_id.clone(), self.all_config);
        let Some(mut config) = loaded.config else {
            return Err(format!(
                "{} has errors (see `failoverd check`), and the new agent could not read it",
                path.display()
            ));
        };
        if self.namespace.is_some() {
            config.files.namespace.clone_from(&self.namespace);
        }
        match diff(&(&self.config).into(), &(&config).into()).is_empty() {
            true => Ok(()),
            false => Err(format!(
                "{} differs from what is in force: reload it first (`failoverd diff` shows how)",
                path.display()
            )),
        }
    }

    fn start(self, binary: Binary) -> Result<Successor, String> {
        let failed = |error: std::io::Error| format!("cannot make a socket: {error}");
        let (ours, theirs) = channel::pair().map_err(failed)?;
        let (fast, their_fast) = channel::pair().map_err(failed)?;
        let channel = Channel::new(ours).map_err(failed)?;
        let started = start_successor(&self.requests, &binary.file, theirs)?;
        let successor = Successor {
            binary,
            started,
            channel,
            fast: Some(fast),
            spared: false,
        };
        let broken = |error: ChannelError| format!("the new agent: {error}");
        let channel = &successor.channel;
        for (message, fd) in &self.estate {
            let fd = fd.as_ref().map(|fd| fd.as_fd());
            channel.send(message, fd).map_err(broken)?;
        }
        channel
            .send(&Message::FastLane, Some(their_fast.as_fd()))
            .and_then(|()| channel.send(&Message::Prepare, None))
            .map_err(broken)?;
        drop(their_fast);
        match channel.receive(PREPARATION).map(|(message, _)| message) {
            Ok(Message::Ready) => Ok(successor),
            other => Err(format!("the new agent: {}", unexpected(other))),
        }
    }
}
