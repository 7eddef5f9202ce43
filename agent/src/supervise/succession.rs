//! The supervisor exchanges itself: the same process, with the new binary.
//!
//! What it knows of its agent is little, and goes through a file in memory. The
//! agent does not notice; signals that come meanwhile stay pending.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::Command,
    time::Duration,
};

use agent_common::KernelTime;
use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::{FdFlags, fcntl_setfd},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde::{Deserialize, Serialize};

use super::{Manner, guard::GuardRecord, requests, ward::Ward};
use crate::{io::sys, upgrade::PROTOCOL};

/// Name of the environment variable that carries the descriptor number.
pub const WARD_FD: &str = "FAILOVERD_WARD_FD";

/// What one supervisor leaves to its next self.
#[derive(Serialize, Deserialize)]
struct Estate {
    protocol: u32,
    pid: i32,
    pipe: i32,
    requests: i32,
    started_ns: u64,
    crashed: bool,
    pause_ms: u64,
    addresses: Vec<Address>,
    #[serde(default)]
    paths: Vec<Vec<u8>>,
    partial: Vec<u8>,
    #[serde(default)]
    ready: bool,
    /// Signals that wait for that.
    #[serde(default)]
    held: Vec<i32>,
    #[serde(default)]
    manner: String,
    #[serde(default)]
    manner_fds: Vec<i32>,
}

/// Interface, family, prefix, address and peer of a record.
type Address = (u32, u8, u8, [u8; 16], [u8; 16]);

/// An agent that was inherited, and what became of those before it.
pub(super) struct Inherited {
    pub ward: Ward,
    pub crashed: bool,
    pub pause: Duration,
    pub manner: String,
    /// Of the manner, to be closed once it goes on.
    pub held: Vec<OwnedFd>,
}

/// What a supervisor has to leave.
pub(super) struct Left<'a> {
    pub ward: &'a Ward,
    pub crashed: bool,
    pub pause: Duration,
    pub manner: &'a dyn Manner,
}

impl Left<'_> {
    /// Becomes `binary`; returns only why it could not.
    pub(super) fn become_binary(&self, binary: &File, arguments: &[OsString]) -> io::Error {
        let file = match self.write() {
            Ok(file) => file,
            Err(error) => return error,
        };
        if let Err(error) = self.survive(FdFlags::empty()) {
            return error;
        }
        let error = Command::new(requests::program(binary))
            .arg0("failoverd")
            .args(arguments)
            .env(WARD_FD, file.as_raw_fd().to_string())
            .exec();
        // Children of ours must not have them.
        let _ = self.survive(FdFlags::CLOEXEC);
        error
    }

    fn write(&self) -> io::Result<File> {
        let Self {
            ward,
            crashed,
            pause,
            manner,
        } = self;
        let estate = Estate {
            protocol: PROTOCOL,
            pid: ward.pid.as_raw_nonzero().get(),
            pipe: ward.pipe.as_raw_fd(),
            requests: ward.requests.as_raw_fd(),
            started_ns: ward.started.nanos(),
            crashed: *crashed,
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            addresses: ward.addresses.iter().map(parts).collect(),
            paths: ward.paths.messages.clone(),
            partial: ward.partial.clone(),
            ready: ward.ready,
            held: ward.held.clone(),
            manner: manner.leave(),
            manner_fds: manner.held().iter().map(AsRawFd::as_raw_fd).collect(),
        };
        let mut file = File::from(memfd_create("ward", MemfdFlags::empty())?);
        file.write_all(&serde_json::to_vec(&estate)?)?;
        file.rewind()?;
        Ok(file)
    }

    fn survive(&self, flags: FdFlags) -> io::Result<()> {
        let fds: [BorrowedFd<'_>; 2] = [self.ward.pipe.as_fd(), self.ward.requests()];
        for fd in fds.into_iter().chain(self.manner.held()) {
            fcntl_setfd(fd, flags)?;
        }
        Ok(())
    }
}

/// Whether this process was a supervisor before, and what it left; an error
/// where that is not understood: then the agent is told to end, by our end.
pub(super) fn inherit() -> Option<io::Result<Inherited>> {
    let number: i32 = std::env::var(WARD_FD).ok()?.parse().ok()?;
    Some(take(number))
}

fn take(number: i32) -> io::Result<Inherited> {
    let mut text = Vec::new();
    File::from(own(number)?).read_to_end(&mut text)?;
    let estate: Estate = serde_json::from_slice(&text)?;
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    if estate.protocol != PROTOCOL {
        return Err(invalid());
    }
    let pid = Pid::from_raw(estate.pid).ok_or_else(invalid)?;
    let (pipe, requests) = (own(estate.pipe)?, own(estate.requests)?);
    let held = estate.manner_fds.into_iter().map(own);
    let held = held.collect::<io::Result<Vec<OwnedFd>>>()?;
    for fd in [&pipe, &requests].into_iter().chain(&held) {
        fcntl_setfd(fd, FdFlags::CLOEXEC)?;
    }
    let ward = Ward {
        pid,
        pidfd: pidfd_open(pid, PidfdFlags::empty())?,
        pipe: pipe.into(),
        pipe_open: true,
        requests,
        requests_open: true,
        addresses: estate.addresses.into_iter().map(record).collect(),
        paths: super::removals::Removals::of(estate.paths),
        partial: estate.partial,
        started: KernelTime(estate.started_ns),
        says_ready: estate.ready,
        ending: None,
        ready: estate.ready,
        held: estate.held,
    };
    Ok(Inherited {
        ward,
        crashed: estate.crashed,
        pause: Duration::from_millis(estate.pause_ms),
        manner: estate.manner,
        held,
    })
}

fn own(number: i32) -> io::Result<OwnedFd> {
    if number <= 2 || !sys::is_open(number) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // SAFETY: it is open, and our earlier self left it to us: nobody else in
    // this process, which has just begun, knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn parts(record: &GuardRecord) -> Address {
    let GuardRecord {
        ifindex,
        family,
        prefix,
        _pad: _,
        address,
        peer,
    } = *record;
    (ifindex, family, prefix, address, peer)
}

fn record((ifindex, family, prefix, address, peer): Address) -> GuardRecord {
    GuardRecord {
        ifindex,
        family,
        prefix,
        _pad: [0; 2],
        address,
        peer,
    }
}
