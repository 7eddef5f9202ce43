//! Frames with the verdict that every backend must give on them.

use agent_common::{
    Family, Outcome,
    record::{InstanceFilter, InstanceKey, MAX_PEERS, NO_SLOT, filter_flags},
    wire::{frame::wire_address, vrrp},
};
use bytemuck::Zeroable as _;

use crate::packet::{OUR_MAC, OUR_V4, PEER_MAC, PEER_V4, Packet, golden};

mod sources;

/// The slot of the one instance that is configured while a fixture runs.
pub const SLOT: u32 = 3;

/// A frame, the instance that is configured when it comes, and the verdict.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Starts with the requirement id where there is one.
    pub name: &'static str,
    pub frame: Vec<u8>,
    /// VRID and VLAN of the configured instance, and its family.
    pub vrid: u8,
    pub vlan: u16,
    pub family: Family,
    pub filter: InstanceFilter,
    pub outcome: Outcome,
}

impl Fixture {
    pub fn key(&self, ifindex: u32) -> InstanceKey {
        InstanceKey {
            ifindex,
            vlan: self.vlan,
            family: self.family as u8,
            vrid: self.vrid,
        }
    }

    /// The slot whose counter moves; `None` for a frame that is not counted.
    pub fn counted(&self) -> Option<u32> {
        match self.outcome {
            Outcome::Foreign => None,
            Outcome::UnknownVrid
            | Outcome::Fragment
            | Outcome::ExtensionChain
            | Outcome::Oversize
            | Outcome::Truncated
            | Outcome::IpHeader
            | Outcome::IpChecksum
            | Outcome::IpLength
            | Outcome::AuthHeader => Some(NO_SLOT),
            // Less than a VRID is nobody's.
            Outcome::Incomplete if self.name.ends_with("without a vrid") => Some(NO_SLOT),
            Outcome::Accepted
            | Outcome::Incomplete
            | Outcome::Ttl
            | Outcome::BadSource
            | Outcome::OwnSource
            | Outcome::Destination
            | Outcome::DestinationMac
            | Outcome::Version
            | Outcome::Type
            | Outcome::Trailing
            | Outcome::Checksum
            | Outcome::NoAddresses
            | Outcome::IntervalZero
            | Outcome::IntervalMismatch
            | Outcome::NotLinkLocal
            | Outcome::AuthType
            | Outcome::AuthFailed
            | Outcome::UnknownPeer
            | Outcome::PeerTtl
            | Outcome::SourceNotAllowed
            | Outcome::OwnerIgnores
            | Outcome::RingFull
            | Outcome::OverBudget => Some(SLOT),
        }
    }
}

/// A filter that accepts the golden messages of one version and family.
pub fn filter(version: u8, family: Family) -> InstanceFilter {
    InstanceFilter {
        slot: SLOT,
        version,
        v2_seconds: 1,
        destination: match family {
            Family::V4 => wire_address(vrrp::GROUP_V4.into()),
            Family::V6 => wire_address(vrrp::GROUP_V6.into()),
        },
        mac: OUR_MAC,
        ..InstanceFilter::zeroed()
    }
}

/// A unicast instance with our address, whose only peer is [`PEER_V4`].
pub fn unicast_filter() -> InstanceFilter {
    let mut filter = InstanceFilter {
        flags: filter_flags::UNICAST | filter_flags::CHECK_SOURCE,
        peer_count: 2,
        destination: wire_address(OUR_V4.into()),
        own: wire_address(OUR_V4.into()),
        ..filter(3, Family::V4)
    };
    filter.peers[0] = wire_address([192, 0, 2, 250].into());
    filter.peers[1] = wire_address(PEER_V4.into());
    filter
}

fn v2(name: &'static str, packet: &Packet, outcome: Outcome) -> Fixture {
    Fixture {
        filter: filter(2, Family::V4),
        ..v4(name, packet, outcome)
    }
}

