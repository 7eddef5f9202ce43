//! Lines to the system's log: datagrams to /dev/log, never waited for.

use std::{
    fmt, io,
    os::unix::net::UnixDatagram,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::lost::{self, Lossy};

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

/// A line to the log daemon; lost, and counted, where there is none, or where
/// it does not keep up.
#[derive(Debug)]
pub struct Syslog {
    facility: Facility,
    ident: String,
    path: &'static str,
    socket: Option<UnixDatagram>,
    lost: u64,
}

impl Syslog {
    pub fn new(facility: Facility, ident: &str) -> Self {
        Self {
            facility,
            ident: ident.to_owned(),
            path: SOCKET,
            socket: None,
            lost: 0,
        }
    }

    pub fn send(&mut self, severity: Severity, message: &str) {
        let sent = self.say_lost().and_then(|()| self.put(severity, message));
        if sent.is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// How many were lost, where some were.
    fn say_lost(&mut self) -> io::Result<()> {
        if self.lost > 0 {
            let note = format!("{} lines of the log were lost, nobody read them", self.lost);
            self.put(Severity::Warning, &note)?;
            self.lost = 0;
        }
        Ok(())
    }

    fn put(&mut self, severity: Severity, message: &str) -> io::Result<()> {
        let line = self.line(severity, message);
        let mut last = io::ErrorKind::NotConnected.into();
        // A log daemon that was started anew listens on another socket.
        for _ in 0..2 {
            let socket = match self.socket.take() {
                Some(socket) => socket,
                None => connect(self.path)?,
            };
            match socket.send(line.as_bytes()) {
                Ok(_) => {
                    self.socket = Some(socket);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket = Some(socket);
                    return Err(error);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
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

fn connect(path: &str) -> io::Result<UnixDatagram> {
    let socket = lost::socket()?;
    socket.connect(path)?;
    Ok(socket)
}

/// The agent's events to syslog.
#[derive(Debug)]
pub struct SyslogLayer(Arc<Shared>);

#[derive(Debug)]
struct Shared(Mutex<Syslog>);

impl SyslogLayer {
    pub fn new(syslog: Syslog) -> Self {
        Self(Arc::new(Shared(Mutex::new(syslog))))
    }

    /// What it has lost is said at the end of the process.
    pub(super) fn register(&self) {
        lost::register(self.0.clone());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Syslog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lossy for Shared {
    fn confess(&self) -> bool {
        let said = self.lock().say_lost();
        !said.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl<S: Subscriber> Layer<S> for SyslogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let severity = Severity::from(*event.metadata().level());
        self.0.lock().send(severity, &message.0);
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
        assert!(syslog.say_lost().is_err(), "there is no room yet");
        let mut next = || {
            let len = listener.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..len]).into_owned()
        };
        assert!(next().contains(": 1 lines of the log were lost"));
        assert!(next().ends_with(": somebody"));
        assert!(syslog.lost > 1000, "{}", syslog.lost);
        // It is started anew.
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        let listener = UnixDatagram::bind(&path).unwrap();
        syslog.send(Severity::Info, "again");
        let len = listener.recv(&mut buffer).unwrap();
        let told = String::from_utf8_lossy(&buffer[..len]).into_owned();
        assert!(told.contains("lines of the log were lost"), "{told}");
        let len = listener.recv(&mut buffer).unwrap();
        assert!(buffer[..len].ends_with(b": again"));
    }
}
