//! `failoverd status`.

use std::{path::PathBuf, process::ExitCode};

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
    match control::client::status(&arguments.control) {
        Ok(status) if arguments.json => match serde_json::to_string_pretty(&status) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("failoverd: cannot write the status: {error}");
                ExitCode::from(exit::FAILURE)
            }
        },
        Ok(status) => {
            print!("{status}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failoverd: {error}");
            ExitCode::from(match error {
                ClientError::Permission { .. } => exit::PERMISSION,
                ClientError::NotRunning { .. }
                | ClientError::Broken { .. }
                | ClientError::Refused(_) => exit::NO_AGENT,
            })
        }
    }
}
