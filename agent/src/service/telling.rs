//! Tells scripts, FIFOs and others what happens: see [`crate::tell`].

use std::{collections::BTreeMap, os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};

use tracing::warn;

use super::{Seat, Service, bequest::Estate};
use crate::{
    config::{
        Config,
        model::{FifoSpec, Hook, RunAs, Tell},
    },
    control::status,
    core::{InstanceId, Notice},
    io::{clock, lane::Report},
    script::Runner,
    tell::{
        Book, Desk, Event, Fifo, Job, Kind, Told, What, Who,
        desk::Counts,
        feed::{self, Feed},
        mail::{Mail, Mailer, Settings},
    },
    upgrade::message::{Message, Telling as Estated},
};

/// Reports that a successor keeps until it knows what its predecessor told.
const KEPT: usize = 8192;
/// What notify scripts have to end at the end of the agent.
pub(super) const LAST_SCRIPTS: Duration = Duration::from_secs(10);
/// What the mail server has for the last mails.
pub(super) const LAST_MAILS: Duration = Duration::from_secs(3);
/// What FIFO scripts have to read the last lines, and to end.
pub(super) const LAST_LINES: Duration = Duration::from_secs(3);

/// All who are told.
#[derive(Debug)]
pub(super) struct Telling {
    book: Book,
    feed: Feed,
    desk: Desk,
    runner: Runner,
    fifos: [Option<Fifo>; 2],
    mailer: Mailer,
    /// As a successor before its turn: what is not told yet.
    kept: Option<Vec<Report>>,
    /// FIFOs of a predecessor.
    inherited: BTreeMap<PathBuf, (OwnedFd, bool)>,
    states_on_reload: bool,
    /// Lines that FIFOs had no room for which are gone.
    lines_lost: u64,
}

impl Telling {
    pub(super) fn new(config: &Config, seats: &[Seat], feed: Feed, waits: bool) -> Self {
        let runner = Runner::new();
        let mut telling = Self {
            book: Book::default(),
            feed,
            desk: Desk::new(runner.clone()),
            runner,
            fifos: [None, None],
            mailer: Mailer::new(),
            kept: waits.then(Vec::new),
            inherited: BTreeMap::new(),
            states_on_reload: false,
            lines_lost: 0,
        };
        telling.set(config, seats);
        telling
    }

    /// Takes a configuration over; its scripts are used from here on.
    pub(super) fn set(&mut self, config: &Config, seats: &[Seat]) {
        let instances = config.instances.iter().zip(seats);
        let seats = instances.map(|(instance, seat)| {
            let told = seat.told.map(|told| told.priority);
            (seat.id, told.unwrap_or(instance.priority).get())
        });
        let told = self.book.set(config, seats);
        self.states_on_reload = config.tell.states_on_reload;
        if self.kept.is_none() {
            self.set_fifos(&config.tell);
        }
        let router_id = config.router_id.clone();
        let spec = config.tell.mail.clone();
        self.mailer
            .set(spec.map(|spec| Settings { spec, router_id }));
        self.tell(told);
    }

    fn set_fifos(&mut self, tell: &Tell) {
        let specs = [&tell.fifo, &tell.vrrp_fifo];
        let mut before: Vec<Fifo> = self.fifos.iter_mut().filter_map(Option::take).collect();
        // One that changes its keyword is the same: were it opened once more,
        // the end of the first would remove it.
        for (slot, spec) in self.fifos.iter_mut().zip(specs) {
            let mut before = before.extract_if(.., |fifo| {
                spec.as_ref().is_some_and(|spec| spec.path == fifo.path())
            });
            *slot = before.next();
        }
        for gone in before {
            self.lines_lost = self.lines_lost.saturating_add(gone.dropped());
        }
        for (slot, spec) in self.fifos.iter_mut().zip(specs) {
            if let (None, Some(spec)) = (&slot, spec) {
                *slot = open(spec, &mut self.inherited);
            }
            if let (Some(fifo), Some(spec)) = (slot, spec) {
                fifo.attend(spec.script.as_ref(), &self.runner);
            }
        }
    }

    /// The states of all, where a reload is to write them.
    pub(super) fn reloaded(&mut self) {
        if self.states_on_reload {
            let again = self.book.again();
            self.tell(again);
        }
    }

