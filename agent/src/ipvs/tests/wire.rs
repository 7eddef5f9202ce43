//! Bytes: our own, and any others.

use super::super::encode::{Command, Question};
use super::super::{decode, encode};
use super::*;
use crate::io::netlink::build::Builder;

const FAMILY: u16 = 0x1c;
/// Of a netlink message, in front of its payload.
const HEADER: usize = 16;

fn bytes(command: &Command<'_>) -> Vec<u8> {
    let mut request = Builder::default();
    command.write(FAMILY, true, &mut request);
    request.as_bytes().to_vec()
}

fn services() -> Vec<Service> {
    let plain = service(key("10.0.0.1", 80));
    let udp = ServiceKey::Address {
        protocol: Protocol::Udp,
        address: address("2001:db8::1"),
        port: 53,
    };
    vec![
        plain.clone(),
        Service {
            one_packet: true,
            flags: [true, false, true],
            persistence: Some(90),
            engine: Some("sip".into()),
            netmask: granularity(Family::V6, 64),
            ..service(udp)
        },
        service(ServiceKey::Mark { v6: true, mark: 7 }),
        service(ServiceKey::Mark {
            v6: false,
            mark: u32::MAX,
        }),
        Service {
            scheduler: "fifteen_letters".into(),
            ..plain
        },
    ]
}

fn destinations() -> Vec<Destination> {
    let with = |forward| Destination {
        forward,
        ..server("10.1.0.1", 8080)
    };
    let checksums = [Checksum::None, Checksum::Full, Checksum::Remote];
    let gue = checksums.map(|checksum| Tunnel::Gue {
        port: 6080,
        checksum,
    });
    let mut all = vec![
        with(Forward::Masquerade),
        with(Forward::Route),
        with(Forward::Local),
        with(Forward::Bypass),
        with(Forward::Tunnel(Tunnel::Ipip)),
        with(Forward::Tunnel(Tunnel::Gre {
            checksum: Checksum::Full,
        })),
        Destination {
            weight: 2_147_483_647,
            upper: u32::MAX,
            lower: 5,
            ..server("2001:db8::9", 0)
        },
    ];
    all.extend(gue.map(|tunnel| with(Forward::Tunnel(tunnel))));
    all
}

fn daemons() -> Vec<Daemon> {
    let plain = Daemon {
        role: Role::Master,
        interface: "eth0".into(),
        sync_id: 255,
        max_length: None,
        group: None,
        port: None,
        ttl: None,
    };
    let with = |group| Daemon {
        role: Role::Backup,
        max_length: Some(1400),
        group: Some(group),
        port: Some(Daemon::PORT),
        ttl: Some(3),
        ..plain.clone()
    };
    vec![
        plain.clone(),
        with(Daemon::GROUP),
        with(address("ff02::81")),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    for service in services() {
        let bytes = bytes(&Command::NewService(&service));
        let read = decode::service(&bytes[HEADER..]).map(|(service, _)| service);
        assert_eq!(read, Some(service));
    }
    let of = key("10.0.0.1", 80);
    for one in destinations() {
        let bytes = bytes(&Command::NewDestination(of, &one));
        let read = decode::destination(&bytes[HEADER..], Family::V4);
        assert_eq!(read.map(|(one, ..)| one), Some(one));
    }
    for daemon in daemons() {
        let bytes = bytes(&Command::NewDaemon(&daemon));
        assert_eq!(decode::daemon(&bytes[HEADER..]), Some(daemon));
    }
    let timeouts = Timeouts {
        tcp: 1,
        tcp_fin: 2,
        udp: 3,
    };
    let bytes = bytes(&Command::SetTimeouts(timeouts));
    assert_eq!(decode::timeouts(&bytes[HEADER..]), Some(timeouts));
}

/// Any byte may be another one, and any may be missing.
#[test]
fn no_bytes_break_the_reader() {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    messages.extend(
        services()
            .iter()
            .map(|one| bytes(&Command::NewService(one))),
    );
    let of = key("10.0.0.1", 80);
    let servers = destinations();
    messages.extend(
        servers
            .iter()
            .map(|one| bytes(&Command::NewDestination(of, one))),
    );
    messages.extend(daemons().iter().map(|one| bytes(&Command::NewDaemon(one))));
    let read = |payload: &[u8]| {
        let _ = decode::service(payload);
        let _ = decode::destination(payload, Family::V6);
        let _ = decode::daemon(payload);
        let _ = decode::timeouts(payload);
    };
    for message in &messages {
        let payload = &message[HEADER..];
        for cut in 0..payload.len() {
            read(&payload[..cut]);
        }
        for at in 0..payload.len() {
            for value in [0, 1, 3, 4, 0x7f, 0x80, 0xff] {
                let mut other = payload.to_vec();
                other[at] = value;
                read(&other);
            }
        }
    }
}

#[test]
fn what_no_kernel_says_is_not_believed() {
    let mut request = Builder::default();
    request.message(FAMILY, 0, |m| {
        m.header(&[1, 1, 0, 0]);
        m.nested(1, |m| {
            m.attribute(1, &2_u16.to_ne_bytes());
            m.attribute(2, &99_u16.to_ne_bytes());
            m.attribute(3, &[10, 0, 0, 1]);
            m.attribute(4, &80_u16.to_be_bytes());
        });
    });
    assert_eq!(decode::service(&request.as_bytes()[HEADER..]), None);
}

#[test]
fn questions_name_what_they_are_about() {
    let mut request = Builder::default();
    Question::Services.write(FAMILY, &mut request);
    let bytes = request.as_bytes();
    assert_eq!(bytes.len(), HEADER + 4);
    assert_eq!(bytes[HEADER..], [4, 1, 0, 0]);
    let mut request = Builder::default();
    encode::timeouts(FAMILY, &mut request);
    assert_eq!(request.as_bytes()[HEADER..], [13, 1, 0, 0]);
}
