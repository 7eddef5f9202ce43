//! Pid files: there while the process is, and known as stale afterwards.
//!
//! The writer keeps its file locked. The kernel lets go of the lock when the
//! process ends, however it ends, so that a file which nobody locks is one that
//! was left, even where its number is in use again, as after the restart of a
//! container. A daemon that does not lock its file is known by its name.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, flock, openat},
    io::Errno,
    process::{Pid, test_kill_process},
};

use super::atomic;

const MODE: u32 = 0o644;
/// What a pid file can have at most.
const MAX: u64 = 32;

/// A pid file of ours, removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Writes the file, locked from the moment that it has its name.
    ///
    /// # Errors
    ///
    /// As [`atomic::write`].
    pub fn write(path: &Path, pid: u32) -> io::Result<Self> {
        let lock = |file: &File| Ok(flock(file, FlockOperation::NonBlockingLockExclusive)?);
        let file = atomic::place(path, format!("{pid}\n").as_bytes(), MODE, lock)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }
}

impl AsFd for PidFile {
    /// The lock is held for as long as any copy of this is open.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another's by now, should somebody have put one there.
        let key = |found: fs::Metadata| (found.dev(), found.ino());
        let (own, there) = (self.file.metadata(), fs::symlink_metadata(&self.path));
        if let (Ok(own), Ok(there)) = (own, there)
            && key(own) == key(there)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The process that runs by this pid file, if one does.
///
/// # Errors
///
/// When the file is there and cannot be read.
pub fn running(path: &Path) -> io::Result<Option<u32>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A link is nobody's pid file; it is replaced, not followed.
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    // Bytes that are no text are no pid.
    let _ = (&file).take(MAX).read_to_string(&mut text);
    let pid: Option<u32> = text.trim().parse().ok();
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => Ok(Some(pid.unwrap_or(0))),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(pid.filter(|pid| is_other_daemon(*pid))),
    }
}

/// A living keepalived that is not of our making: ours would hold the lock.
fn is_other_daemon(pid: u32) -> bool {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(known) = known.filter(|_| pid != std::process::id()) else {
        return false;
    };
    let alive = !matches!(test_kill_process(known), Err(Errno::SRCH));
    let of = |what: &str| fs::read_link(format!("/proc/{pid}/{what}")).ok();
    let ours = fs::read_link("/proc/self/exe").ok();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    alive && name.starts_with("keepalived") && (ours.is_none() || of("exe") != ours)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn it_is_there_as_long_as_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        assert_eq!(running(&path).unwrap(), None);
        let file = PidFile::write(&path, 4711).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "4711\n");
        assert_eq!(running(&path).unwrap(), Some(4711));
        drop(file);
        assert!(!path.exists());
    }

    /// COMPAT 4.21: a container that starts again finds its own number.
    #[test]
    fn a_file_that_nobody_locks_is_stale() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        // This very process, one that lives and is no keepalived, and nobody.
        for pid in [std::process::id(), 1, 0x3fff_fff0] {
            fs::write(&path, format!("{pid}\n")).unwrap();
            assert_eq!(running(&path).unwrap(), None, "{pid}");
        }
        for text in ["", "x", "-1", "99999999999999999999999999999999999999"] {
            fs::write(&path, text).unwrap();
            assert_eq!(running(&path).unwrap(), None, "{text}");
        }
        let file = PidFile::write(&path, 4711).unwrap();
        assert_eq!(running(&path).unwrap(), Some(4711));
        drop(file);
    }

    #[test]
    fn what_another_put_there_is_not_removed_and_a_link_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let other = directory.path().join("other");
        fs::write(&other, "keep").unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(running(&path).unwrap(), None);
        let file = PidFile::write(&path, 1).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "keep");
        fs::rename(&other, &path).unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "keep");
    }
}
