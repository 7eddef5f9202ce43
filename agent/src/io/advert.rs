//! Adverts on their way out: the sockets, and one message per destination.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
};

use agent_common::{
    AdvertInterval, Family, Priority, Version, Vrid,
    wire::vrrp::{self, ChecksumForm},
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::{receive::slow::SlowReceiver, sys};
use crate::config::{
    Instance,
    model::{OldChecksum, Transport, V3Checksum},
};

/// IP protocol number and next header of VRRP (RFC 9568 5.1.1.4).
const PROTOCOL: i32 = 112;
/// Internet control, as keepalived and FRR send (F-30).
const TOS: u32 = 0xC0;
/// 255 IPv6 addresses and a header.
const LONGEST: usize = 8 + 255 * 16;

/// Raw sockets that send adverts of every instance.
///
/// They also make the kernel consider protocol 112 as served, so that it does
/// not answer adverts with ICMP protocol unreachable; a filter keeps them from
/// receiving any.
#[derive(Debug)]
pub struct Transmitters {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Transmitters {
    /// Opens what the families in use need.
    ///
    /// # Errors
    ///
    /// Without CAP_NET_RAW; or for IPv6 where the kernel has none.
    pub fn open(v4: bool, v6: bool) -> io::Result<Self> {
        Ok(Self {
            v4: v4.then(|| raw_socket(Family::V4)).transpose()?,
            v6: v6.then(|| raw_socket(Family::V6)).transpose()?,
        })
    }

    /// Whether adverts of `family` can be sent.
    pub fn has(&self, family: Family) -> bool {
        self.get(family).is_some()
    }

    /// Takes the transmitter out of `sockets`, unless there is one already.
    pub fn add(&mut self, sockets: &mut FamilySockets) {
        let mine = match sockets.family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        if mine.is_none() {
            *mine = sockets.transmitter.take();
        }
    }

    fn get(&self, family: Family) -> Option<BorrowedFd<'_>> {
        match family {
            Family::V4 => self.v4.as_ref().map(|socket| socket.as_fd()),
            Family::V6 => self.v6.as_ref().map(|socket| socket.as_fd()),
        }
    }
}

/// What a family needs that comes into use while the agent runs.
#[derive(Debug)]
pub struct FamilySockets {
    pub family: Family,
    transmitter: Option<Socket>,
    pub slow: Option<SlowReceiver>,
}

impl FamilySockets {
    /// # Errors
    ///
    /// As [`Transmitters::open`].
    pub fn open(family: Family) -> io::Result<Self> {
        Ok(Self {
            family,
            transmitter: Some(raw_socket(family)?),
            slow: Some(SlowReceiver::open(family)?),
        })
    }
}

/// A raw VRRP socket that sends as RFC 9568 5.1 asks and receives nothing.
pub fn raw_socket(family: Family) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(PROTOCOL)))?;
    socket.attach_filter(&[SockFilter::new(libc::BPF_RET as u16, 0, 0, 0)])?;
    socket.set_nonblocking(true)?;
    match family {
        Family::V4 => {
            socket.set_multicast_ttl_v4(255)?;
            socket.set_ttl_v4(255)?;
            socket.set_tos_v4(TOS)?;
            socket.set_multicast_loop_v4(false)?;
            let no_df = libc::IP_PMTUDISC_DONT;
            sys::set_option(
                socket.as_fd(),
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                &no_df,
            )?;
        }
        Family::V6 => {
            socket.set_multicast_hops_v6(255)?;
            socket.set_unicast_hops_v6(255)?;
            socket.set_tclass_v6(TOS)?;
            socket.set_multicast_loop_v6(false)?;
            // On the interface with the virtual MAC address the source, which
            // is the link-local address of the one below, is no address.
            socket.set_freebind_v6(true)?;
        }
    }
    // An Active that fills its own uplink must be heard all the same.
    sys::send_first(socket.as_fd())?;
    Ok(socket)
}

/// The group, or a unicast peer.
#[derive(Clone, Copy, Debug)]
struct Destination {
    address: IpAddr,
    /// Its own adverts have the checksum of keepalived until 1.3.6.
    old_checksum: bool,
}

/// Everything that the adverts of one instance say, and where they go.
#[derive(Debug)]
pub struct AdvertPlan {
    version: Version,
    family: Family,
    vrid: Vrid,
    interval: AdvertInterval,
    auth: Option<[u8; 8]>,
    checksum: V3Checksum,
    addresses: Vec<IpAddr>,
    destinations: Vec<Destination>,
    /// `None` leaves the 255 of the socket.
    ttl: Option<u8>,
    old_checksum: OldChecksum,
    source: IpAddr,
    ifindex: u32,
    buffer: Vec<u8>,
    reached: bool,
}

impl AdvertPlan {
    /// Whether the last advert was sent to anybody.
    pub fn reached(&self) -> bool {
        self.reached
    }

