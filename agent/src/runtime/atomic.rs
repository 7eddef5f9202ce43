//! Files that appear whole, and never somewhere else.
//!
//! Written under a temporary name that did not exist before, then renamed: a
//! reader sees the old file or the new one, and a symbolic link that somebody
//! planted at the path is replaced and not followed. The directory is opened
//! once and must be one in which nobody else can rename our files.

use std::{
    fs::{DirBuilder, File},
    io::{self, Write},
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, fstat, openat, renameat, statat, unlinkat},
    io::Errno,
};

/// Names tried for the temporary file.
const ATTEMPTS: u32 = 8;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// Makes a directory, and those above it, for us alone to write in; one that
/// is there is left as it is.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Opens a directory to put files in.
///
/// # Errors
///
/// When it is not there, or belongs to somebody else, or somebody else could
/// rename or remove files in it.
pub fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty())?;
    let found = fstat(&directory)?;
    let own = found.st_uid == 0 || found.st_uid == rustix::process::geteuid().as_raw();
    let shared = found.st_mode & OTHERS_WRITE != 0 && found.st_mode & STICKY == 0;
    if own && !shared {
        return Ok(directory);
    }
    let why = match own {
        false => "its directory belongs to another user",
        true => "others may write in its directory, which is not sticky",
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Puts `contents` at `path`, with `mode` whatever the umask is.
///
/// # Errors
///
/// As [`open_directory`]; when something that is no file is there; when there
/// is no room. The old file is then as it was.
pub fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    place(path, contents, mode, |_| Ok(())).map(drop)
}

/// As [`write()`]; `before` gets the new file before it has its name. Open for
/// as long as the caller wants it.
pub fn place(
    path: &Path,
    contents: &[u8],
    mode: u32,
    before: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<File> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let directory = open_directory(parent(path))?;
    match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile | FileType::Symlink => {}
            _ => {
                let what = "something that is no regular file is there";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
        },
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let (temporary, mut file) = temporary(&directory, name.as_bytes())?;
    let written = (|| {
        file.write_all(contents)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        before(&file)?;
        Ok(renameat(&directory, &temporary, &directory, name)?)
    })();
    match written {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = unlinkat(&directory, &temporary, AtFlags::empty());
            Err(error)
        }
    }
}

/// The directory of a path; that of a bare name is where we are.
pub fn parent(path: &Path) -> &Path {
    let parent = path.parent();
    let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn temporary(directory: &OwnedFd, name: &[u8]) -> io::Result<(Vec<u8>, File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let pid = std::process::id();
    let mut attempt = 0;
    loop {
        let mut temporary = b".".to_vec();
        temporary.extend_from_slice(name);
        temporary.extend_from_slice(format!(".{pid}.{attempt}").as_bytes());
        match openat(directory, &temporary, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((temporary, file.into())),
            // Left by a process of our number that died, or planted.
            Err(Errno::EXIST) if attempt < ATTEMPTS => attempt = attempt.saturating_add(1),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let directory = directory();
        let victim = directory.path().join("victim");
        let path = directory.path().join("dump");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &path).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.is_file());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn planted_temporary_names_are_not_used() {
        let directory = directory();
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let planted = format!(".dump.{}.0", std::process::id());
        symlink(&victim, directory.path().join(planted)).unwrap();
        let path = directory.path().join("dump");
        write(&path, b"new", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_directory_that_others_write_in_is_refused_unless_sticky() {
        let directory = directory();
        let path = directory.path().join("dump");
        for (mode, good) in [(0o777, false), (0o1777, true), (0o755, true)] {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(write(&path, b"new", 0o644).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let directory = directory();
        let path = directory.path().join("dump");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"new", 0o644).is_err());
        assert!(path.is_dir());
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 1);
    }
}
