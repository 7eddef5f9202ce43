//! `failoverd history`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    exit,
    status::{no_answer, print},
};
use crate::{
    control::{self, HistoryFilter, client::ClientError},
    flight::table,
};

/// Show the last changes of state, each with its cause and its steps
///
/// For each: when the router before was last heard, when its time was over,
/// when the agent was awake, when the first advert, the VIPs, the first GARP
/// or NA and the first packet came, in microseconds; and how long nobody
/// served, as far as this machine can know. docs/history.md explains the
/// columns. Of each instance at least the last 4 are kept, of all 256.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Of this instance only
    instance: Option<String>,

    /// No more than so many, the last ones
    #[arg(long, value_name = "N")]
    last: Option<usize>,

    /// One JSON object instead of text, with all time stamps (CLOCK_MONOTONIC
    /// nanoseconds)
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

pub fn run(arguments: &HistoryArgs) -> ExitCode {
    let filter = HistoryFilter {
        instance: arguments.instance.clone(),
        last: arguments.last,
    };
    let answer = control::client::history(&arguments.control, filter).map_err(|error| {
        let code = match &error {
            // The agent runs; there is no such instance.
            ClientError::Refused(_) => exit::USAGE,
            ClientError::Permission { .. }
            | ClientError::NotRunning { .. }
            | ClientError::Silent { .. }
            | ClientError::Broken { .. } => no_answer(&error),
        };
        (code, error.to_string())
    });
    let text = answer.and_then(|history| match arguments.json {
        true => serde_json::to_string_pretty(&history)
            .map(|json| json + "\n")
            .map_err(|error| (exit::FAILURE, error.to_string())),
        false => Ok(table::text(&history.records)),
    });
    match text.and_then(|text| print(&text).map_err(|error| (exit::FAILURE, error.to_string()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            eprintln!("failoverd: {error}");
            ExitCode::from(code)
        }
    }
}
