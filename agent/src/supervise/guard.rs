//! What the agent tells its supervisor: which addresses to remove should it die.
//!
//! A pipe of fixed records, written before an address can be added. The agent
//! hardly waits for the supervisor: a pipe that stays full is a supervisor that
//! is gone.

use std::{
    io::{self, Write},
    net::IpAddr,
    os::fd::OwnedFd,
};

use agent_common::wire::frame::wire_address;
use bytemuck::{Pod, Zeroable};
use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use crate::{
    config::{IfName, Instance},
    io::netlink::{
        devconf::{Before, Ipv4Conf},
        macvlan::MARK,
        paths::PathPlan,
        survey::World,
    },
};

/// Name of the environment variable that carries the descriptor number.
pub const GUARD_FD: &str = "FAILOVERD_GUARD_FD";

/// Family of a record that says that the agent runs.
pub const READY: u8 = 1;
/// Family of a record with a part of a netlink message that removes a route or
/// a rule: `prefix` bytes of `address` and `peer` together. `_pad` begins with
/// 1 in the last part.
pub const REMOVAL: u8 = 2;
/// Family of a record that says that nothing is left to be removed, and for how
/// many milliseconds (`ifindex`) the agent may still be busy with its end.
pub const ENDING: u8 = 8;
/// Bytes of a message in one record.
const PART: usize = 32;
/// Family of a record that names an interface with a virtual MAC address: to
/// be taken down, or with a `prefix` of 1 removed, when the VIPs are.
pub const LINK: u8 = 3;
/// Family of a record with a setting of a link, to be put back after that: its
/// number (linux/ip.h) is `prefix`, its value the first four bytes of
/// `address`.
pub const SETTING: u8 = 7;

/// One address, or with family 0 the start of a new list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct GuardRecord {
    pub ifindex: u32,
    /// 4 or 6; 0 forgets everything told before; [`READY`], [`REMOVAL`], [`LINK`],
    /// [`SETTING`], [`ENDING`].
    pub family: u8,
    pub prefix: u8,
    pub _pad: [u8; 2],
    /// Network order; an IPv4 address in the first four bytes.
    pub address: [u8; 16],
    /// The other end of a point-to-point address, in the same form; all zero
    /// without one. The kernel removes an address only with its peer.
    pub peer: [u8; 16],
}

const _: () = assert!(size_of::<GuardRecord>() == 40);

impl GuardRecord {
    /// `None` for the start of a list, and for what no agent writes.
    pub fn ip(&self) -> Option<IpAddr> {
        self.read(self.address)
    }

    /// The part of a message that a [`REMOVAL`] carries, and whether it is the
    /// last.
    pub fn part(&self) -> (Vec<u8>, bool) {
        let all = [self.address, self.peer].concat();
        let part = all.get(..usize::from(self.prefix)).unwrap_or_default();
        (part.to_vec(), self._pad[0] == 1)
    }

    pub(super) fn parts(message: &[u8]) -> impl Iterator<Item = Self> {
        let parts = message.len().div_ceil(PART);
        message.chunks(PART).enumerate().map(move |(at, part)| {
            let mut bytes = [0; PART];
            for (byte, of_part) in bytes.iter_mut().zip(part) {
                *byte = *of_part;
            }
            let (halves, _) = bytes.as_chunks::<16>();
            Self {
                family: REMOVAL,
                prefix: u8::try_from(part.len()).unwrap_or(0),
                _pad: [u8::from(at.saturating_add(1) == parts), 0],
                address: halves.first().copied().unwrap_or_default(),
                peer: halves.get(1).copied().unwrap_or_default(),
                ..Self::zeroed()
            }
        })
    }

    pub fn peer(&self) -> Option<IpAddr> {
        self.read(self.peer).filter(|peer| !peer.is_unspecified())
    }

    /// What a [`SETTING`] says.
    pub fn before(&self) -> Option<Before> {
        let [a, b, c, d, ..] = self.address;
        let setting = Ipv4Conf::of(self.prefix).filter(|_| self.family == SETTING);
        Some(Before {
            ifindex: self.ifindex,
            setting: setting?,
            value: u32::from_ne_bytes([a, b, c, d]),
        })
    }

