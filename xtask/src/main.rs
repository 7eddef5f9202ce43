//! `cargo xtask`: what one does with this repository. This file only dispatches.

mod again;
mod bench;
mod build;
mod demo;
mod fuzz;
mod generate;
mod ledger;
mod lint;
mod model;
mod mutants;
mod run;
mod setup;
mod shell;
mod sim;
mod soak;
mod test;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building and testing need, and say what was there already
    Setup(setup::Arguments),
    /// Show a fail-over in namespaces, or run the agent on a real interface (--iface IF ...)
    Run(run::Arguments),
    /// The demonstration alone, also with keepalived for comparison
    Demo(demo::Arguments),
    /// Unit tests, then tests in namespaces, then the virtual machine
    Test(test::Arguments),
    /// Simulate elections under faults, with the invariants checked
    Sim(sim::Arguments),
    /// Routers in namespaces under random faults, for half an hour
    Soak(soak::Arguments),
    /// Explore the election of three routers in every order of events
    Model,
    /// Put known bugs into a copy, one at a time, and see which test finds each
    Mutants(mutants::Arguments),
    /// Measure
    Bench(bench::Arguments),
    /// Feed a target with mutated inputs and watch what they reach
    Fuzz(fuzz::Arguments),
    /// Write docs/KEEPALIVED.md and docs/CONFORMANCE.md anew from the code
    Generate,
    /// Formatting, clippy, and the rules of this repository
    Lint,
    /// Boot a virtual machine with Debian's kernel and fail over in it
    Vm(vm::Arguments),
}

fn main() -> ExitCode {
    shell::stop_on_signal();
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup(arguments) => setup::main(&arguments),
        Command::Run(arguments) => run::main(&arguments),
        Command::Demo(arguments) => demo::main(&arguments),
        Command::Test(arguments) => test::main(&arguments),
        Command::Sim(arguments) => sim::main(&arguments),
        Command::Soak(arguments) => soak::main(&arguments),
        Command::Model => model::main(),
        Command::Mutants(arguments) => mutants::main(&arguments),
        Command::Bench(arguments) => bench::main(&arguments),
        Command::Fuzz(arguments) => fuzz::main(&arguments),
        Command::Generate => generate::main(),
        Command::Lint => lint::main(),
        Command::Vm(arguments) => vm::main(&arguments),
    }
}
