//! Starting a run: the agent's side.

use std::{
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{Program, Rest, open, shim, spawner};

/// A process that was started, and what it is heard by.
pub(super) struct Launched {
    pub child: Child,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
    /// Holds a sentence when the program could not be begun.
    pub refusal: Refusal,
    pub stderr: Option<OwnedFd>,
}

pub(super) struct Refusal(File);

impl Refusal {
    /// What the process that was to become the program had to say. To be
    /// asked when that has ended.
    pub fn text(&mut self) -> Option<String> {
        let mut buffer = [0; shim::MAX_REFUSAL];
        match self.0.read(&mut buffer) {
            Ok(0) | Err(_) => None,
            Ok(len) => {
                let text = buffer.get(..len).unwrap_or_default();
                Some(String::from_utf8_lossy(text).into_owned())
            }
        }
    }
}

/// Starts `program` through `agent`, the binary of the agent.
///
/// Nothing here may need work between fork and exec: only so the standard
/// library starts it by `posix_spawn`, which borrows our memory for the moment
/// instead of copying the tables of it. The program itself is looked for and
/// opened by the new process, where a hanging file system hangs only that.
pub(super) fn launch(agent: &Path, program: &Program) -> io::Result<Launched> {
    let (refusal, told) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let (stderr, said) = match program.rest {
        Rest::Killed => {
            let (stderr, said) = pipe_with(PipeFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(stderr.as_fd(), true)?;
            (Some(stderr), Stdio::from(said))
        }
        Rest::Kept => (None, Stdio::null()),
    };
    let identity = &program.identity;
    let mut command = Command::new(agent);
    command
        .arg0(shim::NAME)
        .arg(identity.uid.to_string())
        .arg(identity.gid.to_string())
        .args(&program.words)
        .env_clear()
        .env("PATH", open::PATH)
        .env("HOME", &identity.home)
        .env("USER", &identity.user)
        .env("LOGNAME", &identity.user)
        .env("SHELL", "/bin/sh")
        .stdin(told)
        .stdout(Stdio::null())
        .stderr(said);
    let child = spawner::spawn(command)?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    Ok(Launched {
        child,
        pidfd,
        refusal: Refusal(refusal.into()),
        stderr,
    })
}
