//! Probes of the heartbeat and their answers as bytes: headers are written here,
//! by the RFCs, and read by the production parsers.

use std::net::IpAddr;

use agent_common::wire::{
    Bytes, Frame, Link,
    bfd::{FrameMut, LENGTH, Probe, REFLECTOR_PORT, SessionState, Unanswered, locate_probe},
    ethernet,
    frame::wire_address,
    probe::{self, Said},
};

/// Ethernet, IPv6, UDP and the control packet.
pub const LONGEST: usize = 14 + 40 + 8 + LENGTH;

pub const LINK: Link = Link {
    ifindex: 7,
    vlan: None,
};

/// Where initiators ask from.
pub const ASKER_PORT: u16 = 49_152;

/// A frame on its way to the router whose MAC address it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    bytes: [u8; LONGEST],
    length: usize,
    /// How many reflectors have sent it on.
    pub turns: u8,
}

/// One end of it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Last byte of the MAC address.
    pub host: u8,
    pub address: IpAddr,
    pub port: u16,
}

impl Datagram {
    pub fn new(from: End, to: End, packet: &[u8; LENGTH]) -> Self {
        let mut all = Vec::with_capacity(LONGEST);
        all.extend([2, 0, 0, 0, 0, to.host, 2, 0, 0, 0, 0, from.host]);
        let length = 8 + LENGTH as u16;
        match (from.address, to.address) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                all.extend(ethernet::ETHERTYPE_IPV4.to_be_bytes());
                let [high, low] = (20 + length).to_be_bytes();
                all.extend([0x45, 0xC0, high, low, 0, 1, 0x40, 0, 255, 17, 0, 0]);
                all.extend(from.octets());
                all.extend(to.octets());
                let sum = checksum(&all[14..34]).to_be_bytes();
                all[24..26].copy_from_slice(&sum);
            }
            (from, to) => {
                all.extend(ethernet::ETHERTYPE_IPV6.to_be_bytes());
                let [high, low] = length.to_be_bytes();
                all.extend([0x6C, 0, 0, 0, high, low, 17, 255]);
                all.extend(wire_address(from));
                all.extend(wire_address(to));
            }
        }
        for field in [from.port, to.port, length, 0] {
            all.extend(field.to_be_bytes());
        }
        all.extend(packet);
        let mut bytes = [0; LONGEST];
        bytes[..all.len()].copy_from_slice(&all);
        Self {
            bytes,
            length: all.len(),
            turns: 0,
        }
    }

    /// Whose MAC address it goes to.
    pub const fn host(&self) -> u8 {
        self.bytes[5]
    }

    /// One bit is another one.
    pub fn flip(&mut self, bit: u16) {
        let bit = usize::from(bit) % (self.length * 8);
        self.bytes[bit / 8] ^= 1 << (bit % 8);
    }

    /// The control packet of one that is as it was made.
    pub fn packet(&self) -> Option<[u8; LENGTH]> {
        self.bytes(self.length.checked_sub(LENGTH)?)
    }

    /// Who asks, and who is asked, of one that is as it was made.
    pub fn ends(&self) -> Option<(End, End)> {
        let (source, destination) = self.addresses()?;
        let end = |host, address| End {
            host,
            address,
            port: REFLECTOR_PORT,
        };
        Some((end(self.bytes[11], source), end(self.bytes[5], destination)))
    }

    fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        match self.be16(12)? {
            ethernet::ETHERTYPE_IPV4 => {
                let at = |at| self.bytes::<4>(at).map(IpAddr::from);
                Some((at(26)?, at(30)?))
            }
            ethernet::ETHERTYPE_IPV6 => {
                let at = |at| self.bytes::<16>(at).map(IpAddr::from);
                Some((at(22)?, at(38)?))
            }
            _ => None,
        }
    }

    /// What a reflector takes it for.
    pub fn probe(&self) -> Result<Probe, Unanswered> {
        locate_probe(self, LINK)
    }

    /// The same, as the reflector sends it back.
    pub fn answered(mut self, probe: &Probe, state: SessionState) -> Option<Self> {
        self.length = probe.answer(&mut self, state)?;
        self.turns = self.turns.saturating_add(1);
        Some(self)
    }

    /// What the socket of an initiator with this address gets of it: TTL 255,
    /// from a reflector's port to its own.
    pub fn said(&self, own: IpAddr) -> Option<(IpAddr, Said)> {
        let (source, destination) = self.addresses()?;
        let (ttl, udp) = match own {
            IpAddr::V4(_) => (self.byte(22)?, 34),
            IpAddr::V6(_) => (self.byte(21)?, 54),
        };
        let ports = (self.be16(udp)?, self.be16(udp + 2)?);
        let wanted = ports == (REFLECTOR_PORT, ASKER_PORT) && ttl == 255;
        let ours = destination == own && wanted;
        let packet = self.bytes[..self.length].get(udp + 8..)?;
        let said = probe::answer(packet).ok()?;
        ours.then_some((source, said))
    }
}

impl Bytes for Datagram {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes[..self.length].bytes(at)
    }
}

impl Frame for Datagram {
    fn received(&self) -> usize {
        self.length
    }
}

impl FrameMut for Datagram {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let place = self.bytes[..self.length].get_mut(at..at + N);
        if let Some(place) = place {
            place.copy_from_slice(&bytes);
        }
    }
}

/// RFC 791 3.1, word by word.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|word| match *word {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
