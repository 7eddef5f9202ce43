//! The agent called as `keepalived`: its command line, pid files, background.
//!
//! `keepalived ...` through a link of that name, or `failoverd keepalived ...`.
//! What a unit file or a script that calls keepalived relies on works as there;
//! what has no counterpart is accepted with one line where that does no harm.

pub mod command;
mod daemon;
mod getopt;
mod invocation;
mod manner;
mod options;
mod run;
mod signum;

pub use self::run::probe;

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use self::invocation::{Invocation, Task};
use crate::cli::check;

/// The name that is answered to.
pub const NAME: &str = "keepalived";

/// keepalived's exit codes.
pub mod exit {
    /// The command line is wrong, or something failed while running.
    pub const FATAL: u8 = 1;
    /// The configuration cannot be used.
    pub const CONFIG: u8 = 2;
    /// A permission is missing.
    pub const PERMISSION: u8 = 4;
    /// There is no configuration to read.
    pub const NO_CONFIG: u8 = 6;
}

/// Whether these arguments, the name of the program first, are meant for
/// keepalived; then the rest of them.
pub fn is_meant(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    let program = arguments.next()?;
    let rest: Vec<OsString> = arguments.collect();
    if Path::new(&program).file_name() == Some(OsStr::new(NAME)) {
        return Some(rest);
    }
    match rest.split_first() {
        Some((first, rest)) if first == NAME => Some(rest.to_vec()),
        Some(_) | None => None,
    }
}

/// Does what keepalived's command line asks for.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let invocation = match Invocation::new(arguments) {
        Ok(invocation) => invocation,
        Err(error) => {
            say(format_args!("{error}"));
            return ExitCode::from(exit::FATAL);
        }
    };
    match &invocation.task {
        Task::Help => {
            // To standard error, where keepalived's is.
            let _ = io::stderr().write_all(command::help().as_bytes());
            ExitCode::SUCCESS
        }
        Task::Version => {
            let _ = io::stderr().write_all(command::version().as_bytes());
            ExitCode::SUCCESS
        }
        Task::Signum(name) => match signum::number(name) {
            Some(number) => {
                // Whoever does not read it does not need it.
                let _ = writeln!(io::stdout(), "{number}");
                ExitCode::SUCCESS
            }
            None => {
                say(format_args!(
                    "unknown sigfunc {name}: use {}",
                    signum::NAMES.join(", ")
                ));
                ExitCode::from(exit::FATAL)
            }
        },
        Task::Check(log) => {
            let (file, id) = (&invocation.file, invocation.config_id.as_ref());
            check::as_keepalived(file, id, invocation.all_config, log.as_ref())
        }
        Task::Genhash => {
            say(format_args!(
                "-T (--genhash) is not there yet: failoverd has no HTTP checks"
            ));
            ExitCode::from(exit::FATAL)
        }
        Task::CheckersOnly => {
            say(format_args!(
                "-C (--check) without -P: failoverd has no health checkers yet, so there is \
                 nothing to run"
            ));
            ExitCode::from(exit::CONFIG)
        }
        Task::Run => run::run(invocation),
    }
}

/// Unlike `eprintln!`, does not panic when nobody reads any more.
fn say(message: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "keepalived: {message}");
}

#[cfg(test)]
mod tests;
