//! How the supervisor behaves as keepalived's parent process.

use std::{
    ffi::CStr,
    fmt,
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

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
    destinations: Destinations,
    respawn: bool,
    ignore_sigint: bool,
    path: PathBuf,
    agent_path: PathBuf,
    pid: Option<PidFile>,
    agent_pid: Option<PidFile>,
    /// Whoever waits for the start, in the background only.
    teller: Option<Teller>,
}

/// What goes from one binary of the parent to the next: what it once took out of
/// a file that may be another by now.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    pid: PathBuf,
    agent_pid: PathBuf,
    ident: String,
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
            destinations,
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

    fn leave(&self) -> String {
        let left = Left {
            pid: self.path.clone(),
            agent_pid: self.agent_path.clone(),
            ident: self.destinations.ident.clone(),
        };
        // Fails only for a path that is no text, which then is not understood.
        serde_json::to_string(&left).unwrap_or_default()
    }

    /// The locks of the pid files: nobody is to find them stale meanwhile.
    fn held(&self) -> Vec<BorrowedFd<'_>> {
        let files = self.pid.iter().chain(&self.agent_pid);
        files.map(AsFd::as_fd).collect()
    }

    fn go_on(&mut self, left: &str) -> io::Result<()> {
        let Left {
            pid,
            agent_pid,
            ident,
        } = serde_json::from_str(left)?;
        (self.path, self.agent_path) = (pid, agent_pid);
        self.destinations.ident = ident;
        self.voice = Voice::new(&self.destinations);
        Ok(())
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
            logging::say_last(format_args!("keepalived: {message}"));
        }
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{message}");
        }
    }
}
