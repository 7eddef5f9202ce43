//! The log: journald fields under systemd, plain lines on stderr otherwise.

use std::io::IsTerminal;

use tracing_subscriber::{
    EnvFilter, fmt::format::debug_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Starts logging; `FAILOVERD_LOG` sets the level or a filter, info by default.
///
/// A second call changes nothing.
pub fn start() {
    let filter =
        EnvFilter::try_from_env("FAILOVERD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Set by systemd for services whose stderr goes to the journal.
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| journal_layer().ok());
    let registry = tracing_subscriber::registry().with(filter);
    let _ = tracing_log::LogTracer::init();
    let _ = match journal {
        Some(journal) => registry.with(journal).try_init(),
        None => {
            let stderr = tracing_subscriber::fmt::layer()
                .with_target(false)
                // The message says it all; its parts are for the journal.
                .fmt_fields(debug_fn(|out, field, value| match field.name() {
                    "message" => write!(out, "{value:?}"),
                    _ => Ok(()),
                }))
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr);
            registry.with(stderr).try_init()
        }
    };
}

/// Fields as journalctl filters by: INSTANCE=, STATE=.
fn journal_layer() -> std::io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?;
    Ok(layer
        .with_field_prefix(None)
        .with_syslog_identifier("failoverd".to_owned()))
}
