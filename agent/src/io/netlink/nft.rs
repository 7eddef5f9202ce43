//! The nftables rules that drop traffic to VIPs, as one transaction.
//!
//! One table of the inet family with one chain on the input hook: traffic that
//! is forwarded never meets it, and where a VIP is not on this machine no
//! packet to it is input. The table belongs to our socket where the kernel
//! knows that (Linux 5.12): nobody else can flush it, and it goes with the
//! process, however that ends.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::OwnedFd,
};

use rtnetlink::sys::protocols::NETLINK_NETFILTER;

use super::{build::Builder, request::RequestSocket};
use crate::config::IfName;

mod wire;

/// Bytes of a set element are below 32, and a message holds less than 64 KiB.
const ELEMENTS: usize = 1024;

/// A link-local address is one of a link: which.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Binding {
    Index(u32),
    Name(IfName),
}

/// What is dropped, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruleset {
    pub table: String,
    pub priority: i32,
    pub counters: bool,
    pub v4: BTreeSet<Ipv4Addr>,
    pub v6: BTreeSet<Ipv6Addr>,
    pub link_local: BTreeSet<(Binding, Ipv6Addr)>,
}

/// What is done about a table of that name which exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Existing {
    Refuse,
    Remove,
}

/// What is in place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installed {
    pub table: String,
    /// Of the request that makes it, so that another version of the agent sees
    /// whether it would make the same.
    pub digest: u64,
}

impl Installed {
    fn of(rules: &Ruleset) -> Self {
        let mut request = Builder::default();
        ruleset(&mut request, rules, true);
        let bytes = request.as_bytes().iter();
        Self {
            table: rules.table.clone(),
            // FNV-1a.
            digest: bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            }),
        }
    }
}

/// The table that is in place, and the socket that it belongs to.
#[derive(Debug)]
pub struct Table {
    socket: RequestSocket,
    installed: Option<Installed>,
    /// The kernel knows tables that belong to a socket.
    owned: bool,
}

impl Table {
    /// # Errors
    ///
    /// Where the kernel has no nftables.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: RequestSocket::open(NETLINK_NETFILTER)?,
            installed: None,
            owned: true,
        })
    }

    /// As somebody had it who gave it away: with its socket the table stays.
    pub fn inherit(installed: Installed, socket: OwnedFd) -> Self {
        Self {
            socket: RequestSocket::inherit(socket),
            installed: Some(installed),
            owned: true,
        }
    }

    /// What is in place and whose socket holds it, if anything is.
    pub fn give_away(self) -> Option<(Installed, OwnedFd)> {
        Some((self.installed?, self.socket.into_fd()))
    }

    pub fn is_installed(&self) -> bool {
        self.installed.is_some()
    }

    /// Whether just these rules are in place.
    pub fn has(&self, wanted: &Ruleset) -> bool {
        self.installed.as_ref() == Some(&Installed::of(wanted))
    }

    /// Puts `wanted` in the place of what is there, in one transaction. A
    /// table that is there and not ours stays, unless it is `left_over`: of
    /// the name that nobody else uses.
    ///
    /// # Errors
    ///
    /// EEXIST where the table is somebody else's; EPERM where it belongs to
    /// another process, or without CAP_NET_ADMIN. Then all is as before.
    pub fn install(&mut self, wanted: Ruleset, left_over: bool) -> io::Result<()> {
        let mut existing = Existing::Refuse;
        loop {
            let request = self.transaction(Some(&wanted), existing);
            let result = self
                .socket
                .submit(&request, request.count().saturating_sub(1));
            let errno = result.as_ref().err().and_then(io::Error::raw_os_error);
            match errno {
                Some(libc::EINVAL | libc::EOPNOTSUPP) if self.owned => self.owned = false,
                Some(libc::EEXIST) if left_over && existing == Existing::Refuse => {
                    existing = Existing::Remove;
                }
                // Flushed by somebody, where it is not bound to us.
                Some(libc::ENOENT) if self.installed.is_some() => self.installed = None,
                Some(_) | None => {
                    result?;
                    self.installed = Some(Installed::of(&wanted));
                    return Ok(());
                }
            }
        }
    }

    /// # Errors
    ///
    /// When the kernel refuses, as where somebody else removed it.
    pub fn remove(&mut self) -> io::Result<()> {
        if self.installed.is_none() {
            return Ok(());
        }
        let request = self.transaction(None, Existing::Refuse);
        let result = self
            .socket
            .submit(&request, request.count().saturating_sub(1));
        self.installed = None;
        result
    }

    fn transaction(&self, wanted: Option<&Ruleset>, existing: Existing) -> Builder {
        let mut request = Builder::default();
        wire::begin(&mut request);
        // The one before the end asks for the ACK of all.
        let old = self.installed.as_ref().map(|old| old.table.as_str());
        let left = wanted.filter(|_| existing == Existing::Remove);
        let left = left.map(|wanted| wanted.table.as_str());
        for table in [old, left.filter(|left| Some(*left) != old)]
            .into_iter()
            .flatten()
        {
            wire::delete_table(&mut request, table, wanted.is_none());
        }
        if let Some(wanted) = wanted {
            ruleset(&mut request, wanted, self.owned);
        }
        wire::end(&mut request);
        request
    }
}

fn ruleset(request: &mut Builder, rules: &Ruleset, owned: bool) {
    let table = wire::Place {
        table: &rules.table,
        counters: rules.counters,
    };
    table.create(request, owned);
    table.chain(request, rules.priority);
    let v4: Vec<[u8; 4]> = rules.v4.iter().map(Ipv4Addr::octets).collect();
    let v6: Vec<[u8; 16]> = rules.v6.iter().map(Ipv6Addr::octets).collect();
    if !v4.is_empty() {
        table.set(request, wire::Key::V4);
        for some in v4.chunks(ELEMENTS) {
            table.elements(request, wire::Key::V4, some);
        }
    }
    if !v6.is_empty() {
        table.set(request, wire::Key::V6);
        for some in v6.chunks(ELEMENTS) {
            table.elements(request, wire::Key::V6, some);
        }
    }
    // Neighbour discovery must work however little is accepted (RFC 9568 6.1).
    if !(v6.is_empty() && rules.link_local.is_empty()) {
        table.accept_neighbours(request);
    }
    if !v4.is_empty() {
        table.drop_set(request, wire::Key::V4);
    }
    if !v6.is_empty() {
        table.drop_set(request, wire::Key::V6);
    }
    for (binding, address) in &rules.link_local {
        table.drop_on(request, binding, *address);
    }
    // Changes nothing, and asks for the ACK of all.
    table.confirm(request);
}

#[cfg(test)]
mod tests;
