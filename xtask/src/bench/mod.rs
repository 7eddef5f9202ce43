//! `cargo xtask bench`: measurements.

mod failover;
mod scripts;

use std::{path::PathBuf, process::Command};

use anyhow::Result;
use clap::Subcommand;

use crate::{
    setup::{self, Group},
    shell,
};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// What the XDP program costs per frame (BPF_PROG_TEST_RUN)
    XdpCost,
    /// Reading, checking, printing and comparing large configurations
    Config,
    /// Blackout of a silent cable cut, a pair of agents against a pair of keepalived
    Failover(failover::Arguments),
    /// Gaps between adverts of 255 instances, without and with 255 scripts a second
    Scripts(scripts::Arguments),
}

pub fn main(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::XdpCost => shell::run(&mut shell::as_root(example("xdp_cost")?)?),
        Subject::Config => shell::run(&mut Command::new(example("config_speed")?)),
        Subject::Failover(arguments) => failover::main(arguments),
        Subject::Scripts(arguments) => scripts::main(arguments),
    }
}

/// One of the agent's examples, built as the agent itself is.
fn example(name: &str) -> Result<PathBuf> {
    setup::ensure(Group::Ebpf)?;
    let mut build = shell::cargo();
    build.args(["build", "--quiet", "--release", "--package", "failoverd"]);
    build.args(["--example", name]);
    shell::run(&mut build)?;
    Ok(shell::target_directory()
        .join("release/examples")
        .join(name))
}
