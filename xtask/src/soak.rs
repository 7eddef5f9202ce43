//! `cargo xtask soak`: routers with 10 ms adverts in namespaces, random faults,
//! and the invariants looked at from outside. The engine is the lab's
//! (tests/src/soak), which also has a short run among the tests.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{
    agent, privilege,
    soak::{self, Options},
    sys,
};

use crate::{build, shell};

#[derive(clap::Args)]
pub struct Arguments {
    /// For how long
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Tells which faults come in which order; another one each time otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Routers on the switch
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(3..=8))]
    routers: u8,
    /// Write the report there too
    #[arg(long)]
    json: Option<PathBuf>,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    agent::use_binary(&build::agent()?);
    if !sys::is_root() {
        let mut command = shell::as_root("env")?;
        command.arg(format!("FAILOVERD_BIN={}", agent::binary()?.display()));
        command.arg(std::env::current_exe().context("path of xtask")?);
        command.args(std::env::args_os().skip(1));
        return shell::run(&mut command);
    }
    if let Some(reason) = privilege::missing() {
        bail!("the soak cannot run here: {reason}");
    }
    let span = Duration::try_from_secs_f64(arguments.minutes * 60.0).context("--minutes")?;
    let options = Options {
        span,
        seed: arguments
            .seed
            .unwrap_or_else(|| sys::clock_ns(libc::CLOCK_REALTIME) % 1_000_000_000),
        routers: arguments.routers.into(),
    };
    println!(
        "{} routers, {:.1} minutes, seed {}",
        options.routers, arguments.minutes, options.seed
    );
    let report = soak::run(options, |line| println!("{line}"))?;
    println!("\n{report}");
    if let Some(path) = &arguments.json {
        fs::write(path, format!("{:#}\n", report.as_json()))
            .with_context(|| path.display().to_string())?;
    }
    if !report.is_clean() {
        bail!(
            "not clean: cargo xtask soak --seed {} --minutes {} --routers {} has the same faults again",
            options.seed,
            arguments.minutes,
            arguments.routers
        );
    }
    Ok(())
}