    pub(super) fn report(&mut self, report: &Report) {
        let told = match report {
            Report::Transition { id, to, cause, .. } => {
                if self.keep(report) {
                    return;
                }
                self.book.transition(*id, *to, cause)
            }
            Report::PriorityChanged { id, to, .. } => {
                if self.keep(report) {
                    return;
                }
                self.book.priority(*id, to.get())
            }
            Report::Notice {
                id,
                notice: Notice::LowerPriorityAsserted { .. } | Notice::LowerPriorityHeard { .. },
            } => {
                if self.keep(report) {
                    return;
                }
                self.book.lower_priority(*id)
            }
            Report::Flight(_)
            | Report::Step(_)
            | Report::Notice { .. }
            | Report::Heart { .. }
            | Report::GroupTransition { .. }
            | Report::WentDown { .. }
            | Report::LinkGone { .. }
            | Report::StrayRemoved { .. }
            | Report::AdvertFailed { .. }
            | Report::AddressesRefused { .. }
            | Report::PathsRefused { .. }
            | Report::PathsRestored { .. }
            | Report::AnnounceFailed { .. }
            | Report::LeaseLapsed { .. }
            | Report::Privileges(_)
            | Report::HandsPrivileges(_)
            | Report::HandsWait { .. }
            | Report::HandsGoOn { .. }
            | Report::Released { .. }
            | Report::Refused(_)
            | Report::Overrun
            | Report::TookOver => return,
        };
        self.tell(told);
    }

    fn keep(&mut self, report: &Report) -> bool {
        match &mut self.kept {
            None => false,
            Some(kept) => {
                if kept.len() < KEPT {
                    kept.push(*report);
                }
                true
            }
        }
    }

    /// An instance that was never up cannot take part.
    pub(super) fn down(&mut self, id: InstanceId) {
        if self.kept.is_none() {
            let told = self.book.down(id);
            self.tell(told);
        }
    }

    /// Nothing is left of an instance that a reload has removed.
    pub(super) fn deleted(&mut self, id: InstanceId) {
        let told = self.book.deleted(id);
        self.tell(told);
    }

    fn tell(&mut self, told: Vec<Told>) {
        for Told {
            event,
            run,
            fifo,
            mail,
        } in told
        {
            if event.who.kind == Kind::Group && event.what.is_state() {
                self.publish(&event);
            }
            if mail && self.mailer.wants(&event) {
                let mail = Mail {
                    event: event.clone(),
                    at: clock::wall(),
                    to: Vec::new(),
                };
                self.mailer.push(mail);
            }
            if fifo {
                let line = event.line();
                for fifo in self.fifos.iter_mut().flatten() {
                    fifo.write(&line);
                }
            }
            for hook in run {
                let event = event.clone();
                self.desk.push(Job { event, hook });
            }
        }
    }

    pub(super) fn status(&self) -> status::Telling {
        let Counts {
            run,
            failed,
            dropped,
            waiting,
        } = self.desk.counts();
        let mails = self.mailer.counts();
        let lost = self.fifos.iter().flatten().map(Fifo::dropped);
        status::Telling {
            scripts_run: run,
            scripts_failed: failed,
            scripts_dropped: dropped,
            scripts_waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
            fifo_lines_dropped: lost.sum::<u64>().saturating_add(self.lines_lost),
            mails_sent: mails.sent,
            mails_dropped: mails.dropped,
            mails_waiting: u64::try_from(mails.waiting).unwrap_or(u64::MAX),
            event_readers: u64::try_from(self.feed.readers()).unwrap_or(u64::MAX),
        }
    }

    fn publish(&self, event: &Event) {
        let to = match event.what {
            What::Master => feed::State::Active,
            What::Backup => feed::State::Backup,
            What::Stop => feed::State::Stopped,
            What::Fault => feed::State::Fault,
            What::Deleted | What::LowerPriority | What::MasterPriority | What::BackupPriority => {
                return;
            }
        };
        let group = event.who.name.to_string();
        let what = feed::What::Group { group, to };
        self.feed.publish(what, clock::now());
    }

    /// What others were told last of an instance was a fault.
    pub(super) fn is_in_fault(&self, id: InstanceId) -> bool {
        self.book.is_in_fault(id)
    }

