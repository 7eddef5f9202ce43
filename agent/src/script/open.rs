//! Opening a program part by part, so that what was checked is what runs.
//!
//! Every part of the path is opened below the one before it, symbolic links
//! are followed here and not by the kernel, and each part that is passed is
//! looked at by its descriptor. For root no part may be such that somebody
//! else could put another program there.

use std::{
    collections::VecDeque,
    ffi::{CString, OsStr, OsString},
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, Stat},
    io::Errno,
};

/// Where a program without a slash is looked for, and PATH of every script.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// As the kernel has it.
const MAX_LINKS: usize = 40;
const STICKY: u32 = 0o1000;
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const PART: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Why a program is not run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    #[error("'{program}' is not found: {reason}")]
    NotFound { program: String, reason: Errno },
    #[error("'{0}' is neither an absolute path nor a name to be found in PATH")]
    Relative(String),
    #[error("'{}' is not a regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} may be changed by others than root, so it is not run as root", .0.display())]
    Changeable(PathBuf),
    #[error("{} was exchanged while it was opened", .0.display())]
    Exchanged(PathBuf),
}

/// A program that was checked.
#[derive(Debug)]
pub struct Opened {
    /// The real directory that holds it.
    pub directory: OwnedFd,
    /// Its real name there.
    pub name: CString,
    pub file: OwnedFd,
    /// A program of machine code, which is run by `file`. Anything else is
    /// opened once more, by its interpreter.
    pub binary: bool,
}

/// Opens `program` as the calling user.
///
/// # Errors
///
/// When it is not there, is no file, or, with `for_root`, could be exchanged
/// or changed by others than root.
pub fn open(program: &str, for_root: bool) -> Result<Opened, OpenError> {
    if program.starts_with('/') {
        return walk(Path::new(program), for_root);
    }
    if program.is_empty() || program.contains('/') {
        return Err(OpenError::Relative(program.to_owned()));
    }
    let mut found = Err(OpenError::NotFound {
        program: program.to_owned(),
        reason: Errno::NOENT,
    });
    for directory in PATH.split(':') {
        found = walk(&Path::new(directory).join(program), for_root);
        match &found {
            Err(OpenError::NotFound { .. }) => {}
            Ok(_) | Err(_) => break,
        }
    }
    found
}

/// Whether somebody else than root could change what is there: its owner, its
/// group, or anybody. In a sticky directory only the owner of a file can
/// replace it.
pub const fn changeable(uid: u32, gid: u32, mode: u32, directory: bool) -> bool {
    let group = mode & 0o020 != 0 && gid != 0;
    let others = mode & 0o002 != 0;
    let sticky = directory && mode & STICKY != 0;
    uid != 0 || ((group || others) && !sticky)
}

struct Walk {
    for_root: bool,
    /// The directory that was reached, and its name for messages.
    directory: OwnedFd,
    path: PathBuf,
    /// Parts that are still to be passed.
    parts: VecDeque<OsString>,
    links: usize,
}

fn walk(program: &Path, for_root: bool) -> Result<Opened, OpenError> {
    let not_found = |reason| OpenError::NotFound {
        program: program.display().to_string(),
        reason,
    };
    let mut walk = Walk {
        for_root,
        directory: fs::open("/", DIRECTORY, Mode::empty()).map_err(not_found)?,
        path: PathBuf::from("/"),
        parts: split(program.as_os_str()).collect(),
        links: 0,
    };
    let root = fs::fstat(&walk.directory).map_err(not_found)?;
    walk.check(&root, &walk.path)?;
    while let Some(part) = walk.parts.pop_front() {
        let opened = fs::openat(&walk.directory, &part, PART, Mode::empty()).map_err(not_found)?;
        let stat = fs::fstat(&opened).map_err(not_found)?;
        let path = walk.path.join(&part);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                walk.follow(&opened, &stat, &path)
                    .map_err(|error| match error {
                        Followed::Failed(reason) => not_found(reason),
                        Followed::Refused(error) => error,
                    })?
            }
            FileType::Directory => {
                walk.check(&stat, &path)?;
                walk.directory = opened;
                walk.path = path;
            }
            FileType::RegularFile if walk.parts.is_empty() => {
                walk.check(&stat, &path)?;
                return walk
                    .finish(opened, &stat, part, path)
                    .map_err(|error| match error {
                        Followed::Failed(reason) => not_found(reason),
                        Followed::Refused(error) => error,
                    });
            }
            FileType::RegularFile => return Err(not_found(Errno::NOTDIR)),
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => return Err(OpenError::NotAFile(path)),
        }
    }
    Err(OpenError::NotAFile(program.to_owned()))
}

enum Followed {
    Failed(Errno),
    Refused(OpenError),
}

impl From<Errno> for Followed {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

impl Walk {
    fn check(&self, stat: &Stat, path: &Path) -> Result<(), OpenError> {
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if self.for_root && changeable(stat.st_uid, stat.st_gid, stat.st_mode, directory) {
            return Err(OpenError::Changeable(path.to_owned()));
        }
        Ok(())
    }

    fn follow(&mut self, link: &OwnedFd, stat: &Stat, path: &Path) -> Result<(), Followed> {
        // Its mode says nothing, its owner may replace it in a sticky directory.
        if self.for_root && stat.st_uid != 0 {
            return Err(Followed::Refused(OpenError::Changeable(path.to_owned())));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = fs::readlinkat(link, "", Vec::new())?.into_bytes();
        let target = OsString::from_vec(target);
        if target.as_bytes().starts_with(b"/") {
            self.directory = fs::open("/", DIRECTORY, Mode::empty())?;
            self.path = PathBuf::from("/");
        }
        for part in split(&target).collect::<Vec<_>>().into_iter().rev() {
            self.parts.push_front(part);
        }
        Ok(())
    }

    fn finish(
        self,
        checked: OwnedFd,
        stat: &Stat,
        name: OsString,
        path: PathBuf,
    ) -> Result<Opened, Followed> {
        let name = CString::new(name.into_vec()).map_err(|_| Errno::INVAL)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let (file, binary) = match fs::openat(&self.directory, &name, flags, Mode::empty()) {
            Ok(file) => {
                let same = fs::fstat(&file)?;
                if (same.st_dev, same.st_ino) != (stat.st_dev, stat.st_ino) {
                    return Err(Followed::Refused(OpenError::Exchanged(path)));
                }
                let binary = is_binary(&file);
                (file, binary)
            }
            // A program that may be run and not read cannot be a script.
            Err(Errno::ACCESS) => (checked, true),
            Err(error) => return Err(error.into()),
        };
        fs::accessat(
            &self.directory,
            &name,
            fs::Access::EXEC_OK,
            AtFlags::EACCESS,
        )?;
        Ok(Opened {
            directory: self.directory,
            name,
            file,
            binary,
        })
    }
}

fn is_binary(file: &OwnedFd) -> bool {
    let mut magic = [0; 4];
    let read = rustix::io::pread(file, &mut magic[..], 0);
    matches!(read, Ok(4)) && magic == *b"\x7fELF"
}

/// The parts of a path without those that say nothing.
fn split(path: &OsStr) -> impl Iterator<Item = OsString> {
    let parts = path.as_bytes().split(|byte| *byte == b'/');
    parts
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsStr::from_bytes(part).to_owned())
}

#[cfg(test)]
mod tests;
