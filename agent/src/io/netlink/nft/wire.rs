//! nf_tables messages (linux/netfilter/nf_tables.h). Numbers are big-endian.

use std::net::Ipv6Addr;

use super::{super::build::Builder, Binding};

const CHAIN: &str = "input";

/// linux/netfilter/nfnetlink.h
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10;
/// Families: netfilter's own numbers, not those of sockets.
const INET: u8 = 1;
const IPV4: u8 = 2;
const IPV6: u8 = 10;

const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;

/// The table goes with the socket that made it.
const TABLE_OWNER: u32 = 2;
/// NF_INET_LOCAL_IN
const INPUT: u32 = 1;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const REGISTER: u32 = 1;
const EQUAL: u32 = 0;

/// What a packet is asked for.
#[derive(Clone, Copy)]
enum Meta {
    Index = 4,
    Name = 6,
    Family = 15,
    Protocol = 16,
}

/// NFT_PAYLOAD_NETWORK_HEADER and NFT_PAYLOAD_TRANSPORT_HEADER.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// A set of destination addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    V4,
    V6,
}

impl Key {
    const fn name(self) -> &'static str {
        match self {
            Self::V4 => "vips4",
            Self::V6 => "vips6",
        }
    }

    const fn id(self) -> u32 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    /// The type by which `nft` shows the elements.
    const fn kind(self) -> u32 {
        match self {
            Self::V4 => 7,
            Self::V6 => 8,
        }
    }

    const fn family(self) -> u8 {
        match self {
            Self::V4 => IPV4,
            Self::V6 => IPV6,
        }
    }

    /// Where the destination is in the header, and how long.
    const fn place(self) -> (u32, u32) {
        match self {
            Self::V4 => (16, 4),
            Self::V6 => (24, 16),
        }
    }
}

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
const CREATE: u16 = libc::NLM_F_CREATE as u16;
const EXCLUSIVE: u16 = libc::NLM_F_EXCL as u16;
const APPEND: u16 = libc::NLM_F_APPEND as u16;

pub fn begin(request: &mut Builder) {
    request.message(BATCH_BEGIN, REQUEST, batch);
}

pub fn end(request: &mut Builder) {
    request.message(BATCH_END, REQUEST, batch);
}

fn batch(message: &mut Builder) {
    message.header(&[libc::AF_UNSPEC as u8, 0]);
    message.header(&NFTABLES.to_be_bytes());
}

fn number(message: &mut Builder, kind: u16, value: u32) {
    message.attribute(kind, &value.to_be_bytes());
}

fn message(request: &mut Builder, kind: u16, flags: u16, body: impl FnOnce(&mut Builder)) {
    request.message(NFTABLES << 8 | kind, REQUEST | flags, |message| {
        message.header(&[INET, 0, 0, 0]);
        body(message);
    });
}

pub fn delete_table(request: &mut Builder, table: &str, ack: bool) {
    let flags = if ack { ACK } else { 0 };
    message(request, DELETE_TABLE, flags, |m| m.text(1, table));
}

/// The table that all messages are about.
pub struct Place<'a> {
    pub table: &'a str,
    pub counters: bool,
}

