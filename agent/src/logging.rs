//! The log: journald fields under systemd, plain lines on stderr otherwise.

use std::{env::VarError, io::IsTerminal};

use tracing_subscriber::{
    EnvFilter, filter::LevelFilter, fmt::format::debug_fn, layer::SubscriberExt,
    util::SubscriberInitExt,
};

const VARIABLE: &str = "FAILOVERD_LOG";

/// Starts logging; `FAILOVERD_LOG` sets the level or a filter, info by default.
///
/// A second call changes nothing.
pub fn start() {
    let (filter, problem) = filter(std::env::var(VARIABLE));
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
    if let Some(problem) = problem {
        tracing::warn!("{problem}");
    }
}

/// What the variable asks for; `info`, and why, where it asks for nothing that
/// can be understood.
fn filter(given: Result<String, VarError>) -> (EnvFilter, Option<String>) {
    let default = || EnvFilter::new("info");
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
        "{VARIABLE} is ignored, {why}; info is used: \
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
            let (_, problem) = filter(Ok(text.to_owned()));
            assert_eq!(problem.is_none(), good, "{text}: {problem:?}");
        }
        assert!(filter(Err(VarError::NotPresent)).1.is_none());
    }
}

/// Fields as journalctl filters by: INSTANCE=, STATE=.
fn journal_layer() -> std::io::Result<tracing_journald::Layer> {
    let layer = tracing_journald::layer()?;
    Ok(layer
        .with_field_prefix(None)
        .with_syslog_identifier("failoverd".to_owned()))
}
