//! FIFOs that events are written to, one line each.
//!
//! Nobody is waited for: what a full FIFO has no room for is dropped and
//! counted. It is open for reading too, so that lines stay in it while its
//! reader is away, and writing to it never fails for want of one.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat, Uid},
    io::Errno,
    process::getegid,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;

use crate::{
    config::model::{FifoSpec, Hook, RunAs},
    io::clock,
    script::{Identity, IdentityError, Lane, Program, Rest, Runner},
};

/// A script that ends is started again after this, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A FIFO script is never ended for having run for so long.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How often is looked whether the last lines were read.
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, thiserror::Error)]
pub enum FifoError {
    #[error("cannot make it: {0}")]
    Make(Errno),
    #[error("cannot open it: {0}")]
    Open(Errno),
    #[error("there is something else than a FIFO")]
    NotAFifo,
    #[error("cannot give it to its owner: {0}")]
    Owner(Errno),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// An open FIFO, removed when dropped if it was made here.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    fd: OwnedFd,
    ours: bool,
    dropped: u64,
    /// The last line found no room.
    full: bool,
    script: Option<Attended>,
}

#[derive(Debug)]
struct Attended {
    hook: Hook,
    lane: Lane,
    task: JoinHandle<()>,
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fifo {
    /// Opens the FIFO, made where there is none: its owner's and our group's,
    /// mode 0660. A link is not followed.
    ///
    /// # Errors
    ///
    /// When it cannot be had, or something else is there.
    pub fn open(spec: &FifoSpec) -> Result<Self, FifoError> {
        let path = spec.path.as_path();
        let mode = Mode::RUSR | Mode::WUSR;
        let ours = match fs::mknodat(CWD, path, FileType::Fifo, mode, 0) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(FifoError::Make(error)),
        };
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match fs::open(path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::LOOP) => return Err(FifoError::NotAFifo),
            Err(error) => return Err(FifoError::Open(error)),
        };
        let mut fifo = Self::new(path, fd, ours)?;
        if ours {
            fifo.belongs_to(spec.owner.as_ref()).inspect_err(|_| {
                fifo.remove();
            })?;
        }
        fifo.ours = ours;
        Ok(fifo)
    }

    /// Goes on with the FIFO of a predecessor, who made it or did not.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn adopt(path: &Path, fd: OwnedFd, ours: bool) -> Result<Self, FifoError> {
        Self::new(path, fd, ours)
    }

    fn new(path: &Path, fd: OwnedFd, ours: bool) -> Result<Self, FifoError> {
        let stat = fs::fstat(&fd).map_err(FifoError::Open)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
            return Err(FifoError::NotAFifo);
        }
        Ok(Self {
            path: path.to_owned(),
            fd,
            ours,
            dropped: 0,
            full: false,
            script: None,
        })
    }

    fn belongs_to(&self, owner: Option<&RunAs>) -> Result<(), FifoError> {
        // As keepalived: `script_user`, or whom scripts run as without one.
        let Identity { uid, .. } = Identity::of(owner)?;
        let uid = Uid::from_raw(uid);
        // Whoever is started after us, without CAP_DAC_OVERRIDE, opens it as
        // one of our group. Its mode first: then it is not ours any more.
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP;
        fs::fchmod(&self.fd, mode).map_err(FifoError::Owner)?;
        fs::fchown(&self.fd, Some(uid), Some(getegid())).map_err(FifoError::Owner)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lines that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes one line whole, or not at all.
    pub fn write(&mut self, line: &str) {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, line.as_bytes()));
        match written {
            Ok(_) => self.full = false,
            Err(error) => {
                self.dropped = self.dropped.saturating_add(1);
                if !std::mem::replace(&mut self.full, true) {
                    let why = match error {
                        Errno::AGAIN => "nobody reads it".to_owned(),
                        error => error.to_string(),
                    };
                    warn!("{}: lines are lost: {why}", self.path.display());
                }
            }
        }
    }

    /// Starts the script that reads it, or another one in its place. To be
    /// called on the runtime.
    pub fn attend(&mut self, hook: Option<&Hook>, runner: &Runner) {
        if self.script.as_ref().map(|script| &script.hook) == hook {
            return;
        }
        let before = self.script.take();
        // The next one waits until the one before has ended.
        let lane = before.map_or_else(Lane::new, |before| before.lane.clone());
        self.script = hook.map(|hook| {
            let mut with_path = hook.clone();
            with_path.words.push(self.path.display().to_string());
            let task = keep_running(with_path, lane.clone(), runner.clone());
            Attended {
                hook: hook.clone(),
                lane,
                task: tokio::spawn(task),
            }
        });
    }

    /// Gives the script a moment to read what is left, and ends it.
    pub async fn finish(&mut self, within: Duration) {
        let Some(script) = self.script.take() else {
            return;
        };
        let until = Instant::from_std(clock::instant()) + within;
        let _ = timeout_at(until, async {
            while rustix::io::ioctl_fionread(&self.fd).is_ok_and(|left| left > 0) {
                sleep(LOOK).await;
            }
        })
        .await;
        script.task.abort();
        let _ = timeout_at(until, script.lane.is_free()).await;
    }

    /// For a successor: the descriptor, and whether to remove the FIFO at the
    /// end. The script is ended.
    pub fn give_away(&mut self) -> std::io::Result<(OwnedFd, bool)> {
        self.script = None;
        let fd = self.fd.try_clone()?;
        Ok((fd, std::mem::take(&mut self.ours)))
    }

    /// Unless somebody has put another one there.
    fn remove(&self) {
        let place = |stat: Stat| (stat.st_dev, stat.st_ino);
        let there = fs::statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW).map(place);
        if there.is_ok() && there == fs::fstat(&self.fd).map(place) {
            let _ = fs::unlink(&self.path);
        }
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        if self.ours {
            self.remove();
        }
    }
}

