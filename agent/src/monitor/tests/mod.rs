//! The model over built frames, and the picture over the model.

mod conflicts;
mod picture;
mod rejects;
mod routers;

use std::net::IpAddr;

use agent_common::{
    AdvertInterval, Family, KernelTime, Priority, Version, Vrid,
    wire::{
        Link,
        checksum::Sum,
        ethernet,
        vrrp::{self, ChecksumForm},
    },
};

use super::{event::Event, model::Model};
use crate::io::receive::raw::Arrival;

/// One millisecond of stamps.
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A router that sends; fields are changed from [`router`].
#[derive(Clone)]
struct Router {
    source: IpAddr,
    destination: Option<IpAddr>,
    version: Version,
    vrid: u8,
    priority: u8,
    centis: u16,
    vips: Vec<IpAddr>,
    auth: Option<[u8; 8]>,
    rfc9568: bool,
    ttl: u8,
    vlan: Option<u16>,
    local: bool,
}

/// VRRPv3, VRID 51, 1 s, one VIP.
fn router(source: &str, priority: u8) -> Router {
    let source = ip(source);
    let vips = match source {
        IpAddr::V4(_) => vec![ip("192.0.2.100")],
        IpAddr::V6(_) => vec![ip("fe80::100"), ip("2001:db8::100")],
    };
    Router {
        source,
        destination: None,
        version: Version::V3,
        vrid: 51,
        priority,
        centis: 100,
        vips,
        auth: None,
        rfc9568: false,
        ttl: 255,
        vlan: None,
        local: false,
    }
}

impl Router {
    fn message(&self, family: Family, destination: IpAddr) -> Vec<u8> {
        let mut message = vec![0xA5; vrrp::MAX_LEN + 8];
        let advert = vrrp::Advert {
            version: self.version,
            vrid: Vrid::new(self.vrid).expect("a VRID"),
            priority: Priority(self.priority),
            interval: AdvertInterval::from_centis(self.centis).expect("an interval"),
            auth: self.auth,
            addresses: &self.vips,
            family,
            checksum: if self.rfc9568 {
                ChecksumForm::MessageOnly
            } else {
                ChecksumForm::PseudoHeader {
                    source: self.source,
                    destination,
                }
            },
        };
        let length = vrrp::build(&mut message, &advert).expect("a message");
        message.truncate(length);
        message
    }

    fn frame(&self) -> Vec<u8> {
        self.bent(|_| ())
    }

    /// The frame of a message that was tampered with after its checksum.
    fn bent(&self, bend: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let (family, group) = match self.source {
            IpAddr::V4(_) => (Family::V4, IpAddr::from(vrrp::GROUP_V4)),
            IpAddr::V6(_) => (Family::V6, IpAddr::from(vrrp::GROUP_V6)),
        };
        let destination = self.destination.unwrap_or(group);
        let mut message = self.message(family, destination);
        bend(&mut message);
        let unicast = self.destination.map(|_| [0x02, 0, 0, 0, 0, 0x0A]);
        let mut frame = Vec::new();
        let ethertype = match (self.source, destination) {
            (IpAddr::V4(_), _) => {
                frame.extend(unicast.unwrap_or(ethernet::multicast_v4(vrrp::GROUP_V4)));
                ethernet::ETHERTYPE_IPV4
            }
            (IpAddr::V6(_), _) => {
                frame.extend(unicast.unwrap_or(ethernet::multicast_v6(vrrp::GROUP_V6)));
                ethernet::ETHERTYPE_IPV6
            }
        };
        frame.extend([0x02, 0, 0, 0, 0, 0x0B]);
        if let Some(vlan) = self.vlan {
            frame.extend(0x8100u16.to_be_bytes());
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(header(self.source, destination, self.ttl, message.len()));
        frame.extend(message);
        frame
    }
}

fn header(source: IpAddr, destination: IpAddr, ttl: u8, payload: usize) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(20 + payload)
                .expect("an IPv4 length")
                .to_be_bytes();
            let mut header = vec![0x45, 0xC0, total[0], total[1], 0, 0, 0, 0, ttl, 112, 0, 0];
            header.extend(source.octets());
            header.extend(destination.octets());
            let sum = Sum::new().add_slice(&header).finish().to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            header
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let length = u16::try_from(payload)
                .expect("an IPv6 length")
                .to_be_bytes();
            let mut header = vec![0x6C, 0, 0, 0, length[0], length[1], 112, ttl];
            header.extend(source.octets());
            header.extend(destination.octets());
            header
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            panic!("one family")
        }
    }
}

/// A model and the link that it listens on.
#[derive(Default)]
struct Lab {
    model: Model,
}

impl Lab {
    fn frame(&mut self, frame: &[u8], stamp: u64, outgoing: bool) -> Vec<Event> {
        let link = Link {
            ifindex: 7,
            vlan: None,
        };
        let stamp = KernelTime(stamp);
        self.model.observe(&Arrival {
            frame,
            link,
            stamp,
            outgoing,
        });
        self.model.take_events()
    }

    fn hear(&mut self, router: &Router, stamp: u64) -> Vec<Event> {
        self.frame(&router.frame(), stamp, router.local)
    }

    fn tick(&mut self, now: u64) -> Vec<Event> {
        self.model.tick(KernelTime(now));
        self.model.take_events()
    }
}

/// What the events are, by the label that JSON has.
fn labels(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let json = serde_json::to_value(event).expect("JSON");
            json["event"].as_str().expect("a label").to_owned()
        })
        .collect()
}
