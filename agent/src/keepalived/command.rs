//! The options as clap knows them, for the help, the manual and completions;
//! and the version as keepalived prints it.

use clap::{Arg, ArgAction, Command, ValueHint};

use super::{
    NAME,
    options::{Argument, TABLE},
};

/// The version of keepalived whose files and options these are.
const LIKE: &str = "2.2.7";

const NOTES: &str = "\
Exit codes, as keepalived's:
  0  done; also where it runs already
  1  failed while running, or the command line is wrong
  2  the configuration cannot be used
  4  a permission is missing
  6  there is no configuration file
  with -t: 0 good, 4 cannot be read, 5 errors, 6 scripts would run insecurely

Signals, to the parent process:
  TERM, INT, QUIT  stop
  HUP              reload
  USR1             write keepalived.data
  USR2             write keepalived.stats
  --signum=JSON    write keepalived.json
  --signum=STATS_CLEAR  write keepalived.stats and count from 0 again
  --signum=TDATA   log what the threads do

Files, unless told otherwise, in /run/failoverd or what RUNTIME_DIRECTORY names,
and below it in a directory of its own for each network namespace:
  keepalived.pid, vrrp.pid       -p, -r, use_pid_dir, instance
  keepalived.data, .stats, .json state_dump_file, stats_dump_file, json_dump_file
  control.sock                   for failoverd status --control";

/// `failoverd keepalived`, for what clap makes of it; it is not parsed by clap.
pub fn command() -> Command {
    let arguments = TABLE.iter().map(|row| {
        let argument = Arg::new(row.long).long(row.long).help(row.help);
        let argument = match row.short {
            Some(short) => argument.short(short),
            None => argument,
        };
        let argument = match row.path {
            true => argument.value_hint(ValueHint::FilePath),
            false => argument,
        };
        match row.argument {
            Argument::No => argument.action(ArgAction::SetTrue),
            Argument::Needed(name) => argument.value_name(name),
            Argument::Optional(name) => argument
                .value_name(name)
                .num_args(0..=1)
                .require_equals(true),
        }
    });
    Command::new(NAME)
        .about("Run with keepalived's command line, also where called by that name")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .after_help(NOTES)
        .args(arguments)
}

/// What `--help` prints.
pub fn help() -> String {
    command().render_help().to_string()
}

/// Begins as keepalived's does, which is what scripts take it apart by.
pub fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!(
        "Keepalived v{LIKE} (failoverd {own})\n\n\
         failoverd {own}, with the command line and the files of keepalived {LIKE}\n"
    )
}
