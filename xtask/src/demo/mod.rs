//! The demonstration: two machines hold an address, and a client watches.

mod scenario;
mod timeline;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use failoverd_tests::{agent, daemon::Daemon, netns, privilege, sys, wait};

pub use scenario::{Pace, play};

use crate::{build, shell};

/// The demonstration ends within this, come what may.
const LIMIT: Duration = Duration::from_secs(30);
/// What is left then for the guards to clean up.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Of that, what is left for ending it by force.
const LAST_RESORT: Duration = Duration::from_secs(1);

#[derive(clap::Args, Default)]
pub struct Arguments {
    /// Play it with keepalived instead of the agent, for comparison
    #[arg(long)]
    pub keepalived: bool,
}

pub fn main(arguments: &Arguments) -> Result<()> {
    let daemon = if arguments.keepalived {
        Daemon::Keepalived
    } else {
        Daemon::Failoverd
    };
    let binary = match daemon {
        Daemon::Failoverd | Daemon::FailoverdXdp => Some(build::agent()?),
        Daemon::Keepalived => None,
    };
    if let Some(binary) = &binary {
        agent::use_binary(binary);
    }
    if !sys::is_root() {
        return again_as_root(arguments, binary.as_deref());
    }
    if let Some(reason) = privilege::missing() {
        bail!("the demonstration cannot run here: {reason}");
    }
    limited(LIMIT, || play(daemon, Pace::FAST))?;
    match netns::ours().as_slice() {
        [] => Ok(()),
        left => bail!("left behind: {}", left.join(", ")),
    }
}

/// Namespaces need root; the build was made as the user.
fn again_as_root(arguments: &Arguments, binary: Option<&Path>) -> Result<()> {
    let own = std::env::current_exe().context("path of xtask")?;
    let mut command = shell::as_root("env")?;
    if let Some(binary) = binary {
        command.arg(format!("FAILOVERD_BIN={}", binary.display()));
    }
    command.arg(own).arg("demo");
    command.args(arguments.keepalived.then_some("--keepalived"));
    eprintln!("network namespaces need root: {}", shell::line(&command));
    shell::run(&mut command)
}

/// Runs `work`, but makes its waits fail when `limit` comes near, and ends the
/// process if even the clean-up hangs.
pub fn limited<T>(limit: Duration, work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::thread::spawn(move || {
        let passed = || None::<()>;
        let _nothing = wait::regardless(limit.saturating_sub(CLEAN_UP), passed);
        eprintln!("not done after {limit:?}: stopping");
        wait::stop_all();
        let _nothing = wait::regardless(CLEAN_UP - LAST_RESORT, passed);
        // Whoever should have cleaned up hangs. On a thread: this may hang too.
        std::thread::spawn(netns::remove_ours);
        let _nothing = wait::regardless(LAST_RESORT, passed);
        std::process::exit(1);
    });
    work()
}
