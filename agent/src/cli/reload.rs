//! `failoverd reload` and `failoverd diff`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    exit, problems,
    status::{no_answer, print},
};
use crate::{
    config::{
        self,
        diff::{Changes, Portrait, diff},
    },
    control::{self, client::ClientError},
};

/// Have a running agent read its configuration file again
///
/// What changed is applied while the instances run: those that did not change
/// go on without a missed advert, VIPs are added and removed one by one. A file
/// with an error changes nothing. Says what was changed.
#[derive(Args, Debug)]
pub struct ReloadArgs {
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

const DIFF_CODES: &str = "\
Exit codes:
  0  nothing would change
  1  something would change
  2  the file, or that of --against, is wrong
  3  no agent is running there, or it does not answer
  4  a permission is missing";

/// Show what a reload with FILE would change
///
/// Per instance, against what the running agent has in force, before it is
/// done. Instances are matched by VRID, family, interface and kind of
/// transport, as keepalived does, and not by name.
#[derive(Args, Debug)]
#[command(after_help = DIFF_CODES)]
pub struct DiffArgs {
    /// A keepalived.conf; - for standard input
    file: PathBuf,

    /// Compare with this file instead of with a running agent
    #[arg(long, value_name = "FILE", conflicts_with = "control")]
    against: Option<PathBuf>,

    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

/// An exit code and what to say with it.
type Failed = (u8, String);

pub fn reload(arguments: &ReloadArgs) -> ExitCode {
    let changes = control::client::reload(&arguments.control).map_err(|error| match error {
        // The agent runs on; what it says is about its file.
        ClientError::Refused(reason) => (exit::USAGE, reason),
        ClientError::Permission { .. }
        | ClientError::NotRunning { .. }
        | ClientError::Silent { .. }
        | ClientError::Broken { .. } => (no_answer(&error), error.to_string()),
    });
    match changes.and_then(|changes| show(&changes, arguments.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => complain(failed),
    }
}

pub fn run_diff(arguments: &DiffArgs) -> ExitCode {
    let changes = || -> Result<bool, Failed> {
        let new = read(&arguments.file)?;
        let old = match &arguments.against {
            Some(other) => read(other)?,
            None => control::client::config(&arguments.control)
                .map_err(|error| (no_answer(&error), error.to_string()))?,
        };
        let changes = diff(&old, &new);
        show(&changes, arguments.json)?;
        Ok(!changes.is_empty())
    };
    match changes() {
        Ok(different) => ExitCode::from(u8::from(different)),
        Err(failed) => complain(failed),
    }
}

/// Text or JSON on standard output.
fn show(changes: &Changes, json: bool) -> Result<(), Failed> {
    let text = match json {
        true => serde_json::to_string_pretty(changes)
            .map(|json| json + "\n")
            .map_err(|error| (exit::FAILURE, error.to_string()))?,
        false if changes.is_empty() => "nothing changes\n".to_owned(),
        false => changes.to_string(),
    };
    print(&text).map_err(|error| (exit::FAILURE, error.to_string()))
}

/// What is wrong with the file goes to standard error at once.
fn read(path: &Path) -> Result<Portrait, Failed> {
    let loaded = config::load_input(path, None);
    problems::show(&loaded.diagnostics);
    match loaded.config {
        Some(config) if !config.instances.is_empty() => Ok(Portrait::from(&config)),
        Some(_) | None => {
            let verdict = problems::verdict(path, &loaded.diagnostics);
            Err((exit::USAGE, verdict.unwrap_or_default()))
        }
    }
}

fn complain((code, text): Failed) -> ExitCode {
    text.lines().for_each(|line| eprintln!("failoverd: {line}"));
    ExitCode::from(code)
}
