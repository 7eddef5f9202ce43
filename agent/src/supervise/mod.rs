//! The parent of the agent: takes the VIPs off when the agent dies, and starts
//! it again.
//!
//! It does little else, so that there is nothing for it to hang on: it waits
//! for its child, for the child's list of addresses and for signals, which it
//! passes on, and has no network connection. What it does where it stands for
//! keepalived's parent process (pid files, a line in syslog) is a [`Manner`] and
//! never waits for anybody. It carries another name than the
//! agent, so that ending every process of that name leaves it standing. Should
//! it die itself, the kernel tells the agent, which then leaves in good order.

pub mod guard;

use std::{
    ffi::{CStr, OsString},
    fmt,
    fs::File,
    io::{self, Read, Write},
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use agent_common::KernelTime;
use bytemuck::Zeroable;
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
    time::Timespec,
};

use self::guard::{GUARD_FD, GuardPipe, GuardRecord};
use crate::{
    config::{AddressOptions, Vip},
    io::{
        clock,
        netlink::{
            batch::{AddressPlan, CommandSocket},
            macvlan,
        },
        sched, sys,
    },
};

/// Pause before a new start after a crash; doubled with every crash.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What an agent has to end in order: more than it needs, and less than a
/// service manager waits before it kills us too and the VIPs stay.
const PATIENCE: Duration = Duration::from_secs(4);
/// An agent that lived this long did not fail at start.
const STEADY: Duration = Duration::from_secs(60);
/// The exit code of an agent that a signal ended.
const FAILURE: u8 = 1;
/// 510 instances with 255 addresses each.
const MAX_RECORDS: usize = 131_072;

/// The agent's side, at its start: the pipe to the supervisor, if it has one.
/// From here on the agent ends when its supervisor does.
pub fn connect() -> Option<GuardPipe> {
    let number: i32 = std::env::var(GUARD_FD)
        .ok()?
        .parse()
        .ok()
        .filter(|fd| *fd > 2 && sys::is_open(*fd))?;
    sys::unblock_signals();
    sys::set_name(c"failoverd");
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).ok()?;
    if rustix::process::getppid() != parent {
        // It died before we asked to be told.
        std::process::exit(1);
    }
    // SAFETY: the supervisor made this descriptor for us and passed its
    // number; nothing else in this process knows it.
    let pipe = unsafe { OwnedFd::from_raw_fd(number) };
    let mut reader = [PollFd::new(&pipe, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    if poll(&mut reader, Some(&now)).is_ok() && reader[0].revents().contains(PollFlags::ERR) {
        // It died before we knew its name: nobody reads the list.
        std::process::exit(1);
    }
    GuardPipe::new(pipe).ok()
}

/// Whether this process was started by a supervisor.
pub fn is_supervised() -> bool {
    std::env::var_os(GUARD_FD).is_some()
}

/// What `run` does in ways that depend on how it was called.
pub trait Manner {
    /// What `ps` shows of the supervisor.
    fn name(&self) -> &'static CStr;
    /// Starts an agent again that died.
    fn starts_again(&self) -> bool;
    /// Takes this signal for a wish to end.
    fn stops_at(&self, signal: i32) -> bool {
        matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
    }
    /// The agent with this pid runs.
    fn ready(&mut self, agent: u32);
    /// The agent has ended.
    fn gone(&mut self);
    /// A sentence for whoever looks after the machine. Must not wait.
    fn say(&mut self, message: fmt::Arguments<'_>);
}

/// As `failoverd run` does.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl Manner for Plain {
    fn name(&self) -> &'static CStr {
        c"fo-guard"
    }

    fn starts_again(&self) -> bool {
        true
    }

    fn ready(&mut self, _agent: u32) {}

    fn gone(&mut self) {}

    fn say(&mut self, message: fmt::Arguments<'_>) {
        // Unlike `eprintln!`, does not panic when nobody reads any more.
        let _ = writeln!(io::stderr(), "failoverd: {message}");
    }
}

