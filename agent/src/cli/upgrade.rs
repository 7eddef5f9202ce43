//! `failoverd upgrade`.

use std::{ffi::OsString, io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Args, Parser};

use super::{
    Cli, Command, exit,
    run_args::{Plan, RunArgs},
    status::{no_answer, print},
};
use crate::{
    control::{self, client::ClientError},
    keepalived,
    upgrade::{Probe, Upgraded},
};

/// Have a new binary take over from a running agent
///
/// Without a transition and without a lost advert. The new agent is started
/// beside the running one, gets ready, and goes on from its state within a
/// millisecond or so; the supervising parent keeps its pid. Install the new binary
/// first: without --binary it is the one at the place of the running one. Where
/// it cannot take over, all goes on as before, and one sentence says why.
#[derive(Args, Debug)]
pub struct UpgradeArgs {
    /// The binary to take over; it must belong to root
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,

    /// One JSON object instead of text
    #[arg(long)]
    json: bool,

    /// Control socket of the agent
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,

    /// Only say what this binary is, and whether it can run with ARGS
    #[arg(long, hide = true)]
    probe: bool,

    #[arg(last = true, hide = true, requires = "probe")]
    arguments: Vec<OsString>,
}

/// An exit code and what to say with it.
type Failed = (u8, String);

pub fn run(arguments: &UpgradeArgs) -> ExitCode {
    let result = match arguments.probe {
        true => probe(&arguments.arguments),
        false => upgrade(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            text.lines().for_each(|line| eprintln!("failoverd: {line}"));
            ExitCode::from(code)
        }
    }
}

fn upgrade(arguments: &UpgradeArgs) -> Result<(), Failed> {
    let binary = arguments.binary.as_deref().map(std::path::absolute);
    let binary = binary
        .transpose()
        .map_err(|error| (exit::USAGE, error.to_string()))?;
    if std::io::stderr().is_terminal() && !arguments.json {
        eprintln!("failoverd: the new agent gets ready");
    }
    let upgraded =
        control::client::upgrade(&arguments.control, binary).map_err(|error| match error {
            // The agent runs on; what it says is about the binary.
            ClientError::Refused(reason) => (exit::USAGE, reason),
            ClientError::Permission { .. }
            | ClientError::NotRunning { .. }
            | ClientError::Silent { .. }
            | ClientError::Broken { .. } => (no_answer(&error), error.to_string()),
        })?;
    show(&upgraded, arguments.json)
}

fn show(upgraded: &Upgraded, json: bool) -> Result<(), Failed> {
    let text = match json {
        true => serde_json::to_string_pretty(upgraded)
            .map_err(|error| (exit::FAILURE, error.to_string()))?,
        false => upgraded.to_string(),
    };
    print(&(text + "\n")).map_err(|error| (exit::FAILURE, error.to_string()))
}

/// Reads the command line and the file of an agent, and touches nothing.
fn probe(arguments: &[OsString]) -> Result<(), Failed> {
    match arguments.split_first() {
        Some((first, rest)) if first == keepalived::NAME => {
            keepalived::probe(rest).map_err(|text| (exit::USAGE, text))?;
        }
        Some(_) | None => can_run(arguments)?,
    }
    let text =
        serde_json::to_string(&Probe::own()).map_err(|error| (exit::FAILURE, error.to_string()))?;
    print(&(text + "\n")).map_err(|error| (exit::FAILURE, error.to_string()))
}

fn can_run(arguments: &[OsString]) -> Result<(), Failed> {
    let words = std::iter::once(OsString::from("failoverd")).chain(arguments.iter().cloned());
    let usage = |text: String| (exit::USAGE, text);
    let run: Box<RunArgs> = match Cli::try_parse_from(words) {
        Ok(Cli {
            command: Command::Run(run),
        }) => run,
        Ok(_) => return Err(usage("an agent is started with `failoverd run`".to_owned())),
        Err(error) => return Err(usage(error.to_string())),
    };
    match run.into_config() {
        Ok((Plan::Run(config), _)) if !config.instances.is_empty() => Ok(()),
        Ok((Plan::Run(_) | Plan::Monitor(_), _)) => {
            Err(usage("there is no instance to run".to_owned()))
        }
        Err(errors) => Err(usage(errors.to_string())),
    }
}
