//! Looks at a binary before it is trusted with anything.

use std::{
    ffi::OsString,
    fs::File,
    io::Read,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{fs::MetadataExt, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, geteuid, pidfd_open};

use super::{HEIR_FD, PROTOCOL, Probe, channel};
use crate::{
    script::spawner,
    supervise::{guard::GUARD_FD, requests::REQUEST_FD},
};

/// Reading a large configuration takes less than a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is kept of what it says: a pipe holds no more.
const MAX_OUTPUT: u64 = 64 << 10;

/// A binary that can take over.
#[derive(Debug)]
pub struct Binary {
    pub path: PathBuf,
    /// What was looked at, whatever the path names later.
    pub file: File,
    pub probe: Probe,
}

/// The file that this process was started from, or what took its place.
pub fn own_path() -> Option<PathBuf> {
    let path = std::fs::read_link("/proc/self/exe").ok()?;
    match path
        .to_str()
        .and_then(|text| text.strip_suffix(" (deleted)"))
    {
        Some(path) => Some(PathBuf::from(path)),
        None => Some(path),
    }
}

/// Checks `path` for a take-over with `arguments`, those of `failoverd run`.
///
/// # Errors
///
/// One sentence for the operator.
pub fn check(path: &Path, arguments: &[OsString]) -> Result<Binary, String> {
    let name = path.display();
    let file = open(path).map_err(|reason| format!("{name}: {reason}"))?;
    let probe = probe(&file, arguments).map_err(|reason| format!("{name}: {reason}"))?;
    if probe.protocol != PROTOCOL {
        return Err(format!(
            "{name}: version {} cannot take over from this one ({}): stop and start it instead",
            probe.version,
            env!("CARGO_PKG_VERSION"),
        ));
    }
    Ok(Binary {
        path: path.to_owned(),
        file,
        probe,
    })
}

fn open(path: &Path) -> Result<File, String> {
    // Opening a FIFO would wait for its writer.
    let metadata = path.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if metadata.mode() & 0o111 == 0 {
        return Err("is not executable".to_owned());
    }
    let ours = [0, geteuid().as_raw()];
    if !ours.contains(&metadata.uid()) || metadata.mode() & 0o022 != 0 {
        return Err(
            "others than root can write it: chown root and chmod go-w it, if it is yours"
                .to_owned(),
        );
    }
    Ok(file)
}

/// Runs `BINARY upgrade --probe -- ARGUMENTS`, which touches nothing.
fn probe(file: &File, arguments: &[OsString]) -> Result<Probe, String> {
    let mut command = Command::new(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()));
    command
        .arg0("failoverd")
        .args(["upgrade", "--probe", "--"])
        .args(arguments)
        .env_remove(GUARD_FD)
        .env_remove(REQUEST_FD)
        .env_remove(HEIR_FD)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = spawner::spawn(command).map_err(|error| format!("cannot be run: {error}"))?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    let ended = pidfd.is_ok_and(|pidfd| channel::wait([pidfd.as_fd()], PATIENCE));
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !ended {
        return Err(format!(
            "did not say within {} s what it is",
            PATIENCE.as_secs()
        ));
    }
    let said = read(child.stdout);
    if !status.success() {
        let complaint = read(child.stderr);
        let complaint = complaint.trim();
        return Err(match complaint.is_empty() {
            true => format!("does not want to take over ({status})"),
            false => format!("does not want to take over: {complaint}"),
        });
    }
    serde_json::from_str(&said).map_err(|_| "is no failoverd that can take over".to_owned())
}

/// What is there: somebody that it left behind may keep the pipe open.
fn read(stream: Option<impl Read + AsFd>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = rustix::io::ioctl_fionbio(&stream, true);
        // What could not be read says nothing.
        let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
