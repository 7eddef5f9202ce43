//! Adverts as bytes: the frame is written here, by the RFCs, and read by the
//! production parser, so that what it refuses is part of this world.

use std::net::IpAddr;

use agent_common::{
    Family, Version, Vrid,
    outcome::Outcome,
    record::{AdvertRecord, AllowedPrefix, InstanceFilter, MAX_ALLOWED, MAX_PEERS, filter_flags},
    wire::{
        ethernet,
        frame::wire_address,
        judge, locate,
        vrrp::{self, ChecksumForm},
    },
};

use crate::{
    network::{Advert, Bend},
    node::address,
    probe::LINK,
    schedule::{INSTANCES, RouterSpec, Setting, VIPS},
};

const LONGEST: usize = 128;
const IP_AT: usize = 14;
/// Of the two instances where both are of one family.
const VRIDS: [u8; INSTANCES] = [51, 52];

/// A frame on its way to one router.
struct Bytes {
    all: [u8; LONGEST],
    len: usize,
    /// Where the VRRP message begins.
    message: usize,
}

/// The VIPs of an instance, in the order of its adverts.
pub fn vips(setting: &Setting, instance: usize) -> [IpAddr; VIPS] {
    let net = instance as u8;
    std::array::from_fn(|vip| {
        let host = vip as u8 + 1;
        match setting.family[instance] {
            Family::V4 => IpAddr::from([10, 0, net, host]),
            Family::V6 => IpAddr::from([0xFE80, 0, 0, 0, 0, 0, net.into(), host.into()]),
        }
    })
}

/// Of two families the instances share a VRID, and must not be confused.
pub fn vrid(setting: &Setting, instance: usize) -> u8 {
    let [first, second] = setting.family;
    VRIDS[if first == second { instance } else { 0 }]
}

/// What the kernel side of an agent knows of an instance.
pub fn filter(setting: &Setting, spec: &RouterSpec, instance: usize) -> InstanceFilter {
    let family = setting.family[instance];
    let own = wire_address(address(spec.host, family));
    let mut filter = InstanceFilter {
        slot: instance as u32 + 1,
        version: setting.version as u8,
        flags: 0,
        v2_seconds: 0,
        peer_count: 0,
        auth: [0; 8],
        own: if setting.knows_own { own } else { [0; 16] },
        destination: wire_address(group(family)),
        mac: mac(spec.host),
        priority: spec.priority[instance],
        allowed_count: 0,
        peers: [[0; 16]; MAX_PEERS],
        min_ttl: [0; MAX_PEERS],
        ttl_headroom: [0; MAX_PEERS],
        allowed: [AllowedPrefix::new([0; 16], 0); MAX_ALLOWED],
    };
    if setting.version == Version::V2 {
        filter.v2_seconds = u8::try_from(spec.interval_cs / 100).unwrap_or(u8::MAX);
    }
    if setting.unicast {
        filter.flags = filter_flags::UNICAST | filter_flags::CHECK_SOURCE;
        filter.destination = own;
        for (slot, peer) in filter.peers.iter_mut().zip(&setting.peers) {
            *slot = wire_address(address(*peer, family));
        }
        filter.peer_count = setting.peers.iter().filter(|peer| **peer != 0).count() as u8;
    }
    filter
}

/// What a receiver's parser says to an advert: the instance and the record.
///
/// # Errors
///
/// Why it is refused.
pub fn read(
    setting: &Setting,
    advert: &Advert,
    to: u8,
    filters: &[InstanceFilter; INSTANCES],
    now_ns: u64,
) -> Result<(usize, AdvertRecord), Outcome> {
    let bytes = write(setting, advert, to).ok_or(Outcome::Foreign)?;
    let frame = &bytes.all[..bytes.len];
    let located = locate(frame, LINK)?;
    let mine = |index: &usize| {
        (located.key.family, located.key.vrid)
            == (setting.family[*index] as u8, vrid(setting, *index))
    };
    let Some(index) = (0..INSTANCES).find(mine) else {
        return Err(Outcome::UnknownVrid);
    };
    judge(frame, &located, &filters[index], now_ns).map(|record| (index, record))
}

