//! keepalived and the agent called by that name, with the same command lines.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use failoverd_tests::{
    agent::{self, Ended},
    netns::Netns,
    process::Process,
    router::{State, transitions},
    sys,
    topology::Host,
    wait::{self, eventually},
};
use tempfile::TempDir;

/// Nothing here takes long.
pub const WITHIN: Duration = Duration::from_secs(30);

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    Keepalived,
    Ours,
}

pub const BOTH: [Which; 2] = [Which::Keepalived, Which::Ours];

/// A place for the files of one keepalived.
pub struct Home {
    pub which: Which,
    pub directory: TempDir,
}

impl Home {
    pub fn new(which: Which, conf: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("lab-as").tempdir()?;
        let home = Self { which, directory };
        fs::write(home.path("conf"), conf)?;
        symlink(agent::binary()?, home.path("keepalived"))?;
        Ok(home)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command that calls it in a namespace, or outside of all.
    pub fn command(&self, ns: Option<&Netns>, arguments: &[&str]) -> Command {
        let program = match self.which {
            Which::Keepalived => PathBuf::from("keepalived"),
            Which::Ours => self.path("keepalived"),
        };
        let mut command = match ns {
            Some(ns) => ns.command(&program.to_string_lossy()),
            None => Command::new(program),
        };
        // Where keepalived writes its dumps, and we all.
        command
            .args(arguments)
            .env("TMPDIR", self.directory.path())
            .env("RUNTIME_DIRECTORY", self.directory.path())
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .env("NO_COLOR", "1");
        command
    }

    /// Calls it and waits for its end.
    pub fn call(&self, ns: Option<&Netns>, arguments: &[&str]) -> Result<Ended> {
        let mut process = Process::start("keepalived", &mut self.command(ns, arguments))?;
        let status = process.wait(WITHIN)?;
        let output = process.finish().into_iter().map(|line| line.text).collect();
        Ok(Ended {
            code: status.code(),
            output,
        })
    }

    /// The command line of a daemon: its file, its pid files, and more.
    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let mut words = vec!["-P".to_owned(), "-f".to_owned(), path("conf")];
        words.extend(["-p".to_owned(), path("keepalived.pid")]);
        words.extend(["-r".to_owned(), path("vrrp.pid")]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    pub fn pid(&self, name: &str) -> Option<i32> {
        let text = fs::read_to_string(self.path(name)).ok()?;
        let pid = text.strip_suffix('\n')?.parse().ok()?;
        Some(pid)
    }

    pub fn wait_pid(&self, name: &str) -> Result<i32> {
        eventually(WITHIN, name, || self.pid(name))
    }
}

/// One that runs in the foreground and logs to the console.
pub struct Foreground {
    pub process: Process,
    pub home: Home,
}

impl Foreground {
    pub fn start(which: Which, host: &Host, conf: &str) -> Result<Self> {
        Self::start_in(Home::new(which, conf)?, &host.ns, &[])
    }

    pub fn start_in(home: Home, ns: &Netns, more: &[&str]) -> Result<Self> {
        let mut words = home.arguments(&["-n", "-l", "-D"]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let process = Process::start("keepalived", &mut home.command(Some(ns), &words))?;
        Ok(Self { process, home })
    }

    pub fn wait_state(&self, instance: &str, state: State) -> Result<()> {
        let what = format!("({instance}) {}", state.word());
        self.process
            .wait_lines(&what, Duration::from_secs(60), |lines| {
                transitions(lines, instance)
                    .pop()
                    .filter(|last| last.state == state)
            })
            .map(drop)
    }

    /// Sends `signal` and returns the new content of the file that it asks for.
    pub fn dump(&self, signal: i32, file: &str) -> Result<String> {
        dump(self.process.pid(), signal, &self.home.path(file))
    }
}

/// What is in `path` after `signal`, once it is whole.
pub fn dump(pid: i32, signal: i32, path: &Path) -> Result<String> {
    if path.symlink_metadata().is_ok() {
        fs::remove_file(path)?;
    }
    sys::kill(pid, signal).context("signal")?;
    let whole = |text: &String| match path.extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        Some("stats") => text.contains("Priority Zero:") && text.ends_with('\n'),
        // keepalived ends with the interfaces, as we do.
        _ => text.contains("< Interfaces >") && text.ends_with('\n'),
    };
    eventually(WITHIN, &path.display().to_string(), || {
        fs::read_to_string(path).ok().filter(whole)
    })
}

/// A daemon in the background, ended on drop.
pub struct Background {
    pub home: Home,
    pub parent: i32,
}

impl Background {
    /// The caller has ended with 0, and the pid file is there.
    pub fn start(which: Which, ns: &Netns, conf: &str) -> Result<Self> {
        let home = Home::new(which, conf)?;
        let words = home.arguments(&["-D"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = home.call(Some(ns), &words)?;
        if ended.code != Some(0) {
            bail!("{which:?} did not start: {ended:?}");
        }
        if which == Which::Ours && home.pid("keepalived.pid").is_none() {
            bail!("the caller was let go before the pid file was there");
        }
        let parent = home.wait_pid("keepalived.pid")?;
        Ok(Self { home, parent })
    }

    pub fn stop(&self) -> Result<()> {
        sys::kill(self.parent, libc::SIGTERM)?;
        eventually(WITHIN, "its end", || gone(self.parent).then_some(()))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if gone(self.parent) {
            return;
        }
        let _ = sys::kill(self.parent, libc::SIGTERM);
        let ended = wait::regardless(Duration::from_secs(10), || gone(self.parent).then_some(()));
        if ended.is_none() {
            let _ = sys::kill(self.parent, libc::SIGKILL);
        }
    }
}

/// Gone, or a zombie that nobody has waited for.
pub fn gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    state.is_empty() || state.starts_with(['Z', 'X'])
}
