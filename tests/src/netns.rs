//! A network namespace that ends with its guard.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::Process,
    sys::{self, PacketSocket},
    wait,
};

/// Where iproute2 keeps the named namespaces.
const DIRECTORY: &str = "/run/netns";
/// Marks the namespaces of this lab; the pid of their owner follows.
const PREFIX: &str = "fo";

static COUNTER: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A named namespace with `lo` up and without duplicate address detection, so
/// that IPv6 addresses are usable at once.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one with a name of its own: `fo<pid>-<counter>`, at most 15
    /// characters as long as the counter stays below 100,000.
    ///
    /// # Errors
    /// Without root, or where the kernel has no namespaces.
    pub fn new() -> Result<Self> {
        SWEEP.call_once(sweep);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.exec(["ip", "link", "set", "lo", "up"])?;
        namespace.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        namespace.sysctl("net/ipv6/conf/default/dad_transmits", "0")?;
        // No router advertisements of our own switch and no solicitations to wait for.
        namespace.sysctl("net/ipv6/conf/default/router_solicitations", "0")?;
        Ok(namespace)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// A command that will run inside; its pid is that of the program itself.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a command to its end and returns its standard output.
    ///
    /// # Errors
    /// When it does not end with 0; its error output is in the message.
    pub fn exec<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<String> {
        let mut words = words.into_iter();
        let program = words.next().context("an empty command")?;
        match program {
            // Saves the second process for what is by far the most frequent.
            "ip" | "bridge" => run(Command::new(program).args(["-n", &self.name]).args(words)),
            program => run(self.command(program).args(words)),
        }
    }

    /// [`Self::exec`] of words separated by white space.
    ///
    /// # Errors
    /// As [`Self::exec`].
    pub fn sh(&self, line: &str) -> Result<String> {
        self.exec(line.split_whitespace())
    }

    /// Starts a command that goes on running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn<S: AsRef<std::ffi::OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Process> {
        Process::start(program, self.command(program).args(arguments))
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets that it
    /// opens stay inside when they are carried out.
    ///
    /// # Errors
    /// When the namespace cannot be entered, and those of `work`.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(self.path()).context("open of the namespace")?;
        let worker = || {
            sys::enter_netns(&namespace).context("setns")?;
            work()
        };
        let joined = std::thread::scope(|scope| scope.spawn(worker).join());
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A packet socket on one of its interfaces; `protocol` in host order.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn packet_socket(&self, interface: &str, protocol: u16) -> Result<PacketSocket> {
        self.enter(|| PacketSocket::open(interface, protocol).context("packet socket"))
            .with_context(|| format!("{interface} in {}", self.name))
    }

    /// Writes a setting below /proc/sys; `key` with slashes.
    ///
    /// # Errors
    /// Where the kernel does not know it.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.enter(|| fs::write(&path, value).with_context(|| path.display().to_string()))
    }

    /// Ends what still runs inside, then removes the namespace.
    fn remove(&self) -> Result<()> {
        remove(&self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("lab: namespace {} may be left behind: {error:#}", self.name);
        }
    }
}

/// The processes whose main thread is in the namespace.
fn pids(name: &str) -> Result<Vec<i32>> {
    let pids = run(Command::new("ip").args(["netns", "pids", name]))?;
    Ok(pids
        .lines()
        .filter_map(|pid| pid.trim().parse().ok())
        .collect())
}

fn remove(name: &str) -> Result<()> {
    for pid in pids(name)? {
        sys::kill(pid, libc::SIGKILL).with_context(|| format!("end of process {pid}"))?;
    }
    let empty = || pids(name).map_or(Some(()), |pids| pids.is_empty().then_some(()));
    // A zombie whose parent does not reap it holds nothing back.
    let _ended = wait::regardless(Duration::from_secs(1), empty);
    run(Command::new("ip").args(["netns", "del", name])).map(drop)
}

/// Removes what runs of this lab that were killed have left: the name carries
/// the pid of the owner, and that process is gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(DIRECTORY) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(owner) = owner(&name) else { continue };
        if sys::exists(owner) {
            continue;
        }
        if let Err(error) = remove(&name) {
            eprintln!("lab: leftover namespace {name}: {error:#}");
        }
    }
}

/// The pid in the name of a namespace of this lab.
fn owner(name: &str) -> Option<i32> {
    let (pid, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

/// Names of the namespaces that this process made and that still exist.
pub fn ours() -> Vec<String> {
    let own = std::process::id() as i32;
    let Ok(entries) = fs::read_dir(DIRECTORY) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| owner(name) == Some(own)).collect()
}

/// Ends and removes everything that this process made: for the moment before an
/// exit that runs no destructors.
pub fn remove_ours() {
    for name in ours() {
        if let Err(error) = remove(&name) {
            eprintln!("lab: namespace {name} is left behind: {error:#}");
        }
    }
}

/// Runs to the end; standard output, or an error with the error output.
///
/// # Errors
/// When it cannot be started or does not end with 0.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}: {}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn only_names_of_the_lab_have_an_owner() {
        assert_eq!(owner("fo123-4"), Some(123));
        assert_eq!(owner("foreign"), None);
        assert_eq!(owner("fo-1"), None);
        assert_eq!(owner("fo12-x"), None);
        assert_eq!(owner("blue"), None);
    }
}
