//! Address changes, serialised beforehand and sent as one buffer.
//!
//! rtnetlink handles a buffer inside `send`, so when it returns the addresses
//! are there. Only the last message asks for an ACK: a batch with one on each
//! stalls from a few hundred addresses.

use std::{cmp::Ordering, io, net::IpAddr, os::fd::AsFd};

use rtnetlink::{
    packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::{
            AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
            CacheInfo,
        },
        link::{LinkFlags, LinkMessage},
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};

use crate::{
    config::{Vip, address::FOREVER},
    io::sys,
};

/// Who set an address, for those who ask (Linux 5.18; older kernels skip it):
/// the number that iproute2 and others know as keepalived's, so that what
/// leaves its addresses alone leaves ours alone.
pub const PROTOCOL: u8 = 18;

/// Offset of the flags and of the sequence number in a netlink header.
const FLAGS_AT: usize = 6;
const SEQUENCE_AT: usize = 8;
const HEADER: usize = 16;
/// Set in sequence numbers that say which message of a batch it is.
const NUMBERED: u32 = 0x8000_0000;

/// All addresses of one instance, ready to be added or removed at once.
#[derive(Clone, Debug, Default)]
pub struct AddressPlan {
    add: Batch,
    remove: Batch,
    singles: Vec<Batch>,
    removals: Vec<Batch>,
    /// Takes the links up that are up while their VIPs are on them.
    raise: Batch,
    /// The VIPs by what is asked of the kernel for each, for [`Comparison`].
    order: Vec<u16>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    last: usize,
    /// See [`Batch::of`].
    last_number: u16,
}

impl AddressPlan {
    /// `vips` with the interface that each goes to.
    pub fn new<'a>(vips: impl Iterator<Item = (&'a Vip, u32)> + Clone) -> Self {
        Self::with_links(vips, &[])
    }

    /// As [`Self::new`]; `links` are taken up before VIPs are added, and down
    /// after they are removed.
    pub fn with_links<'a>(
        vips: impl Iterator<Item = (&'a Vip, u32)> + Clone,
        links: &[u32],
    ) -> Self {
        let up = || links.iter().map(|ifindex| set_up(*ifindex, true));
        let down = links.iter().map(|ifindex| set_up(*ifindex, false));
        let adds = || vips.clone().map(|(vip, ifindex)| message(vip, ifindex));
        let single = |message, flags| Batch::new(std::iter::once(message), flags);
        let singles: Vec<Batch> = adds()
            .map(|vip| {
                let flags = NLM_F_CREATE | NLM_F_REPLACE;
                single(RouteNetlinkMessage::NewAddress(vip), flags)
            })
            .collect();
        let mut order: Vec<u16> = (0..=u16::MAX).zip(&singles).map(|(vip, _)| vip).collect();
        order.sort_by_key(|vip| singles.get(usize::from(*vip)).map(Batch::wish));
        Self {
            add: Batch::new(
                up().chain(adds().map(RouteNetlinkMessage::NewAddress)),
                NLM_F_CREATE | NLM_F_REPLACE,
            ),
            remove: Batch::new(adds().map(RouteNetlinkMessage::DelAddress).chain(down), 0),
            raise: Batch::new(up(), 0),
            removals: adds()
                .map(|vip| single(RouteNetlinkMessage::DelAddress(vip), 0))
                .collect(),
            singles,
            order,
        }
    }

    /// The VIP at a place of `order`, and what is asked for it.
    fn nth(&self, at: usize) -> Option<(u16, &[u8])> {
        let vip = *self.order.get(at)?;
        Some((vip, self.singles.get(usize::from(vip))?.wish()))
    }
}

/// A VIP that only one of two plans has, address, link and options taken
/// together; by its number in that plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    Gone(u16),
    New(u16),
}

/// Goes through the differences of two plans without allocating. The plans
/// may change places in memory meanwhile, but not in content.
#[derive(Clone, Copy, Default, Debug)]
pub struct Comparison {
    old: usize,
    new: usize,
}

impl Comparison {
    /// The next difference; both plans are the same ones in every call.
    pub fn next(&mut self, old: &AddressPlan, new: &AddressPlan) -> Option<Difference> {
        loop {
            let order = match (old.nth(self.old), new.nth(self.new)) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((_, before)), Some((_, after))) => before.cmp(after),
            };
            let (before, after) = (self.old, self.new);
            self.old += usize::from(order.is_le());
            self.new += usize::from(order.is_ge());
            match order {
                Ordering::Equal => {}
                Ordering::Less => return old.nth(before).map(|(vip, _)| Difference::Gone(vip)),
                Ordering::Greater => return new.nth(after).map(|(vip, _)| Difference::New(vip)),
            }
        }
    }
}