async fn keep_running(hook: Hook, lane: Lane, runner: Runner) {
    let name = hook.words.first().cloned().unwrap_or_default();
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = clock::instant();
        let run_as = hook.run_as.clone();
        let found = tokio::task::spawn_blocking(move || Identity::of(run_as.as_ref()));
        let why = match found.await {
            Ok(Ok(identity)) => {
                let program = Program {
                    words: hook.words.clone(),
                    identity,
                    rest: Rest::Killed,
                };
                runner.run(&lane, &program, NO_LIMIT).await.to_string()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => return,
        };
        if clock::instant().duration_since(begun) > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        warn!(
            "FIFO script {name}: {why}; started again in {} s",
            pause.as_secs()
        );
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    use super::*;

    fn spec(path: &Path) -> FifoSpec {
        FifoSpec {
            path: path.to_owned(),
            owner: Some(RunAs {
                user: Identity::own().user,
                group: None,
            }),
            script: None,
        }
    }

    #[test]
    fn it_is_made_for_its_owner_and_our_group_and_removed_at_the_end() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("fifo");
        let fifo = Fifo::open(&spec(&path)).expect("a FIFO");
        let found = std::fs::symlink_metadata(&path).expect("there");
        assert_eq!(found.permissions().mode() & 0o7777, 0o660);
        let own = Identity::own();
        assert_eq!((found.uid(), found.gid()), (own.uid, own.gid));
        drop(fifo);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_there_before_stays_and_what_is_no_fifo_is_not_touched() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("fifo");
        let made = Fifo::open(&spec(&path)).expect("a FIFO");
        drop(Fifo::open(&spec(&path)).expect("the same one"));
        assert!(path.exists(), "somebody else's");
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert!(matches!(Fifo::open(&spec(&link)), Err(FifoError::NotAFifo)));
        let file = place.path().join("file");
        std::fs::write(&file, "text").expect("a file");
        assert!(matches!(Fifo::open(&spec(&file)), Err(FifoError::NotAFifo)));
        assert_eq!(std::fs::read(&file).expect("there"), b"text");
        // One that took its place is not removed.
        std::fs::rename(&path, place.path().join("away")).expect("renamed");
        std::fs::write(&path, "other").expect("a file");
        drop(made);
        assert!(path.exists());
    }

    #[test]
    fn lines_wait_for_a_reader_and_too_many_are_counted() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("fifo");
        let mut fifo = Fifo::open(&spec(&path)).expect("a FIFO");
        for _ in 0..10_000 {
            fifo.write("INSTANCE \"VI_1\" MASTER 100\n");
        }
        assert!(fifo.dropped() > 0);
        let held = 10_000 - usize::try_from(fifo.dropped()).expect("a number");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let reader = fs::open(&path, flags, Mode::empty()).expect("a reader");
        let mut text = vec![0; 1 << 20];
        let read = std::fs::File::from(reader).read(&mut text).expect("lines");
        let text = String::from_utf8_lossy(text.get(..read).expect("as many")).into_owned();
        assert_eq!(text.lines().count(), held);
        assert!(
            text.lines()
                .all(|line| line == "INSTANCE \"VI_1\" MASTER 100")
        );
        let before = fifo.dropped();
        fifo.write("more\n");
        assert_eq!(fifo.dropped(), before);
    }

    #[test]
    fn a_successor_removes_it() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("fifo");
        let mut old = Fifo::open(&spec(&path)).expect("a FIFO");
        let (fd, ours) = old.give_away().expect("a descriptor");
        drop(old);
        assert!(path.exists());
        drop(Fifo::adopt(&path, fd, ours).expect("the same"));
        assert!(!path.exists());
    }
}
