//! How the supervisor behaves as keepalived's parent process.

use std::{ffi::CStr, fmt, fs::File, io::Write as _, path::PathBuf};

use super::daemon::Teller;
use crate::{
    io::sys,
    logging::{
        self, Destinations,
        syslog::{Severity, Syslog},
    },
    runtime::pidfile::PidFile,
    supervise::Manner,
};

/// The parent process of an agent that was called as keepalived.
#[derive(Debug)]
pub struct Parent {
    voice: Voice,
    respawn: bool,
    ignore_sigint: bool,
    path: PathBuf,
    agent_path: PathBuf,
    pid: Option<PidFile>,
    agent_pid: Option<PidFile>,
    /// Whoever waits for the start, in the background only.
    teller: Option<Teller>,
}

/// What the parent is told at its start.
#[derive(Debug)]
pub struct Settings {
    pub destinations: Destinations,
    pub respawn: bool,
    pub ignore_sigint: bool,
    pub pid: PathBuf,
    pub agent_pid: PathBuf,
    pub teller: Option<Teller>,
}

impl Parent {
    pub fn new(settings: Settings) -> Self {
        let Settings {
            destinations,
            respawn,
            ignore_sigint,
            pid,
            agent_pid,
            teller,
        } = settings;
        Self {
            voice: Voice::new(&destinations),
            respawn,
            ignore_sigint,
            path: pid,
            agent_path: agent_pid,
            pid: None,
            agent_pid: None,
            teller,
        }
    }

    /// For the end: whoever still waits hears of it.
    pub fn ended(self, code: u8) {
        if let Some(teller) = self.teller {
            teller.tell(code);
        }
    }

    fn write(&mut self, path: PathBuf, pid: u32) -> Option<PidFile> {
        PidFile::write(&path, pid)
            .map_err(|error| {
                let path = path.display();
                self.voice
                    .say(Severity::Error, &format!("cannot write {path}: {error}"));
            })
            .ok()
    }
}

impl Manner for Parent {
    /// Found by what looks for keepalived; the agent itself has another name,
    /// so that ending every process of this one leaves it time to release.
    fn name(&self) -> &'static CStr {
        c"keepalived"
    }

    fn starts_again(&self) -> bool {
        self.respawn
    }

    fn stops_at(&self, signal: i32) -> bool {
        match signal {
            libc::SIGTERM | libc::SIGQUIT => true,
            libc::SIGINT => !self.ignore_sigint,
            _ => false,
        }
    }

    fn ready(&mut self, agent: u32) {
        self.agent_pid = self.write(self.agent_path.clone(), agent);
        if self.pid.is_none() {
            self.pid = self.write(self.path.clone(), std::process::id());
        }
        // A unit of keepalived's lets only its main process speak, which we are.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        if let Some(teller) = self.teller.take() {
            let left = sys::leave_terminal();
            if let Err(error) = left {
                self.say(format_args!("cannot let go of the terminal: {error}"));
            }
            teller.tell(0);
        }
    }

    fn gone(&mut self) {
        self.agent_pid = None;
    }

    fn say(&mut self, message: fmt::Arguments<'_>) {
        self.voice.say(Severity::Warning, &message.to_string());
    }
}

/// The log of the parent: few lines, and none of them waited for.
#[derive(Debug)]
pub struct Voice {
    console: bool,
    syslog: Option<Syslog>,
    file: Option<File>,
}

impl Voice {
    pub fn new(destinations: &Destinations) -> Self {
        let ident = &destinations.ident;
        let file = destinations.file.as_deref();
        Self {
            console: destinations.console,
            syslog: destinations
                .syslog
                .map(|facility| Syslog::new(facility, ident)),
            // That it can be opened was tried before.
            file: file.and_then(|file| logging::open_file(file).ok()),
        }
    }

    pub fn say(&mut self, severity: Severity, message: &str) {
        if let Some(syslog) = &mut self.syslog {
            syslog.send(severity, message);
        }
        if self.console {
            let _ = writeln!(std::io::stderr(), "keepalived: {message}");
        }
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{message}");
        }
    }
}
