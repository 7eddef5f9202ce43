//! A frame and the instance that is configured when it comes, made of any
//! bytes: what `packet` and `xdp` have in common.

use agent_common::{
    Family, Outcome,
    record::{AdvertRecord, InstanceFilter, InstanceKey, filter_flags},
    wire::{Bytes, Frame, Link, Located, judge, locate},
};
use failoverd_tests::{
    fixtures,
    packet::{OUR_V4, PEER_V4},
};

/// Bytes before the frame.
pub const HEAD: usize = 4;
/// What the kernel half copies of a frame.
const COPIED: usize = 2048;
/// The loopback interface, where test runs come in.
pub const IFINDEX: u32 = 1;

/// The first byte.
mod choice {
    pub const V2: u8 = 1;
    pub const V6: u8 = 1 << 1;
    pub const MEND: u8 = 1 << 2;
    pub const PEERS: u8 = 1 << 3;
    pub const OUT_OF_BAND: u8 = 1 << 4;
}

#[derive(Debug)]
pub struct Scene {
    pub filter: InstanceFilter,
    pub family: Family,
    pub link: Link,
    pub frame: Vec<u8>,
}

impl Scene {
    /// `None` for fewer bytes than say what is wanted.
    pub fn new(data: &[u8]) -> Option<Self> {
        let (&[choices, flags, seconds, vlan], frame) = data.split_first_chunk::<HEAD>()?;
        let has = |choice| choices & choice != 0;
        let family = if has(choice::V6) {
            Family::V6
        } else {
            Family::V4
        };
        let version = if has(choice::V2) { 2 } else { 3 };
        let mut filter = if has(choice::PEERS) {
            fixtures::unicast_filter()
        } else {
            fixtures::filter(version, family)
        };
        filter.version = version;
        filter.v2_seconds = seconds;
        // Whether it is one of unicast goes with the addresses.
        let unicast = filter_flags::UNICAST | filter_flags::CHECK_SOURCE;
        filter.flags |= flags & 0x3F & !unicast;
        let mut scene = Self {
            filter,
            family,
            link: Link {
                ifindex: IFINDEX,
                vlan: has(choice::OUT_OF_BAND).then_some(u16::from(vlan)),
            },
            frame: frame.to_vec(),
        };
        if has(choice::MEND) {
            scene.mend();
        }
        Some(scene)
    }

    /// Makes the checksums right where there is a message: a fuzzer would
    /// hardly ever get beyond them.
    fn mend(&mut self) {
        if self.frame.get(12..14) == Some(&[8, 0]) {
            self.put(24, [0; 2]);
            let header = self
                .frame
                .get(14)
                .map_or(0, |first| usize::from(first & 15) * 4);
            let sum = self.frame.get(14..14 + header).map(|bytes| !sum(bytes, 0));
            if let Some(sum) = sum {
                self.put(24, sum.to_be_bytes());
            }
        }
        let Ok(found) = self.locate() else { return };
        let at = found.message.at;
        self.put(at + 6, [0; 2]);
        let bytes = self.frame.get(at..at + found.message.length);
        if let Some(bytes) = bytes {
            let pseudo = self.filter.version == 3;
            let sum = !sum(bytes, if pseudo { pseudo_header(&found) } else { 0 });
            self.put(at + 6, sum.to_be_bytes());
        }
    }

    fn put(&mut self, at: usize, bytes: [u8; 2]) {
        if let Some(place) = self.frame.get_mut(at..at + 2) {
            place.copy_from_slice(&bytes);
        }
    }

    pub fn locate(&self) -> Result<Located, Outcome> {
        locate(&Copied(&self.frame), self.link)
    }

    pub fn judge(&self, located: &Located) -> Result<AdvertRecord, Outcome> {
        judge(&Copied(&self.frame), located, &self.filter, 0)
    }

    /// Of the instance that is configured: that of the frame, so that more
    /// than the lookup is reached, or of nobody.
    pub fn key(&self, located: &Located) -> InstanceKey {
        InstanceKey {
            family: self.family as u8,
            ..located.key
        }
    }
}

/// A frame of which only as much is readable as the kernel half has.
pub struct Copied<'a>(pub &'a [u8]);

impl Frame for Copied<'_> {
    fn received(&self) -> usize {
        self.0.len()
    }

    fn readable(&self) -> usize {
        self.0.len().min(COPIED)
    }
}

impl Bytes for Copied<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(..self.readable())?.bytes(at)
    }
}

/// RFC 1071, written again: 0xFFFF over what includes its checksum.
pub fn sum(bytes: &[u8], mut sum: u32) -> u16 {
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

/// The words of the pseudo-header, added up.
pub fn pseudo_header(located: &Located) -> u32 {
    let message = &located.message;
    let words = [message.source, message.destination].concat();
    u32::from(sum(&words, 112 + message.length as u32))
}

/// Whether some form of the checksum that is allowed verifies.
pub fn verifies(scene: &Scene, located: &Located) -> bool {
    let message = &located.message;
    let bytes = &scene.frame[message.at..message.at + message.length];
    let bare = sum(bytes, 0) == 0xFFFF;
    let whole = sum(bytes, pseudo_header(located)) == 0xFFFF;
    let group = {
        let mut old = *located;
        old.message.destination = fixtures::filter(3, Family::V4).destination;
        sum(bytes, pseudo_header(&old)) == 0xFFFF
    };
    let may_old = scene.filter.flags & filter_flags::OLD_CHECKSUM != 0;
    match (scene.filter.version, located.family) {
        (2, _) => bare,
        (_, Family::V6) => whole,
        (_, Family::V4) => bare || whole || may_old && group,
    }
}

/// The peers of a unicast scene.
pub fn is_peer(address: [u8; 16]) -> bool {
    address[..4] == PEER_V4.octets() || address[..4] == [192, 0, 2, 250]
}

/// Where a unicast scene is at home.
pub fn is_ours(address: [u8; 16]) -> bool {
    address[..4] == OUR_V4.octets()
}
