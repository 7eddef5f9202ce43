//! The agent under test: `failoverd` in a namespace.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    netns::Netns,
    process::{self, Process},
    router::{Router, VirtualRouter},
    usage,
};

/// Name of the file in the directory of an agent.
const CONF: &str = "keepalived.conf";

/// A running agent with a control socket of its own.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    instance: String,
    binary: PathBuf,
    control: PathBuf,
    directory: TempDir,
}

impl Agent {
    /// Runs `failoverd run` in a namespace with what `router` says.
    ///
    /// # Errors
    /// When there is no binary (see [`binary`]) or it cannot be started.
    pub fn start(ns: &Netns, router: &VirtualRouter) -> Result<Self> {
        Self::start_with(ns, &router.agent_arguments(), &router.name)
    }

    /// Runs `failoverd run --config` with a keepalived.conf as written.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_conf(ns: &Netns, conf: &str, instance: &str) -> Result<Self> {
        Self::start_conf_with(ns, conf, instance, &[])
    }

    /// [`Self::start_conf`] with more flags.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_conf_with(ns: &Netns, conf: &str, instance: &str, flags: &[&str]) -> Result<Self> {
        let directory = directory()?;
        let path = directory.path().join(CONF);
        std::fs::write(&path, conf).context(CONF)?;
        let mut arguments = vec![
            "run".to_owned(),
            "--config".to_owned(),
            path.display().to_string(),
        ];
        arguments.extend(flags.iter().map(ToString::to_string));
        Self::start_in(directory, ns, &arguments, instance, &[])
    }

    /// [`Self::start_conf`] with more in the environment.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_conf_in(
        ns: &Netns,
        conf: &str,
        instance: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let directory = directory()?;
        let path = directory.path().join(CONF);
        std::fs::write(&path, conf).context(CONF)?;
        let path = path.display().to_string();
        let arguments = ["run", "--config", &path];
        Self::start_in(directory, ns, &arguments, instance, environment)
    }

    /// Runs it with `arguments` (the subcommand first), to which `--control`
    /// is added. `instance` is whose states [`Router::state`] tells.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with<S: AsRef<str>>(ns: &Netns, arguments: &[S], instance: &str) -> Result<Self> {
        Self::start_in(directory()?, ns, arguments, instance, &[])
    }

    fn start_in<S: AsRef<str>>(
        directory: TempDir,
        ns: &Netns,
        arguments: &[S],
        instance: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let binary = binary()?;
        let control = directory.path().join("control");
        let mut command = ns.command(&binary.to_string_lossy());
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .arg("--control")
            .arg(&control);
        // The log goes to standard error, not to a journal that the machine may have.
        command
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .env("NO_COLOR", "1")
            .envs(environment.iter().copied());
        let process = Process::start("failoverd", &mut command)?;
        Ok(Self {
            process,
            instance: instance.to_owned(),
            binary,
            control,
            directory,
        })
    }

    /// Path of the file that it was started with by [`Self::start_conf`].
    pub fn conf(&self) -> PathBuf {
        self.directory.path().join(CONF)
    }

    /// Writes that file anew, whole: nobody ever reads a half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_conf(&self, conf: &str) -> Result<()> {
        let new = self.directory.path().join("new");
        std::fs::write(&new, conf).context(CONF)?;
        std::fs::rename(&new, self.conf()).context(CONF)
    }

    /// Runs `failoverd reload` with that file as it is now.
    ///
    /// # Errors
    /// When it does not end.
    pub fn reload(&self) -> Result<Ended> {
        self.ask("reload", &[])
    }

    /// Runs a subcommand that asks this agent.
    ///
    /// # Errors
    /// When it does not end.
    pub fn ask(&self, subcommand: &str, arguments: &[&str]) -> Result<Ended> {
        let control = self.control.to_string_lossy();
        let mut words = vec![subcommand, "--control", &control];
        words.extend(arguments);
        call(None, &words, Duration::from_secs(30))
    }

    /// Path of its control socket.
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// What `failoverd status --json` says.
    ///
    /// # Errors
    /// When the agent does not answer, or not in JSON.
    pub fn status(&self) -> Result<Value> {
        let mut command = Command::new(&self.binary);
        command
            .args(["status", "--json", "--control"])
            .arg(&self.control);
        let out = crate::netns::run(&mut command)?;
        serde_json::from_str(&out).with_context(|| format!("status is not JSON: {out}"))
    }

    /// The pids of the process and of everything that it started.
    pub fn family(&self) -> Vec<i32> {
        usage::family(self.process.pid())
    }

    /// Stops (SIGSTOP) or continues (SIGCONT) every process of the agent, as a
    /// machine does that does not get the CPU.
    ///
    /// # Errors
    /// When a signal cannot be sent.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { libc::SIGSTOP } else { libc::SIGCONT };
        for pid in self.family() {
            crate::sys::kill(pid, signal).with_context(|| format!("signal to {pid}"))?;
        }
        Ok(())
    }

    /// SIGTERM, then its end: a planned hand-over when it is Active.
    ///
    /// # Errors
    /// When it does not end, or not with exit code 0.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(libc::SIGTERM)?;
        let status = self.process.wait(Duration::from_secs(5))?;
        if !status.success() {
            bail!("failoverd after SIGTERM: {}", process::describe(status));
        }
        Ok(())
    }
}