impl Place<'_> {
    pub fn create(&self, request: &mut Builder, owned: bool) {
        message(request, NEW_TABLE, CREATE | EXCLUSIVE, |m| {
            m.text(1, self.table);
            number(m, 2, if owned { TABLE_OWNER } else { 0 });
        });
    }

    /// The chain once more, as it is.
    pub fn confirm(&self, request: &mut Builder) {
        message(request, NEW_CHAIN, CREATE | ACK, |m| {
            m.text(1, self.table);
            m.text(3, CHAIN);
        });
    }

    pub fn chain(&self, request: &mut Builder, priority: i32) {
        message(request, NEW_CHAIN, CREATE | EXCLUSIVE, |m| {
            m.text(1, self.table);
            m.text(3, CHAIN);
            m.nested(4, |hook| {
                number(hook, 1, INPUT);
                hook.attribute(2, &priority.to_be_bytes());
            });
            number(m, 5, ACCEPT);
            m.text(7, "filter");
        });
    }

    pub fn set(&self, request: &mut Builder, key: Key) {
        message(request, NEW_SET, CREATE | EXCLUSIVE, |m| {
            m.text(1, self.table);
            m.text(2, key.name());
            number(m, 3, 0);
            number(m, 4, key.kind());
            number(m, 5, key.place().1);
            number(m, 10, key.id());
        });
    }

    pub fn elements<const N: usize>(&self, request: &mut Builder, key: Key, some: &[[u8; N]]) {
        message(request, NEW_ELEMENT, CREATE, |m| {
            m.text(1, self.table);
            m.text(2, key.name());
            number(m, 4, key.id());
            m.nested(3, |list| {
                for octets in some {
                    list.nested(1, |element| data(element, 1, octets));
                }
            });
        });
    }

    fn rule(&self, request: &mut Builder, verdict: u32, body: impl FnOnce(&mut Builder)) {
        message(request, NEW_RULE, CREATE | APPEND, |m| {
            m.text(1, self.table);
            m.text(2, CHAIN);
            m.nested(4, |expressions| {
                body(expressions);
                if self.counters {
                    expression(expressions, "counter", |_| {});
                }
                expression(expressions, "immediate", |m| {
                    number(m, 1, VERDICT_REGISTER);
                    m.nested(2, |m| m.nested(2, |m| number(m, 1, verdict)));
                });
            });
        });
    }

    pub fn drop_set(&self, request: &mut Builder, key: Key) {
        self.rule(request, DROP, |m| {
            meta_is(m, Meta::Family, &[key.family()]);
            let (offset, len) = key.place();
            payload(m, NETWORK, offset, len);
            expression(m, "lookup", |m| {
                m.text(1, key.name());
                number(m, 2, REGISTER);
                number(m, 4, key.id());
            });
        });
    }

    /// ARP never comes here; this is its like.
    pub fn accept_neighbours(&self, request: &mut Builder) {
        for kind in [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT] {
            self.rule(request, ACCEPT, |m| {
                meta_is(m, Meta::Family, &[IPV6]);
                meta_is(m, Meta::Protocol, &[ICMPV6]);
                payload(m, TRANSPORT, 0, 1);
                is(m, &[kind]);
            });
        }
    }

    pub fn drop_on(&self, request: &mut Builder, binding: &Binding, address: Ipv6Addr) {
        self.rule(request, DROP, |m| {
            meta_is(m, Meta::Family, &[IPV6]);
            match binding {
                Binding::Index(index) => meta_is(m, Meta::Index, &index.to_ne_bytes()),
                Binding::Name(name) => {
                    let mut padded = [0; libc::IFNAMSIZ];
                    for (byte, given) in padded.iter_mut().zip(name.as_str().bytes()) {
                        *byte = given;
                    }
                    meta_is(m, Meta::Name, &padded);
                }
            }
            let (offset, len) = Key::V6.place();
            payload(m, NETWORK, offset, len);
            is(m, &address.octets());
        });
    }
}

fn expression(list: &mut Builder, name: &str, body: impl FnOnce(&mut Builder)) {
    list.nested(1, |m| {
        m.text(1, name);
        m.nested(2, body);
    });
}

fn data(m: &mut Builder, kind: u16, value: &[u8]) {
    m.nested(kind, |m| m.attribute(1, value));
}

fn meta_is(list: &mut Builder, what: Meta, value: &[u8]) {
    expression(list, "meta", |m| {
        number(m, 1, REGISTER);
        number(m, 2, what as u32);
    });
    is(list, value);
}

/// Compares what the register holds.
fn is(list: &mut Builder, value: &[u8]) {
    expression(list, "cmp", |m| {
        number(m, 1, REGISTER);
        number(m, 2, EQUAL);
        data(m, 3, value);
    });
}

fn payload(list: &mut Builder, base: u32, offset: u32, len: u32) {
    expression(list, "payload", |m| {
        number(m, 1, REGISTER);
        number(m, 2, base);
        number(m, 3, offset);
        number(m, 4, len);
    });
}
