//! `cargo xtask bench`: measurements.

mod failover;

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
    /// Blackout of a silent cable cut, a pair of agents against a pair of keepalived
    Failover(failover::Arguments),
}

pub fn main(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::XdpCost => xdp_cost(),
        Subject::Failover(arguments) => failover::main(arguments),
    }
}

fn xdp_cost() -> Result<()> {
    setup::ensure(Group::Ebpf)?;
    let mut build = shell::cargo();
    build.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "failoverd",
        "--example",
        "xdp_cost",
    ]);
    shell::run(&mut build)?;
    let program = shell::target_directory().join("release/examples/xdp_cost");
    shell::run(&mut shell::as_root(program)?)
}
