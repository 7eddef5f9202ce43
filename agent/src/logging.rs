//! The log: journald fields under systemd, plain lines on stderr otherwise; or
//! where keepalived's command line wants it. Whoever logs waits for none of them.

mod journal;
mod last;
mod lost;
mod queue;
pub mod syslog;

use std::{
    env::VarError,
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    fmt::{format::debug_fn, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

pub use self::last::say_last;
use self::{
    journal::{Journal, JournalLayer},
    queue::Queue,
    syslog::{Facility, Syslog, SyslogLayer},
};

/// Waits for what was logged to be written, for a moment, and says what was
/// lost: to be called before the process ends.
pub fn finish() {
    queue::finish();
    lost::finish();
}

const VARIABLE: &str = "FAILOVERD_LOG";

/// Where keepalived's command line wants the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destinations {
    /// `-l`: standard error.
    pub console: bool,
    /// Unless `-G`; `-S` says which.
    pub syslog: Option<Facility>,
    /// `-g`.
    pub file: Option<PathBuf>,
    /// `-D`.
    pub detail: bool,
    /// What lines in syslog begin with.
    pub ident: String,
}

/// Starts logging; `FAILOVERD_LOG` sets the level or a filter, info by default.
///
/// A second call changes nothing.
pub fn start() {
    let (filter, problem) = filter(std::env::var(VARIABLE), "info");
    // Set by systemd for services whose stderr goes to the journal.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| Journal::new().ok());
    let registry = tracing_subscriber::registry().with(filter);
    let _ = tracing_log::LogTracer::init();
    let _ = match journal {
        Some(journal) => {
            let journal = Arc::new(journal);
            lost::register(journal.clone());
            registry.with(JournalLayer(journal)).try_init()
        }
        None => registry.with(console_layer()).try_init(),
    };
    complain(problem);
}

/// Starts logging to these destinations.
///
/// # Errors
///
/// When the file cannot be opened.
pub fn start_to(destinations: &Destinations) -> io::Result<()> {
    let Destinations {
        console,
        syslog,
        file,
        detail,
        ident,
    } = destinations;
    let default = if *detail {
        "info,failoverd=debug"
    } else {
        "info"
    };
    let (filter, problem) = filter(std::env::var(VARIABLE), default);
    let file = file.as_deref().map(open_file).transpose()?;
    let file = file.map(|file| {
        let lines = tracing_subscriber::fmt::layer().with_target(false);
        lines
            .fmt_fields(message_only())
            .with_ansi(false)
            .with_writer(without_waiting(file))
    });
    let syslog = syslog.map(|facility| SyslogLayer::new(Syslog::new(facility, ident)));
    if let Some(syslog) = &syslog {
        syslog.register();
    }
    let _ = tracing_log::LogTracer::init();
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(console.then(console_layer))
        .with(syslog)
        .with(file)
        .try_init();
    complain(problem);
    Ok(())
}

fn complain(problem: Option<String>) {
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
}

/// Appended to, and not followed where it is a link.
pub fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options.open(path)
}

fn console_layer<S: tracing::Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    tracing_subscriber::fmt::layer()
        .with_target(false)
        .fmt_fields(message_only())
        .with_ansi(io::stderr().is_terminal())
        .with_writer(standard_error())
}

fn standard_error() -> BoxMakeWriter {
    // A descriptor of its own: the lock on standard error is for those who end.
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(stderr) => without_waiting(File::from(stderr)),
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}

fn without_waiting(file: File) -> BoxMakeWriter {
    let copy = file.try_clone();
    match (Queue::start(file), copy) {
        (Ok(queue), _) => BoxMakeWriter::new(queue),
        // Better late than never.
        (Err(_), Ok(file)) => BoxMakeWriter::new(Mutex::new(file)),
        (Err(_), Err(_)) => BoxMakeWriter::new(io::stderr),
    }
}

/// The message says it all; its parts are for the journal.
fn message_only() -> impl for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static {
    debug_fn(|out, field, value| match field.name() {
        "message" => write!(out, "{value:?}"),
        _ => Ok(()),
    })
}

/// What the variable asks for; the default, and why, where it asks for nothing that
/// can be understood.
fn filter(given: Result<String, VarError>, default: &str) -> (EnvFilter, Option<String>) {
    let default = || EnvFilter::new(default);
    let why = match given {
        Err(VarError::NotPresent) => return (default(), None),
        Ok(text) if text.trim().is_empty() => return (default(), None),
        Ok(text) => match EnvFilter::try_new(&text) {
            // A word that is no level is taken for the name of a module, which
            // would silence everything else.
            Ok(filter) if says_a_level(&text) => return (filter, None),
            Ok(_) => format!("'{text}' names no level"),
            Err(error) => format!("'{text}': {error}"),
        },
        Err(VarError::NotUnicode(_)) => "it is not UTF-8".to_owned(),
    };
    let problem = format!(
        "{VARIABLE} is ignored, {why}; the default is used: \
         set it to error, warn, info, debug or trace"
    );
    (default(), Some(problem))
}

fn says_a_level(text: &str) -> bool {
    let level = |text: &str| text.trim().parse::<LevelFilter>().is_ok();
    text.split(',')
        .any(|part| level(part.rsplit('=').next().unwrap_or(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_a_level_is_a_filter() {
        for (text, good) in [
            ("debug", true),
            ("warn,failoverd::service=trace", true),
            ("off", true),
            ("", true),
            ("verbose", false),
            ("failoverd=loud", false),
            ("[", false),
        ] {
            let (_, problem) = filter(Ok(text.to_owned()), "info");
            assert_eq!(problem.is_none(), good, "{text}: {problem:?}");
        }
        assert!(filter(Err(VarError::NotPresent), "info").1.is_none());
    }
}
