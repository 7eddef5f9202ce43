//! IPVS in the kernel: what it has, and changes of it.
//!
//! Generic netlink; the kernel loads its module when its family is asked for,
//! where that is allowed. Blocking: the kernel may hold its locks (RTNL for a
//! sync daemon) for as long as others do. So this is for threads that nobody
//! waits for.

use std::{collections::BTreeMap, io};

use super::{build::Builder, request::RequestSocket};
use crate::ipvs::{
    Daemon, Picture, Pool, decode,
    encode::{self, Command, Question},
};

/// linux/netlink.h, linux/genetlink.h.
const GENERIC: isize = 16;
const CONTROL: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const NAME: &str = "IPVS";

/// Changes that go in one system call.
const CHUNK: usize = 512;
/// Refusals that are told one by one.
const TOLD: usize = 8;

/// Why IPVS cannot be used.
#[derive(thiserror::Error, Debug)]
pub enum IpvsError {
    #[error("this kernel has no IPVS: load or build its module ip_vs")]
    Missing,
    #[error(
        "no permission for IPVS: it needs CAP_NET_ADMIN, in the network namespace's own user namespace"
    )]
    Forbidden,
    #[error("netlink: {0}")]
    Netlink(#[from] io::Error),
}

impl IpvsError {
    fn of(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Forbidden,
            Some(_) | None => Self::Netlink(error),
        }
    }
}

/// What became of a row of changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    pub refused: usize,
    /// The first ones: which step, and its errno.
    pub first: Vec<(usize, i32)>,
}

/// A socket for IPVS.
#[derive(Debug)]
pub struct Ipvs {
    socket: RequestSocket,
    family: u16,
}

impl Ipvs {
    /// # Errors
    ///
    /// Where the kernel has none, or must not load it.
    pub fn open() -> Result<Self, IpvsError> {
        let mut socket = RequestSocket::open(GENERIC)?;
        let mut request = Builder::default();
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        request.message(CONTROL, flags, |m| {
            m.header(&[GET_FAMILY, 1, 0, 0]);
            m.text(FAMILY_NAME, NAME);
        });
        let mut family = None;
        let asked = socket.ask(&request, |payload| {
            let all = super::monitor::attributes(payload.get(4..).unwrap_or_default());
            let id = all.filter(|(kind, _)| *kind == FAMILY_ID).last();
            let id = id.and_then(|(_, value)| value.get(..2)?.try_into().ok());
            family = id.map(u16::from_ne_bytes).or(family);
        });
        match (asked, family) {
            (Ok(()), Some(family)) => Ok(Self { socket, family }),
            (Err(error), _) if error.raw_os_error() != Some(libc::ENOENT) => {
                Err(IpvsError::of(error))
            }
            (Err(_), _) | (Ok(()), None) => Err(IpvsError::Missing),
        }
    }

    /// All that the kernel has in this network namespace.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn picture(&mut self) -> Result<Picture, IpvsError> {
        let mut picture = Picture::default();
        let Picture {
            table,
            connections,
            traffic,
            timeouts,
            daemons,
            unknown,
        } = &mut picture;
        self.ask(Question::Services, |payload| {
            match decode::service(payload) {
                Some((service, counted)) => {
                    let key = service.key;
                    traffic.insert((key, None), counted);
                    let servers = BTreeMap::new();
                    table.insert(key, Pool { service, servers });
                }
                None => *unknown = unknown.saturating_add(1),
            }
        })?;
        for (key, pool) in table {
            let asked = self.ask(
                Question::Destinations(*key),
                |payload| match decode::destination(payload, key.family()) {
                    Some((one, open, counted)) => {
                        connections.insert((*key, one.key), open);
                        traffic.insert((*key, Some(one.key)), counted);
                        pool.servers.insert(one.key, one);
                    }
                    None => *unknown = unknown.saturating_add(1),
                },
            );
            match asked {
                // Somebody has removed the service in between.
                Err(IpvsError::Netlink(error)) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result?,
            }
        }
        *unknown = unknown.saturating_add(self.ask_daemons(daemons)?);
        let mut request = Builder::default();
        encode::timeouts(self.family, &mut request);
        let mut told = None;
        let asked = self.socket.ask(&request, |payload| {
            told = decode::timeouts(payload).or(told);
        });
        asked.map_err(IpvsError::of)?;
        *timeouts = told.unwrap_or_default();
        Ok(picture)
    }

    /// The sync daemons that run.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer.
    pub fn daemons(&mut self) -> Result<Vec<Daemon>, IpvsError> {
        let mut daemons = Vec::new();
        self.ask_daemons(&mut daemons)?;
        Ok(daemons)
    }

    /// How many are not understood.
    fn ask_daemons(&mut self, daemons: &mut Vec<Daemon>) -> Result<u32, IpvsError> {
        let mut unknown = 0_u32;
        self.ask(Question::Daemons, |payload| match decode::daemon(payload) {
            Some(daemon) => daemons.push(daemon),
            None => unknown = unknown.saturating_add(1),
        })?;
        Ok(unknown)
    }

    fn ask(&mut self, question: Question, answer: impl FnMut(&[u8])) -> Result<(), IpvsError> {
        let mut request = Builder::default();
        question.write(self.family, &mut request);
        self.socket.ask(&request, answer).map_err(IpvsError::of)
    }

    /// Carries out all steps in their order, also those after a refused one.
    ///
    /// # Errors
    ///
    /// Where what became of them cannot be told, and where none is allowed.
    pub fn carry_out(&mut self, steps: &[Command<'_>]) -> Result<Outcome, IpvsError> {
        let mut outcome = Outcome::default();
        for (part, some) in steps.chunks(CHUNK).enumerate() {
            let mut request = Builder::default();
            let last = some.len().saturating_sub(1);
            for (at, step) in some.iter().enumerate() {
                step.write(self.family, at == last, &mut request);
            }
            let mut forbidden = false;
            let count = request.count();
            self.socket
                .submit_each(&request, count, |sequence, errno| {
                    forbidden |= errno == libc::EPERM;
                    outcome.refused = outcome.refused.saturating_add(1);
                    if outcome.first.len() < TOLD {
                        let at = usize::try_from(sequence)
                            .unwrap_or(usize::MAX)
                            .saturating_sub(1);
                        let step = part.saturating_mul(CHUNK).saturating_add(at);
                        outcome.first.push((step, errno));
                    }
                })?;
            if forbidden {
                return Err(IpvsError::Forbidden);
            }
        }
        Ok(outcome)
    }
}
