//! `cargo xtask sim`: the simulator, built to be fast.

use std::ffi::OsString;

use anyhow::Result;

use crate::shell;

/// What follows is for the simulator: `--help` there.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// As --schedules N, --seed S, --routers R, --keep FAULTS, --jobs N, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let mut run = shell::cargo();
    run.args([
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "failoverd-sim",
        "--",
    ])
    .args(&arguments.arguments);
    shell::run(&mut run)
}
