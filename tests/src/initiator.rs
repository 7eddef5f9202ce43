//! A plain initiator of Seamless BFD (RFC 7880 7.3, RFC 7881): asks one
//! reflector by an ordinary UDP socket, and reads the answer by the letter of
//! RFC 5880 4.1. It knows nothing of the agent.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{clock::Deadline, netns::Netns, sys};

const PORT: u16 = 7784;
const LENGTH: usize = 24;
/// Any number will do.
const MINE: u32 = 0x0BAD_CAFE;

/// What a reflector says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    AdminDown,
    Up,
}

#[derive(Debug)]
pub struct Initiator {
    socket: UdpSocket,
    target: SocketAddr,
    yours: u32,
}

impl Initiator {
    /// Asks `target`, an address on the link of `interface`, for `yours`.
    ///
    /// # Errors
    /// When there is no socket.
    pub fn new(ns: &Netns, interface: &str, target: IpAddr, yours: u32) -> Result<Self> {
        ns.enter(|| {
            let any: SocketAddr = match target {
                IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                IpAddr::V6(_) => ([0; 16], 0).into(),
            };
            let socket = UdpSocket::bind(any).context("a UDP socket")?;
            sys::set_hops(&socket, target.is_ipv6(), 255)?;
            let target = match target {
                IpAddr::V4(_) => SocketAddr::new(target, PORT),
                IpAddr::V6(v6) => {
                    SocketAddrV6::new(v6, PORT, 0, sys::interface_index(interface)?).into()
                }
            };
            Ok(Self {
                socket,
                target,
                yours,
            })
        })
    }

    /// The discriminator that failoverd documents for a virtual router.
    pub fn documented(ipv6: bool, vrid: u8) -> u32 {
        let family = if ipv6 { 6 } else { 4 };
        0xF0FA_0000 | family << 8 | u32::from(vrid)
    }

    /// One probe: Demand set, state Up, detection multiplier 3, 1 ms.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn send(&self) -> Result<()> {
        let mut packet = [0; LENGTH];
        packet[..4].copy_from_slice(&[0x20, 0xC2, 3, LENGTH as u8]);
        packet[4..8].copy_from_slice(&MINE.to_be_bytes());
        packet[8..12].copy_from_slice(&self.yours.to_be_bytes());
        packet[12..16].copy_from_slice(&1000_u32.to_be_bytes());
        self.socket
            .send_to(&packet, self.target)
            .context("a probe")?;
        Ok(())
    }

    /// What is said to one probe within `patience`; `None` where nothing is.
    ///
    /// # Errors
    /// When the answer is not one.
    pub fn ask(&self, patience: Duration) -> Result<Option<Said>> {
        self.send()?;
        self.hear(patience)
    }

    /// The next answer within `patience`.
    ///
    /// # Errors
    /// When it is not one.
    pub fn hear(&self, patience: Duration) -> Result<Option<Said>> {
        let deadline = Deadline::after(patience);
        let mut packet = [0; 128];
        let (length, from) = loop {
            let rest = deadline.remaining().max(Duration::from_micros(1));
            self.socket.set_read_timeout(Some(rest))?;
            match self.socket.recv_from(&mut packet) {
                Ok(received) => break received,
                // A child of another test has ended.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error).context("an answer"),
            }
        };
        let packet = &packet[..length];
        ensure!(from == self.target, "from {from}");
        ensure!(length == LENGTH && packet[3] == 24, "{packet:02x?}");
        ensure!(packet[0] == 0x20, "version and diagnostic: {packet:02x?}");
        ensure!(packet[1] & 0x3F == 0, "flags: {packet:02x?}");
        ensure!(packet[2] == 3, "multiplier: {packet:02x?}");
        ensure!(packet[4..8] == self.yours.to_be_bytes(), "{packet:02x?}");
        ensure!(packet[8..12] == MINE.to_be_bytes(), "{packet:02x?}");
        match packet[1] >> 6 {
            0 => Ok(Some(Said::AdminDown)),
            3 => Ok(Some(Said::Up)),
            state => anyhow::bail!("state {state}: {packet:02x?}"),
        }
    }
}
