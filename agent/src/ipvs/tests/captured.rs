//! Our messages against those of ipvsadm, and the kernel's answers.

use super::super::decode;
use super::super::encode::Command;
use super::*;
use crate::io::netlink::build::Builder;

const CAPTURED: &str = include_str!("captured.txt");
const HEADER: usize = 16;

/// All messages of that name, in their order.
fn captured(name: &str) -> Vec<Vec<u8>> {
    let lines = CAPTURED.lines().filter(|line| !line.starts_with('#'));
    let named = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    named.map(bytes).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

fn one(name: &str) -> Vec<u8> {
    let mut all = captured(name);
    assert_eq!(all.len(), 1, "{name}");
    all.remove(0)
}

fn written(command: &Command<'_>) -> Vec<u8> {
    let mut request = Builder::default();
    command.write(0x20, true, &mut request);
    request.as_bytes()[HEADER..].to_vec()
}

fn dns() -> Service {
    let key = ServiceKey::Address {
        protocol: Protocol::Udp,
        address: address("2001:db8::1"),
        port: 53,
    };
    Service {
        scheduler: "sh".into(),
        one_packet: true,
        flags: [true, false, true],
        persistence: Some(90),
        netmask: granularity(Family::V6, 64),
        ..service(key)
    }
}

fn web() -> Service {
    Service {
        scheduler: "wrr".into(),
        persistence: Some(60),
        netmask: [255, 255, 255, 0],
        ..service(key("10.0.0.1", 80))
    }
}

fn mark() -> Service {
    service(ServiceKey::Mark { v6: true, mark: 7 })
}

#[test]
fn services_are_asked_for_as_ipvsadm_does() {
    let first = service(key("10.0.0.1", 80));
    let [dns, web, mark] = [dns(), web(), mark()];
    for (name, command) in [
        ("new service", Command::NewService(&first)),
        ("new service v6", Command::NewService(&dns)),
        ("new mark", Command::NewService(&mark)),
        ("set service", Command::SetService(&web)),
    ] {
        assert_eq!(written(&command), one(name), "{name}");
    }
}

#[test]
fn daemons_and_timeouts_are_asked_for_as_ipvsadm_does() {
    let timeouts = Timeouts {
        tcp: 100,
        tcp_fin: 20,
        udp: 30,
    };
    assert_eq!(written(&Command::SetTimeouts(timeouts)), one("timeouts"));
    let master = Daemon {
        role: Role::Master,
        interface: "eth9".into(),
        sync_id: 5,
        max_length: Some(1400),
        group: None,
        port: Some(9000),
        ttl: Some(3),
    };
    assert_eq!(written(&Command::NewDaemon(&master)), one("new master"));
    let backup = Daemon {
        role: Role::Backup,
        max_length: None,
        group: Some(address("239.1.2.3")),
        port: None,
        ttl: None,
        ..master
    };
    assert_eq!(written(&Command::NewDaemon(&backup)), one("new backup"));
}

fn gue() -> Destination {
    Destination {
        forward: Forward::Tunnel(Tunnel::Gue {
            port: 6080,
            checksum: Checksum::Remote,
        }),
        weight: 2,
        ..server("10.1.0.3", 80)
    }
}

fn nat() -> Destination {
    Destination {
        forward: Forward::Masquerade,
        weight: 5,
        upper: 9,
        lower: 3,
        ..server("10.1.0.1", 8080)
    }
}

fn ipip() -> Destination {
    Destination {
        forward: Forward::Tunnel(Tunnel::Ipip),
        weight: 3,
        ..server("2001:db8::9", 80)
    }
}

/// ipvsadm names more of the service, and says tunnels where there are none:
/// what it means is compared.
#[test]
fn destinations_mean_what_those_of_ipvsadm_mean() {
    let of = key("10.0.0.1", 80);
    for (name, wanted) in [
        ("nat", nat()),
        ("dr", server("10.1.0.2", 80)),
        ("gue", gue()),
        ("ipip v6", ipip()),
    ] {
        let read = |bytes: &[u8]| decode::destination(bytes, Family::V4).map(|(one, ..)| one);
        assert_eq!(read(&one(name)), Some(wanted), "{name}");
        assert_eq!(
            read(&written(&Command::NewDestination(of, &wanted))),
            Some(wanted)
        );
    }
}

#[test]
fn what_the_kernel_tells_is_understood() {
    let services: Vec<_> = captured("told service")
        .iter()
        .map(|bytes| decode::service(bytes).map(|(service, _)| service))
        .collect();
    assert_eq!(services, [Some(dns()), Some(web()), Some(mark())]);
    let servers: Vec<_> = captured("told destination")
        .iter()
        .map(|bytes| decode::destination(bytes, Family::V4).map(|(one, ..)| one))
        .collect();
    assert_eq!(servers, [Some(ipip()), Some(gue()), Some(nat())]);
    let timeouts = decode::timeouts(&one("told timeouts"));
    assert_eq!(
        timeouts.map(|of| (of.tcp, of.tcp_fin, of.udp)),
        Some((100, 20, 30))
    );
}
