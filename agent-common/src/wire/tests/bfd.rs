//! Probes of Seamless BFD: one valid probe of each family, bent in one place.

use core::net::IpAddr;
use std::{vec, vec::Vec};

use super::lab::{LINK, OUR_MAC, PEER_MAC, hex, ip};
use crate::{
    types::{Family, Vrid},
    wire::{
        Bytes as _,
        bfd::{
            FrameMut, Probe, REFLECTOR_PORT, SessionState, Unanswered, discriminator, locate_probe,
            scan_probe,
        },
        checksum::Sum,
    },
};

/// Where an untagged probe of IPv4 has its parts.
const IP: usize = 14;
const UDP_V4: usize = 34;
const BFD_V4: usize = 42;
const UDP_V6: usize = 54;
const BFD_V6: usize = 62;

const PORT: u16 = 49_152;

/// RFC 5880 4.1: version 1, Up, Demand; multiplier 3; mine 0x01020304, yours of
/// VRID 51; 1 ms; no echo.
fn control(family: Family) -> Vec<u8> {
    let mut packet = hex("20 c2 03 18 01 02 03 04 00 00 00 00 00 00 03 e8 00 00 00 00 00 00 00 00");
    let yours = discriminator(family, Vrid::new(51).unwrap());
    packet[8..12].copy_from_slice(&yours.to_be_bytes());
    packet
}

fn udp(packet: &[u8]) -> Vec<u8> {
    let mut datagram = vec![];
    datagram.extend(PORT.to_be_bytes());
    datagram.extend(REFLECTOR_PORT.to_be_bytes());
    datagram.extend((8 + packet.len() as u16).to_be_bytes());
    datagram.extend([0xAB, 0xCD]);
    datagram.extend(packet);
    datagram
}

fn ethernet(ethertype: u16) -> Vec<u8> {
    let mut frame = vec![];
    frame.extend(OUR_MAC);
    frame.extend(PEER_MAC);
    frame.extend(ethertype.to_be_bytes());
    frame
}

