//! The command line.

pub mod check;
pub mod events;
pub mod generate;
pub mod history;
pub mod ipvs;
pub mod monitor;
mod problems;
pub mod reload;
pub mod run;
pub mod run_args;
pub mod status;
pub mod upgrade;
mod usage;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::keepalived;

/// Exit codes, as `--help` and the manual list them.
pub mod exit {
    /// Something failed while running.
    pub const FAILURE: u8 = 1;
    /// The command line or the configuration is wrong.
    pub const USAGE: u8 = 2;
    /// No agent is running there, or it does not answer.
    pub const NO_AGENT: u8 = 3;
    /// A permission is missing.
    pub const PERMISSION: u8 = 4;
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed while running
  2  the command line or the configuration is wrong; nothing was changed
  3  status, events, history, reload, diff, upgrade: no agent is running there, or it does not answer
  4  a permission is missing
  5  the backend of --require-xdp or --backend cannot be attached
  check has codes of its own: see `failoverd check --help`

Environment:
  FAILOVERD_LOG  level or filter of the log: error, warn, info (default), debug, trace";

/// Keeps a virtual IP address on exactly one live machine.
#[derive(Parser, Debug)]
#[command(name = "failoverd", version, long_version = long_version(), after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(Box<run_args::RunArgs>),
    #[command(short_flag = 't')]
    Check(check::CheckArgs),
    Status(status::StatusArgs),
    Events(events::EventsArgs),
    History(history::HistoryArgs),
    Reload(reload::ReloadArgs),
    Diff(reload::DiffArgs),
    Upgrade(upgrade::UpgradeArgs),
    Monitor(monitor::MonitorArgs),
    Ipvs(ipvs::IpvsArgs),
    Generate(generate::GenerateArgs),
}

fn long_version() -> &'static str {
    concat!(
        env!("CARGO_PKG_VERSION"),
        "\neBPF object built with: ",
        env!("FAILOVERD_EBPF_TOOLCHAIN")
    )
}

/// All commands, keepalived's among them, for help, manual and completions.
pub fn command() -> clap::Command {
    Cli::command().subcommand(keepalived::command::command())
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    if let Some(arguments) = keepalived::is_meant(std::env::args_os()) {
        return keepalived::main(&arguments);
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let parsed = command().try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return usage::end(&error),
    };
    match cli.command {
        Command::Run(run) => run::run(*run, &arguments),
        Command::Check(check) => check::run(&check),
        Command::Status(status) => status::run(&status),
        Command::Events(events) => events::run(&events),
        Command::History(history) => history::run(&history),
        Command::Reload(reload) => reload::reload(&reload),
        Command::Upgrade(upgrade) => upgrade::run(&upgrade),
        Command::Diff(diff) => reload::run_diff(&diff),
        Command::Monitor(monitor) => monitor::run(&monitor),
        Command::Ipvs(ipvs) => ipvs::run(&ipvs),
        Command::Generate(generate) => generate::run(&generate),
    }
}