impl Batch {
    fn new(messages: impl Iterator<Item = RouteNetlinkMessage>, flags: u16) -> Self {
        let mut batch = Self::default();
        for message in messages {
            let mut message = NetlinkMessage::from(message);
            message.header.flags = NLM_F_REQUEST | flags;
            message.finalize();
            batch.last = batch.bytes.len();
            batch.bytes.resize(batch.last + message.buffer_len(), 0);
            message.serialize(&mut batch.bytes[batch.last..]);
        }
        if let Some(field) = batch
            .bytes
            .get_mut(batch.last + FLAGS_AT..batch.last + SEQUENCE_AT)
        {
            field.copy_from_slice(&(NLM_F_REQUEST | flags | NLM_F_ACK).to_ne_bytes());
        }
        batch
    }

    /// Of messages that are whole but for their sequence numbers: each with a
    /// number that a refusal is known by.
    pub(super) fn of(messages: &[(u16, &[u8])]) -> Self {
        let mut batch = Self::default();
        for (number, message) in messages {
            let at = batch.bytes.len();
            batch.last = at;
            batch.last_number = *number;
            batch.bytes.extend_from_slice(message);
            let sequence = NUMBERED | u32::from(*number);
            if let Some(field) = batch.bytes.get_mut(at + SEQUENCE_AT..at + SEQUENCE_AT + 4) {
                field.copy_from_slice(&sequence.to_ne_bytes());
            }
        }
        if let Some([low, high]) = batch
            .bytes
            .get_mut(batch.last + FLAGS_AT..batch.last + SEQUENCE_AT)
        {
            let flags = u16::from_ne_bytes([*low, *high]) | NLM_F_ACK;
            [*low, *high] = flags.to_ne_bytes();
        }
        batch
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The one message without its header, whose sequence number changes with
    /// every use.
    pub(super) fn wish(&self) -> &[u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    fn set_sequence(&mut self, sequence: u32) {
        if let Some(field) = self
            .bytes
            .get_mut(self.last + SEQUENCE_AT..self.last + SEQUENCE_AT + 4)
        {
            field.copy_from_slice(&sequence.to_ne_bytes());
        }
    }
}

fn set_up(ifindex: u32, up: bool) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.header.change_mask = LinkFlags::Up;
    message.header.flags.set(LinkFlags::Up, up);
    RouteNetlinkMessage::SetLink(message)
}

fn message(vip: &Vip, ifindex: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = ifindex;
    message.header.prefix_len = vip.prefix;
    message.header.scope = AddressScope::from(vip.scope);
    let attributes = &mut message.attributes;
    let options = &vip.options;
    attributes.push(AddressAttribute::Address(
        options.peer.unwrap_or(vip.address),
    ));
    attributes.push(AddressAttribute::Local(vip.address));
    attributes.push(AddressAttribute::Protocol(PROTOCOL.into()));
    match vip.address {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            if let Some(broadcast) = vip.broadcast {
                attributes.push(AddressAttribute::Broadcast(broadcast));
            }
            if let Some(label) = &vip.label {
                attributes.push(AddressAttribute::Label(label.clone()));
            }
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            // Deprecated, as keepalived does: the host must not choose the
            // VIP as source of connections of its own.
            let deprecated = (vip.prefix == 128).then_some(0);
            if let Some(preferred) = options.preferred_lifetime.or(deprecated) {
                let mut lifetime = CacheInfo::default();
                lifetime.ifa_preferred = preferred;
                lifetime.ifa_valid = FOREVER;
                attributes.push(AddressAttribute::CacheInfo(lifetime));
            }
        }
    }
    let flags = flags(vip);
    if !flags.is_empty() {
        // The first eight have a place in the header as well.
        let [low, ..] = flags.bits().to_le_bytes();
        message.header.flags = AddressHeaderFlags::from_bits_retain(low);
        message.attributes.push(AddressAttribute::Flags(flags));
    }
    message
}