impl Router for Agent {
    fn process(&self) -> &Process {
        &self.process
    }

    fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    fn instance(&self) -> &str {
        &self.instance
    }
}

/// Runs the agent to its end, in a namespace or outside of all: for exit codes
/// and messages. Ended with SIGKILL, and an error, after `within`.
///
/// # Errors
/// When there is no binary, or it does not end.
pub fn call(ns: Option<&Netns>, arguments: &[&str], within: Duration) -> Result<Ended> {
    let binary = binary()?;
    let mut command = match ns {
        Some(ns) => ns.command(&binary.to_string_lossy()),
        None => Command::new(&binary),
    };
    let mut process = Process::start("failoverd", command.args(arguments).env("NO_COLOR", "1"))?;
    let status = process.wait(within)?;
    let output = process.finish().into_iter().map(|line| line.text).collect();
    Ok(Ended {
        code: status.code(),
        output,
    })
}

/// How a [`call`] ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output and error.
    pub output: Vec<String>,
}

fn directory() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("lab-failoverd")
        .tempdir()
        .context("directory of the agent")
}

static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// Makes `path` the binary under test of this process; the first call counts.
pub fn use_binary(path: &Path) {
    CHOSEN.get_or_init(|| path.to_owned());
}

/// The binary under test: that of [`use_binary`], else FAILOVERD_BIN, else the
/// one in the target directory that the running program was built into.
///
/// # Errors
/// When neither is there.
pub fn binary() -> Result<PathBuf> {
    let named = || env::var_os("FAILOVERD_BIN").map(PathBuf::from);
    if let Some(path) = CHOSEN.get().cloned().or_else(named) {
        if !path.is_file() {
            bail!("{}: no such file (FAILOVERD_BIN)", path.display());
        }
        return Ok(path);
    }
    let own = env::current_exe().context("path of the running program")?;
    // target/debug/xtask or target/debug/deps/lab-0123456789abcdef
    for directory in own.ancestors().skip(1).take(2) {
        for candidate in ["failoverd", "../release/failoverd", "../debug/failoverd"] {
            let path = directory.join(candidate);
            if path.is_file() {
                return path.canonicalize().context("path of failoverd");
            }
        }
    }
    bail!("no failoverd binary: build it (cargo build -p failoverd) or set FAILOVERD_BIN")
}

/// Why tests with the agent cannot run, for [`crate::privilege::ready`].
pub fn missing() -> Option<String> {
    binary().err().map(|error| error.to_string())
}
