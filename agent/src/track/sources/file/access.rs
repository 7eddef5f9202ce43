//! Reading and writing a tracked file, without trusting what is there.

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::number::number;
use crate::config::model::InitFile;

/// What is looked at of a file: white space and a number.
const MAX_READ: u64 = 64;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    Number(i64),
    /// It is 0 then, as with keepalived.
    Missing,
    /// Also 0: a directory, a device, a file that may not be read.
    Unreadable(String),
    /// The value of before stays.
    TooLarge,
}

/// What `path` holds now. Never waits for a writer of a FIFO; may wait for a
/// slow file system.
pub fn read(path: &Path) -> Found {
    match try_read(path) {
        Ok(bytes) => number(&bytes).map_or(Found::TooLarge, Found::Number),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Missing,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

fn try_read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes the first value: to a file that is not there, or over one that is
/// where that was asked for. A symbolic link is not followed: it may lead to a
/// file that is not ours to write.
pub fn init(path: &Path, init: InitFile) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o644);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let opened = if init.overwrite {
        options.create(true).truncate(true).open(path)
    } else {
        options.create_new(true).open(path)
    };
    let mut file: File = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other?,
    };
    file.write_all(format!("{}\n", init.value).as_bytes())
}

/// Whether changes of what it leads to happen elsewhere.
pub fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|found| found.file_type().is_symlink())
}

/// The directory of a file and its name there, as events name it.
pub fn split(path: &Path) -> Option<(&Path, CString)> {
    let directory = path.parent()?;
    let name = path.file_name()?.as_encoded_bytes();
    Some((directory, CString::new(name).ok()?))
}
