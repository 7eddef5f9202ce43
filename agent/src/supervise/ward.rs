//! A running agent, as its supervisor knows it.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    net::IpAddr,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, ExitStatus},
};

use agent_common::KernelTime;
use bytemuck::Zeroable;
use rustix::{
    io::FdFlags,
    process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid},
};

use super::{
    Manner,
    guard::{ENDING, GUARD_FD, GuardRecord, LINK, READY, REMOVAL},
    notify,
    removals::Removals,
    requests::REQUEST_FD,
    succession::WARD_FD,
};
use crate::{
    config::{AddressOptions, Vip},
    io::{
        clock,
        netlink::{
            batch::{AddressPlan, CommandSocket},
            devconf, macvlan,
        },
        sys,
    },
    upgrade::{HEIR_FD, channel},
};

/// 510 instances with 255 addresses each.
const MAX_RECORDS: usize = 131_072;

/// A running agent and what it told us.
pub(super) struct Ward {
    pub pid: Pid,
    pub pidfd: OwnedFd,
    pub pipe: File,
    /// The pipe hangs up when the child ends; polled on, it would only spin.
    pub pipe_open: bool,
    /// Where it asks for a successor.
    pub requests: OwnedFd,
    pub requests_open: bool,
    pub addresses: Vec<GuardRecord>,
    pub paths: Removals,
    pub partial: Vec<u8>,
    pub started: KernelTime,
    /// It told that it runs.
    pub says_ready: bool,
    /// What it asked for to end in, in milliseconds.
    pub ending: Option<u32>,
    /// It acts on signals; before, some of them would end it.
    pub ready: bool,
    /// What it is sent once it is.
    pub held: Vec<i32>,
}