fn v4(name: &'static str, packet: &Packet, outcome: Outcome) -> Fixture {
    Fixture {
        name,
        frame: packet.frame(),
        vrid: 10,
        vlan: 0,
        family: Family::V4,
        filter: filter(3, Family::V4),
        outcome,
    }
}

fn v6(name: &'static str, packet: &Packet, outcome: Outcome) -> Fixture {
    Fixture {
        family: Family::V6,
        filter: filter(3, Family::V6),
        ..v4(name, packet, outcome)
    }
}

fn unicast(name: &'static str, packet: &Packet, outcome: Outcome) -> Fixture {
    Fixture {
        filter: unicast_filter(),
        ..v4(name, packet, outcome)
    }
}

/// Every fixture.
pub fn all() -> Vec<Fixture> {
    let mut all = accepted();
    all.extend(framing());
    all.extend(refused_headers());
    all.extend(refused_messages());
    all.extend(peer_rules());
    all.extend(sources::all());
    all
}

/// What a unicast peer may have that others may not (R-26, K-06).
fn peer_rules() -> Vec<Fixture> {
    let limited = InstanceFilter {
        min_ttl: [64; MAX_PEERS],
        ttl_headroom: [1; MAX_PEERS],
        ..unicast_filter()
    };
    let with_ttl = |name, ttl, outcome| {
        let packet = Packet {
            ttl,
            ..Packet::unicast_v4(golden::G4)
        };
        Fixture {
            filter: limited,
            ..v4(name, &packet, outcome)
        }
    };
    let old_sum = Packet::unicast_v4(golden::G3);
    let mut lenient = unicast_filter();
    lenient.flags |= filter_flags::OLD_CHECKSUM;
    vec![
        with_ttl("R-26 nearer than max_ttl", 255, Outcome::PeerTtl),
        with_ttl("R-26 at max_ttl", 254, Outcome::Accepted),
        with_ttl("R-26 at min_ttl", 64, Outcome::Accepted),
        with_ttl("R-26 farther than min_ttl", 63, Outcome::PeerTtl),
        unicast(
            "K-06 the old checksum, unwanted",
            &old_sum,
            Outcome::Checksum,
        ),
        Fixture {
            filter: lenient,
            ..v4("K-06 the old checksum", &old_sum, Outcome::Accepted)
        },
    ]
}

fn accepted() -> Vec<Fixture> {
    use Outcome::Accepted;
    let mut password = Packet::v4(golden::G1);
    password.message[16..].copy_from_slice(b"secret\0\0");
    let password = password.with_byte(4, 1);
    let pass = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        auth: *b"secret\0\0",
        ..filter(2, Family::V4)
    };
    vec![
        v2("G1", &Packet::v4(golden::G1), Accepted),
        v4("G2", &Packet::v4(golden::G2), Accepted),
        v4("G3", &Packet::v4(golden::G3), Accepted),
        unicast("G4", &Packet::unicast_v4(golden::G4), Accepted),
        v6("G5", &Packet::v6(golden::G5), Accepted),
        v4("G7", &Packet::v4(golden::G7), Accepted),
        Fixture {
            vrid: 51,
            ..v2("G8", &Packet::v4(golden::G8), Accepted)
        },
        Fixture {
            filter: pass,
            ..v2("F-27 password", &password, Accepted)
        },
        v4(
            "F-19 Reserve",
            &Packet::v4(golden::G2).with_byte(4, 0xF0),
            Accepted,
        ),
        unicast(
            "R-26 TTL",
            &Packet {
                ttl: 7,
                ..Packet::unicast_v4(golden::G4)
            },
            Accepted,
        ),
        v4("R-15 255 addresses", &many_addresses(255), Accepted),
    ]
}

/// A valid advert of `count` IPv4 addresses.
pub fn many_addresses(count: u8) -> Packet {
    let mut packet = Packet::v4("31 0a 64 00 00 64 00 00");
    packet
        .message
        .extend((0..count).flat_map(|last| [10, 0, 0, last]));
    packet.with_byte(3, count)
}