    /// What was told, and what is waiting: it is a successor's from here on.
    pub(super) fn give_away(&mut self, estate: &mut Estate) {
        for (Who { kind, name }, what) in self.book.state_of_all() {
            let (name, what) = (name.to_string(), what.word().to_owned());
            let told = Estated::Told { kind, name, what };
            estate.push((Message::Telling(told), None));
        }
        for job in self.desk.take_waiting() {
            let Job { event, hook } = job;
            let Event {
                who: Who { kind, name },
                what,
                priority,
            } = event;
            let (user, group) = match hook.run_as {
                Some(RunAs { user, group }) => (Some(user), group),
                None => (None, None),
            };
            let script = Estated::Script {
                kind,
                name: name.to_string(),
                what: what.word().to_owned(),
                priority,
                words: hook.words,
                user,
                group,
            };
            estate.push((Message::Telling(script), None));
        }
        for Mail { event, at, to } in self.mailer.take_waiting() {
            let mail = Estated::Mail {
                kind: event.who.kind,
                name: event.who.name.to_string(),
                what: event.what.word().to_owned(),
                priority: event.priority,
                at_us: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
                to,
            };
            estate.push((Message::Telling(mail), None));
        }
        for slot in &mut self.fifos {
            let Some(mut fifo) = slot.take() else {
                continue;
            };
            match fifo.give_away() {
                Ok((fd, ours)) => {
                    let path = fifo.path().to_owned();
                    let message = Message::Telling(Estated::Fifo { path, ours });
                    estate.push((message, Some(Arc::new(fd))));
                }
                Err(error) => warn!("{}: {error}", fifo.path().display()),
            }
        }
    }

    /// As the successor: what [`Self::give_away`] has given.
    pub(super) fn inherit(&mut self, message: Estated, fd: Option<OwnedFd>) {
        match message {
            Estated::Told { kind, name, what } => {
                let name = name.as_str().into();
                if let Some(what) = What::of_word(&what) {
                    self.book.inherit(&Who { kind, name }, what);
                }
            }
            Estated::Script {
                kind,
                name,
                what,
                priority,
                words,
                user,
                group,
            } => {
                let name = name.as_str().into();
                if let Some(what) = What::of_word(&what).filter(|_| !words.is_empty()) {
                    let event = Event {
                        who: Who { kind, name },
                        what,
                        priority,
                    };
                    let run_as = user.map(|user| RunAs { user, group });
                    let hook = Hook { words, run_as };
                    self.desk.push(Job { event, hook });
                }
            }
            Estated::Mail {
                kind,
                name,
                what,
                priority,
                at_us,
                to,
            } => {
                let name = name.as_str().into();
                if let Some(what) = What::of_word(&what) {
                    let event = Event {
                        who: Who { kind, name },
                        what,
                        priority,
                    };
                    let at = Duration::from_micros(at_us);
                    self.mailer.push(Mail { event, at, to });
                }
            }
            Estated::Fifo { path, ours } => {
                if let Some(fd) = fd {
                    self.inherited.insert(path, (fd, ours));
                }
            }
        }
    }

    /// The turn of a successor: it knows what was told, and goes on.
    pub(super) fn begin(&mut self, tell: &Tell) {
        let kept = self.kept.take().unwrap_or_default();
        self.set_fifos(tell);
        self.inherited.clear();
        for report in kept {
            self.report(&report);
        }
    }

    /// For the one to whom all is handed over: nothing is begun any more.
    /// Whose script is still running, if any.
    pub(super) fn hold(&self) -> Result<(), String> {
        self.desk.pause();
        match self.desk.busy() {
            None => {
                self.mailer.pause(true);
                Ok(())
            }
            Some(who) => {
                self.desk.resume();
                Err(format!(
                    "a notify script of {who} is still running: try again when it has ended"
                ))
            }
        }
    }

    pub(super) fn resume(&self) {
        self.mailer.pause(false);
        self.desk.resume();
    }

    /// The agent has given everything up: the last events, and the end of all
    /// that runs.
    pub(super) async fn finish(&mut self) {
        let told = self.book.stop();
        self.tell(told);
        if !self.desk.finish(LAST_SCRIPTS).await {
            let dropped = self.desk.counts().dropped;
            warn!("notify scripts have not ended in time: {dropped} were not run");
        }
        self.mailer.finish(LAST_MAILS).await;
        for fifo in self.fifos.iter_mut().flatten() {
            fifo.finish(LAST_LINES).await;
        }
        self.fifos = [None, None];
    }
}

fn open(spec: &FifoSpec, inherited: &mut BTreeMap<PathBuf, (OwnedFd, bool)>) -> Option<Fifo> {
    let opened = match inherited.remove(&spec.path) {
        Some((fd, ours)) => Fifo::adopt(&spec.path, fd, ours),
        None => Fifo::open(spec),
    };
    let path = spec.path.display();
    opened
        .inspect_err(|error| warn!("FIFO {path} is not used: {error}"))
        .ok()
}

impl Service {
    /// Runs `telling` with the seats as they are now.
    pub(super) fn tell_anew(&mut self) {
        self.telling.set(&self.config, &self.seats);
        self.telling.reloaded();
    }
}