impl Ward {
    /// Runs `program`; with `heir`, to take over from another agent.
    pub fn start(program: &str, arguments: &[OsString], heir: Option<OwnedFd>) -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        let (requests, theirs) = channel::pair()?;
        // The child's ends must survive the exec.
        for fd in [&write, &theirs].into_iter().chain(&heir) {
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        let mut command = Command::new(program);
        command
            .arg0("failoverd")
            .args(arguments)
            .env(GUARD_FD, write.as_raw_fd().to_string())
            .env(REQUEST_FD, theirs.as_raw_fd().to_string())
            .env_remove(WARD_FD)
            // It names us, and the child would take the watchdog for ours.
            .env_remove("WATCHDOG_PID")
            .process_group(0);
        match std::env::var_os(notify::SOCKET) {
            // By one way alone, so that one that does not work is noticed.
            Some(_) => command.env(notify::RELAY, "1").env_remove(notify::SOCKET),
            None => command.env_remove(notify::RELAY),
        };
        match &heir {
            Some(heir) => command.env(HEIR_FD, heir.as_raw_fd().to_string()),
            None => command.env_remove(HEIR_FD),
        };
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            pid,
            pidfd: pidfd_open(pid, PidfdFlags::empty())?,
            pipe: read.into(),
            pipe_open: true,
            requests,
            requests_open: true,
            addresses: Vec::new(),
            paths: Removals::default(),
            partial: Vec::new(),
            started: clock::now(),
            says_ready: false,
            ending: None,
            ready: false,
            held: Vec::new(),
        })
    }

    pub fn requests(&self) -> BorrowedFd<'_> {
        self.requests.as_fd()
    }

    pub fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub fn signal(&self, number: i32) {
        // Fails only when it has just ended, which is seen next; until it is
        // waited for, its number is nobody else's.
        sys::kill(self.pid, number);
    }

    /// Of a signal that would end an agent which does not expect it yet.
    pub fn signal_when_ready(&mut self, number: i32) {
        if self.ready {
            self.signal(number);
        } else if !self.held.contains(&number) {
            self.held.push(number);
        }
    }

    pub fn get_ready(&mut self) {
        self.ready = true;
        for number in std::mem::take(&mut self.held) {
            self.signal(number);
        }
    }

    /// Waits for its end, which is near.
    pub fn reap(&mut self) -> io::Result<ExitStatus> {
        loop {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => {
                    self.listen();
                    return Ok(ExitStatus::from_raw(status.as_raw()));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        // Nothing survives SIGKILL, and nobody else waits for it.
        let _ = self.reap();
    }

    pub fn listen(&mut self) {
        let mut buffer = [0; size_of::<GuardRecord>() * 128];
        while let Ok(len @ 1..) = self.pipe.read(&mut buffer) {
            self.partial
                .extend_from_slice(buffer.get(..len).unwrap_or_default());
            let (records, rest) = self.partial.as_chunks::<{ size_of::<GuardRecord>() }>();
            for bytes in records {
                let mut record = GuardRecord::zeroed();
                bytemuck::bytes_of_mut(&mut record).copy_from_slice(bytes);
                match record.family {
                    0 => {
                        self.addresses.clear();
                        self.paths = Removals::default();
                    }
                    REMOVAL => self.paths.take(&record),
                    READY => self.says_ready = true,
                    ENDING => self.ending = Some(record.ifindex),
                    _ if self.addresses.len() < MAX_RECORDS => self.addresses.push(record),
                    _ => {}
                }
            }
            self.partial = rest.to_vec();
        }
    }

    /// Interfaces with virtual MAC addresses must not stay up, nor those below
    /// them silent.
    fn remove_links(&self, manner: &mut dyn Manner) {
        for record in self.addresses.iter() {
            let done = match (record.family, record.before()) {
                (LINK, _) if record.prefix == 0 => macvlan::take_down(record.ifindex),
                (LINK, _) => macvlan::remove(record.ifindex),
                (_, Some(before)) => devconf::put_back(before),
                (_, None) => Ok(()),
            };
            match done {
                Ok(()) => {}
                // The agent has removed it, or somebody else.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => manner.say(format_args!(
                    "cannot put interface {} of the dead agent back: {error}",
                    record.ifindex
                )),
            }
        }
    }

    /// Removes what is listed, once.
    pub fn clear(&mut self, manner: &mut dyn Manner) {
        if self.addresses.is_empty() && self.paths.messages.is_empty() {
            return;
        }
        self.remove_addresses(manner);
        self.addresses.clear();
        self.paths = Removals::default();
    }

    pub fn remove_addresses(&self, manner: &mut dyn Manner) {
        self.paths.carry_out(manner);
        let vips: Vec<(Vip, u32)> = self.addresses.iter().filter_map(vip).collect();
        let mut plan = AddressPlan::new(vips.iter().map(|(vip, ifindex)| (vip, *ifindex)));
        let removed = CommandSocket::open().and_then(|mut socket| socket.remove_all(&mut plan));
        if let Err(error) = removed {
            manner.say(format_args!(
                "cannot remove the VIPs of the dead agent: {error}"
            ));
        }
        self.remove_links(manner);
    }
}

fn vip(record: &GuardRecord) -> Option<(Vip, u32)> {
    let address: IpAddr = record.ip()?;
    let vip = Vip {
        address,
        prefix: record.prefix,
        device: None,
        broadcast: None,
        label: None,
        scope: 0,
        options: AddressOptions {
            peer: record.peer(),
            ..AddressOptions::default()
        },
        advertised: true,
    };
    Some((vip, record.ifindex))
}

#[cfg(test)]
mod tests {
    use agent_common::wire::frame::wire_address;
    use bytemuck::Zeroable as _;

    use super::*;

    /// The kernel removes an address with a peer only when that is named.
    #[test]
    fn what_is_removed_has_its_peer() {
        let peer: IpAddr = "10.77.10.4".parse().unwrap();
        let record = GuardRecord {
            ifindex: 3,
            family: 4,
            prefix: 30,
            address: wire_address("10.77.9.4".parse().unwrap()),
            ..GuardRecord::zeroed()
        };
        let options = |record: &GuardRecord| vip(record).unwrap().0.options;
        assert_eq!(options(&record).peer, None);
        let record = GuardRecord {
            peer: wire_address(peer),
            ..record
        };
        assert_eq!(options(&record).peer, Some(peer));
        assert_eq!(vip(&record).unwrap().1, 3);
    }
}