fn framing() -> Vec<Fixture> {
    use Outcome::{Accepted, ExtensionChain, Foreign, Fragment, Oversize};
    let g2 = || Packet::v4(golden::G2);
    let g5 = || Packet::v6(golden::G5);
    let chain = |count: usize| {
        let mut packet = Packet {
            protocol: 0,
            ..g5()
        };
        for index in 1..=count {
            packet
                .options
                .extend([if index == count { 112 } else { 60 }, 0, 1, 4, 0, 0, 0, 0]);
        }
        packet
    };
    let tagged = |tags: &[(u16, u16)]| Packet {
        tags: tags.to_vec(),
        ..g2()
    };
    let fragment6 = Packet {
        protocol: 44,
        options: vec![112, 0, 0, 1, 0, 0, 0, 9],
        ..g5()
    };
    let fragment = Fixture {
        frame: g2().frame_with_ipv4_byte(6, 0x20),
        ..v4("R-21 IPv4 fragment", &g2(), Fragment)
    };
    let oversize = Packet {
        message: vec![0x31; 3000],
        ..g2()
    };
    vec![
        Fixture {
            vlan: 100,
            ..v4("R-22 one tag", &tagged(&[(0x8100, 0xE064)]), Accepted)
        },
        Fixture {
            vlan: 100,
            ..v4(
                "R-22 two tags",
                &tagged(&[(0x88A8, 7), (0x8100, 100)]),
                Accepted,
            )
        },
        v4("R-22 priority tag", &tagged(&[(0x8100, 0xE000)]), Accepted),
        v4(
            "R-22 priority tag in another VLAN",
            &tagged(&[(0x88A8, 7), (0x8100, 0xE000)]),
            Outcome::UnknownVrid,
        ),
        v4(
            "R-22 three tags",
            &tagged(&[(0x88A8, 1), (0x8100, 2), (0x8100, 3)]),
            Foreign,
        ),
        v4(
            "R-22 other VLAN",
            &tagged(&[(0x8100, 100)]),
            Outcome::UnknownVrid,
        ),
        v4(
            "R-19 options",
            &Packet {
                options: vec![1; 8],
                ..g2()
            },
            Accepted,
        ),
        v4(
            "R-17 padded",
            &Packet {
                padding: 10,
                ..g2()
            },
            Accepted,
        ),
        v6("R-20 hop-by-hop", &chain(1), Accepted),
        v6("R-20 four headers", &chain(4), Accepted),
        v6("R-20 five headers", &chain(5), ExtensionChain),
        fragment,
        v6("R-21 IPv6 fragment", &fragment6, Fragment),
        v4("long message", &oversize, Oversize),
        v4(
            "TCP",
            &Packet {
                protocol: 6,
                padding: 20,
                ..g2()
            },
            Foreign,
        ),
        v6(
            "ICMPv6",
            &Packet {
                protocol: 58,
                ..g5()
            },
            Foreign,
        ),
        v6(
            "R-20 cut chain",
            &Packet {
                protocol: 0,
                message: vec![60, 0],
                ..g5()
            },
            Foreign,
        ),
    ]
}