    pub fn new(
        instance: &Instance,
        source: IpAddr,
        ifindex: u32,
        destinations: Vec<IpAddr>,
    ) -> Self {
        Self {
            version: instance.version,
            family: instance.family,
            vrid: instance.vrid,
            interval: instance.interval,
            auth: instance.password.map(|password| password.0),
            checksum: instance.v3_checksum,
            addresses: instance.advertised().collect(),
            destinations: destinations
                .into_iter()
                .map(|address| Destination {
                    address,
                    old_checksum: false,
                })
                .collect(),
            ttl: Some(instance.packets.unicast_ttl).filter(|ttl| *ttl != u8::MAX),
            old_checksum: match instance.transport {
                Transport::Unicast { .. } => instance.packets.old_checksum,
                Transport::Multicast { .. } => OldChecksum::Never,
            },
            source,
            ifindex,
            buffer: vec![0; LONGEST],
            reached: false,
        }
    }

    /// What checksum a peer sends: it is sent the same (K-06). keepalived goes
    /// over to the old form for all peers and for good.
    pub fn heard(&mut self, peer: IpAddr, old_checksum: bool) {
        let mut known = self.destinations.iter_mut();
        if let Some(known) = known.find(|known| known.address == peer) {
            known.old_checksum = old_checksum;
        }
    }

    /// Goes on with what `former` has heard: an Active hears nothing of a peer
    /// that is Backup, and one that needs the old form would not hear it.
    pub fn inherit(&mut self, former: &Self) {
        for known in former
            .destinations
            .iter()
            .filter(|known| known.old_checksum)
        {
            self.heard(known.address, true);
        }
    }

    /// What stands in the pseudo-header for the destination.
    fn pseudo_destination(&self, destination: Destination) -> IpAddr {
        let old = match self.old_checksum {
            OldChecksum::Never => false,
            OldChecksum::Detect => destination.old_checksum,
            OldChecksum::Always => true,
        };
        match (old, self.family) {
            (true, Family::V4) => IpAddr::from(vrrp::GROUP_V4),
            (true, Family::V6) | (false, _) => destination.address,
        }
    }

    /// Sends one advert to every destination.
    ///
    /// # Errors
    ///
    /// The first failure; the remaining destinations are tried all the same
    /// what was not sent is never taken as sent).
    pub fn send(&mut self, sockets: &Transmitters, priority: Priority) -> io::Result<()> {
        let fd = sockets
            .get(self.family)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut first_error = None;
        self.reached = false;
        for at in 0..self.destinations.len() {
            let Some(destination) = self.destinations.get(at).copied() else {
                break;
            };
            let checksum = match (self.version, self.family, self.checksum) {
                (Version::V2, _, _) | (Version::V3, Family::V4, V3Checksum::MessageOnly) => {
                    ChecksumForm::MessageOnly
                }
                (Version::V3, Family::V6, _)
                | (Version::V3, Family::V4, V3Checksum::PseudoHeader) => {
                    ChecksumForm::PseudoHeader {
                        source: self.source,
                        destination: self.pseudo_destination(destination),
                    }
                }
            };
            let message = vrrp::Advert {
                version: self.version,
                vrid: self.vrid,
                priority,
                interval: self.interval,
                auth: self.auth,
                addresses: &self.addresses,
                family: self.family,
                checksum,
            };
            let sent = match vrrp::build(&mut self.buffer, &message) {
                Some(len) => {
                    let bytes = self.buffer.get(..len).unwrap_or_default();
                    let address = destination.address;
                    sys::send_message(fd, bytes, self.source, address, self.ifindex, self.ttl)
                }
                None => Err(io::ErrorKind::InvalidInput.into()),
            };
            match sent {
                Ok(()) => self.reached = true,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_were_heard_to_send_outlives_a_plan() {
        let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nversion 3\n\
             unicast_peer {\n192.0.2.2\n192.0.2.3\n}\nvirtual_ipaddress {\n192.0.2.9\n}\n}\n";
        let config = crate::config::parse_str("k.conf", text).config.unwrap();
        let peers: [IpAddr; 2] = [[192, 0, 2, 2].into(), [192, 0, 2, 3].into()];
        let plan = |peers: &[IpAddr]| {
            let source = [192, 0, 2, 1].into();
            AdvertPlan::new(&config.instances[0], source, 1, peers.to_vec())
        };
        let mut former = plan(&peers);
        former.heard(peers[1], true);
        let mut next = plan(&[peers[1], peers[0]]);
        next.inherit(&former);
        let sums: Vec<IpAddr> = next
            .destinations
            .iter()
            .map(|destination| next.pseudo_destination(*destination))
            .collect();
        assert_eq!(sums, [IpAddr::from(vrrp::GROUP_V4), peers[0]]);
    }
}
