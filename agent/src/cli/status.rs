//! `failoverd status`.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use super::exit;
use crate::control::{self, client::ClientError};

/// Show what a running agent does
///
/// State, Active's address, timers, counters, backend, and the VIPs as the
/// kernel has them.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

pub fn run(arguments: &StatusArgs) -> ExitCode {
    let answer = control::client::status(&arguments.control)
        .map_err(|error| (no_answer(&error), error.to_string()));
    let text = answer.and_then(|status| match arguments.json {
        true => serde_json::to_string_pretty(&status)
            .map(|json| json + "\n")
            .map_err(|error| (exit::FAILURE, error.to_string())),
        false => Ok(status.to_string()),
    });
    match text.and_then(|text| print(&text).map_err(|error| (exit::FAILURE, error.to_string()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            eprintln!("failoverd: {error}");
            ExitCode::from(code)
        }
    }
}

/// The exit code for a question that was not answered.
pub fn no_answer(error: &ClientError) -> u8 {
    match error {
        ClientError::Permission { .. } => exit::PERMISSION,
        ClientError::NotRunning { .. }
        | ClientError::Silent { .. }
        | ClientError::Broken { .. }
        | ClientError::Refused(_) => exit::NO_AGENT,
    }
}

/// A reader that has seen enough, as `head` has, is no failure.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
