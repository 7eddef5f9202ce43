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

use super::{guard::GuardRecord, requests, ward::Ward};
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
    addresses: Vec<(u32, u8, u8, [u8; 16])>,
    partial: Vec<u8>,
}

/// An agent that was inherited, and what became of those before it.
pub(super) struct Inherited {
    pub ward: Ward,
    pub crashed: bool,
    pub pause: Duration,
}

/// Becomes `binary`; returns only why it could not.
pub(super) fn become_binary(
    binary: &File,
    arguments: &[OsString],
    ward: &Ward,
    crashed: bool,
    pause: Duration,
) -> io::Error {
    let leave = || -> io::Result<File> {
        let estate = Estate {
            protocol: PROTOCOL,
            pid: ward.pid.as_raw_nonzero().get(),
            pipe: ward.pipe.as_raw_fd(),
            requests: ward.requests.as_raw_fd(),
            started_ns: ward.started.nanos(),
            crashed,
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            addresses: ward.addresses.iter().map(parts).collect(),
            partial: ward.partial.clone(),
        };
        let mut file = File::from(memfd_create("ward", MemfdFlags::empty())?);
        file.write_all(&serde_json::to_vec(&estate)?)?;
        file.rewind()?;
        Ok(file)
    };
    let file = match leave() {
        Ok(file) => file,
        Err(error) => return error,
    };
    let survive = |flags| {
        let fds: [BorrowedFd<'_>; 2] = [ward.pipe.as_fd(), ward.requests()];
        fds.into_iter().try_for_each(|fd| fcntl_setfd(fd, flags))
    };
    if let Err(error) = survive(FdFlags::empty()) {
        return error.into();
    }
    let error = Command::new(requests::program(binary))
        .arg0("failoverd")
        .args(arguments)
        .env(WARD_FD, file.as_raw_fd().to_string())
        .exec();
    // Children of ours must not have them.
    let _ = survive(FdFlags::CLOEXEC);
    error
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
    for fd in [&pipe, &requests] {
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
        partial: estate.partial,
        started: KernelTime(estate.started_ns),
    };
    Ok(Inherited {
        ward,
        crashed: estate.crashed,
        pause: Duration::from_millis(estate.pause_ms),
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

fn parts(record: &GuardRecord) -> (u32, u8, u8, [u8; 16]) {
    (record.ifindex, record.family, record.prefix, record.address)
}

fn record((ifindex, family, prefix, address): (u32, u8, u8, [u8; 16])) -> GuardRecord {
    GuardRecord {
        ifindex,
        family,
        prefix,
        _pad: [0; 2],
        address,
    }
}
