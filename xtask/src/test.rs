//! `cargo xtask test`: the unit tests, the tests in namespaces, the virtual machine.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use failoverd_tests::{clock::monotonic, privilege, sys};

use crate::{
    again, build,
    setup::{self, Group},
    shell, vm,
};

/// Passed through sudo to the tests.
const ENVIRONMENT: &str =
    "CI,FAILOVERD_BIN,FAILOVERD_REQUIRE_PRIVILEGED,RUST_BACKTRACE,CARGO_TARGET_DIR";
/// Tests in namespaces that run at the same time: they wait most of the time, but
/// they measure it too, and a crowded machine is a slow one.
const THREADS: &str = "4";

#[derive(clap::Args)]
pub struct Arguments {
    /// Only the unit tests: the inner loop
    #[arg(long)]
    unit: bool,
    /// Only the virtual machine
    #[arg(long, conflicts_with = "unit")]
    vm: bool,
    /// Install nothing; what is missing is skipped, or fails where CI is set
    #[arg(long)]
    no_setup: bool,
    /// Only tests whose name contains this
    #[arg(long)]
    filter: Option<String>,
}

/// One part of the run and how it ended.
struct Part {
    name: &'static str,
    took: Duration,
    result: Result<Done>,
}

enum Done {
    Passed,
    /// With the reason; never in CI.
    Skipped(String),
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let everything = !arguments.unit && !arguments.vm;
    prepare(arguments, everything)?;
    let filter = arguments.filter.as_deref();
    let mut parts = Vec::new();
    if everything || arguments.unit {
        parts.push(timed("unit tests", || unit(filter)));
    }
    if everything {
        parts.push(timed("documentation tests", || documentation(filter)));
        parts.push(timed("tests in namespaces", || namespaces(filter)));
    }
    if arguments.vm || everything && filter.is_none() {
        parts.push(timed("virtual machine", machine));
    }
    summary(&parts)
}

fn prepare(arguments: &Arguments, everything: bool) -> Result<()> {
    if arguments.no_setup {
        return Ok(());
    }
    let mut groups = vec![Group::Ebpf];
    groups.extend(everything.then_some(Group::Tests));
    groups.extend(
        (everything && arguments.filter.is_none() || arguments.vm).then_some(Group::Machine),
    );
    for group in groups {
        match setup::ensure(group) {
            Ok(()) => {}
            Err(error) if group == Group::Ebpf || shell::is_ci() => return Err(error),
            // The tests that need it say so themselves.
            Err(error) => eprintln!("{error:#}"),
        }
    }
    Ok(())
}

fn timed(name: &'static str, work: impl FnOnce() -> Result<Done>) -> Part {
    println!("\n--- {name}");
    let start = monotonic();
    let result = work();
    Part {
        name,
        took: Duration::from_nanos(monotonic() - start),
        result,
    }
}

fn unit(filter: Option<&str>) -> Result<Done> {
    let mut test = shell::cargo();
    test.args(["test", "--quiet", "--workspace", "--lib", "--bins"])
        .args(filter);
    shell::run(&mut test)?;
    Ok(Done::Passed)
}

fn documentation(filter: Option<&str>) -> Result<Done> {
    let mut test = shell::cargo();
    test.args(["test", "--quiet", "--workspace", "--doc"])
        .args(filter);
    shell::run(&mut test)?;
    Ok(Done::Passed)
}

/// Every integration test of the workspace, as root.
fn namespaces(filter: Option<&str>) -> Result<Done> {
    let runner = match runner() {
        Ok(runner) => runner,
        Err(error) if shell::is_ci() => return Err(error),
        Err(error) => return Ok(Done::Skipped(format!("{error:#}"))),
    };
    let binary = agent_binary()?;
    let test = |targets: &str| {
        let mut test = shell::cargo();
        // All of it: what else fails says where to look.
        test.args(["test", "--workspace", "--no-fail-fast", "--test", targets])
            .args(&runner)
            .env("FAILOVERD_BIN", &binary);
        test
    };
    let mut all = test("*");
    all.args(filter).args(["--", "--test-threads", THREADS]);
    again::run(all, |target, name| {
        let mut one = test(target);
        one.args(["--", "--exact", name, "--test-threads", "1"]);
        one
    })?;
    Ok(Done::Passed)
}

/// Cargo's arguments that make it run tests through sudo, none when this is root.
fn runner() -> Result<Vec<String>> {
    if sys::is_root() {
        return match privilege::missing() {
            Some(reason) => bail!("no network namespaces: {reason}"),
            None => Ok(Vec::new()),
        };
    }
    if !shell::succeeds(Command::new("sudo").args(["--non-interactive", "true"])) && shell::is_ci()
    {
        bail!("the tests in namespaces need root, and sudo asks for a password");
    }
    shell::as_root("true").context("the tests in namespaces")?;
    let keep = format!("--preserve-env={ENVIRONMENT}");
    Ok(vec![
        "--config".to_owned(),
        format!("target.'cfg(unix)'.runner=['sudo', '{keep}', '--']"),
    ])
}

fn agent_binary() -> Result<PathBuf> {
    // Setup had its turn, and here it may be unwanted.
    std::env::var_os("FAILOVERD_BIN").map_or_else(build::agent_as_is, |path| Ok(path.into()))
}

fn machine() -> Result<Done> {
    if !setup::is_complete(Group::Machine) {
        let reason = "QEMU, a kernel or virtme-ng is missing: cargo xtask setup --vm";
        if shell::is_ci() {
            bail!("{reason}");
        }
        return Ok(Done::Skipped(reason.to_owned()));
    }
    vm::boot(Some(Path::new(&agent_binary()?)))?;
    Ok(Done::Passed)
}

fn summary(parts: &[Part]) -> Result<()> {
    println!("\n--- summary");
    for Part { name, took, result } in parts {
        let seconds = took.as_secs_f64();
        match result {
            Ok(Done::Passed) => println!("passed   {name} ({seconds:.1} s)"),
            Ok(Done::Skipped(reason)) => println!("skipped  {name}: {reason}"),
            Err(error) => println!("FAILED   {name} ({seconds:.1} s): {error:#}"),
        }
    }
    let failed = parts.iter().filter(|part| part.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} parts failed", parts.len());
    }
    Ok(())
}
