//! A run from its start until nothing of it is left.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::Child,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, Signal, kill_process, kill_process_group},
    time::Timespec,
};
use tokio::{
    io::unix::AsyncFd,
    time::{sleep, timeout},
};
use tracing::warn;

use super::{
    Ended, LAST_LINE, Outcome, Program, Rest,
    launch::{Refusal, launch},
};
use crate::io::ready::readable;

/// What a script has between SIGTERM and SIGKILL, as with keepalived.
pub const GRACE: Duration = Duration::from_secs(2);
/// A killed process that is still there hangs in the kernel: worth a line.
const STUCK: Duration = Duration::from_secs(10);
/// What a killed process has to end when the agent does not wait any more.
const LAST_MOMENT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// What is read of standard error before a pause, so that a script that
/// floods it waits and we do not work for it.
const CHUNK: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(5);

/// A process group of ours.
pub(super) struct Running {
    name: String,
    child: Child,
    group: Pid,
    rest: Rest,
    ended: AsyncFd<OwnedFd>,
    refusal: Refusal,
    stderr: Option<AsyncFd<OwnedFd>>,
    tail: Tail,
    reaped: bool,
}

impl Running {
    pub fn start(agent: &Path, program: &Program) -> io::Result<Self> {
        let launched = launch(agent, program)?;
        let group = Pid::from_child(&launched.child);
        Ok(Self {
            name: program.words.first().cloned().unwrap_or_default(),
            child: launched.child,
            group,
            rest: program.rest,
            ended: readable(launched.pidfd)?,
            refusal: launched.refusal,
            stderr: launched.stderr.map(readable).transpose()?,
            tail: Tail::default(),
            reaped: false,
        })
    }

    /// Waits until the script itself has ended. Can be dropped and called again.
    pub async fn ended(&mut self) {
        loop {
            let Some(stderr) = &self.stderr else {
                let _ = self.ended.readable().await;
                return;
            };
            tokio::select! {
                biased;
                _ = self.ended.readable() => return,
                ready = stderr.readable() => {
                    let Ok(mut ready) = ready else {
                        self.stderr = None;
                        continue;
                    };
                    match self.tail.read(stderr.get_ref()) {
                        Ok(0) => self.stderr = None,
                        Ok(len) if len >= CHUNK => sleep(PAUSE).await,
                        Ok(_) => {}
                        Err(Errno::AGAIN) => ready.clear_ready(),
                        Err(_) => self.stderr = None,
                    }
                }
            }
        }
    }

    /// The outcome of a script that has ended: what is left of its group goes,
    /// where it is to, and it is reaped. In this order, because its number can
    /// be given to others from then on.
    pub fn reap(&mut self) -> Ended {
        match self.rest {
            Rest::Killed => self.signal(Signal::KILL),
            Rest::Kept => {}
        }
        // One more look: it may have said why in its last moment.
        if let Some(stderr) = self.stderr.take() {
            let _ = self.tail.read(stderr.get_ref());
        }
        let status = self.child.wait();
        self.reaped = true;
        let outcome = match status {
            Ok(status) => match (self.refusal.text(), status.code(), status.signal()) {
                (Some(why), _, _) => Outcome::CannotStart(why),
                (None, Some(code), _) => Outcome::Exited(code),
                (None, None, number) => Outcome::Signalled(number.unwrap_or(0)),
            },
            Err(error) => Outcome::CannotStart(format!("its end is not known: {error}")),
        };
        let said = self.tail.line();
        Ended { outcome, said }
    }

    /// Ends the script and all of its group.
    pub async fn terminate(&mut self) {
        self.signal(Signal::TERM);
        // A stopped process would not notice.
        self.signal(Signal::CONT);
        if timeout(GRACE, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            if timeout(STUCK, self.ended()).await.is_err() {
                warn!("script {}: it was killed and does not end", self.name);
                self.ended().await;
            }
        }
        // The rest has had its SIGTERM too.
        self.signal(Signal::KILL);
        self.reap();
    }

    /// To the whole group; to the process alone while it has none yet.
    fn signal(&self, signal: Signal) {
        let mut sent = kill_process_group(self.group, signal);
        if sent == Err(Errno::SRCH) {
            sent = kill_process(self.group, signal);
        }
        if sent == Err(Errno::PERM) {
            warn!(
                "script {}: no permission to end it: the agent needs CAP_KILL to end \
                 scripts of other users",
                self.name
            );
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // The runtime ends: there is no time for anything gentler, and
            // little to wait for the end.
            self.signal(Signal::KILL);
            let mut ended = [PollFd::new(self.ended.get_ref(), PollFlags::IN)];
            let _ = poll(&mut ended, Some(&LAST_MOMENT));
            let _ = self.child.try_wait();
        }
    }
}

/// The last line of what was written, and no more.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Reads at most [`CHUNK`] bytes; 0 at the end.
    fn read(&mut self, stderr: &OwnedFd) -> Result<usize, Errno> {
        let mut buffer = [0; CHUNK];
        let len = rustix::io::read(stderr, &mut buffer[..])?;
        self.add(buffer.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn add(&mut self, bytes: &[u8]) {
        // One line of the longest kind with the end of its line.
        let room = 2 * LAST_LINE;
        let new = bytes.get(bytes.len().saturating_sub(room)..);
        self.0.extend_from_slice(new.unwrap_or_default());
        self.0.drain(..self.0.len().saturating_sub(room));
    }

    /// Lossless where it is printable.
    fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let last = text
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        let mut line: String = last
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        line.truncate(line.floor_char_boundary(LAST_LINE));
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_script_says_the_last_line_stays() {
        let mut tail = Tail::default();
        assert_eq!(tail.line(), "");
        tail.add(b"first\nsecond\x1b[0m\n\n");
        assert_eq!(tail.line(), "second?[0m");
        tail.add(&b"x".repeat(100_000));
        assert_eq!(tail.line().len(), LAST_LINE);
        assert!(tail.0.len() <= 2 * LAST_LINE);
        tail.add("\nä\u{fffd}\n".as_bytes());
        assert_eq!(tail.line(), "ä\u{fffd}");
    }
}
