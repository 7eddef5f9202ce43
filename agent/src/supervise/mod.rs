//! The parent of the agent: takes the VIPs off when the agent dies, and starts
//! it again.
//!
//! It does little else, so that there is nothing for it to hang on: it waits
//! for its child, for the child's list of addresses and for signals, which it
//! passes on, and has no network connection. What it does where it stands for
//! keepalived's parent process (pid files, a line in syslog) is a [`Manner`] and
//! never waits for anybody. It carries another name than the agent, so that ending every process of that name leaves it standing. Should
//! it die itself, the kernel tells the agent, which then leaves in good order.
//!
//! During an upgrade it has two children. The VIPs are those of the first until
//! that one ends with the word that it has handed them over; if it ends
//! otherwise, the second is ended too, and the VIPs are removed.

mod connect;
pub mod guard;
mod manner;
pub mod notify;
mod removals;
pub mod requests;
mod succession;
mod ward;

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::ExitStatus,
    time::Duration,
};

use agent_common::KernelTime;
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

pub use self::{
    connect::{Supervisor, connect, inherited, is_supervised},
    manner::{Manner, Plain},
};
use self::{requests::Asked, succession::Inherited, ward::Ward};
use crate::{
    io::{clock, sched, sys},
    sandbox,
    upgrade::{HANDED_OVER, channel},
};

/// Pause before a new start after a crash; doubled with every crash.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What an agent has to end in order: more than it needs, and less than a
/// service manager waits before it kills us too and the VIPs stay.
const PATIENCE: Duration = Duration::from_secs(4);
/// The most that an agent may ask for to end in: `shutdown_script_timeout`, and
/// notify scripts.
const LONGEST_END: Duration = Duration::from_secs(1100);
/// Messages of an agent that are read before others are looked at.
const MESSAGES: usize = 64;
/// An agent that lived this long did not fail at start.
const STEADY: Duration = Duration::from_secs(60);
/// The exit code of an agent that a signal ended.
const FAILURE: u8 = 1;
/// What we are, and what we start unless a successor brought another.
const OURSELVES: &str = "/proc/self/exe";

/// Whether this process was a supervisor before an upgrade, with its agent
/// still running.
pub fn goes_on() -> bool {
    std::env::var_os(succession::WARD_FD).is_some()
}

/// Runs the agent with `arguments` as a child until it ends by itself or a
/// signal ends both; goes on with the child that an earlier self left. The
/// exit code.
///
/// # Errors
///
/// When the child cannot be started at all.
pub fn run(arguments: &[OsString], manner: &mut dyn Manner) -> io::Result<u8> {
    let inherited = succession::inherit().transpose()?;
    let signals = sys::block_signals(&[
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGHUP,
        libc::SIGABRT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        sys::realtime::json(),
        sys::realtime::stats_clear(),
        sys::realtime::threads(),
    ])?;
    sys::set_name(manner.name());
    // Both help to act at once when it matters, and neither is needed.
    let _ = sched::lock_memory();
    if sandbox::is_wanted() && arguments.iter().all(|word| word != "--no-sandbox") {
        sandbox::enter_supervisor();
    }
    let mut watch = Watch {
        arguments,
        manner,
        signals,
        program: None,
        heir: None,
        stopping: false,
        patient_until: None,
        crashed: false,
        pause: FIRST_PAUSE,
    };
    let ward = match inherited {
        Some(Inherited {
            ward,
            crashed,
            pause,
            manner,
            held,
        }) => {
            (watch.crashed, watch.pause) = (crashed, pause);
            watch.manner.go_on(&manner)?;
            if ward.ready {
                watch.manner.ready(ward.number());
            }
            // Not before others have taken their place.
            drop(held);
            ward
        }
        None => watch.start()?,
    };
    watch.keep(ward)
}

/// An exit of its own is the agent's decision; a signal is a crash, unless the
/// agent was asked to end. So is a hand-over to nobody.
fn finished(status: ExitStatus) -> Option<u8> {
    let code = status.code()?;
    (code != i32::from(HANDED_OVER)).then(|| u8::try_from(code).unwrap_or(FAILURE))
}

/// The supervisor itself.
struct Watch<'a> {
    arguments: &'a [OsString],
    manner: &'a mut dyn Manner,
    signals: OwnedFd,
    /// The binary to start; our own where there was no upgrade.
    program: Option<File>,
    /// The successor of an upgrade that goes on, and what it runs.
    heir: Option<(Ward, File)>,
    stopping: bool,
    /// When an agent that was asked to end is killed.
    patient_until: Option<KernelTime>,
    crashed: bool,
    pause: Duration,
}