    fn read(&self, bytes: [u8; 16]) -> Option<IpAddr> {
        let [a, b, c, d, ..] = bytes;
        match self.family {
            4 => Some(IpAddr::from([a, b, c, d])),
            6 => Some(IpAddr::from(bytes)),
            _ => None,
        }
    }
}

/// The agent's end.
#[derive(Debug)]
pub struct GuardPipe {
    pipe: std::fs::File,
    told: Vec<GuardRecord>,
    broken: bool,
}

impl GuardPipe {
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self {
            pipe: fd.into(),
            told: Vec::new(),
            broken: false,
        })
    }

    /// Tells all addresses that the instances may put on links that exist.
    /// What links had before is put back.
    pub fn tell<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Instance>,
        world: &World,
        before: impl Iterator<Item = Before>,
    ) {
        let mut records = vec![GuardRecord::zeroed()];
        let index = |name: &IfName| world.link(name.as_str()).map(|link| link.ifindex);
        for instance in instances {
            let plan = PathPlan::new(&instance.paths, index);
            records.extend(plan.removals().flat_map(GuardRecord::parts));
            records.extend(virtual_links(instance, world));
            for vip in &instance.vips {
                let home = instance.home(vip);
                let Some(link) = world.link(home.as_str()) else {
                    continue;
                };
                records.push(GuardRecord {
                    ifindex: link.ifindex,
                    family: if vip.address.is_ipv4() { 4 } else { 6 },
                    prefix: vip.prefix,
                    _pad: [0; 2],
                    address: wire_address(vip.address),
                    peer: vip.options.peer.map(wire_address).unwrap_or_default(),
                });
            }
        }
        records.extend(before.map(setting));
        if records != self.told && self.send(bytemuck::cast_slice(&records)).is_ok() {
            self.told = records;
        }
    }

    /// Says that the start is over and succeeded.
    pub fn tell_ready(&mut self) {
        let record = GuardRecord {
            family: READY,
            ..GuardRecord::zeroed()
        };
        // A supervisor that is gone is noticed by its end of the pipe.
        let _ = self.send(bytemuck::bytes_of(&record));
    }

    /// Says that everything is given up, and what the end may still take.
    pub fn tell_ending(&mut self, within: std::time::Duration) {
        let record = GuardRecord {
            family: ENDING,
            ifindex: u32::try_from(within.as_millis()).unwrap_or(u32::MAX),
            ..GuardRecord::zeroed()
        };
        // Without it we are ended early.
        let _ = self.send(bytemuck::bytes_of(&record));
    }

    /// A list can be longer than the pipe: then the supervisor gets a moment
    /// to read. Cut off amidst a record, all that came later would be misread,
    /// so that a pipe that stays full is not written to again.
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        const PATIENCE: Timespec = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        while !bytes.is_empty() && !self.broken {
            match self.pipe.write(bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(&self.pipe, PollFlags::OUT)];
                    self.broken = poll(&mut fds, Some(&PATIENCE)) == Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn setting(before: Before) -> GuardRecord {
    let Before {
        ifindex,
        setting,
        value,
    } = before;
    let [a, b, c, d] = value.to_ne_bytes();
    GuardRecord {
        ifindex,
        family: SETTING,
        prefix: setting.number(),
        address: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ..GuardRecord::zeroed()
    }
}

fn virtual_links(instance: &Instance, world: &World) -> impl Iterator<Item = GuardRecord> {
    instance.virtual_links().filter_map(|wanted| {
        let link = world.link(wanted.name.as_str())?;
        let good = link.macvlan_of.is_some() && link.mac == wanted.mac;
        good.then(|| GuardRecord {
            ifindex: link.ifindex,
            family: LINK,
            prefix: link.alias.starts_with(MARK).into(),
            ..GuardRecord::zeroed()
        })
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_list_longer_than_the_pipe_arrives_whole() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let mut guard = GuardPipe::new(write).unwrap();
        let list: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::fs::File::from(read).read_to_end(&mut all).map(|_| all)
        });
        guard.send(&list).unwrap();
        drop(guard);
        assert_eq!(reader.join().unwrap().unwrap(), list);
    }
}
