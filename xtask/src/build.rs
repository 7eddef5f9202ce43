//! Building what the other commands run.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

use crate::{
    setup::{self, Group},
    shell,
};

/// Builds the agent in release mode, after installing the tool chain of its
/// kernel side where that is missing. The path of the binary.
///
/// # Errors
/// When the tool chain cannot be had or the build fails.
pub fn agent() -> Result<PathBuf> {
    if let Some(path) = env::var_os("FAILOVERD_BIN") {
        return Ok(path.into());
    }
    setup::ensure(Group::Ebpf)?;
    agent_as_is()
}

/// Likewise without installing anything.
///
/// # Errors
/// When the build fails.
pub fn agent_as_is() -> Result<PathBuf> {
    let mut build = shell::cargo();
    build.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "failoverd",
        "--bin",
        "failoverd",
    ]);
    shell::run(&mut build).context("build of the agent")?;
    Ok(shell::target_directory().join("release/failoverd"))
}

/// One of the agent's examples, built as the agent itself is.
///
/// # Errors
/// When the tool chain cannot be had or the build fails.
pub fn example(name: &str) -> Result<PathBuf> {
    setup::ensure(Group::Ebpf)?;
    let mut build = shell::cargo();
    build.args(["build", "--quiet", "--release", "--package", "failoverd"]);
    build.args(["--example", name]);
    shell::run(&mut build)?;
    Ok(shell::target_directory()
        .join("release/examples")
        .join(name))
}
