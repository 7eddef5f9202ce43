//! A child process: its output line by line, and its end on drop.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    clock::{Deadline, monotonic},
    sys,
    wait::{self, eventually, stopped},
};

/// How long a process may take to follow SIGTERM before SIGKILL.
const GRACE: Duration = Duration::from_secs(3);
/// Lines kept of one process; the rest is counted only.
const MAX_LINES: usize = 50_000;

/// One line of output.
#[derive(Clone, Debug)]
pub struct Line {
    /// When the lab read it, CLOCK_MONOTONIC nanoseconds.
    pub time: u64,
    pub text: String,
}

/// Standard output and error of a process, in the order of arrival.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<Line>>,
    /// Streams that are still read; at 0 no line can come any more.
    open: AtomicUsize,
    arrived: Condvar,
}

impl Output {
    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        // A panic while pushing a line leaves the lines before it intact.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(self: Arc<Self>, source: impl Read) {
        for line in BufReader::new(source).split(b'\n') {
            let Ok(line) = line else { break };
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut lines = self.lines();
            if lines.len() < MAX_LINES {
                lines.push(Line {
                    time: monotonic(),
                    text,
                });
            }
            drop(lines);
            self.arrived.notify_all();
        }
        self.open.fetch_sub(1, Ordering::Release);
        self.arrived.notify_all();
    }
}

/// A child in a process group of its own, ended and reaped on drop.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    status: Option<ExitStatus>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` with its output captured. `name` is for messages.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: impl Into<String>, command: &mut Command) -> Result<Self> {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start of {name}: {command:?}"))?;
        let output = Arc::new(Output::default());
        output.open.store(2, Ordering::Release);
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || output.read(stdout)));
        }
        if let Some(stderr) = child.stderr.take() {
            let output = Arc::clone(&output);
            readers.push(std::thread::spawn(move || output.read(stderr)));
        }
        Ok(Self {
            name,
            child,
            status: None,
            output,
            readers,
        })
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Everything that it wrote so far.
    pub fn lines(&self) -> Vec<Line> {
        self.output.lines().clone()
    }

    /// How many lines it wrote so far: the `from` of [`Self::wait_line_from`].
    pub fn mark(&self) -> usize {
        self.output.lines().len()
    }

    /// The first line that contains `pattern`, from the start of the output.
    ///
    /// # Errors
    /// When it does not come `within` that time; the end of the output is in the message.
    pub fn wait_line(&self, pattern: &str, within: Duration) -> Result<Line> {
        self.wait_line_from(0, pattern, within)
    }

    /// The first line that contains `pattern` after the first `from` lines.
    ///
    /// # Errors
    /// As [`Self::wait_line`].
    pub fn wait_line_from(&self, from: usize, pattern: &str, within: Duration) -> Result<Line> {
        self.wait_lines(&format!("a line with {pattern:?}"), within, |lines| {
            lines
                .iter()
                .skip(from)
                .find(|line| line.text.contains(pattern))
                .cloned()
        })
    }

    /// The first `Some` that `found` makes of the lines so far, asked again
    /// with each new line.
    ///
    /// # Errors
    /// As [`Self::wait_line`].
    pub fn wait_lines<T>(
        &self,
        what: &str,
        within: Duration,
        mut found: impl FnMut(&[Line]) -> Option<T>,
    ) -> Result<T> {
        let deadline = Deadline::after(within);
        let mut lines = self.output.lines();
        loop {
            // Before the lines: whatever was written until then is among them.
            let ended = self.output.open.load(Ordering::Acquire) == 0;
            if let Some(found) = found(&lines) {
                return Ok(found);
            }
            if ended || deadline.expired() || stopped() {
                let tail = tail(&lines);
                let why = if ended {
                    "it has ended".to_owned()
                } else {
                    format!("not within {within:?}")
                };
                bail!("{}: {what}: {why}; its output ends:\n{tail}", self.name);
            }
            // Short, because a signal that stops the lab notifies nobody.
            let span = deadline.remaining().min(Duration::from_millis(50));
            lines = self
                .output
                .arrived
                .wait_timeout(lines, span)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Its exit status, `None` while it runs.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self
                .child
                .try_wait()
                .with_context(|| format!("wait for {}", self.name))?;
        }
        Ok(self.status)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `within`.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        eventually(within, &what, || self.try_wait().transpose())?
    }

    /// Sends `signal` to the process itself, not to its children.
    pub fn signal(&self, signal: i32) -> Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        sys::kill(self.pid(), signal).with_context(|| format!("signal {signal} to {}", self.name))
    }

    /// SIGTERM, and its end within the grace time.
    ///
    /// # Errors
    /// When it does not end; SIGKILL follows on drop.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(libc::SIGTERM)?;
        self.wait(GRACE)
    }

    /// SIGKILL to the process alone, as the kernel's OOM killer would do.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(libc::SIGKILL)?;
        self.wait(GRACE)
    }

    /// Everything that it wrote, once it has ended and all of it was read.
    pub fn finish(self) -> Vec<Line> {
        let output = Arc::clone(&self.output);
        drop(self);
        output.lines().clone()
    }

    /// Ends the process and what is left of its group.
    fn end(&mut self) -> Result<()> {
        if self.try_wait()?.is_none() {
            // SIGTERM is not delivered to a stopped process.
            self.signal(libc::SIGTERM)?;
            self.signal(libc::SIGCONT)?;
            // Also while the lab is being stopped: this is the clean-up.
            let _ended = wait::regardless(GRACE, || self.try_wait().transpose());
        }
        sys::kill(-self.pid(), libc::SIGKILL)?;
        self.status = Some(self.child.wait()?);
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("lab: {} may be left behind: {error:#}", self.name);
        }
        for reader in self.readers.drain(..) {
            // A grandchild outside the group may hold the pipe open for ever.
            let finished = wait::regardless(Duration::from_secs(1), || {
                reader.is_finished().then_some(())
            });
            if finished.is_some() {
                drop(reader.join());
            }
        }
    }
}

/// A process's end in words.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The end of the output, for messages.
fn tail(lines: &[Line]) -> String {
    let start = lines.len().saturating_sub(15);
    let tail: Vec<_> = lines
        .iter()
        .skip(start)
        .map(|line| format!("    {}", line.text))
        .collect();
    tail.join("\n")
}
