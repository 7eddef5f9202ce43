//! Lines to the system's log: datagrams to /dev/log, never waited for.

use std::{
    fmt,
    os::unix::net::UnixDatagram,
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

const SOCKET: &str = "/dev/log";
/// Longer ones are cut: no receiver takes a line of any length.
const MAX_LINE: usize = 2048;

/// syslog(3)'s facilities that keepalived can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Facility {
    Daemon,
    User,
    /// 0 to 7.
    Local(u8),
}

impl Facility {
    /// As in `-S`: `0` to `7`, `local0` to `local7`, `user` or `daemon`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "daemon" => return Some(Self::Daemon),
            "user" => return Some(Self::User),
            _ => {}
        }
        let digits = text.strip_prefix("local").unwrap_or(text);
        let number: u8 = digits.parse().ok()?;
        (number < 8).then_some(Self::Local(number))
    }

    fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Daemon => 3,
            Self::Local(number) => 16 | (number & 7),
        }
    }
}

/// How much somebody should mind (RFC 5424 6.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    Error = 3,
    Warning = 4,
    Info = 6,
    Debug = 7,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warning,
            Level::INFO => Self::Info,
            // A struct of constants, so that no match on it is exhaustive.
            _ => Self::Debug,
        }
    }
}

/// A line to the log daemon; lost where there is none, or where it does not
/// keep up.
#[derive(Debug)]
pub struct Syslog {
    facility: Facility,
    ident: String,
    path: &'static str,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub fn new(facility: Facility, ident: &str) -> Self {
        Self {
            facility,
            ident: ident.to_owned(),
            path: SOCKET,
            socket: None,
        }
    }

    pub fn send(&mut self, severity: Severity, message: &str) {
        let line = self.line(severity, message);
        // A log daemon that was started anew listens on another socket.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(self.path);
            }
            let Some(socket) = &self.socket else { return };
            match socket.send(line.as_bytes()) {
                Ok(_) => return,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.socket = None,
            }
        }
    }

    /// Without a time: those who listen to /dev/log put in when they heard it,
    /// and no time zone has to be known here.
    fn line(&self, severity: Severity, message: &str) -> String {
        let priority = u16::from(self.facility.code()) * 8 + severity as u16;
        let (ident, pid) = (&self.ident, std::process::id());
        let mut line = format!("<{priority}>{ident}[{pid}]: ");
        // One line each, whatever is in it.
        line.extend(
            message
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c }),
        );
        line.truncate(line.floor_char_boundary(MAX_LINE));
        line
    }
}

fn connect(path: &str) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect(path).ok()?;
    Some(socket)
}

/// The agent's events to syslog.
#[derive(Debug)]
pub struct SyslogLayer(Mutex<Syslog>);

impl SyslogLayer {
    pub fn new(syslog: Syslog) -> Self {
        Self(Mutex::new(syslog))
    }
}

impl<S: Subscriber> Layer<S> for SyslogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let severity = Severity::from(*event.metadata().level());
        let mut syslog = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        syslog.send(severity, &message.0);
    }
}

/// The message says it all; its parts are for the journal.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facilities_as_keepalived_names_them() {
        assert_eq!(Facility::parse("3"), Some(Facility::Local(3)));
        assert_eq!(Facility::parse("local7"), Some(Facility::Local(7)));
        assert_eq!(Facility::parse("user"), Some(Facility::User));
        assert_eq!(Facility::parse("daemon"), Some(Facility::Daemon));
        for text in ["8", "local8", "", "local", "mail", "-1"] {
            assert_eq!(Facility::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        let syslog = Syslog::new(Facility::Daemon, "Keepalived_vrrp");
        let pid = std::process::id();
        let line = syslog.line(Severity::Info, "(VI_1) Entering\nMASTER STATE");
        let expected = format!("<30>Keepalived_vrrp[{pid}]: (VI_1) Entering MASTER STATE");
        assert_eq!(line, expected);
        let line = syslog.line(Severity::Error, &"ä".repeat(5000));
        assert!(line.len() <= MAX_LINE && line.starts_with("<27>"));
        let local = Syslog::new(Facility::Local(2), "x");
        assert!(local.line(Severity::Debug, "").starts_with("<151>"));
    }

    #[test]
    fn without_a_listener_it_is_lost_and_nobody_waits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let leaked: &'static str = Box::leak(path.display().to_string().into_boxed_str());
        let mut syslog = Syslog::new(Facility::Daemon, "x");
        syslog.path = leaked;
        syslog.send(Severity::Info, "nobody");
        let listener = UnixDatagram::bind(&path).unwrap();
        // More than any queue holds.
        for _ in 0..5_000 {
            syslog.send(Severity::Info, "somebody");
        }
        let mut buffer = [0; 256];
        let len = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..len].ends_with(b": somebody"));
        // It is started anew.
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        let listener = UnixDatagram::bind(&path).unwrap();
        syslog.send(Severity::Info, "again");
        let len = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..len].ends_with(b": again"));
    }
}
