//! Adverts of a router that nobody runs, built by hand and sent by a machine of the lab.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use agent_common::wire::{checksum::Sum, ethernet, vrrp};
use anyhow::Result;

use crate::{
    clock::Deadline,
    packet::Packet,
    sys::{PacketSocket, packet_socket},
    topology::Host,
    wait::let_pass,
};

/// A v3 advert of VRID 51 from `source` to the group.
pub fn advert(source: IpAddr, priority: u8, interval: Duration, vips: &[IpAddr]) -> Packet {
    let centis = u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX);
    let count = u8::try_from(vips.len()).unwrap_or(u8::MAX);
    let mut message = vec![0x31, 51, priority, count];
    message.extend(centis.to_be_bytes());
    message.extend([0; 2]);
    for vip in vips {
        match vip {
            IpAddr::V4(vip) => message.extend(vip.octets()),
            IpAddr::V6(vip) => message.extend(vip.octets()),
        }
    }
    let (base, destination_mac) = match source {
        IpAddr::V4(_) => (Packet::v4(""), ethernet::multicast_v4(vrrp::GROUP_V4)),
        IpAddr::V6(_) => (Packet::v6(""), ethernet::multicast_v6(vrrp::GROUP_V6)),
    };
    let packet = Packet {
        destination_mac,
        source,
        message,
        ..base
    };
    mended(packet)
}

/// Sets the checksum: with a pseudo-header over IPv6 as RFC 9568 5.2.8 has it,
/// without one over IPv4.
pub fn mended(packet: Packet) -> Packet {
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination) else {
        return packet.mended();
    };
    let mut packet = packet;
    if let Some(field) = packet.message.get_mut(6..8) {
        field.fill(0);
    }
    let length = u32::try_from(packet.message.len()).unwrap_or(u32::MAX);
    let sum = Sum::new()
        .add_slice(&source.octets())
        .add_slice(&destination.octets())
        .add_slice(&length.to_be_bytes())
        .add_slice(&[0, 0, 0, 112])
        .add_slice(&packet.message)
        .finish();
    if let Some(field) = packet.message.get_mut(6..8) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The packet in frames of at most `size` bytes of payload each (a multiple of
/// 8): IPv4 fragments (RFC 791) or IPv6 ones (RFC 8200 4.5). `id` has to be
/// another for each packet.
pub fn fragments(packet: &Packet, size: usize, id: u16) -> Vec<Vec<u8>> {
    assert!(size.is_multiple_of(8) && size > 0, "whole words of 8 bytes");
    let pieces = packet.message.chunks(size).enumerate();
    let last = packet.message.len().div_ceil(size) - 1;
    let fragment = |(index, piece): (usize, &[u8])| {
        // Both headers count in words of 8 bytes.
        let offset = (index * size / 8) as u16;
        let more = index != last;
        let message = piece.to_vec();
        if packet.source.is_ipv4() {
            let field = (offset | if more { 0x2000 } else { 0 }).to_be_bytes();
            let mut piece = Packet {
                message,
                ..packet.clone()
            }
            .frame();
            let at = packet.ip_at();
            piece[at + 4..at + 6].copy_from_slice(&id.to_be_bytes());
            piece[at + 6..at + 8].copy_from_slice(&field);
            mend_ipv4(&mut piece[at..at + 20]);
            piece
        } else {
            let mut header = vec![packet.protocol, 0];
            header.extend((offset << 3 | u16::from(more)).to_be_bytes());
            header.extend([0, 0]);
            header.extend(id.to_be_bytes());
            Packet {
                options: header,
                protocol: 44,
                message,
                ..packet.clone()
            }
            .frame()
        }
    };
    pieces.map(fragment).collect()
}

fn mend_ipv4(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = Sum::new().add_slice(header).finish();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A socket that sends frames and hears none.
///
/// # Errors
/// When the machine lacks its interface.
pub fn socket(host: &Host) -> Result<PacketSocket> {
    // A protocol that nobody speaks here.
    const NOTHING: u16 = 0x88b5;
    const { assert!(NOTHING != packet_socket::ETH_P_ALL) };
    host.ns.packet_socket(&host.port.interface, NOTHING)
}

/// Sends frames again and again until it is dropped.
#[derive(Debug)]
pub struct Sender {
    end: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Sender {
    /// Sends what `frames` makes of the number of the round, each `period`,
    /// for at most a minute.
    ///
    /// # Errors
    /// As [`socket`].
    pub fn start(
        host: &Host,
        period: Duration,
        frames: impl Fn(u16) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let socket = socket(host)?;
        let end = Arc::new(AtomicBool::new(false));
        let worker = std::thread::spawn({
            let end = Arc::clone(&end);
            move || {
                let deadline = Deadline::after(Duration::from_secs(60));
                let mut round = 0;
                while !end.load(Ordering::Relaxed) && !deadline.expired() {
                    for frame in frames(round) {
                        // A frame that is refused is a frame that is lost.
                        drop(socket.send(&frame));
                    }
                    round = round.wrapping_add(1);
                    if let_pass(period).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Self {
            end,
            worker: Some(worker),
        })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}
