//! The agent's events to journald: fields by name, never waited for.
//!
//! The native protocol of the journal: a datagram of fields, each as its name,
//! the length of its value in 64 bits, little-endian, and the value.

use std::{
    fmt, io,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::lost::{self, Lossy};

const SOCKET: &str = "/run/systemd/journal/socket";
const IDENTIFIER: &str = "failoverd";
/// Longer values are cut: a datagram has to fit into the socket's buffer.
const MAX_VALUE: usize = 16 << 10;

/// Sends each event as a datagram; lost, and counted, where journald does not
/// keep up.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    lost: Mutex<u64>,
}

impl Journal {
    /// # Errors
    ///
    /// Where there is no journald.
    pub fn new() -> io::Result<Self> {
        let journal = Self::to(SOCKET.into())?;
        // An empty datagram is no entry, and tells whether anybody is there.
        journal.socket.send_to(&[], &journal.path)?;
        Ok(journal)
    }

    fn to(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            socket: lost::socket()?,
            path,
            lost: Mutex::new(0),
        })
    }

    fn send(&self, entry: &Entry) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if self.say(&mut lost).is_err() {
            *lost = lost.saturating_add(1);
            return;
        }
        // By its path each time: a journald that was started anew is another one.
        if self.socket.send_to(&entry.0, &self.path).is_err() {
            *lost = 1;
        }
    }

    /// How many were lost, where some were.
    fn say(&self, lost: &mut u64) -> io::Result<()> {
        if *lost > 0 {
            let note = Entry::of_lost(*lost);
            self.socket.send_to(&note.0, &self.path)?;
            *lost = 0;
        }
        Ok(())
    }
}

impl Lossy for Journal {
    fn confess(&self) -> bool {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let said = self.say(&mut lost);
        !said.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The agent's events to a journal.
#[derive(Debug)]
pub struct JournalLayer(pub Arc<Journal>);

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut entry = Entry::of(event.metadata());
        event.record(&mut entry);
        self.0.send(&entry);
    }
}

/// One datagram.
struct Entry(Vec<u8>);

impl Entry {
    fn of(metadata: &Metadata<'_>) -> Self {
        let mut entry = Self::with_priority(*metadata.level());
        entry.put("TARGET", metadata.target());
        if let Some(file) = metadata.file() {
            entry.put("CODE_FILE", file);
        }
        if let Some(line) = metadata.line() {
            entry.put("CODE_LINE", &line.to_string());
        }
        entry
    }

    fn of_lost(lost: u64) -> Self {
        let mut entry = Self::with_priority(Level::WARN);
        let text = format!("{lost} lines of the log were lost, journald did not read them");
        entry.put("MESSAGE", &text);
        entry
    }

    fn with_priority(level: Level) -> Self {
        let priority = match level {
            Level::ERROR => "3",
            Level::WARN => "4",
            Level::INFO => "5",
            Level::DEBUG => "6",
            // A struct of constants, so that no match on it is exhaustive.
            _ => "7",
        };
        let mut entry = Self(Vec::new());
        entry.put("PRIORITY", priority);
        entry.put("SYSLOG_IDENTIFIER", IDENTIFIER);
        entry
    }

    fn put(&mut self, name: &str, value: &str) {
        let value = value.get(..value.floor_char_boundary(MAX_VALUE));
        let value = value.unwrap_or_default().as_bytes();
        self.0.extend(name.as_bytes());
        self.0.push(b'\n');
        self.0.extend((value.len() as u64).to_le_bytes());
        self.0.extend(value);
        self.0.push(b'\n');
    }
}

/// As journald wants them: A to Z, digits, and underscores not at the start.
fn name_of(field: &Field) -> String {
    let upper = field.name().chars().map(|c| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => c.to_ascii_uppercase(),
        _ => '_',
    });
    upper.skip_while(|c| !c.is_ascii_uppercase()).collect()
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(&name_of(field), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(&name_of(field), &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    /// The fields of a datagram.
    fn fields(mut rest: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let name = String::from_utf8(rest[..at].to_vec()).unwrap();
            let length = u64::from_le_bytes(rest[at + 1..at + 9].try_into().unwrap());
            let end = at + 9 + length as usize;
            let value = String::from_utf8(rest[at + 9..end].to_vec()).unwrap();
            assert_eq!(rest[end], b'\n');
            fields.push((name, value));
            rest = &rest[end + 1..];
        }
        fields
    }

    fn receive(listener: &UnixDatagram) -> Vec<(String, String)> {
        let mut buffer = vec![0; 64 << 10];
        let length = listener.recv(&mut buffer).unwrap();
        fields(&buffer[..length])
    }

    fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    #[test]
    fn an_event_is_an_entry_of_its_fields() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixDatagram::bind(&path).unwrap();
        let layer = JournalLayer(Arc::new(Journal::to(path).unwrap()));
        tracing::subscriber::with_default(registry().with(layer), || {
            let long = "ä".repeat(MAX_VALUE);
            tracing::warn!(instance = "VI_1", state = %"MASTER", count = 7, "one\ntwo");
            tracing::info!("{long}");
        });
        let entry = receive(&listener);
        for (name, expected) in [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "failoverd"),
            ("MESSAGE", "one\ntwo"),
            ("INSTANCE", "VI_1"),
            ("STATE", "MASTER"),
            ("COUNT", "7"),
        ] {
            assert_eq!(value(&entry, name), expected, "{entry:?}");
        }
        assert_eq!(value(&receive(&listener), "MESSAGE").len(), MAX_VALUE);
    }

    /// Whether there was room for it.
    fn fill(journal: &Journal, entry: &Entry) -> bool {
        journal.send(entry);
        *journal.lost.lock().unwrap() == 0
    }

    #[test]
    fn a_journald_that_stands_still_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let layer = Journal::to(path.clone()).unwrap();
        let entry = Entry::of_lost(1);
        layer.send(&entry);
        let listener = UnixDatagram::bind(&path).unwrap();
        // More than any queue holds.
        for _ in 0..5_000 {
            layer.send(&entry);
        }
        let told = receive(&listener);
        let said = value(&told, "MESSAGE");
        assert!(said.starts_with("1 lines of the log were lost"), "{said}");
        listener.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1024];
        while listener.recv(&mut buffer).is_ok() {}
        listener.set_nonblocking(false).unwrap();
        layer.send(&entry);
        let told = receive(&listener);
        let lost = value(&told, "MESSAGE").split(' ').next().unwrap();
        assert!(lost.parse::<u64>().unwrap() > 1000, "{told:?}");
        // Also when no line comes after them.
        while fill(&layer, &entry) {}
        assert!(!layer.confess());
        listener.set_nonblocking(true).unwrap();
        while listener.recv(&mut buffer).is_ok() {}
        assert!(layer.confess());
        listener.set_nonblocking(false).unwrap();
        let told = receive(&listener);
        assert!(value(&told, "MESSAGE").starts_with("1 lines"), "{told:?}");
        assert!(layer.confess());
    }
}