fn fix_ipv4(frame: &mut [u8]) {
    frame[IP + 10..IP + 12].fill(0);
    let sum = Sum::new().add_slice(&frame[IP..IP + 20]).finish();
    frame[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
}

fn probe_v4() -> Vec<u8> {
    let mut frame = ethernet(0x0800);
    frame.extend(hex(
        "45 00 00 34 12 34 40 00 ff 11 00 00 c0 00 02 fb c0 00 02 fc",
    ));
    frame.extend(udp(&control(Family::V4)));
    fix_ipv4(&mut frame);
    frame
}

fn octets(address: &str) -> [u8; 16] {
    match ip(address) {
        IpAddr::V6(v6) => v6.octets(),
        IpAddr::V4(_) => panic!("an IPv6 address"),
    }
}

fn probe_v6() -> Vec<u8> {
    let mut frame = ethernet(0x86DD);
    frame.extend(hex("60 00 00 00 00 20 11 ff"));
    frame.extend(octets("fe80::b"));
    frame.extend(octets("fe80::a"));
    frame.extend(udp(&control(Family::V6)));
    frame
}

fn found(frame: &[u8]) -> Result<Probe, Unanswered> {
    locate_probe(frame, LINK)
}

#[test]
fn a_probe_is_found_with_what_it_asks_for() {
    let probe = found(&probe_v4()).unwrap();
    assert_eq!(probe.key.ifindex, LINK.ifindex);
    assert_eq!(probe.key.vlan, 0);
    assert_eq!(probe.key.family, Family::V4 as u8);
    assert_eq!(probe.key.discriminator, 0xF0FA_0433);
    assert_eq!(probe.destination[..4], [192, 0, 2, 252]);
    assert_eq!(probe.source[..4], [192, 0, 2, 251]);
    assert_eq!(probe.destination_mac, OUR_MAC);
    let probe = found(&probe_v6()).unwrap();
    assert_eq!(probe.key.discriminator, 0xF0FA_0633);
    assert_eq!(probe.destination, octets("fe80::a"));
    for frame in [probe_v4(), probe_v6()] {
        assert!(scan_probe(&frame[..], None));
        // Link padding changes nothing.
        let padded = [frame.clone(), vec![0; 18]].concat();
        assert_eq!(found(&padded), found(&frame));
    }
}

#[test]
fn a_tagged_probe_is_found_in_its_vlan() {
    let mut frame = probe_v4();
    frame.splice(12..12, [0x81, 0x00, 0x20, 0x07]);
    assert!(scan_probe(&frame[..], None));
    assert_eq!(found(&frame).unwrap().key.vlan, 7);
}

#[test]
fn the_answer_goes_back_the_way_the_probe_came() {
    let mut frame = probe_v4();
    let probe = found(&frame).unwrap();
    assert_eq!(
        probe.answer(&mut frame[..], SessionState::Up),
        Some(frame.len())
    );
    assert_eq!(frame[..6], PEER_MAC);
    assert_eq!(frame[6..12], OUR_MAC);
    assert!(Sum::new().add_slice(&frame[IP..IP + 20]).verifies());
    assert_eq!(frame[IP + 8], 255);
    assert_eq!(frame[IP + 12..IP + 16], [192, 0, 2, 252]);
    assert_eq!(frame[IP + 16..IP + 20], [192, 0, 2, 251]);
    // RFC 7881 4: from the port of reflectors to the one that was asked from.
    assert_eq!(frame.be16(UDP_V4), Some(REFLECTOR_PORT));
    assert_eq!(frame.be16(UDP_V4 + 2), Some(PORT));
    assert_eq!(frame.be16(UDP_V4 + 6), Some(0));
    // Up, neither Demand nor Final; discriminators exchanged.
    let control = hex("20 c0 03 18 f0 fa 04 33 01 02 03 04 00 00 03 e8 00 00 00 32 00 00 00 00");
    assert_eq!(frame[BFD_V4..], control);
}

#[test]
fn the_answer_over_ipv6_has_a_checksum() {
    let mut frame = probe_v6();
    let probe = found(&frame).unwrap();
    probe
        .answer(&mut frame[..], SessionState::AdminDown)
        .unwrap();
    assert_eq!(frame[22..38], octets("fe80::a"));
    assert_eq!(frame[38..54], octets("fe80::b"));
    let sum = Sum::new()
        .add_address(&octets("fe80::a"))
        .add_address(&octets("fe80::b"))
        .add_u16(32)
        .add_u16(17)
        .add_slice(&frame[UDP_V6..]);
    assert!(sum.verifies());
    assert_eq!(frame[BFD_V6 + 1], 0, "AdminDown, no flag");
}

#[test]
fn poll_is_answered_by_final() {
    let mut frame = probe_v4();
    frame[BFD_V4 + 1] |= 0x20;
    let probe = found(&frame).unwrap();
    probe.answer(&mut frame[..], SessionState::Up).unwrap();
    assert_eq!(frame[BFD_V4 + 1], 0xD0);
}

/// Whatever a reflector says, no reflector answers: two of them cannot keep a
/// packet alive between them.
#[test]
fn an_answer_is_not_answered() {
    for frame in [probe_v4(), probe_v6()] {
        for state in [SessionState::Up, SessionState::AdminDown] {
            let mut answer = frame.clone();
            let probe = found(&frame).unwrap();
            probe.answer(&mut answer[..], state).unwrap();
            assert_eq!(found(&answer), Err(Unanswered::Foreign), "another port");
            // As if the initiator had asked from the port of reflectors.
            let udp = if frame.len() > 80 { UDP_V6 } else { UDP_V4 };
            answer[udp + 2..udp + 4].copy_from_slice(&REFLECTOR_PORT.to_be_bytes());
            assert_eq!(found(&answer), Err(Unanswered::Answer));
            // From another port it is the Demand bit that tells.
            answer[udp..udp + 2].copy_from_slice(&PORT.to_be_bytes());
            assert_eq!(found(&answer), Err(Unanswered::Answer));
        }
    }
}

#[test]
fn a_probe_from_the_reflectors_port_is_not_answered() {
    let mut frame = probe_v4();
    frame[UDP_V4..UDP_V4 + 2].copy_from_slice(&REFLECTOR_PORT.to_be_bytes());
    assert_eq!(found(&frame), Err(Unanswered::Answer));
}

#[test]
fn a_probe_from_beyond_the_link_is_not_answered() {
    let mut frame = probe_v4();
    frame[IP + 8] = 254;
    fix_ipv4(&mut frame);
    assert_eq!(found(&frame), Err(Unanswered::Ttl));
    let mut frame = probe_v6();
    frame[IP + 7] = 254;
    assert_eq!(found(&frame), Err(Unanswered::Ttl));
}

#[test]
fn a_header_that_no_initiator_sends_is_refused() {
    let bend = |at: usize, byte: u8| {
        let mut frame = probe_v4();
        frame[at] = byte;
        fix_ipv4(&mut frame);
        found(&frame)
    };
    let header = Err(Unanswered::Header);
    assert_eq!(bend(IP, 0x46), header, "options");
    assert_eq!(bend(IP, 0x55), header, "version");
    assert_eq!(bend(IP + 3, 0x35), header, "length");
    assert_eq!(bend(IP + 6, 0x20), header, "more fragments");
    assert_eq!(bend(IP + 7, 0x01), header, "fragment");
    assert_eq!(bend(IP + 12, 224), header, "multicast source");
    assert_eq!(bend(UDP_V4 + 5, 31), header, "length of UDP");
    let mut frame = probe_v4();
    frame[IP + 10] ^= 1;
    assert_eq!(found(&frame), header, "checksum");
    let mut frame = probe_v6();
    frame[IP + 5] = 33;
    assert_eq!(found(&frame), header, "payload length");
    let mut frame = probe_v6();
    frame[IP + 8] = 0xFF;
    assert_eq!(found(&frame), header, "multicast source");
}

#[test]
fn what_asks_nothing_is_refused() {
    for (at, byte) in [
        (0, 0x40), // version 2
        (1, 0xC6), // authentication
        (1, 0xC3), // multipoint
        (2, 0),    // multiplier
        (3, 23),   // length
        (3, 25),
    ] {
        let mut frame = probe_v4();
        frame[BFD_V4 + at] = byte;
        assert_eq!(found(&frame), Err(Unanswered::Packet), "{at} {byte:#x}");
    }
    for at in [4, 8] {
        let mut frame = probe_v4();
        frame[BFD_V4 + at..BFD_V4 + at + 4].fill(0);
        assert_eq!(found(&frame), Err(Unanswered::Packet), "discriminator");
    }
}

#[test]
fn another_port_or_protocol_is_foreign() {
    let mut frame = probe_v4();
    frame[UDP_V4 + 3] ^= 1;
    assert_eq!(found(&frame), Err(Unanswered::Foreign));
    assert!(!scan_probe(&frame[..], None));
    let mut frame = probe_v6();
    frame[IP + 6] = 6;
    assert_eq!(found(&frame), Err(Unanswered::Foreign));
    assert!(!scan_probe(&frame[..], None));
}

/// No truncation is a probe, and none makes an answer that ends elsewhere.
#[test]
fn a_truncated_probe_is_refused() {
    for frame in [probe_v4(), probe_v6()] {
        let probe = found(&frame).unwrap();
        for length in 0..frame.len() {
            let mut cut = frame[..length].to_vec();
            assert!(found(&cut).is_err(), "{length}");
            assert_eq!(probe.answer(&mut cut[..], SessionState::Up), None);
        }
    }
}

/// Whatever comes in, one frame at most goes out for it, no longer than it was,
/// and no reflector sends that on, even one that knows every address and
/// discriminator: two that face each other, or a link that returns what it is
/// given, end with the first answer.
#[test]
fn no_input_makes_reflectors_go_on() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut roll = |sides: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % sides
    };
    let interesting = [0, 1, 2, 3, 0x18, 0x1E, 0x20, 0x68, 0xC0, 0xC2, 0xFF];
    let mut answered = 0;
    for _ in 0..20_000 {
        let mut frame = if roll(2) == 0 { probe_v4() } else { probe_v6() };
        for _ in 0..roll(5) {
            let at = roll(frame.len());
            frame[at] = match roll(3) {
                0 => roll(256) as u8,
                1 => frame[at] ^ 1 << roll(8),
                _ => interesting[roll(interesting.len())],
            };
        }
        if frame.len() < 80 && roll(4) != 0 {
            fix_ipv4(&mut frame);
        }
        frame.extend(std::iter::repeat_n(roll(256) as u8, roll(20)));
        let Ok(probe) = found(&frame) else { continue };
        let state = [SessionState::Up, SessionState::AdminDown][roll(2)];
        let length = probe.answer(&mut frame[..], state).unwrap();
        assert!(length <= frame.len());
        assert!(found(&frame).is_err(), "{frame:02x?}");
        assert!(found(&frame[..length]).is_err(), "{frame:02x?}");
        answered += 1;
    }
    assert!(answered > 2_000, "{answered}");
}

impl FrameMut for [u8] {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        if let Some(place) = self.get_mut(at..at + N) {
            place.copy_from_slice(&bytes);
        }
    }
}