/// `None` for what cannot be said in this version.
fn write(setting: &Setting, advert: &Advert, to: u8) -> Option<Bytes> {
    let family = setting.family[advert.instance];
    let source = address(advert.host, family);
    let destination = match setting.unicast {
        true => address(to, family),
        false => group(family),
    };
    let header = match family {
        Family::V4 => 20,
        Family::V6 => 40,
    };
    let message = IP_AT + header;
    let bare = family == Family::V4 && advert.host.is_multiple_of(2);
    let vrrp = vrrp::Advert {
        version: setting.version,
        vrid: Vrid::new(vrid(setting, advert.instance) + advert.bend.stray_vrid())?,
        priority: advert.priority,
        interval: advert.interval,
        auth: None,
        addresses: &vips(setting, advert.instance),
        family,
        checksum: match bare {
            true => ChecksumForm::MessageOnly,
            false => ChecksumForm::PseudoHeader {
                source,
                destination,
            },
        },
    };
    let mut all = [0; LONGEST];
    let length = vrrp::build(all.get_mut(message..)?, &vrrp)?;
    let mut bytes = Bytes {
        all,
        len: message + length,
        message,
    };
    bytes.ethernet(
        family,
        advert.host,
        (!setting.unicast).then_some(destination),
        to,
    );
    bytes.ip(source, destination, length);
    bytes.bend(advert.bend);
    Some(bytes)
}

impl Bytes {
    fn ethernet(&mut self, family: Family, from: u8, group: Option<IpAddr>, to: u8) {
        let destination = match group {
            Some(IpAddr::V4(group)) => ethernet::multicast_v4(group.octets()),
            Some(IpAddr::V6(group)) => ethernet::multicast_v6(group.octets()),
            None => mac(to),
        };
        let kind = match family {
            Family::V4 => ethernet::ETHERTYPE_IPV4,
            Family::V6 => ethernet::ETHERTYPE_IPV6,
        };
        self.all[..6].copy_from_slice(&destination);
        self.all[6..12].copy_from_slice(&mac(from));
        self.all[12..14].copy_from_slice(&kind.to_be_bytes());
    }

    fn ip(&mut self, source: IpAddr, destination: IpAddr, length: usize) {
        let total = length as u16;
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let [high, low] = (total + 20).to_be_bytes();
                let header = [0x45, 0xC0, high, low, 0, 1, 0, 0, 255, 112, 0, 0];
                self.all[14..26].copy_from_slice(&header);
                self.all[26..30].copy_from_slice(&source.octets());
                self.all[30..34].copy_from_slice(&destination.octets());
                self.sum_ipv4();
            }
            (source, destination) => {
                let [high, low] = total.to_be_bytes();
                let header = [0x6C, 0, 0, 0, high, low, 112, 255];
                self.all[14..22].copy_from_slice(&header);
                self.all[22..38].copy_from_slice(&wire_address(source));
                self.all[38..54].copy_from_slice(&wire_address(destination));
            }
        }
    }

    /// RFC 791 3.1, word by word.
    fn sum_ipv4(&mut self) {
        self.all[24..26].fill(0);
        let mut sum = 0;
        for at in (14..34).step_by(2) {
            sum += u32::from(u16::from_be_bytes([self.all[at], self.all[at + 1]]));
        }
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        self.all[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }

    fn bend(&mut self, bend: Bend) {
        let four = self.message == 34;
        match bend {
            Bend::Straight | Bend::Vrid => {}
            Bend::Ttl if four => {
                self.all[22] = 254;
                self.sum_ipv4();
            }
            Bend::Ttl => self.all[21] = 254,
            Bend::Checksum => self.all[self.message + 6] ^= 0x10,
            Bend::Version => self.all[self.message] ^= 0x10,
            Bend::Short => self.len -= 1,
            Bend::Flip(bit) => {
                let bit = usize::from(bit) % (self.len * 8);
                self.all[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([224, 0, 0, 18]),
        Family::V6 => IpAddr::from([0xFF02, 0, 0, 0, 0, 0, 0, 0x12]),
    }
}

pub const fn mac(host: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, host]
}