/// Runs the agent with `arguments` as a child until it ends by itself or a
/// signal ends both. The exit code.
///
/// # Errors
///
/// When the child cannot be started at all.
pub fn run(arguments: &[OsString], manner: &mut dyn Manner) -> io::Result<u8> {
    let signals = sys::block_signals(&[
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGHUP,
        libc::SIGABRT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        sys::realtime::json(),
        sys::realtime::stats_clear(),
        sys::realtime::threads(),
    ])?;
    sys::set_name(manner.name());
    // Both help to act at once when it matters, and neither is needed.
    let _ = sched::lock_memory();
    let mut pause = FIRST_PAUSE;
    let mut crashed = false;
    loop {
        let mut ward = Ward::start(arguments)?;
        let started = clock::now();
        let status = ward.watch(&signals, manner)?;
        manner.gone();
        // However it ended: an agent that gave its VIPs up left nothing to
        // remove, one that ended in a panic or without its fast lane did.
        ward.remove_addresses(manner);
        // What ran and crashed is wanted: when its interface is away just now,
        // it is tried again. Only a first start is refused for good.
        let for_good = status.success() || !crashed || ward.stopping;
        if let Some(code) = finished(status).filter(|_| for_good) {
            return Ok(code);
        }
        crashed = true;
        if ward.stopping {
            return Ok(FAILURE);
        }
        if !manner.starts_again() {
            manner.say(format_args!(
                "the agent died ({status}), its VIPs were removed; not starting it again, as told"
            ));
            return Ok(FAILURE);
        }
        if clock::now().since(started) >= STEADY {
            pause = FIRST_PAUSE;
        }
        manner.say(format_args!(
            "the agent died ({status}), its VIPs were removed; starting it again in {} ms",
            pause.as_millis()
        ));
        if wait_unless_stopped(&signals, clock::now().after(pause), manner) {
            return Ok(FAILURE);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// An exit of its own is the agent's decision; a signal is a crash, unless the
/// agent was asked to end.
fn finished(status: ExitStatus) -> Option<u8> {
    let code = status.code()?;
    Some(u8::try_from(code).unwrap_or(FAILURE))
}

/// A running agent and what it told us.
struct Ward {
    child: Child,
    pidfd: OwnedFd,
    pipe: File,
    addresses: Vec<GuardRecord>,
    partial: Vec<u8>,
    /// The pipe hangs up when the child ends; polled on, it would only spin.
    pipe_open: bool,
    stopping: bool,
    /// It acts on signals; before, some of them would end it.
    ready: bool,
    /// What it is sent once it is.
    held: Vec<i32>,
    /// When an agent that was asked to end is killed.
    patient_until: Option<KernelTime>,
}

impl Ward {
    fn start(arguments: &[OsString]) -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        // The child's end must survive the exec.
        rustix::io::fcntl_setfd(&write, rustix::io::FdFlags::empty())?;
        let child = Command::new("/proc/self/exe")
            .arg0("failoverd")
            .args(arguments)
            .env(GUARD_FD, write.as_raw_fd().to_string())
            // It names us, and the child would take the watchdog for ours.
            .env_remove("WATCHDOG_PID")
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self {
            child,
            pidfd,
            pipe: read.into(),
            addresses: Vec::new(),
            partial: Vec::new(),
            pipe_open: true,
            stopping: false,
            ready: false,
            held: Vec::new(),
            patient_until: None,
        })
    }

    fn watch(&mut self, signals: &OwnedFd, manner: &mut dyn Manner) -> io::Result<ExitStatus> {
        loop {
            let mut fds = [
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::new(signals, PollFlags::IN),
                PollFd::new(&self.pipe, PollFlags::IN),
            ];
            let count = if self.pipe_open { 3 } else { 2 };
            let left = self.patient_until.map(|until| until.since(clock::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds[..count], timeout.as_ref()) {
                Ok(0) => {
                    // It hangs or is stopped: it must not keep the VIPs.
                    self.patient_until = None;
                    let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [ended, signalled, told] = fds.map(|fd| fd.revents());
            let (ended, signalled) = (!ended.is_empty(), !signalled.is_empty());
            if !told.is_empty() {
                self.listen(manner);
                self.pipe_open = !told.contains(PollFlags::HUP);
            }
            if signalled {
                self.pass_on(signals, manner);
            }
            if ended {
                self.listen(manner);
                return self.child.wait();
            }
        }
    }

    fn pass_on(&mut self, signals: &OwnedFd, manner: &dyn Manner) {
        while let Some(number) = sys::next_signal(signals.as_fd()) {
            if number == libc::SIGABRT {
                // The watchdog of systemd: the agent does not answer. We are
                // killed next, so its VIPs have to go now.
                self.stopping = true;
                let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
                continue;
            }
            if matches!(number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT) {
                if !manner.stops_at(number) {
                    continue;
                }
                if !self.stopping {
                    self.stopping = true;
                    self.patient_until = Some(clock::now().after(PATIENCE));
                }
                self.signal(number);
            } else if self.ready {
                self.signal(number);
            } else if !self.held.contains(&number) {
                self.held.push(number);
            }
        }
    }

    fn signal(&self, number: i32) {
        // Fails only when the child has just ended, which is seen next; until
        // it is waited for, its number is nobody else's.
        sys::kill(Pid::from_child(&self.child), number);
    }

    fn listen(&mut self, manner: &mut dyn Manner) {
        let mut ready = false;
        let mut buffer = [0; size_of::<GuardRecord>() * 128];
        while let Ok(len @ 1..) = self.pipe.read(&mut buffer) {
            self.partial
                .extend_from_slice(buffer.get(..len).unwrap_or_default());
            let (records, rest) = self.partial.as_chunks::<{ size_of::<GuardRecord>() }>();
            for bytes in records {
                let mut record = GuardRecord::zeroed();
                bytemuck::bytes_of_mut(&mut record).copy_from_slice(bytes);
                match record.family {
                    0 => self.addresses.clear(),
                    guard::READY => ready = true,
                    _ if self.addresses.len() < MAX_RECORDS => self.addresses.push(record),
                    _ => {}
                }
            }
            self.partial = rest.to_vec();
        }
        if ready {
            self.get_ready(manner);
        }
    }

    fn get_ready(&mut self, manner: &mut dyn Manner) {
        if self.ready {
            return;
        }
        self.ready = true;
        manner.ready(self.child.id());
        for number in std::mem::take(&mut self.held) {
            self.signal(number);
        }
    }

    /// Interfaces with virtual MAC addresses must not stay up.
    fn remove_links(&self, manner: &mut dyn Manner) {
        let links = self.addresses.iter();
        for link in links.filter(|record| record.family == guard::LINK) {
            let done = match link.prefix {
                0 => macvlan::take_down(link.ifindex),
                _ => macvlan::remove(link.ifindex),
            };
            match done {
                Ok(()) => {}
                // The agent has removed it.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(error) => manner.say(format_args!(
                    "cannot remove interface {} of the dead agent: {error}",
                    link.ifindex
                )),
            }
        }
    }

    fn remove_addresses(&self, manner: &mut dyn Manner) {
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

/// True when a signal asked to stop meanwhile.
fn wait_unless_stopped(signals: &OwnedFd, until: KernelTime, manner: &dyn Manner) -> bool {
    loop {
        let left = until.since(clock::now());
        if left.is_zero() {
            return false;
        }
        let timeout = Timespec::try_from(left).ok();
        let mut fds = [PollFd::new(signals, PollFlags::IN)];
        let _ = poll(&mut fds, timeout.as_ref());
        while let Some(number) = sys::next_signal(signals.as_fd()) {
            if manner.stops_at(number) {
                return true;
            }
        }
    }
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
