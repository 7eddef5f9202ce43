//! The log: journald fields under systemd, plain lines on stderr otherwise; or
//! where keepalived's command line wants it.

pub mod syslog;

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use tracing_subscriber::{
    EnvFilter, Layer, fmt::format::debug_fn, layer::SubscriberExt, registry::LookupSpan,
    util::SubscriberInitExt,
};

use self::syslog::{Facility, Syslog, SyslogLayer};

const FILTER: &str = "FAILOVERD_LOG";

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
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    // Set by systemd for services whose stderr goes to the journal.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| journal_layer().ok());
    let registry = tracing_subscriber::registry().with(filter);
    let _ = tracing_log::LogTracer::init();
    let _ = match journal {
        Some(journal) => registry.with(journal).try_init(),
        None => registry.with(console_layer()).try_init(),
    };
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
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(default));
    let file = file.as_deref().map(open_file).transpose()?;
    let file = file.map(|file| {
        let lines = tracing_subscriber::fmt::layer().with_target(false);
        lines
            .fmt_fields(message_only())
            .with_ansi(false)
            .with_writer(Mutex::new(file))
    });
    let syslog = syslog.map(|facility| SyslogLayer::new(Syslog::new(facility, ident)));
    let _ = tracing_log::LogTracer::init();
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(console.then(console_layer))
        .with(syslog)
        .with(file)
        .try_init();
    Ok(())
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
        .with_writer(io::stderr)
}

/// The message says it all; its parts are for the journal.
fn message_only() -> impl for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static {
    debug_fn(|out, field, value| match field.name() {
        "message" => write!(out, "{value:?}"),
        _ => Ok(()),
    })
}

/// Fields as journalctl filters by: INSTANCE=, STATE=.
fn journal_layer() -> std::io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?;
    Ok(layer
        .with_field_prefix(None)
        .with_syslog_identifier("failoverd".to_owned()))
}