fn flags(vip: &Vip) -> AddressFlags {
    let options = &vip.options;
    let v6 = vip.address.is_ipv6();
    let mut flags = AddressFlags::empty();
    // The Backup may still answer while we take over: a VIP does not wait for
    // duplicate address detection (RFC 9568 8.2.2).
    flags.set(AddressFlags::Nodad, v6 && !options.detect_duplicates);
    flags.set(AddressFlags::Homeaddress, options.home);
    flags.set(AddressFlags::Managetempaddr, options.manage_temporary);
    flags.set(AddressFlags::Noprefixroute, options.no_prefix_route);
    flags.set(AddressFlags::Mcautojoin, options.autojoin);
    flags
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchResult {
    /// Messages that the kernel refused.
    pub failed: u32,
    /// errno of the first refusal, positive.
    pub first_errno: i32,
    /// Which message that was, where messages have numbers.
    pub first: u16,
    /// Messages that asked for what was so before.
    pub fulfilled: u32,
}

impl BatchResult {
    /// Of two batches, one after the other.
    pub fn and(self, next: Self) -> Self {
        let first = if self.failed > 0 { self } else { next };
        Self {
            failed: self.failed.saturating_add(next.failed),
            fulfilled: self.fulfilled.saturating_add(next.fulfilled),
            ..first
        }
    }
}

/// The socket that changes addresses. Not blocking: an answer that is not
/// there when `send` returns is read with the next batch.
#[derive(Debug)]
pub struct CommandSocket {
    socket: Socket,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

impl CommandSocket {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        // Thousands of addresses must fit in one send. The forced form needs
        // CAP_NET_ADMIN, which we have whenever we may change addresses.
        let size: u32 = 8 << 20;
        let fd = socket.as_fd();
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &size);
        let _ = sys::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &size);
        // Refusals come back without the request: they stay small.
        socket.set_cap_ack(true)?;
        Ok(Self {
            socket,
            port,
            sequence: 0,
            buffer: vec![0; 64 << 10],
        })
    }

    /// Our netlink port: the monitor knows our own changes by it.
    pub fn port(&self) -> u32 {
        self.port
    }

    pub fn add_all(&mut self, plan: &mut AddressPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.add, &[libc::EEXIST])
    }

    pub fn remove_all(&mut self, plan: &mut AddressPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.remove, &[libc::EADDRNOTAVAIL])
    }

    /// Takes the plan's own links up, where it has any.
    pub fn raise(&mut self, plan: &mut AddressPlan) -> io::Result<BatchResult> {
        self.submit(&mut plan.raise, &[])
    }

    /// Adds VIP number `vip`; one that the plan does not have is refused.
    pub fn add_one(&mut self, plan: &mut AddressPlan, vip: u16) -> io::Result<BatchResult> {
        match plan.singles.get_mut(usize::from(vip)) {
            Some(batch) => self.submit(batch, &[libc::EEXIST]),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Removes VIP number `vip`; one that the plan does not have is refused.
    pub fn remove_one(&mut self, plan: &mut AddressPlan, vip: u16) -> io::Result<BatchResult> {
        match plan.removals.get_mut(usize::from(vip)) {
            Some(batch) => self.submit(batch, &[libc::EADDRNOTAVAIL]),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// `harmless`: the errno that says the wish was already fulfilled.
    pub(super) fn submit(
        &mut self,
        batch: &mut Batch,
        harmless: &[i32],
    ) -> io::Result<BatchResult> {
        if batch.bytes.is_empty() {
            return Ok(BatchResult::default());
        }
        self.sequence = (self.sequence.wrapping_add(1) & !NUMBERED).max(1);
        batch.set_sequence(self.sequence);
        self.socket.send(&batch.bytes, 0)?;
        self.collect(harmless, batch.last_number)
    }

    fn collect(&mut self, harmless: &[i32], last: u16) -> io::Result<BatchResult> {
        let mut result = BatchResult::default();
        loop {
            let len = match self
                .socket
                .recv(&mut &mut self.buffer[..], libc::MSG_DONTWAIT)
            {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(result),
                Err(error) => return Err(error),
            };
            for answer in super::monitor::messages(self.buffer.get(..len).unwrap_or_default()) {
                if answer.kind != libc::NLMSG_ERROR as u16 {
                    continue;
                }
                let errno = answer.i32_at(0).unwrap_or(0).saturating_neg();
                if harmless.contains(&errno) {
                    result.fulfilled += 1;
                } else if errno != 0 {
                    result.failed += 1;
                    if result.first_errno == 0 {
                        result.first_errno = errno;
                        result.first = match answer.sequence == self.sequence {
                            true => last,
                            false => (answer.sequence & 0xffff) as u16,
                        };
                    }
                }
                if answer.sequence == self.sequence {
                    return Ok(result);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
