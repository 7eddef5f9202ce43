//! Asks a running agent.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{History, HistoryFilter, NOT_PERMITTED, Refusal, Request, status::Status};
use crate::{
    config::diff::{Changes, Portrait},
    upgrade::Upgraded,
};

/// An answer that takes longer than this does not come.
const TIMEOUT: Duration = Duration::from_secs(3);
/// A reload may have to read a large file and to attach programs.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Looking at the binary and getting ready have limits of their own.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(60);
/// 510 instances with thousands of VIPs stay well below.
const MAX_ANSWER: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no agent is listening on {path} ({source}); is failoverd running, and is --control the same?"
    )]
    NotRunning { path: String, source: io::Error },
    #[error("not permitted to do that at {path}: run it as root, or as a member of its group")]
    Permission { path: String },
    #[error(
        "the agent on {path} took no notice for {seconds} s: it was stopped (SIGSTOP, a debugger) or gets no processor time; look at its process"
    )]
    Silent { path: String, seconds: u64 },
    #[error("the agent did not answer on {path}: {source}")]
    Broken { path: String, source: io::Error },
    #[error("the agent answered: {0}")]
    Refused(String),
}

/// Asks for the status.
///
/// # Errors
///
/// See [`ClientError`].
pub fn status(path: &Path) -> Result<Status, ClientError> {
    ask(path, Request::Status)
}

/// Has the agent read its file again; what that changed.
///
/// # Errors
///
/// See [`ClientError`]; refused where the file is wrong, and then nothing was
/// changed.
pub fn reload(path: &Path) -> Result<Changes, ClientError> {
    ask(path, Request::Reload)
}

/// Asks for the configuration in force.
///
/// # Errors
///
/// See [`ClientError`].
pub fn config(path: &Path) -> Result<Portrait, ClientError> {
    ask(path, Request::Config)
}

/// Asks for the last changes of state.
///
/// # Errors
///
/// See [`ClientError`]; refused for an instance that there is not.
pub fn history(path: &Path, filter: HistoryFilter) -> Result<History, ClientError> {
    ask(path, Request::History(filter))
}

/// Has another binary take over from the agent.
///
/// # Errors
///
/// See [`ClientError`]; refused where it cannot, and then all goes on as before.
pub fn upgrade(path: &Path, binary: Option<PathBuf>) -> Result<Upgraded, ClientError> {
    ask(path, Request::Upgrade { binary })
}

pub(super) fn connect(path: &Path) -> Result<UnixStream, ClientError> {
    let name = || path.display().to_string();
    UnixStream::connect(path).map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => ClientError::Permission { path: name() },
        _ => ClientError::NotRunning {
            path: name(),
            source,
        },
    })
}

fn ask<T: DeserializeOwned>(path: &Path, request: Request) -> Result<T, ClientError> {
    let wait = patience(&request);
    let name = || path.display().to_string();
    let stream = connect(path)?;
    let broken = |source: io::Error| match source.kind() {
        // What a socket says whose time is up.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent {
            path: name(),
            seconds: wait.as_secs(),
        },
        _ => ClientError::Broken {
            path: name(),
            source,
        },
    };
    let line = exchange(stream, request).map_err(broken)?;
    match serde_json::from_str(&line) {
        Ok(answer) => Ok(answer),
        Err(error) => match serde_json::from_str::<Refusal>(&line) {
            Ok(refusal) if refusal.error.starts_with(NOT_PERMITTED) => {
                Err(ClientError::Permission { path: name() })
            }
            Ok(refusal) => Err(ClientError::Refused(refusal.error)),
            Err(_) => Err(broken(io::Error::new(io::ErrorKind::InvalidData, error))),
        },
    }
}

const fn patience(request: &Request) -> Duration {
    match request {
        Request::Status | Request::Config | Request::Events | Request::History(_) => TIMEOUT,
        Request::Reload => RELOAD_TIMEOUT,
        Request::Upgrade { .. } => UPGRADE_TIMEOUT,
    }
}

fn exchange(mut stream: UnixStream, request: Request) -> io::Result<String> {
    stream.set_read_timeout(Some(patience(&request)))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = serde_json::to_string(&request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer)?;
    Ok(answer)
}
