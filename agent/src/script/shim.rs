//! What a new process does before it is the script.
//!
//! It begins as the agent's binary with everything that the agent handed down,
//! and ends as the script with nothing of it. There is one thread and nothing
//! to be preserved, so an error is told to the agent and ends the process.

use std::{
    convert::Infallible,
    ffi::{CString, OsString},
    io::{self, Write},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    process::ExitCode,
};

use nix::{errno::Errno, fcntl::AtFlags, unistd::execveat};
use rustix::{
    fs::{Mode, OFlags},
    io::FdFlags,
    process::{Gid, Resource, Rlimit, Signal, Uid},
};

use super::open::{self, OpenError, Opened};
use crate::io::sys;

/// The name by which the agent's binary knows that it is to become a script.
pub const NAME: &str = "failoverd-script";

/// Longest sentence about what cannot be run: a pipe takes it whole.
pub const MAX_REFUSAL: usize = 1024;

/// What a program finds in a login session, where ours may be infinite.
const LOCKED_BYTES: u64 = 8 << 20;
const DESCRIPTORS: u64 = 1024;

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the agent's binary was started by the name of its helper")]
    Arguments,
    #[error("cannot {what}: {reason}")]
    Step {
        what: &'static str,
        reason: io::Error,
    },
    #[error(
        "cannot run it as user {uid}: {reason} (CAP_SETUID and CAP_SETGID are needed; with systemd: failoverd.service.d/scripts.conf)"
    )]
    Identity { uid: u32, reason: rustix::io::Errno },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("'{program}' cannot be run: {}", say(*reason))]
    Exec { program: String, reason: Errno },
}

fn say(reason: Errno) -> &'static str {
    match reason {
        Errno::ENOEXEC => "it is neither a binary of this machine nor begins with #!",
        Errno::ENOENT => "its interpreter is not there",
        other => other.desc(),
    }
}

fn step<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Refused {
    move |error| Refused::Step {
        what,
        reason: error.into(),
    }
}

/// Whether this process was started to become a script.
pub fn is_wanted() -> bool {
    std::env::args_os().next().is_some_and(|name| name == NAME)
}

/// Becomes the script; returns only where that cannot be.
pub fn main() -> ExitCode {
    let status = match take_status_pipe() {
        Ok(status) => status,
        Err(_) => return ExitCode::from(127),
    };
    let Err(refused) = become_script();
    let mut text = refused.to_string();
    text.truncate(text.floor_char_boundary(MAX_REFUSAL));
    // Without a reader there is nobody to tell.
    let _ = std::fs::File::from(status).write_all(text.as_bytes());
    ExitCode::from(127)
}

/// The pipe comes as standard input; all else but the standard three is closed.
fn take_status_pipe() -> io::Result<OwnedFd> {
    sys::close_from(3);
    let status = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(null)?;
    Ok(status)
}

fn become_script() -> Result<Infallible, Refused> {
    let mut arguments = std::env::args_os().skip(1);
    let mut number = || arguments.next()?.to_str()?.parse::<u32>().ok();
    let (Some(uid), Some(gid)) = (number(), number()) else {
        return Err(Refused::Arguments);
    };
    let words: Vec<OsString> = arguments.collect();
    let program = words.first().and_then(|word| word.to_str());
    let program = program.ok_or(Refused::Arguments)?.to_owned();
    forget()?;
    become_user(uid, gid).map_err(|reason| Refused::Identity { uid, reason })?;
    // Forgotten by the kernel with every change of the user, so it comes here.
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(step("ask for a signal at the agent's end"))?;
    let opened = open::open(&program, uid == 0)?;
    execute(opened, program, words)
}

/// Gives away what the agent has and no script may get from it.
fn forget() -> Result<(), Refused> {
    rustix::process::setsid().map_err(step("begin a session"))?;
    sys::default_signals();
    sys::set_ordinary();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    std::env::set_current_dir("/").map_err(step("change to /"))?;
    limit(Resource::Rtprio, 0, 0);
    limit(Resource::Memlock, LOCKED_BYTES, LOCKED_BYTES);
    limit(Resource::Nofile, DESCRIPTORS, u64::MAX);
    limit(Resource::Core, 0, u64::MAX);
    // Only the soft limit is ever ours (`vrrp_rlimit_rttime`).
    let rttime = rustix::process::getrlimit(Resource::Rttime);
    let _ = rustix::process::setrlimit(
        Resource::Rttime,
        Rlimit {
            current: rttime.maximum,
            ..rttime
        },
    );
    // The kernel's killer shall rather take the script than the agent. Without
    // /proc there is nothing to take back either.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
    // Where the agent runs as a user with a few capabilities, these are theirs.
    let _ = rustix::thread::clear_ambient_capability_set();
    Ok(())
}

/// Lowers a limit; what is lower already stays.
fn limit(resource: Resource, soft: u64, hard: u64) {
    let now = rustix::process::getrlimit(resource);
    let hard = now.maximum.unwrap_or(u64::MAX).min(hard);
    let limit = Rlimit {
        current: Some(now.current.unwrap_or(u64::MAX).min(soft).min(hard)),
        maximum: (hard != u64::MAX).then_some(hard),
    };
    // Lowering is always allowed.
    let _ = rustix::process::setrlimit(resource, limit);
}

fn become_user(uid: u32, gid: u32) -> Result<(), rustix::io::Errno> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let same = rustix::process::geteuid() == user && rustix::process::getegid() == group;
    if same && !user.is_root() {
        // An agent without the right to change has no more than this user.
        return Ok(());
    }
    if !same
        || rustix::process::getgroups()?
            .iter()
            .any(|other| *other != group)
    {
        rustix::thread::set_thread_groups(&[group])?;
    }
    // Of the calling thread, which is the only one.
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)
}

/// A binary is run by its own descriptor. The interpreter of anything else
/// opens it once more and is given the descriptor of its directory with its
/// name, so that `$0` still has a name and a directory; for root, nobody else
/// can exchange what is in there.
fn execute(opened: Opened, program: String, words: Vec<OsString>) -> Result<Infallible, Refused> {
    let arguments: Result<Vec<CString>, _> = words
        .into_iter()
        .map(|word| CString::new(word.into_vec()))
        .collect();
    let arguments = arguments.map_err(|_| Refused::Arguments)?;
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut line = name.into_vec();
            line.push(b'=');
            line.extend(value.into_vec());
            CString::new(line).ok()
        })
        .collect();
    let ran = if opened.binary {
        execveat(
            &opened.file,
            c"",
            &arguments,
            &environment,
            AtFlags::AT_EMPTY_PATH,
        )
    } else {
        rustix::io::fcntl_setfd(&opened.directory, FdFlags::empty())
            .map_err(step("keep the script's directory"))?;
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        execveat(
            &opened.directory,
            &opened.name,
            &arguments,
            &environment,
            flags,
        )
    };
    ran.map_err(|reason| Refused::Exec { program, reason })
}