/// What has something to say, in the order in which it is heard: what an agent
/// told before it ended comes before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Told,
    HeirTold,
    Signals,
    Asked,
    Ended,
    HeirEnded,
}

impl Watch<'_> {
    fn start(&self) -> io::Result<Ward> {
        let program = self.program.as_ref().map(requests::program);
        Ward::start(
            program.as_deref().unwrap_or(OURSELVES),
            self.arguments,
            None,
        )
    }

    /// Until an agent ends for good.
    fn keep(&mut self, mut ward: Ward) -> io::Result<u8> {
        loop {
            let status = self.watch(&mut ward)?;
            self.manner.gone();
            // However it ended: an agent that gave its VIPs up left nothing to
            // remove, one that ended in a panic or without its fast lane did.
            ward.remove_addresses(self.manner);
            // What ran and crashed is wanted: when its interface is away just now,
            // it is tried again. Only a first start is refused for good.
            let for_good = status.success() || !self.crashed || self.stopping;
            if let Some(code) = finished(status).filter(|_| for_good) {
                return Ok(code);
            }
            self.crashed = true;
            if self.stopping {
                return Ok(FAILURE);
            }
            if !self.manner.starts_again() {
                self.manner.say(format_args!(
                    "the agent died ({status}), its VIPs were removed; not starting it again, as told"
                ));
                return Ok(FAILURE);
            }
            if clock::now().since(ward.started) >= STEADY {
                self.pause = FIRST_PAUSE;
            }
            self.manner.say(format_args!(
                "the agent died ({status}), its VIPs were removed; starting it again in {} ms",
                self.pause.as_millis()
            ));
            let until = clock::now().after(self.pause);
            if wait_unless_stopped(&self.signals, until, self.manner) {
                return Ok(FAILURE);
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            ward = self.start()?;
        }
    }

    /// Until the agent ends, or the last of those that took over from it.
    fn watch(&mut self, ward: &mut Ward) -> io::Result<ExitStatus> {
        loop {
            for (source, flags) in self.wait(ward)? {
                let open = !flags.contains(PollFlags::HUP);
                match source {
                    Source::Told => {
                        ward.listen();
                        ward.pipe_open = open;
                        self.note_ready(ward);
                        self.note_ending(ward);
                    }
                    Source::HeirTold => {
                        if let Some((heir, _)) = &mut self.heir {
                            heir.listen();
                            heir.pipe_open = open;
                        }
                    }
                    Source::Signals => self.pass_on(ward),
                    Source::Asked => self.answer(ward),
                    Source::Ended => {
                        // What it said last.
                        self.answer(ward);
                        let status = ward.reap()?;
                        if !self.succeed(ward, status) {
                            return Ok(status);
                        }
                        break;
                    }
                    Source::HeirEnded => {
                        if let Some((mut heir, _)) = self.heir.take() {
                            // The agent sees it too, and goes on.
                            let status = heir.reap()?;
                            // Unless it had taken over, and the agent hangs at its end.
                            ward.addresses.append(&mut heir.addresses);
                            ward.paths.messages.append(&mut heir.paths.messages);
                            self.manner.say(format_args!(
                                "the new agent ended before it took over ({status})"
                            ));
                        }
                    }
                }
            }
        }
    }

    fn wait(&mut self, ward: &Ward) -> io::Result<Vec<(Source, PollFlags)>> {
        let heir = self.heir.as_ref().map(|(heir, _)| heir);
        let sources: Vec<(Source, BorrowedFd<'_>)> = [
            (
                Source::Told,
                Some(ward.pipe.as_fd()).filter(|_| ward.pipe_open),
            ),
            (
                Source::HeirTold,
                heir.filter(|heir| heir.pipe_open)
                    .map(|heir| heir.pipe.as_fd()),
            ),
            (Source::Signals, Some(self.signals.as_fd())),
            (
                Source::Asked,
                Some(ward.requests.as_fd()).filter(|_| ward.requests_open),
            ),
            (Source::Ended, Some(ward.pidfd.as_fd())),
            (Source::HeirEnded, heir.map(|heir| heir.pidfd.as_fd())),
        ]
        .into_iter()
        .filter_map(|(source, fd)| Some((source, fd?)))
        .collect();
        let mut fds: Vec<PollFd<'_>> = sources
            .iter()
            .map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
            .collect();
        let left = self.patient_until.map(|until| until.since(clock::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => {
                // It hangs or is stopped: it must not keep the VIPs.
                self.patient_until = None;
                ward.signal(libc::SIGKILL);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let said = sources.iter().zip(&fds);
        Ok(said
            .map(|((source, _), fd)| (*source, fd.revents()))
            .filter(|(_, flags)| !flags.is_empty())
            .collect())
    }

    fn pass_on(&mut self, ward: &mut Ward) {
        while let Some(number) = sys::next_signal(self.signals.as_fd()) {
            if number == libc::SIGABRT {
                // The watchdog of systemd: the agent does not answer. We are
                // killed next, so its VIPs have to go now.
                self.stopping = true;
                ward.signal(libc::SIGKILL);
                continue;
            }
            if matches!(number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT) {
                if !self.manner.stops_at(number) {
                    continue;
                }
                if !self.stopping {
                    self.stopping = true;
                    self.patient_until = Some(clock::now().after(PATIENCE));
                    // It may be ending already.
                    self.note_ending(ward);
                }
                ward.signal(number);
            } else {
                ward.signal_when_ready(number);
            }
        }
    }

    /// Whatever was waiting for that.
    fn note_ready(&mut self, ward: &mut Ward) {
        if ward.says_ready && !ward.ready {
            self.manner.ready(ward.number());
            ward.get_ready();
        }
    }

    /// It answers for nothing any more: there is time to tell others.
    fn note_ending(&mut self, ward: &mut Ward) {
        if ward.ending.is_some() {
            // What others put there from here on is theirs.
            ward.clear(self.manner);
        }
        // Kept until somebody stops us: the agent alone may have been told to end.
        if self.stopping
            && let Some(millis) = ward.ending.take()
        {
            let within = Duration::from_millis(millis.into()).min(LONGEST_END);
            self.patient_until = Some(clock::now().after(within + PATIENCE));
        }
    }

    /// The agent asks for a successor, or has something for the service
    /// manager.
    fn answer(&mut self, ward: &mut Ward) {
        // What is left wakes us again.
        for _ in 0..MESSAGES {
            match requests::receive(&ward.requests) {
                Err(channel::ChannelError::System(error))
                    if error.kind() == io::ErrorKind::WouldBlock =>
                {
                    return;
                }
                Err(_) => {
                    ward.requests_open = false;
                    return;
                }
                Ok(Asked::PassOn(text)) => notify::pass_on(&text),
                Ok(Asked::Unknown) => requests::refuse(&ward.requests, "not understood"),
                Ok(Asked::Successor(request)) => self.succession(request, ward),
            }
        }
    }

    fn succession(&mut self, request: requests::Request, ward: &Ward) {
        if self.stopping {
            requests::refuse(&ward.requests, "about to stop");
        } else if self.heir.is_some() {
            requests::refuse(&ward.requests, "an earlier successor has not ended yet");
        } else {
            match request.grant(self.arguments, &ward.requests) {
                Ok(heir) => self.heir = Some(heir),
                Err(reason) => requests::refuse(&ward.requests, &reason),
            }
        }
    }

    /// An agent has ended. True where its successor is the agent now; otherwise
    /// nobody runs any more, and `ward` has all addresses to remove.
    fn succeed(&mut self, ward: &mut Ward, status: ExitStatus) -> bool {
        let Some((mut heir, binary)) = self.heir.take() else {
            return false;
        };
        if status.code() != Some(i32::from(HANDED_OVER)) {
            // It may or may not have begun to answer for the VIPs.
            heir.kill();
            ward.addresses.append(&mut heir.addresses);
            ward.paths.messages.append(&mut heir.paths.messages);
            return false;
        }
        // Before it can say so: what it took over it does.
        heir.says_ready = true;
        *ward = heir;
        self.note_ready(ward);
        if self.stopping {
            self.patient_until = Some(clock::now().after(PATIENCE));
            ward.signal(libc::SIGTERM);
            self.program = Some(binary);
        } else {
            let left = succession::Left {
                ward,
                crashed: self.crashed,
                pause: self.pause,
                manner: self.manner,
            };
            let error = left.become_binary(&binary, self.arguments);
            self.manner.say(format_args!(
                "the supervising parent goes on with the old binary: {error}"
            ));
            self.program = Some(binary);
        }
        true
    }
}

/// True when a signal asked to stop meanwhile.
fn wait_unless_stopped(signals: &OwnedFd, until: KernelTime, manner: &dyn Manner) -> bool {
    loop {
        let left = until.since(clock::now());
        if left.is_zero() {
            return false;
        }
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(signals, PollFlags::IN)];
        let _ = poll(&mut fds, timeout.as_ref());
        while let Some(number) = sys::next_signal(signals.as_fd()) {
            // The watchdog's last word before it kills us all.
            if manner.stops_at(number) || number == libc::SIGABRT {
                return true;
            }
        }
    }
}