fn refused_headers() -> Vec<Fixture> {
    use Outcome::{
        AuthHeader, BadSource, Destination, DestinationMac, IpChecksum, IpHeader, IpLength,
        OwnSource, Truncated, Ttl, UnknownPeer, UnknownVrid,
    };
    let g2 = || Packet::v4(golden::G2);
    let bent = |name, at: usize, value, outcome| {
        let mut fixture = v4(name, &g2(), outcome);
        fixture.frame[g2().ip_at() + at] = value;
        fixture
    };
    let mut cut = v4("cut in the IP header", &g2(), Truncated);
    cut.frame.truncate(30);
    let mut ah = Packet {
        protocol: 51,
        ..Packet::v4(golden::G1)
    };
    ah.message
        .splice(0..0, [112, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    let own = InstanceFilter {
        own: wire_address(PEER_V4.into()),
        ..filter(3, Family::V4)
    };
    let mut stranger = v4(
        "R-26 stranger",
        &Packet::unicast_v4(golden::G4),
        UnknownPeer,
    );
    stranger.filter = InstanceFilter {
        peer_count: 1,
        ..unicast_filter()
    };
    vec![
        bent("R-19 four words", 0, 0x44, IpHeader),
        bent("R-19 version", 0, 0x65, IpHeader),
        bent("R-28 header checksum", 10, 0, IpChecksum),
        Fixture {
            frame: g2().frame_with_ipv4_byte(2, 1),
            ..v4("R-17 past the frame", &g2(), IpLength)
        },
        cut,
        v4("F-28 IPv4", &ah, AuthHeader),
        v4("R-01", &Packet { ttl: 254, ..g2() }, Ttl),
        v6(
            "R-02",
            &Packet {
                ttl: 254,
                ..Packet::v6(golden::G5)
            },
            Ttl,
        ),
        v4(
            "R-28 loopback",
            &Packet {
                source: [127, 0, 0, 1].into(),
                ..g2()
            },
            BadSource,
        ),
        Fixture {
            filter: own,
            ..v4("R-23", &g2(), OwnSource)
        },
        v4("R-26 to us", &Packet::unicast_v4(golden::G4), Destination),
        unicast("R-26 to the group", &g2(), Destination),
        v4(
            "R-28 MAC",
            &Packet {
                destination_mac: PEER_MAC,
                ..g2()
            },
            DestinationMac,
        ),
        stranger,
        v4("R-07", &g2().with_byte(1, 11), UnknownVrid),
    ]
}

fn refused_messages() -> Vec<Fixture> {
    use Outcome::{
        AuthFailed, AuthType, Checksum, Incomplete, IntervalMismatch, IntervalZero, NoAddresses,
        NotLinkLocal, OwnerIgnores, Trailing, Type, Version,
    };
    let g1 = || Packet::v4(golden::G1);
    let g2 = || Packet::v4(golden::G2);
    let short = |length: usize| {
        let mut packet = g2();
        packet.message.truncate(length);
        packet
    };
    let mut long = g2();
    long.message.extend([0; 4]);
    let mut swapped = Packet::v6(golden::G5);
    swapped.message[8..].rotate_left(16);
    let mut wrong = g2();
    wrong.message[6] ^= 1;
    let pass = InstanceFilter {
        flags: filter_flags::AUTH_PASS,
        ..filter(2, Family::V4)
    };
    let pass = InstanceFilter {
        auth: *b"secret\0\0",
        ..pass
    };
    let owner = InstanceFilter {
        flags: filter_flags::OWNER_IGNORES,
        ..filter(3, Family::V4)
    };
    vec![
        v4("R-03", &g1(), Version),
        v4("R-04", &g2().with_byte(0, 0x37), Type),
        v4("R-05", &g2().with_byte(3, 3), Incomplete),
        v4("R-05 short header", &short(7), Incomplete),
        v4("R-05 without a vrid", &short(1), Incomplete),
        v4("R-18", &long.mended(), Trailing),
        v4("R-06", &wrong, Checksum),
        v6("R-06 G6", &Packet::v6(golden::G6), Checksum),
        Fixture {
            filter: owner,
            ..v4("R-08", &g2(), OwnerIgnores)
        },
        v2("R-09 type", &g1().with_byte(4, 1), AuthType),
        Fixture {
            filter: pass,
            ..v2("R-09 password", &g1().with_byte(4, 1), AuthFailed)
        },
        v4(
            "R-10",
            &Packet::v4("31 0a 64 00 00 64 00 00").mended(),
            NoAddresses,
        ),
        v4("R-11", &g2().with_byte(5, 0), IntervalZero),
        v2("R-11 v2", &g1().with_byte(5, 0), IntervalZero),
        v6("R-12", &swapped, NotLinkLocal),
        v2("R-13", &g1().with_byte(5, 2), IntervalMismatch),
    ]
}
